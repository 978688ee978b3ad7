"""The load of one meter as the page draws it: JSON, of hours or of days."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from tap_utility_intervals.reporting.database import Row

HOUR, DAY = 3600, 86400
SHORT = 1000
"""kWh from which on a picture needs no fractions."""


def series(
    hours: Sequence[Row], days: Sequence[Row], restated: Sequence[date]
) -> str | None:
    """Return a meter's kWh by hour, or by day if it has no hours; none without either.

    Args:
        hours: rows of `utility_intervals__hourly`, in their order.
        days: rows of `utility_intervals__daily`, in their order.
        restated: days on which readings came again with another value.
    """
    step, name, rows = (
        (HOUR, "local_hour", hours) if hours else (DAY, "local_date", days)
    )
    if not rows:
        return None
    first, last = (_midnight(rows[at][name]) for at in (0, -1))
    places = {(_at(row[name]) - first) // timedelta(seconds=step): row for row in rows}
    every = range(((last - first).days + 1) * DAY // step)

    def column(name: str) -> list[float | int | None]:
        return [rounded(places[n][name]) if n in places else None for n in every]

    found = {
        "start": f"{first:%Y-%m-%d}",
        "step": step,
        "kwh": column("chosen_kwh"),
        # What went out beside what came in.
        "sent": column("received_kwh")
        if any(row["received_kwh"] is not None for row in rows)
        else None,
        # For how long it came, where that is not the whole of it.
        "seconds": [
            (n, row["received_seconds"])
            for n, row in places.items()
            if row["received_seconds"] != step
        ],
        # Before the first reading, after the last one, and the hour that spring skips.
        "absent": [n for n in every if n not in places],
        "again": [f"{one:%Y-%m-%d}" for one in restated],
    }
    return json.dumps(found, separators=(",", ":"))


def _midnight(moment: date) -> datetime:
    day = moment.date() if isinstance(moment, datetime) else moment
    return datetime.combine(day, time())


def _at(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else _midnight(moment)


def rounded(kwh: Decimal | float | None) -> float | int | None:
    """Return kWh to a thousandth, large ones to a whole; None stays."""
    if kwh is None:
        return None
    if not -SHORT < kwh < SHORT:
        return round(kwh)
    short = round(float(kwh), 3)
    return int(short) if short.is_integer() else short

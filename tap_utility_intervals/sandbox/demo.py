"""Meters as the utility DEMO has them, seen in real captures.

See utilityapi.md#bill and utilityapi.md#interval.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timezone
from decimal import Decimal

from tap_utility_intervals.sandbox.accounts import Channel, UtilityMeter
from tap_utility_intervals.sandbox.bills import Bill, LineItem
from tap_utility_intervals.sandbox.readings import DAY, Reading, Series, epoch

DEMO_METERS = {"residential": 1, "commercial": 4}
"""How many meters a test scenario has; utilityapi.md#forms-and-tests."""
ZONE = "America/Los_Angeles"
FIRST = epoch("2015-01-01T08:00:00Z")
QUARTER = 900
READINGS = 290
MONTHS = 24
YEARS_BEFORE = 13


def demo_meter(uid: str, authorization: str, now: int) -> UtilityMeter:
    """A DEMO meter: readings of 2015, bills of the two years before `now`."""
    return UtilityMeter(
        uid,
        Series([_reading(number) for number in range(READINGS)]),
        authorization,
        ZONE,
        (Channel("fwd"),),
        bills=tuple(_bills(now)),
        utility="DEMO",
        service_tariff="E-1",
    )


def _reading(number: int) -> Reading:
    """A quarter hour, forward only."""
    start = FIRST + number * QUARTER
    value = f"0.{100 + number % 97}"
    return Reading(start, start + QUARTER, (value,), start + QUARTER)


def _bills(now: int) -> list[Bill]:
    """Months that begin and end at midnight UTC, as each DEMO bill does."""
    last = datetime.fromtimestamp(now, timezone.utc)
    months = [last.year * 12 + last.month - 1 - n for n in range(MONTHS + 1)][::-1]
    edges = [
        int(datetime(m // 12, m % 12 + 1, 1, tzinfo=timezone.utc).timestamp())
        for m in months
    ]
    return [
        _bill(number, start, end)
        for number, (start, end) in enumerate(itertools.pairwise(edges))
    ]


def _bill(number: int, start: int, end: int) -> Bill:
    """Line items of years before, a name twice, four decimals, a tax without volume."""
    parts = (Decimal("120.1234") + number, Decimal("80.5") + number)
    old = (start - YEARS_BEFORE * 365 * DAY, end - YEARS_BEFORE * 365 * DAY)
    items = [
        LineItem("Energy charge", f"{part / 5:.2f}", str(part), "0.2", "delivery", *old)
        for part in parts
    ]
    items.append(LineItem("Tax", "1.10", None, None, "other", *old))
    cost = sum((Decimal(item.cost or 0) for item in items), Decimal(0))
    volume = str(sum(parts, Decimal(0)))
    return Bill(
        str(number), start, end, volume, str(cost), end, line_items=tuple(items)
    )

"""What a historical collection would add to a meter, and what stands against it. Pure.

A collection is paid for, so a meter is only offered when its listing shows a hole in
the span, and never while another collection of it runs. See utilityapi.md#collecting
and, for what the listing shows, utilityapi.md#meter.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tap_utility_intervals.floor.ranges import Range, missing
from tap_utility_intervals.providers.utilityapi.entities import (
    Authorization,
    ListedMeter,
)

MOST_MONTHS = 36
"""What one collection may ask for: utilityapi.md#collecting."""
FREQUENCIES = ("off", "monthly", "weekly", "daily")
"""https://utilityapi.com/docs/api/meters/ongoing-monitoring has these."""

INTERVAL_EDGE = timedelta(days=2)
"""Readings reach the provider a day or two late: utilityapi.md#known-oddities."""
BILL_EDGE = timedelta(days=62)
"""A bill comes when its period is over, and that may be two months long (assumed)."""
HOLE = timedelta(days=1)
"""Coverage is the provider's summary; smaller holes inside it are no reason to pay."""

NAMEABLE = re.compile(r"[A-Za-z0-9_.:@+-]+")
"""A uid that means itself in a list, in a shell and on a terminal."""


@dataclass(frozen=True)
class Prospect:
    """What a collection would do for one meter."""

    listed: ListedMeter
    intervals: Sequence[Range]
    """Stretches of the span without readings."""
    bills: Sequence[Range]
    """Stretches of the span without bills."""
    obstacle: str | None
    """Why it would not be collected; None if it would."""


def span(months: int, now: datetime) -> Range:
    """Return the last so many months; of a shorter month, its last day counts.

    Args:
        months: calendar months, at least one.
        now: the end.
    """
    index = now.year * 12 + now.month - 1 - months
    year, month = index // 12, index % 12 + 1
    day = min(now.day, calendar.monthrange(year, month)[1])
    return now.replace(year=year, month=month, day=day), now


def prospect(
    listed: ListedMeter, grants: Mapping[str, Authorization], wanted: Range
) -> Prospect:
    """Return what collecting `wanted` would do for a meter.

    Args:
        listed: the meter.
        grants: authorizations by uid.
        wanted: the span that would be collected.
    """
    meter = listed.meter
    intervals = holes(wanted, meter.interval_coverage, INTERVAL_EDGE)
    bills = holes(wanted, meter.bill_coverage, BILL_EDGE)
    # A meter may have no readings at its utility, or no bills: what it never had does
    # not count as missing once the other kind is there.
    if meter.interval_coverage and not meter.bill_coverage:
        bills = []
    elif meter.bill_coverage and not meter.interval_coverage:
        intervals = []
    obstacle = _obstacle(listed, grants)
    if obstacle is None and not intervals and not bills:
        obstacle = "already covers the span"
    return Prospect(listed, intervals, bills, obstacle)


def holes(wanted: Range, coverage: Sequence[Range], edge: timedelta) -> list[Range]:
    """Return what coverage lacks of the wanted range.

    A hole at one of its ends that is no longer than `edge` is none, unless it is all.
    """
    start, end = wanted
    return [
        (begun, done)
        for begun, done in missing([wanted], coverage, HOLE)
        if not (
            (begun == start and done < end and done - begun <= edge)
            or (done == end and begun > start and done - begun <= edge)
        )
    ]


def monitoring_obstacle(
    listed: ListedMeter,
    grants: Mapping[str, Authorization],
    frequency: str,
    day: int | None,
) -> str | None:
    """Why a meter's monitoring would not be changed; None if it would."""
    if listed.frequency == frequency and day in {None, listed.refresh_day}:
        return f"is monitored {frequency} already" if frequency != "off" else "is off"
    # Switching off is always tried: it can only save money.
    return None if frequency == "off" else _ended(listed, grants)


def _obstacle(listed: ListedMeter, grants: Mapping[str, Authorization]) -> str | None:
    """Why a meter cannot be collected now, whatever its coverage; None if it can."""
    if not NAMEABLE.fullmatch(listed.uid):
        return "has a uid that cannot be named on a command line"
    if listed.is_pending:
        return "is pending: a collection is running"
    return _ended(listed, grants)


def _ended(listed: ListedMeter, grants: Mapping[str, Authorization]) -> str | None:
    """Say that the authorization has ended: such meters are dropped without a word."""
    grant = grants.get(listed.authorization_uid or "")
    if grant is None or grant.ended is None:
        return None
    return f"cannot be collected: authorization {grant.uid} is {grant.ended}"

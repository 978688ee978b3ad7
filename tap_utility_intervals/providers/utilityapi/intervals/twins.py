"""Readings of one Interval object that share a stretch of time. Pure.

A reading that is listed twice counts once, or is two readings if the values differ: in
November some utilities send both hours of the clock change as one. Those two hours are
two, even where their values are equal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter, lt
from typing import TypeAlias

from tap_utility_intervals.floor.coverage import TOLERANCE
from tap_utility_intervals.floor.ranges import Range, merge
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.floor.units import read_number
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.readings import (
    Readings,
    parts,
)
from tap_utility_intervals.providers.utilityapi.objects import Reading
from tap_utility_intervals.providers.utilityapi.times import timed

Timed: TypeAlias = tuple[datetime, datetime, int, Reading]
"""Start and end in UTC, the offset as sent in seconds, and the reading itself."""

Key: TypeAlias = tuple[datetime, str, datetime]
"""Start, channel, end."""

HOUR = timedelta(hours=1)
CLOCKS_GO_BACK = 1
"""The local hour that comes twice, in the United States and Canada."""
EARLY_NOVEMBER = 2007
"""Since then on the first Sunday of November; before, on the last one of October."""


def arranged(
    sent: Sequence[Reading], lose: Callable[[str], object], zone: tzinfo | None = None
) -> Readings:
    """Readings in ascending order, as they are listed newest first or in any order.

    The arguments are those of `timed`.

    Raises:
        TooDeep: when nobody can tell what is in one.
    """
    starts, ends, offsets, readings, is_back = timed(sent, lose, zone)
    if all(map(lt, starts, starts[1:])):
        return Readings(starts, ends, parts(readings, offsets))
    rows = list(zip(starts, ends, offsets, readings, strict=True))
    # The sort is stable: of two that share a stretch, the first listed stays first.
    ordered = sorted(rows[::-1] if is_back else rows, key=itemgetter(0, 1))
    repeats = any(one[:2] == two[:2] for one, two in pairwise(ordered))
    doubled = doubled_hours(ordered) if repeats else None
    if doubled:
        # Of both hours of an autumn night, the one that was first stays first.
        ordered = sorted(rows, key=itemgetter(0, 1))
    starts, ends, offsets, readings = map(list, zip(*ordered, strict=True))
    return Readings(starts, ends, parts(readings, offsets), doubled)


def doubled_hours(readings: Sequence[Timed]) -> frozenset[Range]:
    """The stretches that are two readings each: both hours of an autumn night as one.

    They are where pairs fill exactly the hour from one to two o'clock of that night,
    and nothing beside it claims to be the other one.
    """
    times = Counter((start, end) for start, end, *_ in readings)
    pairs = {span for span, number in times.items() if number == 2}  # noqa: PLR2004 - a pair
    local = {
        start: start + timedelta(seconds=offset) for start, _, offset, _ in readings
    }
    hours = [
        begin
        for begin, end in merge(pairs, TOLERANCE)
        if HOUR - TOLERANCE <= end - begin <= HOUR and _is_autumn_hour(local[begin])
    ]
    alone = [
        begin
        for begin in hours
        if not any(
            _hour(moment) == _hour(local[begin]) and abs(start - begin) >= HOUR
            for start, moment in local.items()
        )
    ]
    return frozenset(
        span for span in pairs if any(b <= span[0] < b + HOUR for b in alone)
    )


def _is_autumn_hour(local: datetime) -> bool:
    """Whether the clocks go back at the end of the hour that begins here."""
    first = date(local.year, *((11, 1) if local.year >= EARLY_NOVEMBER else (10, 25)))
    night = first + timedelta(days=6 - first.weekday())
    return (local.hour, local.minute) == (CLOCKS_GO_BACK, 0) and local.date() == night


def _hour(local: datetime) -> datetime:
    return local.replace(minute=0, second=0, microsecond=0)


def each_once(
    made: Iterable[IntervalRecord], doubled: frozenset[Range], warn: Warn
) -> dict[Key, IntervalRecord]:
    """The rows of one object by key; equal numbers are equal, however written.

    Args:
        made: the rows, those of one stretch in the order they were listed.
        doubled: stretches that are two readings each, whatever their values.
        warn: counts a warning.
    """
    found: dict[Key, IntervalRecord] = {}
    told: dict[Key, set[Decimal | None]] = {}
    for row in made:
        key = row.interval_start, row.channel, row.interval_end
        known = found.setdefault(key, row)
        if known is row:
            continue
        value, values = _value(row), told.setdefault(key, {_value(known)})
        if (row.interval_start, row.interval_end) not in doubled and (
            value is None or not values.isdisjoint((value, None))
        ):
            warn("a reading is listed twice in one Interval object and kept once")
            if values == {None}:
                found[key] = row  # the one before said nothing
                values.clear()
        else:
            warn("two values for one stretch of time: the second got #2 in its channel")
            _keep_apart(row, len(values) + 1, found)
        values.add(value)
    return found


def _value(row: IntervalRecord) -> Decimal | None:
    return None if row.quantity is None else read_number(row.quantity)


def _keep_apart(
    row: IntervalRecord, number: int, found: dict[Key, IntervalRecord]
) -> None:
    """Take a row under the next channel that is free."""
    channel = row.channel
    while True:
        row.channel = f"{channel}#{number}"
        key = row.interval_start, row.channel, row.interval_end
        if found.setdefault(key, row) is row:
            return
        number += 1

"""Half-open windows of time, and sets of ranges.

All lengths are absolute: a day is 24 hours also when a clock changes. Every instant is
held in UTC, because arithmetic on two datetimes of one zone ignores its clock changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from tap_utility_intervals.floor.instants import EARLIEST, as_utc
from tap_utility_intervals.floor.values import LARGEST_INTEGER

Range: TypeAlias = tuple[datetime, datetime]
"""`[start, end)` as two aware instants."""

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Window:
    """A `[start, end)` that is wanted, in UTC; without a start, no lower bound.

    Raises:
        ValueError: An instant is naive, or the start lies after the end.
    """

    start: datetime | None
    end: datetime

    def __post_init__(self) -> None:
        """Hold both ends in UTC."""
        object.__setattr__(self, "end", as_utc(self.end))
        if self.start is not None:
            object.__setattr__(self, "start", as_utc(self.start))
            if self.start > self.end:
                raise ValueError("a window starts after its end")


def whole_seconds(length: timedelta) -> int | None:
    """Return a length in whole seconds, rounded: 14:59.999999 is a quarter of an hour.

    None if they are more than the schemas' integers hold.
    """
    seconds = round(length.total_seconds())
    return seconds if abs(seconds) <= LARGEST_INTEGER else None


def merge(ranges: Iterable[Range], gap: timedelta = _ZERO) -> list[Range]:
    """Return the union as sorted, separate, non-empty ranges in UTC.

    Ranges that touch, overlap, or lie at most `gap` apart become one.
    """
    merged: list[Range] = []
    for start, end in sorted((as_utc(a), as_utc(b)) for a, b in ranges):
        if start >= end:
            continue
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def clip(ranges: Iterable[Range], window: Window) -> list[Range]:
    """Return the parts of the ranges inside the window, in their order, none empty."""
    lower = EARLIEST if window.start is None else window.start
    parts = (
        (max(as_utc(start), lower), min(as_utc(end), window.end))
        for start, end in ranges
    )
    return [(start, end) for start, end in parts if start < end]


def missing(
    covered: Iterable[Range],
    arrived: Iterable[Range],
    tolerance: timedelta = _ZERO,
) -> list[Range]:
    """Return what `covered` holds and `arrived` does not: sorted, separate ranges.

    A hole of `tolerance` or less is not reported.
    """
    there = merge(arrived)
    first = 0
    holes: list[Range] = []
    for start, end in merge(covered):
        while first < len(there) and there[first][1] <= start:
            first += 1
        holes += _holes(start, end, there, first)
    return [(start, end) for start, end in holes if end - start > tolerance]


def _holes(
    start: datetime, end: datetime, there: list[Range], first: int
) -> Iterator[Range]:
    for index in range(first, len(there)):
        begun, done = there[index]
        if begun >= end:
            break
        if start < begun:
            yield start, begun
        start = max(start, done)
    if start < end:
        yield start, end

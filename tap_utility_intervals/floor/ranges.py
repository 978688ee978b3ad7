"""Half-open windows of time, and sets of ranges.

All lengths are absolute: a day is 24 hours also when a clock changes. Every instant is
held in UTC, because arithmetic on two datetimes of one zone ignores its clock changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TypeAlias

from tap_utility_intervals.floor.instants import as_utc

Range: TypeAlias = tuple[datetime, datetime]
"""`[start, end)` as two aware instants."""

_ZERO = timedelta(0)
_SECOND = timedelta(seconds=1)
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
_LATEST = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Window:
    """The `[start, end)` of one request, in UTC; without a start, no lower bound.

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

    def contains(self, instant: datetime) -> bool:
        """Return whether the (aware) instant lies in `[start, end)`."""
        return (self.start is None or self.start <= instant) and instant < self.end

    def padded(self, by: timedelta) -> Window:
        """Return the window wider by `by` on both sides, within the years 1 to 9999."""
        start = None if self.start is None else _earlier(self.start, by)
        return Window(start, _later(self.end, by))

    def halves(self, least: timedelta) -> tuple[Window, Window] | None:
        """Return two adjacent windows that make up this one.

        They meet at a whole second after the start, so that an API which is asked in
        seconds sees the same edge twice.

        Returns:
            `None` if either half would be shorter than `least` (or empty), and for a
            window without a lower bound, which has no middle.
        """
        if self.start is None:
            return None
        step = (self.end - self.start) // 2 // _SECOND * _SECOND
        if step < max(least, _SECOND):
            return None
        middle = self.start + step
        return Window(self.start, middle), Window(middle, self.end)


def windows(start: datetime, end: datetime, size: timedelta) -> Iterator[Window]:
    """Yield windows that cover `[start, end)` exactly, without overlap, in order.

    Each is `size` long, the last one possibly shorter; none if `start >= end`.

    Raises:
        ValueError: `size` is not positive, or an instant is naive.
    """
    if size <= _ZERO:
        raise ValueError("windows need a positive size")
    start, end = as_utc(start), as_utc(end)
    while end - start > size:
        yield Window(start, start + size)
        start += size
    if start < end:
        yield Window(start, end)


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
    lower = _EARLIEST if window.start is None else window.start
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


def _earlier(instant: datetime, by: timedelta) -> datetime:
    return instant - by if instant - _EARLIEST > by else _EARLIEST


def _later(instant: datetime, by: timedelta) -> datetime:
    return instant + by if _LATEST - instant > by else _LATEST

"""One meter's Interval objects as one series of rows, each key once.

Objects may overlap at their edges, and one that grows may appear twice. For a reading
in several objects the newest `updated` wins. Objects are listed oldest first, so what
lies before the beginning of the newest one seen can no longer change: it is released,
and memory holds a few objects instead of a history.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from operator import attrgetter

from tap_utility_intervals.providers.utilityapi.normalize import Meter, rows
from tap_utility_intervals.providers.utilityapi.objects import Interval, Reading
from tap_utility_intervals.records import IntervalRecord
from tap_utility_intervals.windows import Range, Window

HELD_READINGS = 5_000
"""So many readings are held back before any is released: a listing that small is
merged whole, in whatever order its objects come."""

CHUNK_READINGS = 1_000
"""How many readings become rows at a time."""

EPOCH = datetime.min.replace(tzinfo=timezone.utc)

_START = attrgetter("start")

Key = tuple[datetime, str, datetime]


class OutOfOrder(Exception):  # noqa: N818 - not an error: the listing starts again
    """An object begins before what was already released."""


@dataclass
class Arrived:
    """What a reading of one meter brought, for its bookmark and its completeness."""

    run_start: datetime
    recent_from: datetime
    newest: datetime | None = None
    """Furthest start of a reading, not beyond the run's own start."""
    readings: int = 0
    ranges: list[Range] = field(default_factory=list)
    spans: list[Range] = field(default_factory=list)
    """First and last start of each Interval object, before trimming."""
    middles: list[datetime] = field(default_factory=list)
    """A start in the middle of each of them."""
    recent: list[datetime] = field(default_factory=list)
    """The starts from `recent_from` on."""
    overlaps: int = 0

    def note(self, readings: Iterable[Reading]) -> None:
        """Take distinct readings in ascending order."""
        slack = timedelta(minutes=1)
        for reading in readings:
            start, end = reading.start, max(reading.end, reading.start)
            if self.ranges and start <= self.ranges[-1][1] + slack:
                last = self.ranges[-1]
                self.overlaps += start < last[1] and start != last[0]
                if end > last[1]:
                    self.ranges[-1] = (last[0], end)
            else:
                self.ranges.append((start, end))
            self.readings += 1
            if start >= self.recent_from:
                self.recent.append(start)
            if start <= self.run_start and (not self.newest or start > self.newest):
                self.newest = start

    def between(self, start: datetime, end: datetime) -> int | None:
        """How many readings start in `[start, end)`; None if that was not kept."""
        if start < self.recent_from:
            return None
        return sum(start <= instant < end for instant in self.recent)


@dataclass(slots=True)
class _Held:
    interval: Interval
    readings: list[Reading]

    @property
    def updated(self) -> datetime:
        return self.interval.updated or EPOCH


class Timeline:
    """Takes Interval objects, gives rows; see the module's docstring."""

    def __init__(
        self,
        meter: Meter,
        wanted: Sequence[Window],
        arrived: Arrived,
        warn: Callable[[str], None],
        *,
        hold_all: bool = False,
    ) -> None:
        """Keep readings that start inside one of the `wanted` windows."""
        self._meter = meter
        self._wanted = wanted
        self._arrived = arrived
        self._warn = warn
        self._hold_all = hold_all
        self._held: list[_Held] = []
        self._released: datetime | None = None
        self._restarted = False

    def add(self, interval: Interval) -> Iterator[list[IntervalRecord]]:
        """Take one object; release what it can no longer change.

        Raises:
            OutOfOrder: when it begins before what was released in this listing.
        """
        readings = self._ascending(interval.readings)
        if not readings:
            return
        self._arrived.spans.append((readings[0].start, readings[-1].start))
        self._arrived.middles.append(readings[len(readings) // 2].start)
        mine = self._trimmed(readings)
        if not mine:
            return
        first = readings[0].start
        if self._released is not None and mine[0].start < self._released:
            # After a restart the released part comes again; otherwise it is news.
            if not self._restarted:
                raise OutOfOrder
            mine = mine[bisect_left(mine, self._released, key=_START) :]
            if not mine:
                return
        self._held.append(_Held(interval, mine))
        if not self._hold_all and self._is_much():
            yield from self._release(first)

    def close(self) -> Iterator[list[IntervalRecord]]:
        """The listing is complete: release the rest."""
        yield from self._release(None)

    def restart(self) -> None:
        """The same listing is read again from its beginning; skip what is out."""
        self._held = []
        self._restarted = True

    def _is_much(self) -> bool:
        return sum(len(held.readings) for held in self._held) > HELD_READINGS

    def _ascending(self, readings: list[Reading]) -> list[Reading]:
        """Oldest first; each (start, end) once, the first listed of equals."""
        if len(readings) > 1 and readings[0].start > readings[-1].start:
            readings.reverse()
        if all(one.start < two.start for one, two in pairwise(readings)):
            return readings
        once: dict[Range, Reading] = {}
        for reading in readings:
            once.setdefault((reading.start, reading.end), reading)
        if len(once) < len(readings):
            self._warn("a reading is listed twice in one Interval object")
        return sorted(once.values(), key=lambda r: (r.start, r.end))

    def _trimmed(self, readings: list[Reading]) -> list[Reading]:
        """The readings that start inside a wanted window."""
        mine: list[Reading] = []
        for window in self._wanted:
            begin = (
                0
                if window.start is None
                else bisect_left(readings, window.start, key=_START)
            )
            end = bisect_left(readings, window.end, lo=begin, key=_START)
            mine += readings[begin:end]
        return mine

    def _release(self, before: datetime | None) -> Iterator[list[IntervalRecord]]:
        """Rows of all held readings that start before an instant, oldest first."""
        pieces: list[_Held] = []
        kept: list[_Held] = []
        for held in self._held:
            cut = (
                len(held.readings)
                if before is None
                else bisect_left(held.readings, before, key=_START)
            )
            if cut:
                pieces.append(_Held(held.interval, held.readings[:cut]))
            if cut < len(held.readings):
                kept.append(_Held(held.interval, held.readings[cut:]))
        self._held = kept
        if before is not None and pieces:
            self._released = max(before, self._released or before)
        for run in _overlapping(pieces):
            yield from self._one(run[0]) if len(run) == 1 else self._merged(run)

    def _one(self, held: _Held) -> Iterator[list[IntervalRecord]]:
        self._arrived.note(held.readings)
        for begin in range(0, len(held.readings), CHUNK_READINGS):
            part = held.readings[begin : begin + CHUNK_READINGS]
            per_reading = rows(held.interval, part, self._meter, self._warn)
            yield [row for group in per_reading for row in group]

    def _merged(self, run: list[_Held]) -> Iterator[list[IntervalRecord]]:
        """Rows of objects that share a stretch of time: for each key the newest."""
        readings: dict[Range, Reading] = {}
        by_key: dict[Key, IntervalRecord] = {}
        for held in sorted(run, key=attrgetter("updated")):
            for reading in held.readings:
                readings[reading.start, reading.end] = reading
            for group in rows(held.interval, held.readings, self._meter, self._warn):
                for row in group:
                    by_key[row.interval_start, row.channel, row.interval_end] = row
        self._arrived.note(sorted(readings.values(), key=lambda r: (r.start, r.end)))
        merged = sorted(by_key.values(), key=attrgetter("interval_start"))
        for begin in range(0, len(merged), CHUNK_READINGS):
            yield merged[begin : begin + CHUNK_READINGS]


def _overlapping(pieces: list[_Held]) -> Iterator[list[_Held]]:
    """Groups of pieces that share a stretch of time, oldest first."""
    run: list[_Held] = []
    last: datetime | None = None
    for held in sorted(pieces, key=lambda piece: piece.readings[0].start):
        if run and last is not None and held.readings[0].start > last:
            yield run
            run, last = [], None
        run.append(held)
        end = held.readings[-1].start
        last = end if last is None else max(last, end)
    if run:
        yield run

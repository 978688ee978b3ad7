"""One meter's Interval objects as one series of rows, each key once.

Objects may overlap at their edges, and one that grows may appear twice. For a reading
in several objects the newest `updated` wins. Objects are listed oldest first, so what
lies before the beginning of the newest one seen can no longer change: it is released,
and memory holds a few objects instead of a history.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain, pairwise
from operator import attrgetter, itemgetter

from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.twins import (
    Key,
    doubled_hours,
    each_once,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.intervals import (
    Timed,
    rows,
    timed,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.objects import Block

HELD_READINGS = 5_000
"""So many readings are held back before any is released: a listing that small is
merged whole, in whatever order its objects come."""

CHUNK_READINGS = 1_000
"""How many readings become rows at a time."""

_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


@dataclass(slots=True)
class _Held:
    block: Block
    readings: list[Timed]
    doubled: frozenset[Range] | None
    """The stretches that are two readings each; None if no stretch is there twice."""

    @property
    def updated(self) -> datetime:
        return self.block.updated or _LONG_AGO


class Timeline:
    """Takes Interval objects, gives rows; see the module's docstring."""

    def __init__(
        self, meter: Meter, wanted: Sequence[Window], arrived: Arrived, warn: Warn
    ) -> None:
        """Keep readings that start inside one of the `wanted` windows.

        What `arrived` already holds is not given again.
        """
        self._meter = meter
        self._wanted = wanted
        self._arrived = arrived
        self._warn = warn
        self._held: list[_Held] = []
        self._held_readings = 0
        self._released: datetime | None = None
        self._may_repeat = bool(arrived)

    def add(self, block: Block) -> Iterator[list[IntervalRecord]]:
        """Take one object; release what it can no longer change."""
        readings, doubled = _ascending(timed(block.readings, self._warn))
        if not readings:
            return
        first = readings[0][0]
        self._arrived.spans.append((first, readings[-1][0]))
        mine = self._news(self._trimmed(readings))
        if not mine:
            return
        self._held.append(_Held(block, mine, doubled))
        self._held_readings += len(mine)
        if self._held_readings > HELD_READINGS:
            yield from self._release(first)

    def close(self) -> Iterator[list[IntervalRecord]]:
        """The listing is complete: release the rest."""
        yield from self._release(None)

    def restart(self) -> None:
        """The same listing is read again from its beginning."""
        self._held = []
        self._held_readings = 0
        self._may_repeat = True

    def expect_repeats(self) -> None:
        """The same objects come in several answers from now on."""
        self._may_repeat = True

    def _news(self, readings: list[Timed]) -> list[Timed]:
        """Those readings that are not out yet."""
        is_late = readings and self._released and readings[0][0] < self._released
        if is_late and not self._may_repeat:
            # One that was restated in such an object keeps the value that is out.
            self._warn("Interval objects are not listed oldest first")
        if is_late or self._may_repeat:
            return [one for one in readings if not self._arrived.has(one)]
        return readings

    def _trimmed(self, readings: list[Timed]) -> list[Timed]:
        """The readings that start inside a wanted window."""
        mine: list[Timed] = []
        for window in self._wanted:
            begin = 0 if window.start is None else _place(readings, window.start)
            end = _place(readings, window.end)
            if begin == 0 and end == len(readings):
                return readings
            mine += readings[begin:end]
        return mine

    def _release(self, before: datetime | None) -> Iterator[list[IntervalRecord]]:
        """Rows of all held readings that start before an instant, oldest first."""
        out: list[_Held] = []
        kept: list[_Held] = []
        for held in self._held:
            readings = held.readings
            cut = len(readings) if before is None else _place(readings, before)
            if cut:
                out.append(_Held(held.block, readings[:cut], held.doubled))
            if cut < len(readings):
                kept.append(_Held(held.block, readings[cut:], held.doubled))
        self._held = kept
        self._held_readings = sum(len(held.readings) for held in kept)
        if before is not None and out:
            self._released = max(before, self._released or before)
        for run in _overlapping(out):
            alone = len(run) == 1 and run[0].doubled is None
            yield from self._one(run[0]) if alone else self._merged(run)

    def _one(self, held: _Held) -> Iterator[list[IntervalRecord]]:
        self._arrived.note(held.readings)
        for begin in range(0, len(held.readings), CHUNK_READINGS):
            part = held.readings[begin : begin + CHUNK_READINGS]
            yield rows(held.block, part, self._meter, self._warn)

    def _merged(self, run: list[_Held]) -> Iterator[list[IntervalRecord]]:
        """Rows of objects that share a stretch of time: for each key the newest."""
        readings: dict[Range, list[Timed]] = {}
        by_key: dict[Key, IntervalRecord] = {}
        run.sort(key=attrgetter("updated"))
        for held in reversed(run):
            _count(held, readings)
            made = rows(held.block, held.readings, self._meter, self._warn)
            for key, row in each_once(
                made, held.doubled or frozenset(), self._warn
            ).items():
                by_key.setdefault(key, row)
        arrived = chain.from_iterable(readings.values())
        self._arrived.note(sorted(arrived, key=itemgetter(0, 1)))
        merged = sorted(by_key.values(), key=attrgetter("interval_start"))
        for begin in range(0, len(merged), CHUNK_READINGS):
            yield merged[begin : begin + CHUNK_READINGS]


def _place(readings: list[Timed], instant: datetime) -> int:
    """How many of the readings start before an instant."""
    return bisect_left(readings, instant, key=itemgetter(0))


def _ascending(readings: list[Timed]) -> tuple[list[Timed], frozenset[Range] | None]:
    """Oldest first, and `_Held.doubled`."""
    forth = readings
    if len(readings) > 1 and readings[0][0] > readings[-1][0]:
        forth = readings[::-1]
    if all(one[0] < two[0] for one, two in pairwise(forth)):
        return forth, None
    # The sort is stable: of two that share a stretch, the first listed stays first.
    ordered = sorted(readings, key=itemgetter(0, 1))
    repeats = any(one[:2] == two[:2] for one, two in pairwise(ordered))
    doubled = doubled_hours(ordered) if repeats else None
    # Of both hours of an autumn night, the one that was first stays first.
    return sorted(forth, key=itemgetter(0, 1)) if doubled else ordered, doubled


def _count(held: _Held, readings: dict[Range, list[Timed]]) -> None:
    """Take the readings of an object, each stretch once, or twice if it is doubled."""
    mine: dict[Range, list[Timed]] = {}
    for one in held.readings:
        known = mine.setdefault(one[:2], [])
        if not known or one[:2] in (held.doubled or ()):
            known.append(one)
    readings.update((span, ones) for span, ones in mine.items() if span not in readings)


def _overlapping(pieces: list[_Held]) -> Iterator[list[_Held]]:
    """Groups of pieces that share a stretch of time, oldest first."""
    run: list[_Held] = []
    last: datetime | None = None
    for held in sorted(pieces, key=lambda piece: piece.readings[0][0]):
        if run and last is not None and held.readings[0][0] > last:
            yield run
            run, last = [], None
        run.append(held)
        end = held.readings[-1][0]
        last = end if last is None else max(last, end)
    if run:
        yield run

"""One meter's blocks as one series of rows, each key once.

Blocks may overlap at their edges, and one that grows may appear twice. For a reading in
several blocks the newest `updated` wins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, pairwise
from operator import attrgetter, itemgetter

from tap_utility_intervals.floor.instants import EARLIEST
from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.held import Decoded
from tap_utility_intervals.providers.utilityapi.intervals.twins import (
    Key,
    doubled_hours,
    each_once,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.intervals import Timed, rows
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.objects import Block

CHUNK_READINGS = 1_000
"""How many readings become rows at a time."""


@dataclass(slots=True)
class _Piece:
    block: Block
    readings: list[Timed]
    doubled: frozenset[Range] | None
    """The stretches that are two readings each; None if no stretch is there twice."""

    @property
    def updated(self) -> datetime:
        return self.block.updated or EARLIEST

    def cut(self, begin: int, end: int | None) -> _Piece:
        return _Piece(self.block, self.readings[begin:end], self.doubled)


def survey(
    blocks: Iterable[Decoded], windows: Sequence[Window], arrived: Arrived
) -> None:
    """Note what is in the blocks, without making rows of it."""
    for run in _runs(blocks, windows):
        arrived.note(_distinct(run))


def merged(
    blocks: Iterable[Decoded],
    windows: Sequence[Window],
    meter: Meter,
    arrived: Arrived,
    warn: Warn,
) -> Iterator[list[IntervalRecord]]:
    """Rows of the readings that start inside one of the windows, and note them.

    Args:
        blocks: the blocks, by their earliest reading.
        windows: disjoint and ascending.
        meter: theirs.
        arrived: takes the distinct readings.
        warn: counts a warning.
    """
    for run in _runs(blocks, windows):
        arrived.note(_distinct(run))
        if len(run) > 1 or run[0].doubled is not None:
            yield from _newest(run, meter, warn)
            continue
        (one,) = run
        for begin in range(0, len(one.readings), CHUNK_READINGS):
            part = one.readings[begin : begin + CHUNK_READINGS]
            yield rows(one.block, part, meter, warn)


def _runs(
    blocks: Iterable[Decoded], windows: Sequence[Window]
) -> Iterator[list[_Piece]]:
    """Groups of pieces that share a stretch of time, oldest first.

    What lies before the beginning of a block, no later one can change.
    """
    held: list[_Piece] = []
    for block, readings in blocks:
        ordered, doubled = _ascending(readings)
        mine = _trimmed(ordered, windows)
        if mine:
            before, held = _split(held, ordered[0][0])
            yield from _overlapping(before)
            held.append(_Piece(block, mine, doubled))
    yield from _overlapping(held)


def _split(held: list[_Piece], instant: datetime) -> tuple[list[_Piece], list[_Piece]]:
    """What starts before an instant, and the rest."""
    before: list[_Piece] = []
    after: list[_Piece] = []
    for piece in held:
        cut = _place(piece.readings, instant)
        if cut:
            before.append(piece.cut(0, cut))
        if cut < len(piece.readings):
            after.append(piece.cut(cut, None))
    return before, after


def _trimmed(readings: list[Timed], windows: Sequence[Window]) -> list[Timed]:
    """The readings that start inside a window."""
    mine: list[Timed] = []
    for window in windows:
        begin = 0 if window.start is None else _place(readings, window.start)
        end = _place(readings, window.end)
        if begin == 0 and end == len(readings):
            return readings
        mine += readings[begin:end]
    return mine


def _distinct(run: list[_Piece]) -> list[Timed]:
    """The readings of these pieces, each stretch once, ascending."""
    if len(run) == 1 and run[0].doubled is None:
        return run[0].readings
    readings: dict[Range, list[Timed]] = {}
    for piece in run:
        _count(piece, readings)
    return sorted(chain.from_iterable(readings.values()), key=itemgetter(0, 1))


def _newest(
    run: list[_Piece], meter: Meter, warn: Warn
) -> Iterator[list[IntervalRecord]]:
    """Rows of pieces that share a stretch of time: for each key the newest."""
    by_key: dict[Key, IntervalRecord] = {}
    for piece in sorted(run, key=attrgetter("updated"))[::-1]:
        made = rows(piece.block, piece.readings, meter, warn)
        once = each_once(made, piece.doubled or frozenset(), warn)
        for key, row in once.items():
            by_key.setdefault(key, row)
    ordered = sorted(by_key.values(), key=attrgetter("interval_start"))
    for begin in range(0, len(ordered), CHUNK_READINGS):
        yield ordered[begin : begin + CHUNK_READINGS]


def _place(readings: list[Timed], instant: datetime) -> int:
    """How many of the readings start before an instant."""
    return bisect_left(readings, instant, key=itemgetter(0))


def _ascending(readings: list[Timed]) -> tuple[list[Timed], frozenset[Range] | None]:
    """Oldest first, and `_Piece.doubled`."""
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


def _count(held: _Piece, readings: dict[Range, list[Timed]]) -> None:
    """Take the readings of an object, each stretch once, or twice if it is doubled."""
    mine: dict[Range, list[Timed]] = {}
    for one in held.readings:
        known = mine.setdefault(one[:2], [])
        if not known or one[:2] in (held.doubled or ()):
            known.append(one)
    readings.update((span, ones) for span, ones in mine.items() if span not in readings)


def _overlapping(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Groups of pieces that share a stretch of time, oldest first."""
    run: list[_Piece] = []
    last = EARLIEST
    for piece in sorted(pieces, key=lambda one: one.readings[0][0]):
        if run and piece.readings[0][0] > last:
            yield run
            run = []
        run.append(piece)
        last = max(last, piece.readings[-1][0])
    if run:
        yield run

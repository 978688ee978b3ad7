"""One meter's blocks as one series of rows, each key once.

Blocks may overlap at their edges, and one that grows may appear twice. For a reading in
several blocks the newest `updated` wins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, pairwise
from operator import attrgetter

from tap_utility_intervals.floor.instants import EARLIEST, FAR, MICROSECOND
from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.held import Decoded
from tap_utility_intervals.providers.utilityapi.intervals.twins import (
    Key,
    each_once,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.intervals import (
    CHUNK_READINGS,
    Times,
    rows,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.mapping.readings import Readings
from tap_utility_intervals.providers.utilityapi.objects import Block


@dataclass(slots=True)
class _Piece:
    """Some neighbouring readings of one block."""

    block: Block
    readings: Readings
    begin: int
    end: int

    @property
    def updated(self) -> datetime:
        return self.block.updated or EARLIEST

    @property
    def first(self) -> datetime:
        return self.readings.starts[self.begin]

    @property
    def last(self) -> datetime:
        return self.readings.starts[self.end - 1]

    @property
    def has_repeats(self) -> bool:
        """Whether a stretch of time is there twice."""
        if self.readings.doubled is None:
            return False
        return len(set(zip(*self.times, strict=True))) < self.end - self.begin

    @property
    def there(self) -> slice:
        return slice(self.begin, self.end)

    @property
    def times(self) -> Times:
        return self.readings.starts[self.there], self.readings.ends[self.there]

    def cut(self, start: datetime | None, end: datetime | None) -> Iterator[_Piece]:
        """The part that starts in `[start, end)`, if there is one."""
        place = partial(bisect_left, self.readings.starts, lo=self.begin, hi=self.end)
        begin = self.begin if start is None else place(start)
        until = self.end if end is None else place(end)
        if begin < until:
            yield _Piece(self.block, self.readings, begin, until)

    def rows(self, meter: Meter, warn: Warn) -> Iterator[Sequence[IntervalRecord]]:
        return rows(self.block, self.readings, self.there, meter, warn)


def survey(
    blocks: Iterable[Decoded], windows: Sequence[Window], arrived: Arrived
) -> None:
    """Note what is in the blocks, without making rows of it."""
    for run in _runs(blocks, windows):
        arrived.note(*_distinct(run))


def merged(
    blocks: Iterable[Decoded],
    windows: Sequence[Window],
    meter: Meter,
    arrived: Arrived,
    warn: Warn,
) -> Iterator[Sequence[IntervalRecord]]:
    """Rows of the readings that start inside one of the windows, and note them.

    Args:
        blocks: the blocks, by their earliest reading.
        windows: disjoint and ascending.
        meter: theirs.
        arrived: takes the distinct readings.
        warn: counts a warning.
    """
    for run in _runs(blocks, windows):
        arrived.note(*_distinct(run))
        for pieces in _shared(run):
            if len(pieces) == 1 and not pieces[0].has_repeats:
                yield from pieces[0].rows(meter, warn)
            else:
                yield from _newest(pieces, meter, warn)


def _runs(
    blocks: Iterable[Decoded], windows: Sequence[Window]
) -> Iterator[list[_Piece]]:
    """Groups of pieces that share a stretch of time, oldest first.

    What lies before the beginning of a block, no later one can change.
    """
    held: list[_Piece] = []
    for block, readings in blocks:
        whole = _Piece(block, readings, 0, len(readings.starts))
        mine = [part for one in windows for part in whole.cut(one.start, one.end)]
        if mine:
            yield from _overlapping(_cut(held, None, whole.first))
            held = [*_cut(held, whole.first, None), *mine]
    yield from _overlapping(held)


def _cut(
    pieces: Iterable[_Piece], start: datetime | None, end: datetime | None
) -> list[_Piece]:
    """What of these pieces starts in `[start, end)`."""
    return [part for piece in pieces for part in piece.cut(start, end)]


def _overlapping(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Groups of pieces that share a stretch of time, oldest first."""
    run: list[_Piece] = []
    last = EARLIEST
    for piece in sorted(pieces, key=attrgetter("first")):
        if run and piece.first > last:
            yield run
            run = []
        run.append(piece)
        last = max(last, piece.last)
    if run:
        yield run


def _shared(run: list[_Piece]) -> Iterator[list[_Piece]]:
    """A run, cut where a piece begins or has ended, and around what is there twice."""
    edges = {piece.first for piece in run}
    after = {piece.last for piece in run}
    for piece in run:
        if piece.has_repeats:
            starts, _ = piece.times
            twice = {one for one, two in pairwise(starts) if one == two}
            edges |= twice
            after |= twice
    edges |= {start + MICROSECOND for start in after if start < FAR}
    for start, end in pairwise([*sorted(edges), None]):
        pieces = _cut(run, start, end)
        if pieces:
            yield pieces


def _distinct(run: list[_Piece]) -> Times:
    """Starts and ends of the readings of these pieces, each stretch once, ascending.

    Twice, if an object has two readings in it.
    """
    if len(run) == 1 and run[0].readings.doubled is None:
        return run[0].times
    found: dict[Range, int] = {}
    for piece in run:
        twice = piece.readings.doubled or ()
        for span, number in Counter(zip(*piece.times, strict=True)).items():
            found.setdefault(span, number if span in twice else 1)
    spans = sorted(chain.from_iterable([span] * n for span, n in found.items()))
    return [start for start, _ in spans], [end for _, end in spans]


def _newest(
    run: list[_Piece], meter: Meter, warn: Warn
) -> Iterator[list[IntervalRecord]]:
    """Rows of pieces that share a stretch of time: for each key the newest."""
    by_key: dict[Key, IntervalRecord] = {}
    for piece in sorted(run, key=attrgetter("updated"))[::-1]:
        made = chain.from_iterable(piece.rows(meter, warn))
        once = each_once(made, piece.readings.doubled or frozenset(), warn)
        for key, row in once.items():
            by_key.setdefault(key, row)
    ordered = sorted(by_key.values(), key=attrgetter("interval_start"))
    for begin in range(0, len(ordered), CHUNK_READINGS):
        yield ordered[begin : begin + CHUNK_READINGS]

"""Whether all rows of a connection came: what was counted against what was read.

Nothing that a server says of its list is believed alone. A total may end at some
number, dates may filter nothing or in another time zone, and rows arrive while a list
is read; each of these shows where two answers do not agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.nectar.client import A_PAGE
from tap_utility_intervals.providers.nectar.intervals.fetch import Batch, Span, Spans

WORTH_A_PROOF = 2
"""A single row has no middle."""


class Proof:
    """What came of one connection, span by span."""

    def __init__(self, spans: Spans, count: Callable[[datetime | None], int]) -> None:
        """Prepare; `count` tells how many rows start at or after an instant."""
        self._spans = spans
        self._count = count
        self._read: list[tuple[Span, Batch]] = []
        self._lost = 0

    def note(self, span: Span, batch: Batch) -> None:
        """Remember what came of a span, eight bytes a row."""
        kept = Batch(seen=batch.seen, strays=batch.strays, doubled=batch.doubled)
        self._read.append((span, kept))

    def is_all(self, span: Span, batch: Batch) -> bool:
        """Tell whether a list went on to its end, whatever order it has.

        A total that ends at some number shows from the middle: on both sides of it as
        many rows are counted as came, only if all came.
        """
        size = len(batch.starts)
        if size < WORTH_A_PROOF or (size < A_PAGE and size < self._spans.most_counted):
            # A server that has counted more than that does not end counting there.
            return True
        starts = sorted(batch.starts)
        middle = starts[len(starts) // 2].replace(microsecond=0)
        unsure = batch.strays + batch.doubled + len(batch.starts) - len(batch.rows)
        after = sum([start >= middle for start in starts])
        if self._count(middle) > after + unsure:
            return False
        before = sum([row.interval_end <= middle for row in batch.rows])
        return self._spans.count_until(Span(span.start, middle)) <= before + unsure

    def late(self, asked: Span, read: Callable[[Span], Batch]) -> Iterator[Batch]:
        """Yield what arrived in spans after they had been read.

        What a span was counted to hold and does not give when it is read once more is
        a loss.
        """
        # A span alone was held to its count when it was read.
        if len(self._read) < 2 or self._counted(asked) <= self._came():  # noqa: PLR2004
            return
        for span, batch in self._read:
            expected = self._counted(span)
            if expected <= _size(batch):
                continue
            again = read(span)
            self._lost += max(expected - _size(again), 0)
            fresh = again.without({*batch.seen})
            if fresh.rows:
                yield fresh

    @property
    def loss(self) -> errors.BadAnswer | None:
        """The error for rows that are counted and did not come; None for none."""
        if not self._lost:
            return None
        return self._spans.error(f"counts {self._lost} more intervals than it gives")

    def unfiltered(self, asked: Span) -> Batch:
        """Read the list once, whole, where dates filter nothing.

        Raises:
            errors.BadAnswer: when it seems to go on beyond its end.
        """
        self._spans.warn("nectar: a connection's list is not filtered by dates")
        batch = self._spans.read(Span(None, None), None)
        if not self._spans.is_at_end():
            raise self._spans.error("sends neither what is asked for nor all of it")
        known = {name for _, read in self._read for name in read.seen}
        batch.rows = [
            row
            for row in batch.rows
            if asked.holds(row.interval_start) and hash(row.source_id) not in known
        ]
        batch.starts = [row.interval_start for row in batch.rows]
        return batch

    def _came(self) -> int:
        return sum(_size(batch) for _, batch in self._read)

    def _counted(self, span: Span) -> int:
        if span.stop is None:
            return self._count(span.start)
        return self._count(span.start) - self._count(span.stop)


def _size(batch: Batch) -> int:
    """How many rows a list counts for what came of it."""
    return len(batch.seen) + batch.strays + batch.doubled

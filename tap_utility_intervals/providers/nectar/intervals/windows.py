"""Reading the intervals of one connection, window by window, without losing a row.

Nectar filters by start >= `startDate` and end <= `endDate`. A reading across the edge
of two adjoining windows would match neither, so `endDate` is padded and rows are
trimmed by their start. Whether the padding was enough is counted: as many rows lie in
[a, b) as an open request from a counts more than one from b.

A window too large for memory is cut by such counts. Where Nectar cannot answer an open
request in its ten seconds, or where its counts do not agree with what comes, windows
are cut by width alone. What came in all is compared with a fresh count at the end; and
where dates turn out to filter nothing, the list is read once, whole (`proof`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import DAY, FAR
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.intervals.fetch import (
    OUTSIDE,
    Batch,
    FilterIgnored,
    Span,
    Spans,
    TooMany,
)
from tap_utility_intervals.providers.nectar.intervals.proof import Proof
from tap_utility_intervals.providers.nectar.mapping.intervals import Intervals

WIDEST = timedelta(days=30)
"""A quarter-hourly meter has a page a day, an answer ten seconds: nectar.md#errors."""
MOST_ROWS = 10_000
"""A window is cut until it holds no more rows, or is a day long."""
NARROWEST = timedelta(hours=1)
"""So narrow windows become where Nectar counts no further than to some number."""
PADDINGS = (2 * DAY, 35 * DAY, 400 * DAY)
"""Readings longer than a day are rare, but a month has been seen."""
SHORTEST_PADDING = timedelta(hours=1)
"""Across the edge of two windows is in neither: nectar.md#filters-of-intervals."""
DAWN = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""Nobody read a smart meter before; only used where open requests are not answered."""
CALM = 4
"""After so many windows in a row, a connection is tried with wider ones again."""


class _Doubtful(Exception):  # noqa: N818 - it says what happened
    """Counts and what comes do not agree, however it is asked for."""


class Walk:
    """Reads one connection, in one run, in one thread."""

    def __init__(
        self,
        client: Client,
        to_record: Intervals,
        filters: Params,
        widest: timedelta | None,
        now: datetime,
    ) -> None:
        """Prepare; `widest` is the user's wish, if any."""
        self.client = client
        self.known = to_record.known
        self.is_counted = True
        self.loss: errors.BadAnswer | None = None
        """What is known to be missing, once the walk has come to its end."""
        self._spans = Spans(client, to_record, filters)
        self._proof = Proof(self._spans, self.count)
        self._wish = widest
        self._widest = widest or WIDEST
        self._width = self._widest
        self._now = now
        self._proven = PADDINGS[0]
        self._totals: dict[datetime | None, int] = {}
        self._cap: int | None = None
        """Nectar counts no further: a total of so many says nothing."""

    def count(self, start: datetime | None) -> int:
        """How many rows start at or after an instant.

        Raises:
            errors.TooWide: when Nectar cannot tell in its ten seconds.
        """
        self._totals[start] = self._spans.count(start)
        return self._totals[start]

    def spans(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        """Read [start, stop), without a stop to the end of time, in ascending spans.

        What is found missing in the end stands in `loss`.

        Raises:
            errors.ProviderError: what cannot be read, with everything before it read.
        """
        proof, asked = self._proof, Span(start, stop)
        try:
            for span, batch in self._windows(start, stop):
                proof.note(span, batch)
                yield span, batch
            if self.is_counted:
                for batch in proof.late(asked, self._read_again):
                    yield Span(start, None), batch
                self.loss = proof.loss
        except FilterIgnored:
            self.is_counted = False
            yield Span(start, None), proof.unfiltered(asked)

    def newest(self) -> datetime | None:
        """The newest start there is, as far as Nectar can be asked without dates."""
        if not self.is_counted:
            return None
        try:
            return self._spans.newest()
        except errors.TooWide:
            return None

    def error(self, problem: str) -> errors.BadAnswer:
        """The error for what this connection sends."""
        return self._spans.error(problem)

    def _windows(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        cursor = start
        if self.is_counted:
            try:
                for span, batch in self._by_count(start, stop):
                    cursor = span.stop
                    yield span, batch
            except errors.TooWide:
                self.is_counted = False
            except _Doubtful:
                totals = sorted(self._totals.values())
                # A count that came from two places is where counting ends.
                self._cap = self._cap or next(
                    (a for a, b in pairwise(totals) if a == b > 0),
                    None,
                )
            else:
                return
        yield from self._by_width(cursor, stop)

    def _by_count(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        rest = self._rest(start, stop)
        cursor = start
        if cursor is None and rest > MOST_ROWS:
            cursor, before = self._beginning(rest, stop)
            yield from self._read_counted(Span(None, cursor), before)
            rest -= before
        while rest > 0:
            edge, inside = self._next_edge(cursor, stop, rest)
            yield from self._read_counted(Span(cursor, edge), inside)
            if edge == stop:
                return
            cursor, rest = edge, rest - inside

    def _rest(self, start: datetime | None, stop: datetime | None) -> int:
        """How many rows lie in [start, stop), as far as was ever counted."""
        return self._total(start) - (0 if stop is None else self._total(stop))

    def _total(self, start: datetime | None) -> int:
        return self._totals[start] if start in self._totals else self.count(start)

    def _beginning(self, rest: int, stop: datetime | None) -> tuple[datetime, int]:
        """An instant before which few rows lie, and how many."""
        end, back = stop or self._now, self._widest
        dawn = min(DAWN, end - back)
        while True:
            edge = max(end - back, dawn).replace(microsecond=0)
            before = rest - self._rest(edge, stop)
            if before <= MOST_ROWS or edge <= dawn:
                return edge, before
            back *= 2

    def _next_edge(
        self, cursor: datetime | None, stop: datetime | None, rest: int
    ) -> tuple[datetime | None, int]:
        """Where the window from the cursor ends, and how many rows it holds."""
        at_once = rest <= MOST_ROWS
        if cursor is None or (at_once and not self._wish):
            return stop, rest
        while True:
            edge = self._edge(cursor, stop)
            if edge == stop or (self._wish and at_once and edge and edge > self._now):
                edge, inside = stop, rest
            else:
                inside = rest - self._rest(edge, stop)
            if inside <= 0:
                self._width *= 2  # a hole, as it seems: the next one may be wide
                return edge, inside
            if self._width > self._widest:
                self._width = self._widest
            elif inside > MOST_ROWS and self._width > DAY:
                self._width = max(self._width / 2, DAY)
            else:
                break
        if inside <= MOST_ROWS // 2:
            self._width = min(self._width * 2, self._widest)
        return edge, inside

    def _edge(self, cursor: datetime, stop: datetime | None) -> datetime | None:
        if (stop or FAR) - cursor <= self._width:
            return stop
        return (cursor + self._width).replace(microsecond=0)

    def _read_counted(self, span: Span, expected: int) -> Iterator[tuple[Span, Batch]]:
        """Read a span whose number of rows was counted, padded until all are there.

        A span that seems to hold nothing is asked for all the same: its rows may have
        arrived since it was counted, or lie beyond what Nectar counts to.

        Raises:
            _Doubtful: when more comes than is counted, or less however it is asked.
        """
        for padding in self._paddings(expected):
            batch = self._spans.read(span, padding)
            if not self._agree(batch, expected):
                # Perhaps the list has grown since it was counted.
                expected = self.count(span.start)
                expected -= 0 if span.stop is None else self.count(span.stop)
            if self._agree(batch, expected):
                break
            if len(batch.starts) > expected:
                raise _Doubtful
        else:
            raise _Doubtful
        if span.stop is None:
            self._prove_end(span, batch)
        if padding == PADDINGS[1]:
            self._proven = padding
        if batch.starts or batch.unreadable:
            yield span, batch

    def _prove_end(self, span: Span, batch: Batch) -> None:
        """Make sure that nothing lies beyond a list's end.

        Raises:
            _Doubtful: when there is more than Nectar counts to.
        """
        if not self._proof.is_all(span, batch):
            self._cap = len(batch.starts)
            raise _Doubtful

    def _paddings(self, expected: int) -> list[timedelta | None]:
        """What to try: little while readings are short, more if that is not enough."""
        if expected <= 0:
            return [PADDINGS[0]]
        least = max(min(self._spans.longest, self._proven), SHORTEST_PADDING)
        first = least if self._spans.longest else PADDINGS[0]
        return [first, *(wider for wider in PADDINGS if wider > first), None]

    def _agree(self, batch: Batch, expected: int) -> bool:
        """Whether a batch holds what was counted, as far as counting can tell."""
        found = len(batch.starts)
        return found <= expected <= found + batch.strays + batch.doubled

    def _read_again(self, span: Span) -> Batch:
        return self._spans.read(span, PADDINGS[0])

    def _by_width(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        """Read window after window, each held to its own total alone."""
        horizon = stop or self._now + PADDINGS[0]
        cursor = start
        if cursor is None:
            first = self._open_left(horizon)
            yield first
            cursor = first[0].stop or DAWN
        calm, patience = 0, CALM
        self._width = self._widest
        least = NARROWEST if self._cap else DAY
        while cursor < horizon:
            width = min(self._width, horizon - cursor)
            span = Span(cursor, (cursor + width).replace(microsecond=0))
            if width == horizon - cursor:
                span = Span(cursor, horizon)
            try:
                batch = self._spans.read(
                    span, PADDINGS[0], self._most(width), early=OUTSIDE
                )
            except (errors.TooWide, TooMany) as failure:
                if width <= least:
                    raise self._spans.capped(span, failure) from None
                self._width = max(width / 2, least)
                calm, patience = 0, patience * 2
                continue
            yield span, batch
            cursor = span.stop or horizon
            calm += 1
            if calm >= patience:
                self._width, calm = min(self._width * 2, self._widest), 0
        if stop is None:
            yield from self._the_future(max(cursor, horizon))

    def _most(self, width: timedelta) -> int | None:
        """How many rows a window of that width may hold."""
        if self._cap is not None:
            return min(MOST_ROWS, self._cap - 1)
        return MOST_ROWS if width > DAY else None

    def _open_left(self, horizon: datetime) -> tuple[Span, Batch]:
        """The span before which nothing is known: all that ends early enough."""
        too_wide = 0
        for back in (self._widest * times for times in (1, 12, 36, 120)):
            span = Span(None, (horizon - back).replace(microsecond=0))
            try:
                return span, self._spans.read(span, PADDINGS[0], self._most(back))
            except errors.TooWide:
                too_wide += 1
            except TooMany:
                continue
            if too_wide > 1:  # each costs all retries
                break
        span = Span(None, DAWN)
        if too_wide:
            return span, Batch()
        return span, self._spans.read(span, PADDINGS[0])

    def _the_future(self, horizon: datetime) -> Iterator[tuple[Span, Batch]]:
        """What is dated beyond now; there should be nothing."""
        span = Span(horizon, None)
        try:
            yield span, self._spans.read(span, None)
        except errors.TooWide:
            self.client.report.warn(
                "nectar: readings dated in the future could not be asked for"
            )

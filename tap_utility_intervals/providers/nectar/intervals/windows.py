"""Reading the intervals of one connection, window by window, without losing a row.

Nectar filters by start >= `startDate` and end <= `endDate`. A reading across the edge
of two adjoining windows would match neither, so `endDate` is padded and rows are
trimmed by their start. Whether the padding was enough is counted: as many rows lie in
[a, b) as an open request from a counts more than one from b.

A window too large for memory is cut by such counts. Where Nectar cannot answer an open
request in its ten seconds, windows are cut by width alone, down to one day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.intervals.fetch import (
    Batch,
    Span,
    Spans,
    TooMany,
)
from tap_utility_intervals.providers.nectar.mapping import intervals as normalize

DAY = timedelta(days=1)
WIDEST = timedelta(days=30)
MOST_ROWS = 10_000
"""A window is cut until it holds no more rows, or is a day long."""
PADDINGS = (2 * DAY, 35 * DAY, 400 * DAY)
"""Readings longer than a day are rare, but a month has been seen."""
SHORTEST_PADDING = timedelta(hours=1)
DAWN = datetime(2000, 1, 1, tzinfo=timezone.utc)
"""Nobody read a smart meter before; only used where open requests are not answered."""
CALM = 4
"""After so many windows in a row, a connection is tried with wider ones again."""

_LATEST = datetime.max.replace(tzinfo=timezone.utc)


class Reading:
    """One connection, in one run, in one thread."""

    def __init__(
        self,
        client: Client,
        to_record: normalize.Intervals,
        filters: Params,
        widest: timedelta | None,
        now: datetime,
    ) -> None:
        """Prepare; `widest` is the user's wish, if any."""
        self.client = client
        self.is_counted = True
        self._spans = Spans(client, to_record, filters)
        self._wish = widest
        self._widest = widest or WIDEST
        self._width = self._widest
        self._now = now
        self._proven = PADDINGS[0]
        self._totals: dict[datetime | None, int] = {}

    def count(self, start: datetime | None) -> int:
        """How many rows start at or after an instant.

        Raises:
            errors.TooWide: when Nectar cannot tell in its ten seconds.
        """
        self._totals[start] = self._spans.count(start)
        return self._totals[start]

    def walk(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        """Read [start, stop), without a stop to the end of time, in ascending spans.

        Raises:
            errors.ProviderError: what cannot be read, with everything before it read.
        """
        cursor = start
        if self.is_counted:
            try:
                for span, batch in self._by_count(start, stop):
                    cursor = span.stop
                    yield span, batch
            except errors.TooWide:
                self.is_counted = False
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
            if before:
                yield self._read_counted(Span(None, cursor), before)
            rest -= before
        while rest > 0:
            edge, inside = self._next_edge(cursor, stop, rest)
            if inside > 0:
                yield self._read_counted(Span(cursor, edge), inside)
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
                self._width *= 2  # a hole: nothing is asked for, however wide it is
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
        if (stop or _LATEST) - cursor <= self._width:
            return stop
        return (cursor + self._width).replace(microsecond=0)

    def _read_counted(self, span: Span, expected: int) -> tuple[Span, Batch]:
        """Read a span whose number of rows is known, padded until all are there."""
        for padding in self._paddings():
            batch = self._spans.read(span, padding)
            if span.stop is None or self._agree(batch, expected):
                break
            # Perhaps the list has grown since it was counted.
            expected = self.count(span.start) - self.count(span.stop)
            if self._agree(batch, expected):
                break
        else:
            self.client.report.warn(
                "nectar: the rows of a window are not as many as its totals say"
            )
        if padding == PADDINGS[1]:
            self._proven = padding
        return span, batch

    def _paddings(self) -> list[timedelta | None]:
        """What to try: little while readings are short, more if that is not enough."""
        least = max(min(self._spans.longest, self._proven), SHORTEST_PADDING)
        first = least if self._spans.longest else PADDINGS[0]
        return [first, *(wider for wider in PADDINGS if wider > first), None]

    def _agree(self, batch: Batch, expected: int) -> bool:
        """Whether a batch holds what was counted, as far as counting can tell."""
        found = len(batch.starts)
        return bool(batch.doubled) or found <= expected <= found + batch.strays

    def _by_width(
        self, start: datetime | None, stop: datetime | None
    ) -> Iterator[tuple[Span, Batch]]:
        horizon = stop or self._now + PADDINGS[0]
        cursor = start
        if cursor is None:
            first = self._open_left(horizon)
            yield first
            cursor = first[0].stop or DAWN
        calm, patience = 0, CALM
        self._width = self._widest
        while cursor < horizon:
            width = min(self._width, horizon - cursor)
            span = Span(cursor, (cursor + width).replace(microsecond=0))
            if width == horizon - cursor:
                span = Span(cursor, horizon)
            try:
                batch = self._spans.read(
                    span, PADDINGS[0], MOST_ROWS if width > DAY else None
                )
            except (errors.TooWide, TooMany):
                if width <= DAY:
                    raise
                self._width = max(width / 2, DAY)
                calm, patience = 0, patience * 2
                continue
            yield span, batch
            cursor = span.stop or horizon
            calm += 1
            if calm >= patience:
                self._width, calm = min(self._width * 2, self._widest), 0
        if stop is None:
            yield from self._the_future(max(cursor, horizon))

    def _open_left(self, horizon: datetime) -> tuple[Span, Batch]:
        """The span before which nothing is known: all that ends early enough."""
        too_wide = 0
        for back in (self._widest * times for times in (1, 12, 36, 120)):
            span = Span(None, (horizon - back).replace(microsecond=0))
            try:
                return span, self._spans.read(span, PADDINGS[0], MOST_ROWS)
            except errors.TooWide:
                too_wide += 1
            except TooMany:
                continue
            if too_wide > 1:  # each costs all retries
                break
        return Span(None, DAWN), Batch()

    def _the_future(self, horizon: datetime) -> Iterator[tuple[Span, Batch]]:
        """What is dated beyond now; there should be nothing."""
        span = Span(horizon, None)
        try:
            yield span, self._spans.read(span, None)
        except errors.TooWide:
            self.client.report.warn(
                "nectar: readings dated in the future could not be asked for"
            )

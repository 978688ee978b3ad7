"""Reading the intervals of one connection, window by window, without losing a row.

Nectar filters by start >= `startDate` and end <= `endDate`. A reading across the edge
of two adjoining windows would match neither, so `endDate` is padded and rows are
trimmed by their start. Whether the padding was enough is counted: as many rows lie in
[a, b) as an open request from a counts more than one from b.

A window too large for memory is cut by such counts. Where Nectar cannot answer an open
request in its ten seconds, windows are cut by width alone, down to one day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from tap_utility_intervals import errors
from tap_utility_intervals.instants import seconds_form
from tap_utility_intervals.providers.nectar import normalize, values
from tap_utility_intervals.providers.nectar.client import ATTEMPTS, Census, Client
from tap_utility_intervals.providers.nectar.objects import Interval, Page, interval_page
from tap_utility_intervals.providers.transport import Params
from tap_utility_intervals.records import IntervalRecord

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


@dataclass(frozen=True, slots=True)
class Span:
    """Starts in [start, stop); without one of them, open on that side."""

    start: datetime | None
    stop: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether a reading that starts then belongs here."""
        return (self.start is None or self.start <= moment) and (
            self.stop is None or moment < self.stop
        )


@dataclass
class Batch:
    """What was read of a span."""

    rows: list[IntervalRecord] = field(default_factory=list)
    starts: list[datetime] = field(default_factory=list)
    """Of every different row in the span, also of those that have no key."""
    strays: int = 0
    """Rows of which not even the start can be read."""
    keyless: int = 0
    doubled: int = 0
    """Ids that the list truly held more than once."""


class _TooMany(Exception):  # noqa: N818 - it says what happened
    """A window holds more rows than it should before it is cut."""


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
        self.connection_id = to_record.connection_id
        self.path = f"/interval/connection/{quote(self.connection_id, safe='')}"
        self.is_counted = True
        self._filters = list(filters)
        self._record = to_record.record
        self._wish = widest
        self._widest = widest or WIDEST
        self._width = self._widest
        self._now = now
        self._longest = timedelta(0)
        self._proven = PADDINGS[0]
        self._totals: dict[datetime | None, int] = {}
        self._counted: set[str] = set()
        self._opening: tuple[datetime | None, Page[Interval]] | None = None

    def count(self, start: datetime | None) -> int:
        """How many rows start at or after an instant.

        Raises:
            errors.TooWide: when Nectar cannot tell in its ten seconds.
        """
        page = self._page(Span(start, None), None)
        self._opening = start, page
        self._totals[start] = page.total or 0
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
            batch = self._read(span, padding)
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
        least = max(min(self._longest, self._proven), SHORTEST_PADDING)
        first = least if self._longest else PADDINGS[0]
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
                batch = self._read(span, PADDINGS[0], cut=width > DAY)
            except (errors.TooWide, _TooMany):
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
                return span, self._read(span, PADDINGS[0], cut=True)
            except errors.TooWide:
                too_wide += 1
            except _TooMany:
                continue
            if too_wide > 1:  # each costs all retries
                break
        return Span(None, DAWN), Batch()

    def _the_future(self, horizon: datetime) -> Iterator[tuple[Span, Batch]]:
        """What is dated beyond now; there should be nothing."""
        span = Span(horizon, None)
        try:
            yield span, self._read(span, None)
        except errors.TooWide:
            self.client.report.warn(
                "nectar: readings dated in the future could not be asked for"
            )

    def _read(
        self, span: Span, padding: timedelta | None, *, cut: bool = False
    ) -> Batch:
        """Read a span until it stands still.

        Raises:
            errors.BadAnswer: when it never does.
            _TooMany: with `cut`, when it holds too many rows.
        """
        before: Census | None = None
        until = _padded(span.stop, padding)
        for attempt in range(ATTEMPTS):
            first = self._first(span, until)
            if cut and (first.total or 0) > MOST_ROWS:
                raise _TooMany
            census, batch = self._attempt(span, until, first)
            if census.is_whole(before):
                self._note(census, batch)
                return batch
            before, self._opening = census, None
            self.client.pause(attempt)
        where = f"connection {self.connection_id}, intervals {_named(span)}"
        raise self.client.unsteady(self.path, where)

    def _attempt(
        self, span: Span, until: datetime | None, first: Page[Interval]
    ) -> tuple[Census, Batch]:
        census, batch = Census(), Batch()
        newest: dict[str, IntervalRecord] = {}
        self._counted = set()
        pages = self.client.pages(
            self.path, self._params(span, until), interval_page, self._source, first
        )
        try:
            for page in pages:
                census.count(page.total, (row.id for row in page.items))
                if census.moved:
                    break
                self._take(page.items, span, newest, batch)
        finally:
            pages.close()
        batch.rows = list(newest.values())
        return census, batch

    def _take(
        self,
        items: Sequence[Interval],
        span: Span,
        newest: dict[str, IntervalRecord],
        batch: Batch,
    ) -> None:
        """Keep the rows of the span, of each id the newest."""
        for row in items:
            try:
                start, _ = values.instant(row.start)
            except ValueError:
                batch.strays += 1
                batch.keyless += 1
                continue
            if not span.holds(start):
                continue
            if not row.id or row.id not in self._counted:
                self._counted.add(row.id)
                batch.starts.append(start)
            try:
                record = self._record(row)
            except ValueError:
                batch.keyless += 1
                continue
            known = newest.get(row.id)
            if known is None or normalize.newer(record, known):
                newest[row.id] = record

    def _note(self, census: Census, batch: Batch) -> None:
        warn = self.client.report.warn
        if len(census.ids) + census.nameless != (census.total or 0):
            batch.doubled = len(census.twice)
        if batch.keyless:
            warn(
                "nectar: an interval without a readable id, start or end is left out",
                batch.keyless,
            )
        for row in batch.rows:
            self._longest = max(self._longest, row.interval_end - row.interval_start)

    def _first(self, span: Span, until: datetime | None) -> Page[Interval]:
        """The first page, unless counting has just brought it."""
        opening = self._opening
        if until is None and opening is not None and opening[0] == span.start:
            self._opening = None
            return opening[1]
        return self._page(span, until)

    def _page(self, span: Span, until: datetime | None) -> Page[Interval]:
        return self.client.page(
            self.path, self._params(span, until), 1, interval_page, self._source
        )

    def _params(self, span: Span, until: datetime | None) -> list[tuple[str, str]]:
        params = list(self._filters)
        if span.start is not None:
            params.append(("startDate", seconds_form(span.start)))
        if until is not None:
            params.append(("endDate", seconds_form(until)))
        return params

    @property
    def _source(self) -> str:
        return f"connection {self.connection_id}"


def _padded(stop: datetime | None, padding: timedelta | None) -> datetime | None:
    if stop is None or padding is None:
        return None
    return stop + padding if _LATEST - stop > padding else None


def _named(span: Span) -> str:
    start = seconds_form(span.start) if span.start else "the beginning"
    return f"from {start} to {seconds_form(span.stop) if span.stop else 'the end'}"

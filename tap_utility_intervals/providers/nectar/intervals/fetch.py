"""Reading one span of a connection's intervals: whole, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from tap_utility_intervals.floor.instants import seconds_form
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.client import ATTEMPTS, Census, Client
from tap_utility_intervals.providers.nectar.mapping import intervals as normalize
from tap_utility_intervals.providers.nectar.mapping import values
from tap_utility_intervals.providers.nectar.objects import Interval, Page, interval_page

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


class TooMany(Exception):  # noqa: N818 - it says what happened
    """A span holds more rows than were to be read at once."""


class Spans:
    """Reads the spans of one connection, in one thread.

    Attributes:
        longest: The longest reading that was met.
    """

    def __init__(
        self, client: Client, to_record: normalize.Intervals, filters: Params
    ) -> None:
        """Prepare; nothing is asked yet."""
        self.client = client
        self.longest = timedelta(0)
        self._connection_id = to_record.connection_id
        self._path = f"/interval/connection/{quote(self._connection_id, safe='')}"
        self._filters = list(filters)
        self._record = to_record.record
        self._counted: set[str] = set()
        self._opening: tuple[datetime | None, Page[Interval]] | None = None

    def count(self, start: datetime | None) -> int:
        """How many rows start at or after an instant.

        Raises:
            errors.TooWide: when Nectar cannot tell in its ten seconds.
        """
        page = self._page(Span(start, None), None)
        self._opening = start, page  # perhaps what comes next is to read from here
        # A total of less than what comes with it is none: reading will tell.
        return max(page.total or 0, len({row.id for row in page.items}))

    def read(
        self, span: Span, padding: timedelta | None, most: int | None = None
    ) -> Batch:
        """Read a span until it stands still.

        Raises:
            errors.BadAnswer: when it never does.
            TooMany: when it holds more than `most` rows.
        """
        before: Census | None = None
        until = _padded(span.stop, padding)
        for attempt in range(ATTEMPTS):
            first = self._first(span, until)
            if most is not None and (first.total or 0) > most:
                raise TooMany
            census, batch = self._attempt(span, until, first)
            if census.is_whole(before):
                self._note(census, batch)
                return batch
            before, self._opening = census, None
            self.client.pause(attempt)
        where = f"connection {self._connection_id}, intervals {_named(span)}"
        raise self.client.unsteady(self._path, where)

    def _attempt(
        self, span: Span, until: datetime | None, first: Page[Interval]
    ) -> tuple[Census, Batch]:
        census, batch = Census(), Batch()
        newest: dict[str, IntervalRecord] = {}
        self._counted = set()
        pages = self.client.pages(
            self._path, self._params(span, until), interval_page, self._source, first
        )
        try:
            for page in pages:
                census.count(page.total, (row.id for row in page.items))
                if census.moved:
                    break
                self._take(page, span, newest, batch)
                if census.is_endless:
                    break
        finally:
            pages.close()
        batch.rows = list(newest.values())
        return census, batch

    def _take(
        self,
        page: Page[Interval],
        span: Span,
        newest: dict[str, IntervalRecord],
        batch: Batch,
    ) -> None:
        """Keep the rows of the span, of each id the newest."""
        for row in page.items:
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
                record = self._record(row, page.read_at)
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
            self.longest = max(self.longest, row.interval_end - row.interval_start)

    def _first(self, span: Span, until: datetime | None) -> Page[Interval]:
        """The first page, unless counting has just brought it."""
        opening = self._opening
        if until is None and opening is not None and opening[0] == span.start:
            self._opening = None
            return opening[1]
        return self._page(span, until)

    def _page(self, span: Span, until: datetime | None) -> Page[Interval]:
        return self.client.page(
            self._path, self._params(span, until), 1, interval_page, self._source
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
        return f"connection {self._connection_id}"


def _padded(stop: datetime | None, padding: timedelta | None) -> datetime | None:
    if stop is None or padding is None:
        return None
    return stop + padding if _LATEST - stop > padding else None


def _named(span: Span) -> str:
    start = seconds_form(span.start) if span.start else "the beginning"
    return f"from {start} to {seconds_form(span.stop) if span.stop else 'the end'}"

"""Reading one span of a connection's intervals: whole, or not at all."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import FAR, earlier, seconds_form
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.census import Census
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.mapping import values
from tap_utility_intervals.providers.nectar.mapping.intervals import Intervals, newer
from tap_utility_intervals.providers.nectar.objects import Interval, Page, interval_page

OUTSIDE = timedelta(hours=26)
"""Bounds that are read in another time zone move by no more; beyond lies no filter."""

SECOND = timedelta(seconds=1)
"""The next start that can be asked for: a bound has whole seconds."""
FEW = 6
"""How often a newer start than the newest so far is asked for."""


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
    seen: array[int] = field(default_factory=lambda: array("q"))
    """Hashes of their ids: eight bytes a row, to tell which came before."""
    unreadable: list[str] = field(default_factory=list)
    """The times, as sent, of rows that have no readable start or end."""
    strays: int = 0
    """How many of these have no readable start: they count for no span."""
    nameless: int = 0
    doubled: int = 0
    """Ids that the list truly held more than once."""

    def without(self, known: set[int]) -> Batch:
        """What did not come before, as far as ids can tell."""
        fresh = [row for row in self.rows if hash(row.source_id) not in known]
        starts = [row.interval_start for row in fresh]
        return Batch(fresh, starts, array("q", (hash(r.source_id) for r in fresh)))


class FilterIgnored(Exception):  # noqa: N818 - it says what happened
    """A row lies wholly outside of what was asked for: the server does not filter."""


class TooMany(Exception):  # noqa: N818 - it says what happened
    """A span holds more rows than were to be read at once."""


class Spans:
    """Reads the spans of one connection, in one thread.

    Attributes:
        longest: The longest reading that was met.
        most_counted: The largest number of rows that was ever counted.
    """

    def __init__(self, client: Client, to_record: Intervals, filters: Params) -> None:
        """Prepare; nothing is asked yet."""
        self.client = client
        self.longest = timedelta(0)
        self.most_counted = 0
        self._connection_id = to_record.connection_id
        self._path = f"/interval/connection/{quote(self._connection_id, safe='')}"
        self._filters = list(filters)
        self._records = to_record.records
        self._counted: set[str] = set()
        self._pages = 0
        self._opening: tuple[datetime | None, Page[Interval]] | None = None

    def count(self, start: datetime | None) -> int:
        """How many rows start at or after an instant.

        Raises:
            errors.TooWide: when Nectar cannot tell in its ten seconds.
            FilterIgnored: when it counts what was not asked for, too.
        """
        page = self._page(Span(start, None))
        for row in page.items:
            with suppress(ValueError):
                _hold_to(row, values.instant(row.start)[0], start, None)
        self._opening = start, page  # perhaps what comes next is to read from here
        # A total of less than what comes with it is none: reading will tell.
        total = max(page.total or 0, len({row.id for row in page.items}))
        self.most_counted = max(self.most_counted, total)
        return total

    def read(
        self,
        span: Span,
        padding: timedelta | None,
        most: int | None = None,
        early: timedelta = timedelta(0),
    ) -> Batch:
        """Read a span until it stands still, asking from so much earlier on.

        Raises:
            errors.BadAnswer: when it never does.
            FilterIgnored: when rows come that were not asked for.
            TooMany: when it holds more than `most` rows.
        """
        asked = Span(_earlier(span.start, early), _padded(span.stop, padding))
        for census in self.client.attempts(self._path, self._where(span)):
            first = self._first(asked)
            if most is not None and (first.total or 0) > most:
                raise TooMany
            batch = self._attempt(span, asked, census, first)
            self._opening = None
        self._note(census, batch)
        return batch

    def newest(self) -> datetime | None:
        """The newest start there is, or one of the newest where order is odd."""
        found: datetime | None = None
        for _ in range(FEW):
            asked = Span(found and found + SECOND, None)
            first = self._page(asked)
            starts = [*_readable(first)]
            if first.has_next and first.pages:
                starts += _readable(self._page(asked, first.pages))
            if not starts or (found is not None and max(starts) <= found):
                break
            found = max(starts)
        return found

    def count_until(self, span: Span) -> int:
        """Count the rows that start in a span and end in it, too."""
        return self._page(span).total or 0

    def is_at_end(self) -> bool:
        """Tell whether nothing new stands beyond the last page that was read."""
        number = self._pages + 1
        try:
            page = self.client.page(
                self._path, self._filters, number, interval_page, self._source
            )
        except (errors.Gone, errors.BadRequest):
            return True  # documented is the last page once more
        return all(row.id in self._counted for row in page.items)

    def warn(self, what: str) -> None:
        """Count a warning."""
        self.client.report.warn(what)

    def error(self, problem: str, span: Span | None = None) -> errors.BadAnswer:
        """The error for what this connection does; its bookmark must stay."""
        where = self._source if span is None else self._where(span)
        return self.client.error(self._path, problem, where)

    def capped(self, span: Span, failure: Exception) -> Exception:
        """What it means that even the narrowest window is too wide."""
        if isinstance(failure, TooMany):
            return self.error("counts no further than its list is long", span)
        return failure

    def _attempt(
        self, span: Span, asked: Span, census: Census, first: Page[Interval]
    ) -> Batch:
        batch = Batch()
        newest: dict[tuple[str, datetime], IntervalRecord] = {}
        self._counted, self._pages = set(), 0
        pages = self.client.pages(
            self._path, self._params(asked), interval_page, self._source, first
        )
        try:
            for page in pages:
                self._pages += 1
                census.count(page.total, [row.id for row in page.items])
                if census.moved:
                    break
                self._take(page, span, asked, newest, batch)
                if census.is_endless:
                    break
        finally:
            pages.close()
        batch.rows = list(newest.values())
        return batch

    def _take(
        self,
        page: Page[Interval],
        span: Span,
        asked: Span,
        newest: dict[tuple[str, datetime], IntervalRecord],
        batch: Batch,
    ) -> None:
        """Keep the rows of the span, of each id and start the newest."""
        made = self._records(page.items, page.read_at)
        for row, (start, record) in zip(page.items, made, strict=True):
            if start is None:
                batch.strays += 1
                batch.unreadable.append(_times(row))
                continue
            if not span.holds(start):
                _hold_to(row, start, asked.start, asked.stop)
                continue
            if not row.id or row.id not in self._counted:
                self._counted.add(row.id)
                batch.starts.append(start)
                batch.seen.append(hash(row.id))
            if not row.id:
                batch.nameless += 1
                continue
            if record is None:
                batch.unreadable.append(_times(row))
                continue
            place = row.id, start
            known = newest.get(place)
            if known is None or newer(record, known):
                newest[place] = record

    def _note(self, census: Census, batch: Batch) -> None:
        if len(census.ids) + census.nameless != (census.total or 0):
            batch.doubled = len(census.twice)
        for row in batch.rows:
            self.longest = max(self.longest, row.interval_end - row.interval_start)

    def _first(self, asked: Span) -> Page[Interval]:
        """The first page, unless counting has just brought it."""
        opening = self._opening
        if asked.stop is None and opening is not None and opening[0] == asked.start:
            self._opening = None
            return opening[1]
        return self._page(asked)

    def _page(self, asked: Span, number: int = 1) -> Page[Interval]:
        return self.client.page(
            self._path, self._params(asked), number, interval_page, self._source
        )

    def _params(self, asked: Span) -> list[tuple[str, str]]:
        params = list(self._filters)
        if asked.start is not None:
            params.append(("startDate", seconds_form(asked.start)))
        if asked.stop is not None:
            params.append(("endDate", seconds_form(asked.stop)))
        return params

    def _where(self, span: Span) -> str:
        return f"{self._source}, intervals {_named(span)}"

    @property
    def _source(self) -> str:
        return f"connection {self._connection_id}"


def _hold_to(
    row: Interval, start: datetime, asked: datetime | None, until: datetime | None
) -> None:
    """Refuse a row that no filter would have let through."""
    too_late = until is not None and start - OUTSIDE >= until
    too_early = asked is not None and start + OUTSIDE < asked
    if too_early and asked is not None:
        # A filter that takes what overlaps gives a long reading that began before.
        with suppress(ValueError):
            too_early = values.instant(row.end)[0] + OUTSIDE < asked
    if too_early or too_late:
        raise FilterIgnored


def _readable(page: Page[Interval]) -> Iterator[datetime]:
    """The starts on a page that can be read."""
    for row in page.items:
        with suppress(ValueError):
            yield values.instant(row.start)[0]


def _times(row: Interval) -> str:
    return f"{row.start or 'nothing'} to {row.end or 'nothing'}"


def _earlier(start: datetime | None, by: timedelta) -> datetime | None:
    return None if start is None else earlier(start, by)


def _padded(stop: datetime | None, padding: timedelta | None) -> datetime | None:
    if stop is None or padding is None:
        return None
    return stop + padding if FAR - stop > padding else None


def _named(span: Span) -> str:
    start = seconds_form(span.start) if span.start else "the beginning"
    return f"from {start} to {seconds_form(span.stop) if span.stop else 'the end'}"

"""The usage jobs: one for each company, from its bookmark to its next.

Nectar can be asked what was updated since a day; so after a first full reading only
that is asked for. `start_date` and `end_date` are about billing periods, not updates,
and are applied here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import micros_form
from tap_utility_intervals.floor.records import UsageRecord
from tap_utility_intervals.providers.base import (
    Bookmark,
    Context,
    Event,
    Finished,
    Lost,
    Reached,
    Rows,
)
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.bookmarks import Mark, Terms
from tap_utility_intervals.providers.nectar.client import ATTEMPTS, Census
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.mapping import intervals as normalize
from tap_utility_intervals.providers.nectar.objects import Entity, entity_page, text

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """What the run wants of every company."""

    start: datetime | None
    end: datetime | None
    started: datetime
    listed_at: str
    filters: Params

    def holds(self, first: str | None, last: str | None) -> bool:
        """Whether a billing period reaches into what is wanted; unknown ones do."""
        last = last or first
        if self.start and last and last < self.start.date().isoformat():
            return False
        if self.end is not None and first is not None:
            last_day = (self.end - timedelta(microseconds=1)).date().isoformat()
            return first <= last_day
        return True


class CompanyJob:
    """Brings the usage entries of one company up to date."""

    resource = "usage"
    decode = staticmethod(entity_page("usageData", "totalUsageData"))

    def __init__(
        self,
        context: Context,
        directory: Directory,
        old: Mark | None,
        terms: Terms,
        wish: Wish,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self.context = context
        self.client = directory.client
        self.directory = directory
        self.old = old
        self.terms = terms
        self.wish = wish
        self.report = self.client.report
        self.path = f"/{self.resource}/company/{quote(context['company_id'], safe='')}"
        self._latest: str | None = None

    def __call__(self) -> Iterator[Event]:
        """Read the company; see `providers.base.Job`."""
        try:
            yield from self._rows()
        except errors.SourceError as error:
            yield Lost(self.context, error)
            return
        yield Reached(self.context, self._bookmark())
        yield Finished(self.context)

    def _rows(self) -> Iterator[Rows]:
        """Every row once; the list is read again until it was read whole."""
        before: Census | None = None
        taken: set[str] = set()
        for attempt in range(ATTEMPTS):
            census = Census()
            source = f"company {self.context['company_id']}"
            for page in self.client.pages(
                self.path, self._params(), self.decode, source
            ):
                ids = [text(row.get("id")) or "" for row in page.items]
                census.count(page.total, ids)
                fresh = {
                    name: row
                    for name, row in zip(ids, page.items, strict=True)
                    if name and name not in taken
                }
                taken.update(fresh)
                yield from self.wanted(fresh.values())
                if census.is_endless:
                    break
            if census.is_whole(before):
                if census.nameless:
                    self.report.warn(
                        f"nectar: a {self.resource} entry without an id is left out",
                        census.nameless,
                    )
                return
            before = census
            self.client.pause(attempt)
        raise self.client.unsteady(self.path, source)

    def _record(self, row: Entity) -> UsageRecord:
        key = self.directory.key_of_usage(row)
        return normalize.usage(row, key, self.wish.listed_at)

    def saw(self, updated: Iterable[str | None]) -> None:
        """Remember the latest update, if it is none of the future."""
        started = micros_form(self.wish.started)
        before_now = [stamp for stamp in updated if stamp and stamp <= started]
        self._latest = max([*before_now, self._latest or ""]) or None

    def wanted(self, rows: Iterable[Entity]) -> Iterator[Rows]:
        """The rows of a page as records, without those that are not asked for."""
        records = [self._record(row) for row in rows]
        self.saw(record.source_updated_at for record in records)
        wanted = [
            record
            for record in records
            if self.wish.holds(record.period_start_date, record.period_end_date)
        ]
        unreadable = sum(record.unreadable is not None for record in wanted)
        if unreadable:
            self.report.warn(
                "nectar: a value of a usage entry cannot be read and is null",
                unreadable,
            )
        if wanted:
            yield Rows(wanted)

    @property
    def _scans(self) -> bool:
        return self.terms.must_scan(self.old)

    def _params(self) -> list[tuple[str, str]]:
        """Everything, or what was updated since the day before the bookmark's."""
        params = list(self.wish.filters)
        if self._scans or self.old is None or self.old.seen is None:
            return [*params, ("dateType", "BILL_DATE")]
        day = (self.old.seen - _DAY).date().isoformat()
        return [*params, ("dateType", "UPDATED_DATE"), ("startDate", day)]

    def _bookmark(self) -> Bookmark:
        old = self.old
        mark = self.terms.begun(old) if self._scans or old is None else old
        mark = replace(mark, since=self.terms.since)
        seen = None if mark.seen is None else micros_form(mark.seen)
        return mark.bookmark(max(seen or "", self._latest or "") or None)

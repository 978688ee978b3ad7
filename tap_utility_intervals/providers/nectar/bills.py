"""The usage jobs: one for each company, from its bookmark to its next.

Nectar can be asked what was updated since a day; so after a first full reading only
that is asked for. `start_date` and `end_date` are about billing periods, not updates,
and are applied here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote

from tap_utility_intervals.floor.instants import micros_form
from tap_utility_intervals.floor.periods import is_wanted
from tap_utility_intervals.providers.base import (
    Context,
    Event,
    Reached,
    Rows,
    Run,
    source_events,
)
from tap_utility_intervals.providers.bookmarks import DAY, moment
from tap_utility_intervals.providers.nectar.bookmarks import Mark, Terms
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.mapping.bills import usage_record
from tap_utility_intervals.providers.nectar.objects import Entity, entity_page


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
        run: Run,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self.context = context
        self.client = directory.client
        self.directory = directory
        self.old = old
        self.terms = terms
        self.settings = run.settings
        self.listed_at = micros_form(run.started)
        self.report = self.client.report
        self.path = f"/{self.resource}/company/{quote(context['company_id'], safe='')}"
        self._latest: str | None = None

    def __call__(self) -> Iterator[Event]:
        """Read the company; see `providers.base.Job`."""
        return source_events(self.context, self._events())

    def _events(self) -> Iterator[Rows | Reached]:
        """Every row once; the list is read again until it was read whole."""
        taken: set[str] = set()
        source = f"company {self.context['company_id']}"
        for census in self.client.attempts(self.path, source):
            pages = self.client.pages(self.path, self._params(), self.decode, source)
            for page, ids in self.client.counted(census, pages):
                fresh = {
                    name: row
                    for name, row in zip(ids, page.items, strict=True)
                    if name and name not in taken
                }
                taken.update(fresh)
                yield from self.wanted(fresh.values())
        if census.nameless:
            self.report.warn(
                f"nectar: a {self.resource} entry without an id is left out",
                census.nameless,
            )
        yield Reached(self.context, self._mark().state(micros_form))

    def saw(self, updated: Iterable[str | None]) -> None:
        """Remember the latest update, if it is none of the future."""
        started = micros_form(self.terms.started)
        before_now = [stamp for stamp in updated if stamp and stamp <= started]
        self._latest = max([*before_now, self._latest or ""]) or None

    def holds(self, first: str | None, last: str | None) -> bool:
        """Whether a billing period reaches into what is wanted; unknown ones do."""
        settings = self.settings
        return is_wanted(first, last, settings.start_date, settings.end_date)

    def wanted(self, rows: Iterable[Entity]) -> Iterator[Rows]:
        """The rows of a page as records, without those that are not asked for."""
        key = self.directory.key_of_usage
        records = [usage_record(row, key(row), self.listed_at) for row in rows]
        self.saw(record.source_updated_at for record in records)
        wanted = [
            record
            for record in records
            if self.holds(record.period_start_date, record.period_end_date)
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
        filters = self.directory.filters
        if self._scans or self.old is None or self.old.seen is None:
            return [*filters, ("dateType", "BILL_DATE")]
        day = (self.old.seen - DAY).date().isoformat()
        return [*filters, ("dateType", "UPDATED_DATE"), ("startDate", day)]

    def _mark(self) -> Mark:
        old = self.old
        mark = self.terms.begun(old) if self._scans or old is None else old
        mark = replace(mark, since=self.terms.since, read=self.terms.read)
        return mark.at(moment(self._latest))

"""The usage jobs: one for each company, from its bookmark to its next.

Nectar can be asked what was updated since a day; so after a first full reading only
that is asked for. A server that does not read `dateType` answers by the date of bills.
A bill that is older than what was asked for shows that it does read it; where none
comes, what was updated before anything was is asked for, and has to be nothing. Else
all is read. `start_date` and `end_date` are about billing periods, not updates, and are
applied here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import DAY, micros_form
from tap_utility_intervals.floor.periods import is_wanted
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.base import (
    Context,
    Event,
    Reached,
    Rows,
    Run,
    held_back,
    source_events,
)
from tap_utility_intervals.providers.bookmarks import moment
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.bookmarks import Mark, Terms
from tap_utility_intervals.providers.nectar.client import A_PAGE, Client
from tap_utility_intervals.providers.nectar.mapping.bills import usage_record
from tap_utility_intervals.providers.nectar.mapping.identity import MeterKeys
from tap_utility_intervals.providers.nectar.objects import (
    Entity,
    Page,
    entity_page,
    objects,
    text,
)

UPDATED = ("dateType", "UPDATED_DATE")
BILLED = ("dateType", "BILL_DATE")


class _FilterIgnored(Exception):  # noqa: N818 - it says what happened
    """A row was updated at another time than was asked for."""


@dataclass(frozen=True)
class CompanyTask:
    """The usage entries of one company; see `providers.base.Task`."""

    context: Context
    old: Mark | None
    terms: Terms
    filters: Params
    """What requests for only some kinds of meters hold."""
    keys: MeterKeys
    is_known: bool = True
    """Whether its connections and meters were listed; else its bookmark stays."""

    def events(self, client: Client, run: Run) -> Iterator[Event]:
        """Read them."""
        events = CompanyJob(self, client, run)()
        return events if self.is_known else held_back(events)


class CompanyJob:
    """Brings the usage entries of one company up to date."""

    resource = "usage"
    decode = staticmethod(entity_page("usageData", "totalUsageData"))

    def __init__(self, task: CompanyTask, client: Client, run: Run) -> None:
        """Prepare; nothing is asked yet."""
        self.context = context = task.context
        self.client = client
        self.old, self.terms = task.old, task.terms
        self.filters, self.keys = task.filters, task.keys
        self.settings = run.settings
        self.listed_at = micros_form(run.started)
        self.report = self.client.report
        self.path = f"/{self.resource}/company/{quote(context['company_id'], safe='')}"
        self.source = f"company {context['company_id']}"
        self.scans = self.terms.must_scan(self.old)
        self._taken: dict[str, tuple[str | None, str | None]] = {}
        """The periods of the entries that came, by id."""
        self._latest: str | None = None
        self._oldest: str | None = None

    def __call__(self) -> Iterator[Event]:
        """Read the company; see `providers.base.Job`."""
        return source_events(self.context, self._events())

    def _events(self) -> Iterator[Rows | Reached]:
        """Every row once."""
        if not self.scans and self.old and self.old.seen:
            try:
                yield from self._updated(self.old, self.old.seen)
            except _FilterIgnored:
                self.scans = True
                self.report.warn(
                    f"nectar: the {self.resource} list of a company may not be "
                    "filtered by dateType: all of it is read"
                )
        if self.scans:
            for rows in self._read(self._params(BILLED)):
                yield from self.wanted(rows)
            self._prove()
        yield Reached(self.context, self._mark().state(micros_form))

    def _updated(self, old: Mark, seen: datetime) -> Iterator[Rows]:
        """What was updated since the day before the bookmark's.

        Raises:
            _FilterIgnored: rows come that were updated at another time, or may do.
        """
        day = _midnight(seen - DAY)
        # A bound that is read in another zone moves by less than a day.
        least = _midnight(seen - 2 * DAY)
        is_proven = False
        for rows in self._read(self._params(UPDATED, ("startDate", day[:10]))):
            yield from self.wanted(rows)
            if any(not least <= _updated(row) < "A" for row in rows):
                raise _FilterIgnored
            is_proven = is_proven or any(_billed(row) < day[:10] for row in rows)
        if is_proven:
            return
        if old.oldest is None:
            raise _FilterIgnored
        before = _midnight(old.oldest - timedelta.resolution)
        asked = self._params(UPDATED, ("endDate", before[:10]))
        if any(_updated(row) > before for row in self._page(asked).items):
            raise _FilterIgnored

    def _read(self, params: Params) -> Iterator[list[Entity]]:
        """Rows that did not come before; the list is read again until it came whole.

        Raises:
            errors.BadAnswer: it never did, or has rows that cannot be told apart.
        """
        shared: set[str] = set()
        for census in self.client.attempts(self.path, self.source):
            pages = self.client.pages(self.path, params, self.decode, self.source)
            for page, ids in self.client.counted(census, pages):
                fresh: dict[str, Entity] = {}
                for name, row in zip(ids, page.items, strict=True):
                    if name and name not in self._taken:
                        fresh[name], self._taken[name] = row, _period(row)
                    elif name and self._taken[name] != _period(row):
                        shared.add(name)
                yield self._of_types(fresh.values())
        if lost := census.nameless + len(shared):
            raise self._error(f"sent {lost} entries without an id of their own")

    def _prove(self) -> None:
        """Look from the middle of a long list on for what did not come with it.

        Raises:
            errors.BadAnswer: there is something: lists end at some number.
        """
        days = sorted(last for _, last in self._taken.values() if last)
        if len(days) < A_PAGE:
            return
        for bound in ("startDate", "endDate"):
            asked = self._params(BILLED, (bound, days[len(days) // 2][:10]))
            pages = [self._page(asked)]
            if pages[0].has_next and pages[0].pages:
                pages.append(self._page(asked, pages[0].pages))
            names = {text(row.get("id")) for page in pages for row in page.items}
            if not names - {None} <= self._taken.keys():
                raise self._error("lists fewer entries than it has")

    def _page(self, params: Params, number: int = 1) -> Page[Entity]:
        return self.client.page(self.path, params, number, self.decode, self.source)

    def _error(self, problem: str) -> errors.BadAnswer:
        return self.client.error(self.path, problem, self.source)

    def saw(self, updated: Iterable[str | None]) -> None:
        """Remember the latest update, if it is none of the future."""
        started = micros_form(self.terms.started)
        before_now = [stamp for stamp in updated if stamp and stamp <= started]
        self._latest = max([*before_now, self._latest or ""]) or None
        self._oldest = min([*before_now, self._oldest or started])

    def holds(self, first: str | None, last: str | None) -> bool:
        """Whether a billing period reaches into what is wanted; unknown ones do."""
        settings = self.settings
        return is_wanted(first, last, settings.start_date, settings.end_date)

    def wanted(self, rows: Iterable[Entity]) -> Iterator[Rows]:
        """The rows of a page as records, without those that are not asked for."""
        key = self.keys.of_usage
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

    def _params(self, *dates: tuple[str, str]) -> list[tuple[str, str]]:
        return [*self.filters, *dates]

    def _of_types(self, rows: Iterable[Entity]) -> list[Entity]:
        """Rows without those of meters that were not asked for."""
        types = {word for _, word in self.filters}
        listed = [*rows]
        kept = [row for row in listed if not types or _is_of(row, types)]
        if len(kept) < len(listed):
            self.report.warn(
                f"nectar: a {self.resource} entry of another datasource type than was "
                "asked for is left out",
                len(listed) - len(kept),
            )
        return kept

    def _mark(self) -> Mark:
        old = self.old
        mark = self.terms.begun(old) if self.scans or old is None else old
        oldest = moment(self._oldest)
        if not self.scans and old is not None:
            oldest = min(one for one in (oldest, old.oldest) if one is not None)
        mark = replace(
            mark, since=self.terms.since, read=self.terms.read, oldest=oldest
        )
        return mark.at(moment(self._latest))


def _midnight(moment: datetime) -> str:
    """When a day begins, as times of updates are written here."""
    return f"{moment.date().isoformat()}T00:00:00.000000Z"


def _period(row: Entity) -> tuple[str | None, str | None]:
    return text(row.get("startDate")), text(row.get("endDate"))


def _updated(row: Entity) -> str:
    """When a row was updated; a word behind all times if it does not say."""
    return Values().instant("updated", row.get("updated")) or "unknown"


def _billed(row: Entity) -> str:
    """The last day of a bill, as far as it says; behind all days if it does not."""
    inside = row.get("document")
    bill = inside if isinstance(inside, dict) else row
    said = bill.get("billDate"), row.get("billDate"), row.get("endDate")
    return max([day for day in said if isinstance(day, str)], default="unknown")


def _is_of(row: Entity, types: set[str]) -> bool:
    """Whether a row, or one inside it, is of one of the types, or of none."""
    rows = [row, *objects(row.get("usageData"))]
    said = {text(one.get("datasourceType")) for one in rows}
    return not said - {None} or not said.isdisjoint(types)

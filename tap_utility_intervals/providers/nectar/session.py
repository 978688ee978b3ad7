"""One run's session with Nectar: its settings, its lists, its jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from tap_utility_intervals.floor.instants import micros_form, seconds_form
from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.base import (
    Bookmarks,
    Context,
    Event,
    Run,
    earlier_clock,
)
from tap_utility_intervals.providers.bookmarks import Rescan, believed, read_mark
from tap_utility_intervals.providers.connections import Endpoint
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.providers.nectar import bookmarks as marks
from tap_utility_intervals.providers.nectar.bills import CompanyTask
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.intervals import shared
from tap_utility_intervals.providers.nectar.intervals.job import Wish
from tap_utility_intervals.providers.nectar.intervals.tasks import (
    ConnectionTask,
    SharedTask,
)
from tap_utility_intervals.providers.nectar.listing import Connection
from tap_utility_intervals.providers.nectar.mapping import bills, identity, values
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER, MeterKeys
from tap_utility_intervals.providers.nectar.mapping.intervals import MAPPING, Intervals
from tap_utility_intervals.providers.nectar.settings import CREDENTIAL, NectarSettings
from tap_utility_intervals.providers.spool import Shared

MOST_IN_FLIGHT = 10
"""Nectar asks for no more than ten requests at once: nectar.md#rate."""
ROWS_AT_ONCE = 1_000
"""Of meters, which a census has in memory anyway."""
MAPPED = [f"mapping {MAPPING}"]
BILLS_MAPPED = [f"mapping {bills.MAPPING}"]
NO_KEYS = MeterKeys({}, {}, {})
IntervalTask: TypeAlias = ConnectionTask | SharedTask
Sources: TypeAlias = dict[str, tuple[Context, marks.Mark | None]]
SHARED = (
    Shared("/usage/company", "nectar_usage_data", frozenset({"usage"})),
    Shared("/document/company", "nectar_line_items", frozenset({"nectar_documents"})),
)
"""What streams in Nectar's own shape read as others do."""


def connect(run: Run, limiter: Limiter | None = None) -> NectarSession:
    """Begin a session; nothing is asked yet. `limiter` is for tests."""
    return NectarSession(run, limiter)


class NectarSession:
    """Nectar during one run; see `providers.base.Session`."""

    name = PROVIDER

    def __init__(self, run: Run, limiter: Limiter | None = None) -> None:
        """Prepare; nothing is asked yet."""
        settings = run.settings
        own = NectarSettings.parse(run.config, settings)
        self.run = run
        self.readers = min(settings.max_concurrency, MOST_IN_FLIGHT)
        self.workers = self.readers // run.shares
        endpoint = Endpoint(
            provider=self.name,
            base_url=own.base_url,
            headers={"X-API-Key": own.api_key},
            credential=CREDENTIAL,
            title="Nectar",
        )
        transport = Transport(
            endpoint, settings, limiter or Limiter(None, self.workers), run.clock
        )
        self.traffic = transport.traffic
        transport.spool.share(SHARED, run.selected)
        self.types = own.datasource_types
        self.companies = own.companies
        self.client = Client(transport, run.report, self.workers)
        self.directory = Directory(
            self.client, run.report, self.companies or None, self.types
        )

    def ping(self) -> None:
        """Ask whether the key is good; what the answer holds is not documented."""
        self.client.transport.get("/ping", decode=bytes)

    def meters(self) -> Iterator[Sequence[MeterRecord]]:
        """All meters, page by page; what a company does not show is reported."""
        records = self.directory.records(micros_form(self.run.started))
        named = {
            "nectar_companies": self.companies,
            "nectar_datasource_types": self.types,
        }
        is_whole = self.directory.has_all_meters
        while page := list(islice(records, ROWS_AT_ONCE)):
            yield self.run.listed(page, named, is_whole=is_whole)
        self.directory.tell_of_missing_meters()

    def read(self, task: IntervalTask | CompanyTask) -> Iterator[Event]:
        """Do what was planned, here or in another process."""
        return task.events(self.client, self.run)

    def interval_tasks(self, bookmarks: Bookmarks) -> Iterator[IntervalTask]:
        """One task for each connection; what was longest not read comes first."""
        connections = self.directory.connections
        sources = self._sources(bookmarks, "connection_id", [c.id for c in connections])
        if sources:
            self._note_missing_meters()

        def unread(group: Sequence[Connection]) -> datetime:
            return min(marks.longest_unread(sources[one.id][1]) for one in group)

        read = self._read_mark(sources)
        for group in sorted(shared.groups(connections), key=unread):
            tasks = [self._connection(one, *sources[one.id], read) for one in group]
            if len(tasks) == 1:
                yield tasks[0]
            else:
                yield SharedTask(tuple(tasks), shared.accounts(group))

    def usage_tasks(self, bookmarks: Bookmarks) -> Iterator[CompanyTask]:
        """One task for each company; what was longest not read comes first."""
        if not self.directory.company_ids:
            return self.company_tasks(bookmarks)
        self._note_missing_meters()
        keys, half_known = self.directory.meter_keys, self.directory.half_known
        return self.company_tasks(bookmarks, keys, half_known)

    def company_tasks(
        self,
        bookmarks: Bookmarks,
        keys: MeterKeys = NO_KEYS,
        half_known: AbstractSet[str] = frozenset(),
    ) -> Iterator[CompanyTask]:
        """One task for what follows `UPDATED_DATE`, for each company.

        Of companies that are `half_known` the bookmark stays.
        """
        sources = self._sources(bookmarks, "company_id", self.directory.company_ids)
        unread = sorted(sources.values(), key=lambda it: marks.longest_unread(it[1]))
        read = self._read_mark(sources)
        for context, old in unread:
            name = context["company_id"]
            terms, filters = self._company_terms(name, read), self.directory.filters
            is_known = name not in half_known
            self.run.report.decided(PROVIDER, name, terms.why(old))
            yield CompanyTask(context, old, terms, filters, keys, is_known)

    def close(self) -> None:
        """Let go of all connections and threads."""
        self.client.close()

    def _sources(
        self, bookmarks: Bookmarks, column: str, ids: Sequence[str]
    ) -> Sources:
        """What is about to be read, by id: its context, and its bookmark if any."""
        contexts = {one: {"provider": self.name, column: one} for one in ids}
        if self.directory.is_complete:
            bookmarks.keep_only(self.name, list(contexts.values()))
        self.run.report.expect(self.name, list(contexts))
        return {one: (c, self._old(bookmarks, c)) for one, c in contexts.items()}

    def _old(self, bookmarks: Bookmarks, context: Context) -> marks.Mark | None:
        """A stored bookmark; an odd one counts as none, and is warned of."""
        found = bookmarks.get(context)
        old = marks.Mark.parse(found)
        if found and old is None:
            self.run.report.warn(
                "nectar: a bookmark cannot be read; its source is read anew"
            )
        server = self.client.transport.server_time
        latest = max(self.run.started, server or self.run.started)
        return old and replace(old, read=believed(old.read, latest))

    def _read_mark(self, sources: Sources) -> datetime:
        """What is noted as when they were read."""
        return read_mark(self.started, [old.read for _, old in sources.values() if old])

    def _connection(
        self,
        connection: Connection,
        context: Context,
        old: marks.Mark | None,
        read: datetime,
    ) -> ConnectionTask:
        settings = self.run.settings
        directory = self.directory
        is_known = directory.half_known.isdisjoint(connection.companies)
        only = values.commodity(self.types[0]) if len(self.types) == 1 else None
        siblings = directory.siblings(connection.id)
        to_record = Intervals(connection.id, directory.known, siblings, only)
        wish = Wish(
            settings.start_date,
            settings.end_date,
            settings.lookback,
            self.started,
            is_filtered=bool(self.types),
            others=directory.other_keys,
            knows_meters=is_known,
        )
        said = [
            repr(sorted(identity.pairs(meter.row.get("identifiers"))))
            for meter in directory.meters_of(connection.id)
        ]
        mapped = marks.fingerprint(
            connection.account_ids, connection.meter_ids, said, self.types, MAPPED
        )
        # What is half known now may be as it was.
        of = mapped if is_known or old is None else old.of
        terms = self._terms(connection.id, of, read)
        self.run.report.decided(PROVIDER, connection.id, terms.why(old))
        return ConnectionTask(context, old, terms, wish, to_record, directory.filters)

    def _company_terms(self, company_id: str, read: datetime) -> marks.Terms:
        # Rows beyond end_date are read but left out: without it, they are to be read.
        end = self.run.settings.end_date
        until = "" if end is None else seconds_form(end)
        mapped = marks.fingerprint(self.types, BILLS_MAPPED, [until])
        return self._terms(company_id, mapped, read)

    def _terms(self, source: str, of: str, read: datetime) -> marks.Terms:
        settings = self.run.settings
        rescan = Rescan.of(settings.full_rescan_days, self.started)
        return marks.Terms(source, settings.start_date, of, rescan, self.started, read)

    def _note_missing_meters(self) -> None:
        """Intervals and usage do without the meter list, if need be."""
        if self.directory.meter_errors:
            self.run.report.warn(
                "nectar: the meters of a company could not be listed; site_id and "
                "commodity of their intervals are null until a run that reads them "
                "again: their bookmarks stay"
            )

    @property
    def started(self) -> datetime:
        """The run's start: the earlier of our clock and the server's."""
        return earlier_clock(self.run.started, self.client.transport.server_time)

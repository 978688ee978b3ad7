"""UtilityAPI during one run: its meters, and the jobs that read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from msgspec import structs

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.instants import EARLIEST, micros_form
from tap_utility_intervals.floor.limiter import shared
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.base import Bookmark, Bookmarks, Event, Run
from tap_utility_intervals.providers.bookmarks import believed, read_mark
from tap_utility_intervals.providers.connections import Endpoint
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.providers.spool import Shared
from tap_utility_intervals.providers.utilityapi import entities
from tap_utility_intervals.providers.utilityapi.bills import (
    BillTask,
    sharing,
    why_bills_are_due,
)
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    BillBookmark,
    EventBookmark,
    IntervalBookmark,
)
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.job import context
from tap_utility_intervals.providers.utilityapi.intervals.plan import (
    Plan,
    plan_intervals,
)
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.intervals.task import IntervalTask
from tap_utility_intervals.providers.utilityapi.intervals.together import Together
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.rules import Rules
from tap_utility_intervals.providers.utilityapi.settings import (
    CREDENTIAL,
    UtilityApiSettings,
)
from tap_utility_intervals.settings.shared import Settings

Kind = TypeVar("Kind", IntervalBookmark, BillBookmark, EventBookmark)

SHARED = (
    Shared("/bills", "utilityapi_bills", frozenset({"usage"})),
    Shared(
        "/meters",
        "utilityapi_meters",
        frozenset({"meters", "intervals", "usage", "utilityapi_bills"}),
    ),
)
"""What streams in UtilityAPI's own shape read as others do."""

NAMELESS = "meters without a uid"
"""How the report names them, as one source."""

NOT_LISTED = "the meter list does not show it; check utilityapi_meters"


class UtilityApiSession:
    """What the unified streams read of UtilityAPI; see `providers.base.Session`."""

    name = PROVIDER

    def __init__(self, run: Run) -> None:
        """Prepare; nothing is asked yet."""
        self.run = run
        self.settings = UtilityApiSettings.parse(run.config, run.settings)
        self.transport = transport = transport_of(
            self.settings, run.settings, run.clock, run.shares
        )
        self.api = UtilityApi(transport, warn=self.warn)
        self.traffic = transport.traffic
        transport.spool.share(SHARED, run.selected)
        in_flight, per_second = (
            run.settings.max_concurrency,
            int(self.settings.requests_per_second),
        )
        self.workers = in_flight // run.shares
        self.readers = max(1, min(in_flight, per_second))
        self.filter = StartFilter()
        self.per_request = self.settings.meters_per_request
        self.listed_at = micros_form(run.started)
        self.records = entities.Records()
        self.is_named = True
        """Whether all listed meters have a uid, as far as they were read."""

    def close(self) -> None:
        """Let go of connections and of whoever waits for its turn."""
        self.transport.close()

    def ping(self) -> None:
        """Ask for a page of the meter list: whether the token is good shows there."""
        next(self.api.meters(), None)

    def meters(self) -> Iterator[Sequence[MeterRecord]]:
        """All meters as the listing has them."""
        named = {
            "utilityapi_authorizations": self.settings.authorizations,
            "utilityapi_meters": self.settings.meters,
        }
        assert self.listed is not None  # noqa: S101 - it fills the records
        for page in self.records.pages():
            yield self.run.listed(page, named, is_whole=self._has_whole_list)

    @cached_property
    def listed(self) -> list[entities.ListedMeter]:
        """The meter list, read once a run, in the order of the API."""
        return entities.meters(
            self.api,
            self.listed_at,
            self.settings,
            self.warn,
            self._lose_nameless,
            self.records.add,
        )

    @cached_property
    def rules(self) -> Rules:
        """The rules of this run, once the server has told its clock."""
        return Rules.of(
            self.run.settings,
            self.settings,
            self.run.started,
            self.transport.server_time,
        )

    def warn(self, what: str) -> None:
        """Count a warning."""
        self.run.report.warn(f"{PROVIDER}: {what}")

    def remembered(self, kind: type[Kind], found: Bookmark | None) -> Kind | None:
        """A stored bookmark; an odd one counts as none, and is warned of."""
        bookmark = kind.parse(found)
        if found and bookmark is None:
            self.warn("a bookmark cannot be read; its source is read anew")
        return bookmark

    def read(self, task: IntervalTask | BillTask) -> Iterator[Event]:
        """Do what was planned, here or in another process."""
        return task.events(self.api, self.run)

    def interval_tasks(self, bookmarks: Bookmarks) -> Iterator[IntervalTask]:
        """One task for each meter that changed, or for a few of them together."""
        plans: list[Plan] = []
        reads: list[datetime | None] = []
        for meter in self._sources(bookmarks):
            old = self.remembered(IntervalBookmark, bookmarks.get(context(meter)))
            if old:
                read = believed(old.read, self.rules.latest)
                reads.append(read)
                old = structs.replace(old, read=read) if read != old.read else old
            plan = plan_intervals(meter, old, self.rules)
            if plan is None:
                self._leave_alone(meter, "intervals")
            else:
                self.run.report.decided(PROVIDER, meter.uid, plan.why)
                plans.append(plan)
        plans.sort(key=_last_read)
        self._tell_of_old_data(plans)
        self.filter.learn(self.api, plans)
        self.run.report.expect(PROVIDER, [plan.meter.uid for plan in plans])
        rules = replace(self.rules, read=read_mark(self.rules.now, reads))
        together = Together(self.api, self.filter, rules, self.warn)
        for group in together.groups(plans, self.per_request):
            yield IntervalTask(tuple(group), self.filter, rules)

    def usage_tasks(self, bookmarks: Bookmarks) -> Iterator[BillTask]:
        """One task for the bills of a few meters whose bills changed."""
        changed: list[Meter] = []
        olds: dict[str, BillBookmark | None] = {}
        for meter in self._sources(bookmarks):
            old = self.remembered(BillBookmark, bookmarks.get(context(meter)))
            why = why_bills_are_due(meter, old, self.rules)
            if why is None:
                self._leave_alone(meter, "bills")
            else:
                self.run.report.decided(PROVIDER, meter.uid, f"asked for bills: {why}")
                changed.append(meter)
                olds[meter.uid] = old
        # Never or longest unread first: interrupted again and again, all are reached.
        changed.sort(key=lambda meter: ((old := olds[meter.uid]) and old.scanned) or 0)
        self.run.report.expect(PROVIDER, [meter.uid for meter in changed])
        for some in sharing(changed, self.per_request):
            theirs = {meter.uid: olds[meter.uid] for meter in some}
            yield BillTask(tuple(some), theirs, self.rules, self.listed_at)

    def _lose_nameless(self, error: errors.SourceError) -> None:
        self.is_named = False
        self.run.report.lose(PROVIDER, NAMELESS, error)

    def _leave_alone(self, meter: Meter, what: str) -> None:
        self.run.report.add(PROVIDER, meter.uid, Outcome.UNCHANGED)
        why = f"not asked for {what}: it is listed as it was"
        self.run.report.decided(PROVIDER, meter.uid, why)

    def _sources(self, bookmarks: Bookmarks) -> list[Meter]:
        meters = [one.meter for one in self.listed]
        if self._has_whole_list and not self.settings.is_filtered:
            # Under a filter the others still exist; their bookmarks stay.
            bookmarks.keep_only(PROVIDER, map(context, meters))
        there = {meter.uid for meter in meters}
        for uid in self.settings.meters:
            if uid not in there:
                self.run.report.add(PROVIDER, uid, Outcome.GONE, NOT_LISTED)
        return meters

    @property
    def _has_whole_list(self) -> bool:
        """Whether each is named, and none may be beyond a page that lacks `next`."""
        return self.is_named and "/meters" not in self.api.open_ended

    def _tell_of_old_data(self, plans: Iterable[Plan]) -> None:
        """Say that there is nothing to read since the start date, but before it."""
        start = self.rules.start_date
        ends = [
            plan.meter.interval_coverage[-1][1]
            for plan in plans
            if start and plan.meter.interval_coverage
        ]
        early = [end for end in ends if start and end <= start]
        if early:
            self.warn(
                f"{len(early)} meters have data only before start_date "
                f"(newest: {max(early).date().isoformat()})"
            )


def _last_read(plan: Plan) -> datetime:
    """Never or longest unread first: interrupted again and again, all are reached."""
    return plan.old.read or EARLIEST


def transport_of(
    own: UtilityApiSettings,
    common: Settings,
    clock: Clock | None = None,
    shares: int = 1,
) -> Transport:
    """The way to UtilityAPI with the configured token, or a share of its budget."""
    endpoint = Endpoint(
        provider=PROVIDER,
        base_url=own.base_url,
        headers={"Authorization": f"Bearer {own.api_token}"},
        credential=CREDENTIAL,
        title="UtilityAPI",
    )
    limiter = shared(own.requests_per_second, common.max_concurrency, shares)
    return Transport(endpoint, common, limiter, clock)


def connect(run: Run) -> UtilityApiSession:
    """A session for one run."""
    return UtilityApiSession(run)

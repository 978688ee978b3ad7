"""UtilityAPI during one run: its meters, and the jobs that read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TypeVar

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.instants import EARLIEST, micros_form
from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.base import Bookmark, Bookmarks, Event, Job, Run
from tap_utility_intervals.providers.connections import Endpoint
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.providers.spool import Shared
from tap_utility_intervals.providers.utilityapi import entities
from tap_utility_intervals.providers.utilityapi.bills import BillJob, bills_changed
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    BillBookmark,
    EventBookmark,
    IntervalBookmark,
)
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.held import Held
from tap_utility_intervals.providers.utilityapi.intervals.job import (
    IntervalJob,
    context,
)
from tap_utility_intervals.providers.utilityapi.intervals.plan import (
    Plan,
    plan_intervals,
)
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.objects import owner
from tap_utility_intervals.providers.utilityapi.rules import Rules
from tap_utility_intervals.providers.utilityapi.settings import (
    CREDENTIAL,
    UtilityApiSettings,
)
from tap_utility_intervals.settings.shared import Settings

Kind = TypeVar("Kind", IntervalBookmark, BillBookmark, EventBookmark)

READINGS_PER_REQUEST = 50_000
"""Several meters share a request only while so few readings are expected of it."""

SHARED = (
    Shared("/bills", "utilityapi_bills", frozenset({"usage"})),
    Shared(
        "/meters",
        "utilityapi_meters",
        frozenset({"meters", "intervals", "usage", "utilityapi_bills"}),
    ),
)
"""What streams in UtilityAPI's own shape read as others do."""

NOT_LISTED = "the meter list does not show it; check utilityapi_meters"

NOT_ASKED_FOR = "an Interval object of a meter not asked for was left out"

SIMILAR_STARTS = timedelta(days=8)
"""How far apart the starts of meters that share a request may lie."""


class UtilityApiSession:
    """What the unified streams read of UtilityAPI; see `providers.base.Session`."""

    name = PROVIDER

    def __init__(self, run: Run) -> None:
        """Prepare; nothing is asked yet."""
        self.run = run
        self.settings = UtilityApiSettings.parse(run.config, run.settings)
        self.transport = transport = transport_of(
            self.settings, run.settings, run.clock
        )
        self.api = UtilityApi(transport, warn=self.warn)
        transport.spool.share(SHARED, run.selected)
        self.workers = run.settings.max_concurrency
        self.filter = StartFilter()
        self.per_request = self.settings.meters_per_request
        self.listed_at = micros_form(run.started)

    def close(self) -> None:
        """Let go of connections and of whoever waits for its turn."""
        self.transport.close()

    def ping(self) -> None:
        """Ask for a page of the meter list: whether the token is good shows there."""
        next(self.api.meters(), None)

    def meters(self) -> Iterator[Sequence[MeterRecord]]:
        """All meters as the listing has them."""
        yield [meter.record for meter in self.listed]

    @cached_property
    def listed(self) -> list[Meter]:
        """The meter list, read once a run, in the order of the API."""
        found = entities.meters(self.api, self.listed_at, self.settings, self.warn)
        return [listed.meter for listed in found]

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

    def interval_jobs(self, bookmarks: Bookmarks) -> Iterator[Job]:
        """One job for each meter that changed, or for a few of them together."""
        plans = []
        for meter in self._sources(bookmarks):
            old = self.remembered(IntervalBookmark, bookmarks.get(context(meter)))
            plan = plan_intervals(meter, old, self.rules)
            if plan is None:
                self.run.report.add(PROVIDER, meter.uid, Outcome.UNCHANGED)
            else:
                plans.append(plan)
        plans.sort(key=_last_read)
        self._tell_of_old_data(plans)
        self.filter.learn(self.api, plans)
        self.run.report.expect(len(plans))
        for group in self._groups(plans):
            yield partial(self._read, group)

    def usage_jobs(
        self, bookmarks: Bookmarks, make: Callable[..., BillJob] = BillJob
    ) -> Iterator[Job]:
        """One job for the bills of a few meters whose bills changed."""
        changed: list[Meter] = []
        olds: dict[str, BillBookmark | None] = {}
        for meter in self._sources(bookmarks):
            old = self.remembered(BillBookmark, bookmarks.get(context(meter)))
            if bills_changed(meter, old, self.rules):
                changed.append(meter)
                olds[meter.uid] = old
            else:
                self.run.report.add(PROVIDER, meter.uid, Outcome.UNCHANGED)
        # Never or longest unread first: interrupted again and again, all are reached.
        changed.sort(key=lambda meter: ((old := olds[meter.uid]) and old.scanned) or 0)
        self.run.report.expect(len(changed))
        for begin in range(0, len(changed), self.per_request):
            some = changed[begin : begin + self.per_request]
            report = self.run.report
            job = make(self.api, some, olds, self.rules, report, self.listed_at)
            yield job.events

    def _sources(self, bookmarks: Bookmarks) -> list[Meter]:
        meters = self.listed
        if not (self.settings.is_filtered or "/meters" in self.api.open_ended):
            # Under a filter the others still exist, and perhaps beyond a page that does
            # not say whether it is the last one; their bookmarks stay.
            bookmarks.keep_only(PROVIDER, map(context, meters))
        there = {meter.uid for meter in meters}
        for uid in self.settings.meters:
            if uid not in there:
                self.run.report.add(PROVIDER, uid, Outcome.GONE, NOT_LISTED)
        return meters

    def _groups(self, plans: Iterable[Plan]) -> Iterator[list[Plan]]:
        """Neighbours that ask for about the same, and for little, share a request."""
        group: list[Plan] = []
        room = READINGS_PER_REQUEST
        for plan in plans:
            expected = _expected_readings(plan)
            fits = len(group) < self.per_request and expected <= room
            if group and not (fits and self._begin_alike(group[0], plan)):
                yield group
                group, room = [], READINGS_PER_REQUEST
            group.append(plan)
            room -= expected
        if group:
            yield group

    def _begin_alike(self, one: Plan, other: Plan) -> bool:
        starts = (self.filter.request_start(one), self.filter.request_start(other))
        if starts[0] is None or starts[1] is None:
            return False
        return abs(starts[0] - starts[1]) <= SIMILAR_STARTS

    def _read(self, plans: list[Plan]) -> Iterator[Event]:
        """Read a few meters: together, or whatever that does not bring, alone."""
        read_at = self.run.clock.now()
        found = self._collect(plans) if len(plans) > 1 else {}
        for plan in plans:
            job = IntervalJob(self.api, self.filter, plan, self.rules, self.run.report)
            yield from job.events(read_at, found.get(plan.meter.uid))

    def _collect(self, plans: list[Plan]) -> dict[str, Held]:
        """The blocks of several meters, by meter; nothing if not of all of them.

        Nothing is returned before `next` is null: until then, no meter is complete. And
        nothing after a failure: it may be the fault of one of them.
        """
        mine = {
            plan.meter.uid: Held(plan.meter, self.warn, self.rules.zone, len(plans))
            for plan in plans
        }
        found: set[str] = set()
        try:
            found = self._shared(plans, mine)
        except (errors.SourceError, ListingEnded):
            pass  # each is asked alone
        finally:
            for uid in mine.keys() - found:
                mine.pop(uid).close()
        return mine

    def _shared(self, plans: list[Plan], mine: Mapping[str, Held]) -> set[str]:
        """Ask for several meters together; gives those of which something came."""
        starts = [start for plan in plans if (start := self.filter.request_start(plan))]
        found: set[str] = set()
        for page in self.api.intervals(
            list(mine), min(starts), allow_mixed=self.rules.allow_mixed
        ):
            if page.is_incomplete:
                return set()
            for item in page.items:
                uid = owner(item)
                if uid is None:
                    return set()  # one that names no meter: all are asked alone
                if uid in mine:
                    mine[uid].add(item, page.read_at)
                    found.add(uid)
                else:
                    self.warn(NOT_ASKED_FOR)
        return found

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
    own: UtilityApiSettings, common: Settings, clock: Clock | None = None
) -> Transport:
    """The way to UtilityAPI with the configured token."""
    endpoint = Endpoint(
        provider=PROVIDER,
        base_url=own.base_url,
        headers={"Authorization": f"Bearer {own.api_token}"},
        credential=CREDENTIAL,
        title="UtilityAPI",
    )
    limiter = Limiter(own.requests_per_second, common.max_concurrency)
    return Transport(endpoint, common, limiter, clock)


def connect(run: Run) -> UtilityApiSession:
    """A session for one run."""
    return UtilityApiSession(run)


def _expected_readings(plan: Plan) -> int:
    """About how many readings a plan asks for, by what the listing says."""
    coverage, counted = plan.meter.interval_coverage, plan.meter.reading_count or 0
    begins = plan.begins or plan.start
    if begins is None or not coverage:
        return counted
    whole = sum(((end - start) for start, end in coverage), timedelta())
    asked = max(coverage[-1][1] - begins, timedelta())
    return min(counted, int(counted * (asked / whole))) if whole else counted

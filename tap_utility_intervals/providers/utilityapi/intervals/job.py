"""Reading one meter's intervals: its listing, its gaps, its bookmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import seconds_form
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.base import (
    Bookmark,
    Context,
    Event,
    Finished,
    Lost,
    Reached,
    Rows,
)
from tap_utility_intervals.providers.utilityapi import bookmarks as stored
from tap_utility_intervals.providers.utilityapi.bookmarks import Edge
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals import plan as planning
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.merge import Timeline
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    Filter,
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.intervals.walk import Listing
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.objects import Page
from tap_utility_intervals.providers.utilityapi.rules import Rules, short_hash


class IntervalJob:
    """One meter in one run; see the module's docstring."""

    def __init__(
        self,
        api: UtilityApi,
        start_filter: StartFilter,
        plan: Plan,
        rules: Rules,
        warn: Warn,
    ) -> None:
        """Prepare to read what `plan` wants."""
        self.filter = start_filter
        self.plan = plan
        self.rules = rules
        self.warn = warn
        self.arrived = Arrived(rules.now)
        self.listing = Listing(api, start_filter, plan.meter, rules, warn)
        self.absent: list[Range] = []

    def events(self, pages: Iterable[Page] | None = None) -> Iterator[Event]:
        """Rows, the bookmark, and the end: `Finished`, or `Lost` with what went wrong.

        Args:
            pages: this meter's part of an answer for several; None to ask for it.

        Raises:
            errors.Unauthorized: when the credential itself is refused.
        """
        where = context(self.plan.meter)
        try:
            for rows in self._all_rows(pages):
                yield Rows(rows)
        except errors.Unauthorized:
            raise
        except errors.ProviderError as error:
            yield Lost(where, error)
            return
        if not self.listing.is_incomplete:
            yield Reached(where, self._bookmark())
        yield Finished(where)

    def _all_rows(self, pages: Iterable[Page] | None) -> Iterator[list[IntervalRecord]]:
        """What the plan wants; then what turned out to be absent, or added unseen."""
        start = self.filter.request_start(self.plan)
        # A filter that cuts hides where the objects begin.
        self._is_cut = start is not None and self.filter.known is Filter.CUTS
        yield from self.listing.rows(self._timeline(), self.plan, start, pages)
        if self.listing.is_incomplete:
            return
        self.absent = planning.shortfall(self.plan, self.arrived, self.rules)
        grew = planning.grew_before(self.plan, self.arrived, self.rules)
        if grew:
            self.plan = planning.widened(self.plan, self.rules)
        if grew or (start is not None and self._is_news()):
            yield from self.listing.rows(self._timeline(), self.plan, None)
            self.absent = planning.shortfall(self.plan, self.arrived, self.rules)
        if self.absent:
            uid = self.plan.meter.uid
            self.warn(
                f"listed coverage of meter {uid} has readings that do not come "
                "(/intervals); it is read again in the next run"
            )
        self._warn_of_odd_times()

    def _warn_of_odd_times(self) -> None:
        if self.arrived.overlaps:
            self.warn("a meter's readings overlap; all are kept")
        if self.arrived.reversals:
            self.warn("a meter has a reading that does not end after its start")

    def _timeline(self) -> Timeline:
        return Timeline(self.plan.meter, self.plan.wanted, self.arrived, self.warn)

    def _is_news(self) -> bool:
        """Whether something is absent that was not absent the last time, too."""
        return bool(self.absent) and self._short != self.plan.old.get("short")

    @property
    def _short(self) -> str | None:
        """Hash of what the listing promises and does not come."""
        spans = [[seconds_form(start), seconds_form(end)] for start, end in self.absent]
        return short_hash(spans) if spans else None

    def _bookmark(self) -> Bookmark:
        plan = self.plan
        known = (stored.instant_of(plan.old), self.arrived.newest)
        newest = max(filter(None, known), default=None)
        edge = None
        if newest is not None:
            edge = self._edge(stored.earlier(newest, self.rules.lookback))
        return stored.interval_bookmark(
            plan.meter,
            plan.old,
            self.rules,
            newest=newest,
            edge=edge,
            short=self._short,
            is_scan=plan.is_scan,
        )

    def _edge(self, start: datetime) -> Edge:
        """What tells the next run whether something happened before its look-back."""
        older = planning.count_before(self.plan, self.arrived, start, self.rules)
        known = Edge.of(self.plan.old)
        edge = Edge(start, known.begins if known else None, older)
        spans = self.arrived.spans
        reaching = [first for first, last in spans if last >= edge.reach]
        if not reaching or self._is_cut or self.listing.in_windows:
            return edge
        return replace(edge, begins=min(reaching))


def context(meter: Meter) -> Context:
    """What names a meter in STATE."""
    return {"provider": PROVIDER, "meter_key": meter.uid}

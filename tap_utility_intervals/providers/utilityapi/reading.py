"""Reading one meter's intervals: its listing, its gaps, its bookmark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from tap_utility_intervals import errors
from tap_utility_intervals.instants import seconds_form
from tap_utility_intervals.providers.base import (
    Bookmark,
    Context,
    Event,
    Finished,
    Lost,
    Reached,
    Rows,
)
from tap_utility_intervals.providers.utilityapi import planning
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.normalize import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.objects import Page, interval
from tap_utility_intervals.providers.utilityapi.planning import Plan, Rules
from tap_utility_intervals.providers.utilityapi.start_filter import StartFilter
from tap_utility_intervals.providers.utilityapi.timeline import (
    Arrived,
    OutOfOrder,
    Timeline,
)
from tap_utility_intervals.records import IntervalRecord
from tap_utility_intervals.windows import Window

LISTINGS = 5
"""How often one meter's listing may begin again, its cursor having grown stale."""

Warn = Callable[[str], None]


class MeterReading:
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
        self.api = api
        self.filter = start_filter
        self.plan = plan
        self.rules = rules
        self.warn = warn
        self.arrived = self._nothing_yet()
        self.is_whole = True

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
        bookmark = self._bookmark()
        if bookmark:
            yield Reached(where, bookmark)
        yield Finished(where)

    def _all_rows(self, pages: Iterable[Page] | None) -> Iterator[list[IntervalRecord]]:
        """What the plan wants; then what turned out to be absent, or added unseen."""
        self._short: str | None = None
        start = self.filter.request_start(self.plan)
        yield from self._rows(self.plan.wanted, start, pages)
        if pages is None:
            self.filter.learn(self.api, self.plan, self.arrived)
        if not self.is_whole:
            return
        yield from self._absent_rows()
        if planning.grew_before(self.plan, self.arrived, self.rules):
            wider = planning.widened(self.plan, self.rules)
            yield from self._rows(planning.complement(self.plan, wider), None, None)
            self.plan = wider
        if self.arrived.overlaps:
            self.warn("readings that overlap others are kept beside them")

    def _absent_rows(self) -> Iterator[list[IntervalRecord]]:
        """What the listing promised and did not come: asked for once more, openly."""
        absent = planning.shortfall(self.plan, self.arrived, self.rules)
        if not absent:
            return
        self._short = planning.short_hash(
            [[seconds_form(start), seconds_form(end)] for start, end in absent]
        )
        if self._short == self.plan.old.get("short"):
            return  # it did not come the last time either
        yield from self._rows([Window(*span) for span in absent], None, None)
        if planning.shortfall(self.plan, self.arrived, self.rules):
            self.warn(
                "the coverage of a meter promises readings that do not come "
                f"(meter {self.plan.meter.uid})"
            )
        else:
            self._short = None

    def _rows(
        self,
        wanted: Sequence[Window],
        start: datetime | None,
        pages: Iterable[Page] | None,
    ) -> Iterator[list[IntervalRecord]]:
        """Rows of the readings that start in `wanted`, each key once."""
        plan, uid = self.plan, self.plan.meter.uid
        timeline = Timeline(plan.meter, wanted, self.arrived, self.warn)
        try:
            yield from self._through(timeline, start, pages)
        except OutOfOrder:
            self.warn(f"Interval objects are not listed oldest first (meter {uid})")
            self.arrived = self._nothing_yet()
            timeline = Timeline(
                plan.meter, wanted, self.arrived, self.warn, hold_all=True
            )
            yield from self._through(timeline, start, None)

    def _through(
        self,
        timeline: Timeline,
        start: datetime | None,
        pages: Iterable[Page] | None,
    ) -> Iterator[list[IntervalRecord]]:
        """Walk a listing to its end, beginning again when its cursor grows stale."""
        limit: int | None = None
        for _ in range(LISTINGS):
            try:
                for page in pages or self._listing(start, limit):
                    yield from self._page_rows(timeline, page)
                yield from timeline.close()
            except ListingEnded:
                timeline.restart()
            except (errors.TooWide, errors.TooLarge):
                if limit is not None:
                    raise
                limit = 1
                timeline.restart()
            else:
                return
        problem = "ended the same listing again and again"
        source = f"meter {self.plan.meter.uid}"
        raise errors.Unavailable(PROVIDER, "/intervals", source=source, problem=problem)

    def _listing(self, start: datetime | None, limit: int | None) -> Iterator[Page]:
        return self.api.intervals(
            [self.plan.meter.uid],
            start,
            allow_mixed=self.rules.allow_mixed,
            limit=limit,
        )

    def _page_rows(
        self, timeline: Timeline, page: Page
    ) -> Iterator[list[IntervalRecord]]:
        if page.is_incomplete:
            self.is_whole = False
            self.warn("an answer is marked incomplete; the meter's bookmark stays")
        for item in page.items:
            try:
                held = interval(item, self.warn)
            except ValueError:
                self.warn("an Interval object without a meter was left out")
                continue
            if held.meter_uid == self.plan.meter.uid:
                yield from timeline.add(held)
            else:
                self.warn("an Interval object of a meter not asked for was left out")

    def _bookmark(self) -> Bookmark:
        if not self.is_whole:
            return {}
        return planning.conclude(self.plan, self.arrived, self.rules, self._short)

    def _nothing_yet(self) -> Arrived:
        recent = self.rules.now - self.rules.lookback - planning.RECENT
        return Arrived(run_start=self.rules.now, recent_from=recent)


def context(meter: Meter) -> Context:
    """What names a meter in STATE."""
    return {"provider": PROVIDER, "meter_key": meter.uid}

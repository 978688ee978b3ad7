"""Walking one meter's Interval objects to their end, whatever gets in the way.

A cursor that died begins the listing again. An answer too large to build is asked for
in smaller pages, then in windows, if the API is seen to cut readings at their edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.floor.values import TooDeep
from tap_utility_intervals.providers.utilityapi.bookmarks import DAY
from tap_utility_intervals.providers.utilityapi.client import (
    UtilityApi,
    persistent,
)
from tap_utility_intervals.providers.utilityapi.intervals import plan as planning
from tap_utility_intervals.providers.utilityapi.intervals.merge import Timeline
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.objects import Page, block
from tap_utility_intervals.providers.utilityapi.rules import Rules

WIDEST = 30 * DAY
"""The first window tried, unless `window_days` says otherwise."""

PADDING = 2 * DAY
"""Asked for beyond a window's end: a reading that straddles it ends later."""


class Listing:
    """One meter's Interval objects; see the module's docstring."""

    def __init__(
        self,
        api: UtilityApi,
        start_filter: StartFilter,
        meter: Meter,
        rules: Rules,
        warn: Warn,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self.api = api
        self.filter = start_filter
        self.meter = meter
        self.rules = rules
        self.warn = warn
        self.is_incomplete = False
        """Whether any answer said that it was not complete."""
        self.in_windows = False
        """Whether objects were seen in pieces only."""

    def rows(
        self,
        timeline: Timeline,
        plan: Plan,
        start: datetime | None,
        pages: Iterable[Page] | None = None,
    ) -> Iterator[list[IntervalRecord]]:
        """Rows of what `plan` wants, asking from `start` on unless `pages` are there.

        Raises:
            errors.ProviderError: when the API does not give it.
        """
        try:
            yield from self._whole(timeline, start, pages)
        except (errors.TooWide, errors.TooLarge):
            timeline.restart()
        else:
            return
        try:
            yield from self._whole(timeline, start, limit=1)
        except (errors.TooWide, errors.TooLarge) as error:
            timeline.restart()
            yield from self._in_windows(timeline, plan, error)

    def _whole(
        self,
        timeline: Timeline,
        start: datetime | None,
        pages: Iterable[Page] | None = None,
        limit: int | None = None,
    ) -> Iterator[list[IntervalRecord]]:
        def begin() -> Iterator[list[IntervalRecord]]:
            for page in self._pages(start, limit) if pages is None else pages:
                yield from self._take(timeline, page)

        yield from persistent(begin, timeline.restart)
        yield from timeline.close()

    def _in_windows(
        self, timeline: Timeline, plan: Plan, error: errors.ProviderError
    ) -> Iterator[list[IntervalRecord]]:
        """Ask for what is listed as covered, in windows as wide as the API bears."""
        covered = planning.covered(plan, self.rules, DAY)
        coverage = self.meter.interval_coverage
        if not covered or not self.filter.windows_cut(
            self.api, self.meter.uid, coverage
        ):
            raise error
        self.in_windows = True
        timeline.expect_repeats()
        for page in self._window_pages(covered):
            yield from self._take(timeline, page)
        yield from timeline.close()

    def _window_pages(self, covered: Iterable[Range]) -> Iterator[Page]:
        """Narrower after a window too wide, wider again after one that went well."""
        widest = width = self.rules.window or WIDEST
        todo = list(covered)[::-1]
        while todo:
            start, end = todo.pop()
            until = min(planning.later(start, width), end)
            try:
                pages = self._window(start, until)
            except (errors.TooWide, errors.TooLarge):
                if width <= DAY:
                    raise
                width = max(width / 2, DAY)
                todo.append((start, end))
                continue
            yield from pages
            width = min(width * 2, widest)
            if until < end:
                todo.append((until, end))

    def _window(self, start: datetime, end: datetime) -> list[Page]:
        """All pages of one window, read before any is taken: it may be too wide."""
        until = planning.later(end, PADDING)
        found: list[Page] = []
        for page in persistent(partial(self._pages, start, None, until), found.clear):
            found.append(page)  # noqa: PERF402 - it is cleared in between
        return found

    def _pages(
        self, start: datetime | None, limit: int | None, end: datetime | None = None
    ) -> Iterator[Page]:
        return self.api.intervals(
            [self.meter.uid],
            start,
            end=end,
            allow_mixed=self.rules.allow_mixed,
            limit=limit,
        )

    def _take(self, timeline: Timeline, page: Page) -> Iterator[list[IntervalRecord]]:
        if page.is_incomplete:
            self.is_incomplete = True
            self.warn("an answer is marked incomplete; the meter's bookmark stays")
        for item in page.items:
            try:
                held = block(item, self.warn)
            except TooDeep:
                # It may hold readings; that they are left out must not pass unseen.
                source = f"meter {self.meter.uid}"
                raise errors.BadAnswer(PROVIDER, "/intervals", source=source) from None
            except ValueError:
                self.warn("an Interval object that is no object was left out")
                continue
            held.read_at = page.read_at
            # One that names no meter can only be of the one that was asked for.
            if held.meter_uid in {self.meter.uid, None, ""}:
                yield from timeline.add(held)
            else:
                self.warn("an Interval object of a meter not asked for was left out")

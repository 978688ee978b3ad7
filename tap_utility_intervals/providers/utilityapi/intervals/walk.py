"""Walking one meter's blocks to their end, whatever gets in the way.

A cursor that died begins the listing again. An answer too large to build is asked for
in smaller pages, then in windows, if the API is seen to cut readings at their edges.
Where nothing was promised, the end of a list is proved by asking on from there. See
utilityapi.md#lists, utilityapi.md#statuses and utilityapi.md#known-oddities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import DAY, EARLIEST, earlier, later
from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.providers.utilityapi.client import UtilityApi, persistent
from tap_utility_intervals.providers.utilityapi.intervals.held import Held
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.promises import promised
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.pages import Page
from tap_utility_intervals.providers.utilityapi.rules import Rules

WIDEST = 30 * DAY
"""The first window tried, unless `window_days` says otherwise; and the widest."""

PADDING = 2 * DAY
"""Asked for beyond a window's end: a reading that straddles it ends later, and `end`
may leave it out (utilityapi.md#time-filters)."""

MOST_CUTS = 1_000
"""A list that ends early is asked for on so many times."""

MOST_GROWING = 2
"""Of them, those that bring no block but one that has grown meanwhile."""


@dataclass
class Walk:
    """Collects one meter's blocks; see the module's docstring."""

    api: UtilityApi
    filter: StartFilter
    rules: Rules
    warn: Warn
    is_incomplete: bool = False
    """Whether any answer said that it was not complete."""
    in_windows: bool = False
    """Whether blocks were seen in pieces only."""

    def collect(self, held: Held, plan: Plan, start: datetime | None) -> None:
        """Ask for all blocks of a plan's meter from `start` on.

        Raises:
            errors.ProviderError: when the API does not give them.
        """
        already = len(held.came)
        self._ask(held, plan, start)
        self.prove(held, plan, start, already)

    def prove(
        self, held: Held, plan: Plan, start: datetime | None, already: int = 0
    ) -> None:
        """Ask on from where a list has ended, if no promise tells that it is whole.

        Args:
            held: what came; of the list, what came after the first `already` blocks.
            plan: of which meter.
            start: from when on it was asked for.
            already: see `held`.

        Raises:
            errors.FallsShort: when the answers do not go on from there.
            errors.ProviderError: when the API gives none.
        """
        meter = plan.meter
        if meter.reading_count is not None or meter.is_covered_readably:
            return
        is_backward, is_sorted = False, _is_sorted(held.came[already:])
        growing = 0
        for _ in range(MOST_CUTS):
            came = held.came[already:]
            is_backward |= came[:1] > came[-1:]
            latest = self.rules.latest
            asking = _asking_on(came, start, latest, is_backward=is_backward)
            if asking is None or self.is_incomplete:
                return
            (rest, seam), before = asking, len(held.came)
            self._ask(held, plan, *rest)
            more = held.came[before:]
            if _lies_outside(more, *rest):
                break
            # Nothing but what is known, or nothing at all: there is no more.
            if set(came).issuperset(more):
                if is_backward or len(set(came)) > 1:
                    self._tell_of_order(is_sorted=is_sorted)
                    return
                is_backward = True  # one block tells of no order
                continue
            growing += not _starts(more) - _starts(came)
            if growing > MOST_GROWING or not (is_sorted and _is_sorted(more)):
                break
            self.warn("a list of intervals ended too early; it was asked for on")
            # What straddles the cut may be in neither of the two answers.
            self._ask(held, plan, *seam)
        source = f"meter {meter.uid}"
        problem = "lists neither count nor coverage, and nothing proves its list whole"
        raise errors.FallsShort(PROVIDER, "/intervals", source=source, problem=problem)

    def _tell_of_order(self, *, is_sorted: bool) -> None:
        if not is_sorted:
            self.warn("intervals come in no order: some may be missing")

    def _ask(
        self,
        held: Held,
        plan: Plan,
        start: datetime | None,
        end: datetime | None = None,
    ) -> None:
        """Ask in one listing, else in pages of one block, else in windows.

        Raises:
            errors.ProviderError: when nothing of these brings it.
        """
        uid = plan.meter.uid
        try:
            self._take(held, persistent(partial(self._pages, uid, start, end)))
        except (errors.TooWide, errors.TooLarge):
            try:
                smaller = partial(self._pages, uid, start, end, limit=1)
                self._take(held, persistent(smaller))
            except (errors.TooWide, errors.TooLarge) as error:
                self._in_windows(held, plan, error)

    def collect_hole(self, held: Held, plan: Plan, hole: Window) -> None:
        """Ask for what was promised and did not come the last time.

        Nothing is concluded from what does not come, so that it may have an `end`.

        Raises:
            errors.ProviderError: when the API does not give it.
        """
        start, end = earlier(hole.start or EARLIEST, DAY), later(hole.end, DAY)
        self._take(held, persistent(partial(self._pages, plan.meter.uid, start, end)))

    def _in_windows(self, held: Held, plan: Plan, error: errors.ProviderError) -> None:
        """Ask for what is listed as covered, in windows as wide as the API bears.

        Raises:
            errors.ProviderError: the same `error`, where windows would not help.
        """
        uid, coverage = plan.meter.uid, plan.meter.interval_coverage
        covered = promised(plan, self.rules, DAY)
        if not covered or not self.filter.windows_cut(self.api, uid, coverage):
            raise error
        self.in_windows = True
        self._take(held, self._window_pages(uid, covered))

    def _window_pages(self, uid: str, covered: Iterable[Range]) -> Iterator[Page]:
        """Yield windows' pages; narrower after one too wide, wider after one that came.

        Raises:
            errors.ProviderError: when a day is still too wide.
        """
        widest = width = self.rules.window or WIDEST
        todo = list(covered)[::-1]
        while todo:
            start, end = todo.pop()
            until = min(later(start, width), end)
            window = partial(self._pages, uid, start, later(until, PADDING))
            try:
                yield from persistent(window)
            except (errors.TooWide, errors.TooLarge):
                if width <= DAY:
                    raise
                width = max(width / 2, DAY)
                todo.append((start, end))
                continue
            width = min(width * 2, widest)
            if until < end:
                todo.append((until, end))

    def _pages(
        self,
        uid: str,
        start: datetime | None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Page]:
        mixed = self.rules.allow_mixed
        return self.api.intervals([uid], start, end=end, allow_mixed=mixed, limit=limit)

    def _take(self, held: Held, pages: Iterable[Page]) -> None:
        """Hold what comes; what a listing brings again after a restart, once."""
        for page in pages:
            if page.is_incomplete:
                self.is_incomplete = True
                self.warn("an answer is marked incomplete; the meter's bookmark stays")
            for item in page.items:
                held.add(item, page.read_at)


_Bounds = tuple[datetime | None, datetime | None]
"""The `start` and `end` of a request."""


def _asking_on(
    came: Sequence[Range], start: datetime | None, now: datetime, *, is_backward: bool
) -> tuple[_Bounds, _Bounds] | None:
    """Return how to ask for what follows a list that has ended, and what straddles it.

    After the block that starts last, for one before it may end later; before its oldest
    if the latest came first, though they were asked for the other way. None if nothing
    can be there, or nothing came at all.

    Args:
        came: first start and last end of its blocks, in the order of the list.
        start: from when on it was asked for.
        now: the later of the clocks, at the run's start.
        is_backward: whether the latest came first.
    """
    if not came:
        return None
    if is_backward:
        first, last = min(came)
        if start is not None and first <= start:
            return None
        return (start, first), (start, last)
    # A block that ends in the future may be an error, and hide what is before it.
    ended = [one for one in came if one[1] <= now] or came
    first, last = max(ended)
    return (last, None), (first, None)


def _starts(came: Iterable[Range]) -> set[datetime]:
    return {first for first, _ in came}


def _is_sorted(came: Iterable[Range]) -> bool:
    """Whether blocks came in the order of their starts, one way or the other."""
    starts = [first for first, _ in dict.fromkeys(came)]
    return sorted(starts) in (starts, starts[::-1])


def _lies_outside(
    came: Iterable[Range], start: datetime | None, end: datetime | None
) -> bool:
    """Whether a block came that is not in the time asked for."""
    if end is not None:
        return any(first > end for first, _ in came)
    return start is not None and any(last < start for _, last in came)

"""What to read of each meter in a run. Pure.

What is remembered of a meter between runs is in `bookmarks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tap_utility_intervals.floor.instants import (
    DAY,
    EARLIEST,
    FAR,
    earlier,
    later,
    seconds_form,
)
from tap_utility_intervals.floor.ranges import Range, Window, clip, merge
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    Edge,
    IntervalBookmark,
)
from tap_utility_intervals.providers.utilityapi.intervals.listing import (
    added_coverage,
    interval_listing,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.rules import Rules

UNPROVED = 7
"""Days after which history is read whole although `full_rescan_days` is 0: more is
counted than came, and nothing says where."""


@dataclass(frozen=True)
class Plan:
    """What to read of one meter."""

    meter: Meter
    wanted: tuple[Window, ...]
    """Disjoint and ascending; a reading is emitted if it starts inside one of them."""
    old: IntervalBookmark
    """An empty one if the meter was never read."""
    is_scan: bool
    """Whether all history is wanted."""
    begins: datetime | None = None
    """Where a block that reaches into the first wanted window begins, if known."""
    added: tuple[Range, ...] = ()
    """Where the listing covers more than the last time."""
    holes: tuple[Window, ...] = ()
    """Before all that is wanted, what was promised and did not come the last time."""
    why: str = ""
    """As the log says it."""

    @property
    def start(self) -> datetime | None:
        """The earliest instant wanted; None for the beginning of history."""
        return self.wanted[0].start

    @property
    def windows(self) -> tuple[Window, ...]:
        """All that is read: the holes, and what is wanted."""
        return (*self.holes, *self.wanted)

    @property
    def reaches_back(self) -> timedelta:
        """How much more than wanted comes if `start` chooses whole blocks."""
        coverage = self.meter.interval_coverage
        if self.start is None or not coverage:
            return timedelta()
        begins = self.begins or coverage[0][0]
        return max(min(self.start, coverage[-1][1]) - begins, timedelta())

    def widened(self, rules: Rules) -> Plan:
        """The plan to read all history of the same meter."""
        return Plan(self.meter, (_everything(rules),), self.old, is_scan=True)


def plan_intervals(
    meter: Meter, old: IntervalBookmark | None, rules: Rules
) -> Plan | None:
    """What to read of a meter's readings, or None when it has not changed."""
    old = old or IntervalBookmark()
    whole = Plan(meter, (_everything(rules),), old, is_scan=True)
    if old.rules != rules.digest:
        news = "rows are made otherwise" if old.rules else "it never was"
        return replace(whole, why=f"read whole: {news}")
    if _is_scan_due(old, rules):
        return replace(whole, why="read whole: it is time to look for what is hidden")
    beyond = list(_beyond_known(old, rules))
    if old.listed == interval_listing(meter) and not beyond:
        return None
    added = added_coverage(meter, old)
    if old.newest is None or old.edge is None or added is None:
        return replace(whole, why="read whole: nothing tells where it grew")
    # After a change of `lookback_days` the longer one counts once more.
    lookback = min(earlier(old.newest, rules.lookback), old.edge.start)
    padded = [(earlier(start, DAY), later(end, DAY)) for start, end in added]
    ranges = merge([*beyond, *padded, (lookback, FAR)])
    wanted = tuple(_as_windows(clip(ranges, _everything(rules))))
    if not wanted:
        return None
    begins = seconds_form(wanted[0].start or EARLIEST)
    why = f"read from {begins} on: what is listed or asked for is not as it was"
    plan = replace(whole, wanted=wanted, is_scan=False, added=tuple(added), why=why)
    return _since(old.edge, replace(plan, holes=tuple(_holes(plan, rules))))


def _since(edge: Edge, plan: Plan) -> Plan:
    """The plan with what is known of the block that its beginning lies in."""
    if edge.begins is None or plan.start is None or plan.start < edge.reach:
        return plan
    return replace(plan, begins=min(plan.start, edge.begins))


def _holes(plan: Plan, rules: Rules) -> Iterator[Window]:
    """What was absent the last time, is promised still, and lies before the rest."""
    if plan.start is None:
        return
    before = Window(rules.start_date, max(plan.start, rules.start_date or EARLIEST))
    for span in clip(plan.old.absent, before):
        for start, end in clip(plan.meter.interval_coverage, Window(*span)):
            yield Window(start, end)


def _is_scan_due(old: IntervalBookmark, rules: Rules) -> bool:
    """Whether history must be read whole to find what nothing announces."""
    scanned = old.scanned or 0
    is_unproved = old.lacking and rules.rescan.today - scanned >= UNPROVED
    return bool(is_unproved) or rules.rescan.is_due(scanned)


def _everything(rules: Rules) -> Window:
    start = rules.start_date
    return Window(start, rules.end if start is None else max(rules.end, start))


def _beyond_known(old: IntervalBookmark, rules: Rules) -> Iterator[Range]:
    """What a start date set earlier, or an end date set later, adds."""
    if old.since and (rules.start_date or EARLIEST) < old.since:
        yield rules.start_date or EARLIEST, old.since
    if old.until and old.until < rules.end:
        yield old.until, rules.end


def _as_windows(ranges: Iterable[Range]) -> Iterator[Window]:
    for start, end in ranges:
        yield Window(None if start == EARLIEST else start, end)

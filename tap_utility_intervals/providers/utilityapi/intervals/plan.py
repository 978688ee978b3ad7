"""What to read of each meter in a run. Pure.

What is remembered of a meter between runs is in `memory`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tap_utility_intervals.floor.ranges import Range, Window, clip, merge, missing
from tap_utility_intervals.providers.base import Bookmark
from tap_utility_intervals.providers.utilityapi import bookmarks as stored
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    DAY,
    EARLIEST,
    FAR,
    Edge,
    earlier,
)
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.rules import Rules

TOLERANCE = DAY
"""Coverage is the provider's summary; smaller holes inside it are no alarm."""


@dataclass(frozen=True)
class Plan:
    """What to read of one meter."""

    meter: Meter
    wanted: tuple[Window, ...]
    """Disjoint and ascending; a reading is emitted if it starts inside one of them."""
    old: Bookmark
    is_scan: bool
    """Whether all history is wanted."""
    begins: datetime | None
    """Where an object that reaches into the first wanted window begins, if known."""
    added: tuple[Range, ...] = ()
    """Where the listing covers more than the last time."""

    @property
    def start(self) -> datetime | None:
        """The earliest instant wanted; None for the beginning of history."""
        return self.wanted[0].start

    @property
    def reaches_back(self) -> timedelta:
        """How much more than wanted comes if `start` chooses whole objects."""
        coverage = self.meter.interval_coverage
        if self.start is None or not coverage:
            return timedelta()
        begins = self.begins or coverage[0][0]
        return max(min(self.start, coverage[-1][1]) - begins, timedelta())


def plan_intervals(meter: Meter, old: Bookmark | None, rules: Rules) -> Plan | None:
    """What to read of a meter's readings, or None when it has not changed."""
    whole = Plan(meter, (_everything(rules),), old or {}, is_scan=True, begins=None)
    is_new = old is None or old.get("rules") != rules.digest
    if old is None or is_new or stored.is_scan_due(old, rules):
        return whole
    beyond = list(_beyond_known(old, rules))
    if old.get("listed") == stored.interval_listing(meter) and not beyond:
        return None
    newest, edge = stored.instant_of(old), Edge.of(old)
    added = stored.added_coverage(meter, old)
    if newest is None or edge is None or added is None:
        return whole  # nothing tells where it grew
    # After a change of `lookback_days` the longer one counts once more.
    lookback = min(earlier(newest, rules.lookback), edge.start)
    padded = [(earlier(start, DAY), later(end, DAY)) for start, end in added]
    ranges = merge([*beyond, *padded, (lookback, FAR)])
    wanted = tuple(_as_windows(clip(ranges, _everything(rules))))
    plan = replace(whole, wanted=wanted, is_scan=False, added=tuple(added))
    return _since(edge, plan)


def _since(edge: Edge, plan: Plan) -> Plan | None:
    """The plan with what is known of the object that its beginning lies in."""
    if not plan.wanted:
        return None
    if edge.begins is None or plan.start is None or plan.start < edge.reach:
        return plan
    return replace(plan, begins=min(plan.start, edge.begins))


def grew_before(plan: Plan, arrived: Arrived, rules: Rules) -> bool:
    """Whether the provider counts more readings before the look-back than it did.

    That is how history shows that was collected into holes of the listed coverage;
    what was added where the listing says so has been read.
    """
    edge = Edge.of(plan.old)
    if plan.is_scan or edge is None or edge.older is None:
        return False
    older = count_before(plan, arrived, edge.start, rules)
    read = sum(
        arrived.between(start, min(end, edge.start)) for start, end in plan.added
    )
    return older is not None and older > edge.older + read


def count_before(
    plan: Plan, arrived: Arrived, instant: datetime, rules: Rules
) -> int | None:
    """How many readings the provider counts before an instant; None if unknowable.

    What arrived beyond the listed coverage came after the listing and is not counted
    by it. Nor does it count what `allow_mixed` adds.
    """
    counted = plan.meter.reading_count
    coverage = plan.meter.interval_coverage
    reads_the_rest = any(
        (window.start is None or window.start <= instant) and window.end == FAR
        for window in plan.wanted
    )
    if counted is None or not coverage or rules.allow_mixed or not reads_the_rest:
        return None
    return counted - arrived.between(instant, coverage[-1][1])


def widened(plan: Plan, rules: Rules) -> Plan:
    """The plan to read all history of the same meter."""
    return replace(plan, wanted=(_everything(rules),), is_scan=True, begins=None)


def shortfall(plan: Plan, arrived: Arrived, rules: Rules) -> list[Range]:
    """The stretches that are listed as covered and wanted, and did not come."""
    return missing(covered(plan, rules, timedelta()), arrived.ranges, TOLERANCE)


def covered(plan: Plan, rules: Rules, padding: timedelta) -> list[Range]:
    """The stretches that are listed as covered and wanted, up to the run's start."""
    coverage = plan.meter.interval_coverage
    listed = merge([(earlier(a, padding), later(b, padding)) for a, b in coverage])
    found: list[Range] = []
    for window in plan.wanted:
        start, end = (
            window.start or EARLIEST,
            min(window.end, later(rules.now, padding)),
        )
        if start < end:
            found += clip(listed, Window(start, end))
    return found


def later(instant: datetime, by: timedelta) -> datetime:
    """So much later, or at the end of the calendar."""
    return instant + by if FAR - instant > by else FAR


def _everything(rules: Rules) -> Window:
    start = rules.start_date
    return Window(start, rules.end if start is None else max(rules.end, start))


def _beyond_known(old: Bookmark, rules: Rules) -> Iterator[Range]:
    """What a start date set earlier, or an end date set later, adds."""
    since = stored.bound_of(old, "since")
    if since and (rules.start_date or EARLIEST) < since:
        yield rules.start_date or EARLIEST, since
    until = stored.bound_of(old, "until")
    if until and until < rules.end:
        yield until, rules.end


def _as_windows(ranges: Iterable[Range]) -> Iterator[Window]:
    for start, end in ranges:
        yield Window(None if start == EARLIEST else start, end)

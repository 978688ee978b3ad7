"""What the meter list promised, compared with what came. Pure.

The list counts readings and tells which stretches of time they cover. Nothing counts as
whole that falls short of either, and nothing as unchanged that neither is proof of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from tap_utility_intervals.floor.coverage import TOLERANCE
from tap_utility_intervals.floor.instants import DAY, EARLIEST, FAR, earlier, later
from tap_utility_intervals.floor.ranges import Range, Window, clip, merge, missing
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.listing import (
    interval_listing,
)
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.rules import Rules

PATIENCE = 2 * DAY
"""The newest readings may be listed before they are served; that is no alarm yet."""


@dataclass(frozen=True)
class Comparison:
    """What was promised of a plan, and what of it came."""

    plan: Plan
    arrived: Arrived
    rules: Rules

    @cached_property
    def absent(self) -> list[Range]:
        """The stretches that are promised and wanted, and did not come."""
        return missing(promised(self.plan, self.rules), self.arrived.ranges, TOLERANCE)

    @cached_property
    def still_absent(self) -> list[Range]:
        """The same, and what was absent before where nothing was read this time."""
        old = self.plan.old
        read = [(one.start or EARLIEST, one.end) for one in self.plan.windows]
        promised_still = [
            part
            for span in missing(old.absent, read)
            for part in clip(self.plan.meter.interval_coverage, Window(*span))
        ]
        return merge([*promised_still, *self.absent])

    @cached_property
    def lacking(self) -> int:
        """How many more readings are counted than came, `absent` aside."""
        meter, known = self.plan.meter, self.plan.old.lacking
        if meter.reading_count is None:
            return 0
        if self.plan.is_scan and self.reads_all:
            came = self.arrived.between(EARLIEST, self._listed_end)
            lacking = meter.reading_count - came - self._estimate(self.absent)
            return max(lacking, 0)
        # What was counted ahead of time may have come since.
        late = 0 if meter.interval_coverage else min(self._growth or 0, 0)
        return max(known + late, 0)

    @property
    def may_be_mixed(self) -> bool:
        """Whether what is counted and lacks may have lengths that are not asked for.

        Then something came of every stretch that is listed as covered.
        """
        is_covered = self.plan.meter.interval_coverage and not self.absent
        return bool(is_covered) and not self.rules.allow_mixed

    @property
    def holes(self) -> int:
        """How many stretches are absent, as far as it is known."""
        old = self.plan.old
        return max(len(self.still_absent), 0 if self.plan.is_scan else old.holes)

    @property
    def news(self) -> list[Range]:
        """What is absent now, and was not the last time; see `is_late` for the newest.

        Where more is absent than is remembered, only what lies among new readings is.
        """
        old, newest = self.plan.old, self.arrived.newest
        fresh = missing(self.absent, old.absent, TOLERANCE)
        if not old.has_more_holes:
            return fresh
        known, until = old.newest or EARLIEST, newest or EARLIEST
        return [hole for hole in fresh if known <= hole[0] and hole[1] <= until]

    def is_late(self, hole: Range) -> bool:
        """Whether a hole is at the end of what is promised, and young or well known.

        One that is well known is told of again whenever it has doubled.
        """
        old = self.plan.old
        newest = self.arrived.newest or old.newest
        if newest is None or hole[0] < newest:
            return False
        begun = max(start for start, _ in self.absent if start <= hole[0])
        known = 0
        if old.newest and old.read and old.absent and old.absent[-1][1] > old.newest:
            known = _doublings(old.read - old.absent[-1][0])
        return old.has_more_holes or _doublings(self.rules.now - begun) <= known

    def is_unexplained(self, *, may_hide: bool) -> bool:
        """Whether something tells that a request with a `start` did not bring it all.

        Args:
            may_hide: whether `start` may leave out blocks that begin before it.
        """
        old, updated = self.plan.old, self.arrived.updated
        if any(not self.is_late(hole) for hole in self.news):
            return True
        last = old.listed or old.seen
        if not may_hide or not old.updated or self.plan.meter.status == "pending":
            return False
        is_newer = updated is not None and updated > old.updated
        return last != interval_listing(self.plan.meter) and not is_newer

    @property
    def has_grown_before(self) -> bool:
        """Whether more is counted before the look-back than was the last time.

        That is how history shows that was collected into holes of the listed coverage;
        what was added where the listing says so has been read. And where one of many
        holes is filled, others may be.
        """
        old, plan = self.plan.old, self.plan
        if plan.is_scan or old.edge is None:
            return False
        filled = sum(
            self.arrived.between(hole.start or EARLIEST, hole.end)
            for hole in plan.holes
        )
        edge = old.edge.start
        known = filled + self._estimate(clip(self.absent, Window(edge, FAR)))
        known += sum(self.arrived.between(a, min(b, edge)) for a, b in plan.added)
        grown = self._growth is not None and self._growth > known
        return grown or (filled > 0 and old.has_more_holes)

    def count_before(self, instant: datetime) -> int | None:
        """How many readings the provider counts before an instant; None if unknowable.

        What arrived beyond the listed coverage came after the listing and is not
        counted by it.
        """
        counted = self.plan.meter.reading_count
        reads_the_rest = any(
            (window.start is None or window.start <= instant) and window.end == FAR
            for window in self.plan.wanted
        )
        if counted is None or not reads_the_rest:
            return None
        return counted - self.arrived.between(instant, self._listed_end)

    @property
    def is_proof(self) -> bool:
        """Whether the meter has not changed for as long as its listing has not.

        That is so if the listing says something, and what came agrees with it.
        """
        meter = self.plan.meter
        counted, coverage = meter.reading_count, meter.interval_coverage
        if meter.status == "pending" or self.still_absent or self.lacking:
            return False
        if counted is None or not meter.is_covered_readably:
            return False
        known = filter(None, (self.plan.old.newest, self.arrived.newest))
        newest = max(known, default=None)
        if newest is None or not coverage:
            return newest is None and not counted and not coverage
        is_behind = newest >= coverage[-1][1]
        came = self.arrived.between(EARLIEST, self._listed_end)
        return not is_behind and (counted >= came or self.rules.allow_mixed)

    @property
    def _growth(self) -> int | None:
        """How many more are counted before the last look-back than the last time."""
        old = self.plan.old
        if old.edge is None or old.edge.older is None:
            return None
        older = self.count_before(old.edge.start)
        return None if older is None else older - old.edge.older

    @property
    def _listed_end(self) -> datetime:
        coverage = self.plan.meter.interval_coverage
        return coverage[-1][1] if coverage else FAR

    @property
    def reads_all(self) -> bool:
        """Whether no date bounds what is read of what is counted."""
        start, coverage = self.rules.start_date, self.plan.meter.interval_coverage
        is_early = start is None or bool(coverage and start <= coverage[0][0])
        return is_early and self.rules.end >= self._listed_end

    def _estimate(self, spans: list[Range]) -> int:
        """About how many readings are absent with these stretches."""
        length = self.arrived.usual_length or self._listed_length
        return sum(int((end - start) / length) for start, end in spans) if length else 0

    @property
    def _listed_length(self) -> timedelta:
        """How long a reading is by what the listing says."""
        meter = self.plan.meter
        spans = (end - start for start, end in meter.interval_coverage)
        return sum(spans, timedelta()) / (meter.reading_count or 1)


def _doublings(lag: timedelta) -> int:
    """How often a lag has doubled since it tried our patience; 0: it has not yet."""
    return max(lag // PATIENCE, 0).bit_length()


def promised(plan: Plan, rules: Rules, padding: timedelta = timedelta()) -> list[Range]:
    """The stretches that are listed as covered and wanted, up to the present."""
    coverage = plan.meter.interval_coverage
    listed = merge([(earlier(a, padding), later(b, padding)) for a, b in coverage])
    until = later(rules.latest, padding)
    found: list[Range] = []
    for window in plan.windows:
        start, end = window.start or EARLIEST, min(window.end, until)
        if start < end:
            found += clip(listed, Window(start, end))
    return found

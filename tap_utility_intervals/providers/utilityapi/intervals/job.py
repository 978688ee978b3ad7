"""Reading one meter's intervals: its blocks, what they lack, its bookmark.

See utilityapi.md#interval and, for what is promised of them, utilityapi.md#meter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from tap_utility_intervals.floor import coverage, errors
from tap_utility_intervals.floor.coverage import Asked, Promise
from tap_utility_intervals.floor.instants import earlier
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import CoverageRecord, IntervalRecord
from tap_utility_intervals.providers.base import (
    Bookmark,
    Context,
    Covered,
    Event,
    Finished,
    Lost,
    Reached,
    Rows,
)
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    Edge,
    IntervalBookmark,
)
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.held import Held
from tap_utility_intervals.providers.utilityapi.intervals.listing import (
    covered,
    interval_listing,
    longest,
)
from tap_utility_intervals.providers.utilityapi.intervals.merge import merged, survey
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.promises import (
    Comparison,
    promised,
)
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    Filter,
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.intervals.walk import Walk
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.rules import Rules


class IntervalJob:
    """Reads one meter in one run; see the module's docstring."""

    def __init__(
        self,
        api: UtilityApi,
        start_filter: StartFilter,
        plan: Plan,
        rules: Rules,
        report: Report,
    ) -> None:
        """Prepare to read what `plan` wants."""
        self.filter = start_filter
        self.plan = plan
        self.rules = rules
        self.report = report
        self.walk = Walk(api, start_filter, rules, self.warn)
        self.arrived = Arrived(rules.now)

    def warn(self, what: str) -> None:
        """Count a warning."""
        self.report.warn(f"{PROVIDER}: {what}")

    def events(self, read_at: str, held: Held | None = None) -> Iterator[Event]:
        """Rows, the bookmark, and the end: `Finished`, or `Lost` with what went wrong.

        Args:
            read_at: an instant of the run's clock before any request for the meter.
            held: this meter's part of an answer for several; None to ask for it.

        Raises:
            errors.Unauthorized: when the credential itself is refused.
        """
        where = context(self.plan.meter)
        self.held = held or Held(self.plan.meter, self.warn, self.rules.zone)
        try:
            for rows in self._rows(is_collected=held is not None):
                yield Rows(rows)
        except errors.SourceError as error:
            yield Lost(where, error)
            return
        finally:
            self.held.close()
        yield Covered(self._covered(read_at))
        if not self.walk.is_incomplete:
            yield Reached(where, self._bookmark())
        shortfall = self._shortfall()
        yield Lost(where, shortfall) if shortfall else Finished(where)

    def _covered(self, read_at: str) -> list[CoverageRecord]:
        """Return what of the meter was read whole since `read_at`.

        Readings of other lengths that are no longer asked for are still there.
        """
        plan, found = self.plan, self._comparison
        meter, old = plan.meter, plan.old
        asked = Asked(PROVIDER, meter.uid, read_at, plan.wanted, meter.authorization_id)
        listed = meter.reading_count if plan.is_scan and found.reads_all else None
        hides_some = old.mixed and not self.rules.allow_mixed
        return coverage.covered(
            asked,
            self.arrived.stretches,
            Promise(promised(plan, self.rules), listed),
            is_whole=not (self.walk.is_incomplete or found.lacking or hides_some),
        )

    def _rows(self, *, is_collected: bool) -> Iterator[Sequence[IntervalRecord]]:
        """Yield what the plan wants; of a listing that broke off, what came of it.

        Raises:
            errors.SourceError: after the rows, why it broke off, or as `Held.check`.
        """
        failure: errors.SourceError | None = None
        try:
            self._collect(is_collected=is_collected)
        except errors.SourceError as error:
            failure = error
        # Collecting may have widened the plan.
        plan, self.arrived = self.plan, Arrived(self.rules.now)
        yield from merged(
            self.held.blocks(plan.windows),
            plan.windows,
            plan.meter,
            self.arrived,
            self.warn,
        )
        self.arrived.updated = self.held.updated
        if failure:
            raise failure
        self.held.check()
        if not self.walk.is_incomplete:
            self._tell()

    def _collect(self, *, is_collected: bool) -> None:
        """Hold the blocks that the plan wants; then all, if some turn out to be hidden.

        Args:
            is_collected: whether they are held already, but for the plan's holes.

        Raises:
            errors.ProviderError: as `Walk.collect`.
        """
        start = self.filter.request_start(self.plan)
        # A filter that cuts hides where the blocks begin.
        self._is_cut = start is not None and self.filter.known is Filter.CUTS
        if is_collected:  # first, for it looks at the order in which blocks came
            self.walk.prove(self.held, self.plan, start)
        for hole in self.plan.holes:
            self.walk.collect_hole(self.held, self.plan, hole)
        if not is_collected:
            self.walk.collect(self.held, self.plan, start)
        if self.plan.is_scan or self.walk.is_incomplete:
            return
        found = self._surveyed()
        has_grown = found.has_grown_before
        if has_grown:
            self.plan = self.plan.widened(self.rules)
        # Whether `start` hides blocks that straddle it: utilityapi.md#time-filters.
        may_hide = self.filter.known not in {Filter.CUTS, Filter.SENDS_WHOLE}
        if has_grown or (start is not None and found.is_unexplained(may_hide=may_hide)):
            self._is_cut = False
            uid, why = self.plan.meter.uid, "read again without start: readings lack"
            self.report.decided(PROVIDER, uid, why)
            self.walk.collect(self.held, self.plan, None)

    def _surveyed(self) -> Comparison:
        """Compare what is held with what was promised, before rows are made of it."""
        arrived, windows = Arrived(self.rules.now), self.plan.windows
        survey(self.held.blocks(windows), windows, arrived)
        arrived.updated = self.held.updated
        return Comparison(self.plan, arrived, self.rules)

    def _shortfall(self) -> errors.FallsShort | None:
        """Return what is newly known not to come; None for nothing.

        What the last bookmark had is no news; of readings of other lengths, which the
        count may hold and no answer does (utilityapi.md#endpoints), there is a warning.
        """
        found, meter = self._comparison, self.plan.meter
        if any(not found.is_late(hole) for hole in found.news):
            return _short(meter, "covers stretches of which no readings come")
        if found.still_absent:
            self.report.note(f"{PROVIDER}: meters with promised readings yet to come")
        if found.lacking <= self.plan.old.lacking:
            return None
        what = f"counts {found.lacking:,} more readings than come"
        if found.may_be_mixed:
            self.warn(f"the list {what} of meter {meter.uid}; it is read again")
            return None
        return _short(meter, what)

    def _tell(self) -> None:
        """Warn of what is odd."""
        if self.arrived.overlaps:
            self.warn("a meter's readings overlap; all are kept")
        if self.arrived.reversals:
            self.warn("a meter has a reading that does not end after its start")

    @property
    def _comparison(self) -> Comparison:
        return Comparison(self.plan, self.arrived, self.rules)

    def _bookmark(self) -> Bookmark:
        """Return what to remember of the meter; see `bookmarks` for each field."""
        plan, rules, found = self.plan, self.rules, self._comparison
        old, meter = plan.old, plan.meter
        newest = _later(old.newest, self.arrived.newest)
        begin = newest and earlier(newest, rules.lookback)
        edge = None if begin is None else self._edge(found, begin)
        listing = interval_listing(meter)
        scanned = rules.rescan.day(meter.uid, is_first=old.scanned is None)
        ranges = covered(meter.interval_coverage, edge)
        return IntervalBookmark(
            rules=rules.digest,
            newest=newest,
            listed=listing if found.is_proof else None,
            seen=listing,
            since=rules.start_date,
            until=rules.end_date,
            covered=ranges if meter.is_covered_readably else old.covered,
            edge=edge,
            scanned=scanned if plan.is_scan else old.scanned,
            read=rules.read or rules.now,
            updated=_later(old.updated, self.arrived.updated),
            absent=longest(found.still_absent),
            holes=found.holes,
            lacking=found.lacking,
            mixed=old.mixed or rules.allow_mixed,
        ).state()

    def _edge(self, found: Comparison, start: datetime) -> Edge:
        """Return what tells the next run of changes before its look-back.

        Where blocks came in pieces, where they begin stays as it was known.
        """
        old = self.plan.old
        begins = old.edge.begins if old.edge else None
        reach = Edge(start, None, None).reach
        reaching = [first for first, last in self.held.spans if last >= reach]
        if reaching and not (self._is_cut or self.walk.in_windows):
            begins = min(reaching)
        return Edge(start, begins, found.count_before(start))


def _short(meter: Meter, what: str) -> errors.FallsShort:
    source, problem = f"meter {meter.uid}", f"{what} (/intervals)"
    return errors.FallsShort(PROVIDER, "/meters", source=source, problem=problem)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def context(meter: Meter) -> Context:
    """What names a meter in STATE."""
    return {"provider": PROVIDER, "meter_key": meter.uid}

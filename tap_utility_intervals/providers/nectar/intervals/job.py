"""The interval jobs: one for each connection, from its bookmark to its next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.coverage import END, Asked, Stretch, covered
from tap_utility_intervals.floor.instants import earlier
from tap_utility_intervals.floor.ranges import Window
from tap_utility_intervals.floor.records import CoverageRecord, IntervalRecord
from tap_utility_intervals.providers.base import (
    Context,
    Covered,
    Event,
    Reached,
    Rows,
    source_events,
)
from tap_utility_intervals.providers.nectar.bookmarks import (
    Mark,
    Terms,
    begin,
    look_back,
)
from tap_utility_intervals.providers.nectar.intervals.fetch import (
    OUTSIDE,
    Batch,
    FilterIgnored,
    Span,
)
from tap_utility_intervals.providers.nectar.intervals.shared import in_events
from tap_utility_intervals.providers.nectar.intervals.windows import Walk
from tap_utility_intervals.providers.nectar.mapping.intervals import in_order

TOLD = 3
"""How many unreadable times an error shows."""
COUNTS = 3
"""How often the rows before the look-back are counted before history is read again."""


@dataclass(frozen=True)
class Wish:
    """What the run wants of every connection."""

    start: datetime | None
    end: datetime | None
    lookback: timedelta
    started: datetime
    """The run's start, by the earlier of the two clocks."""
    is_filtered: bool = False
    """Whether only some kinds of meters are read."""
    others: AbstractSet[str] = frozenset()
    """The keys of meters of other kinds: not every server leaves their rows out."""
    knows_meters: bool = True
    """Whether all meters of the connection were listed."""


class RowsBefore:
    """Counts the rows that lie before where the next run will begin."""

    def __init__(self, before: int | None) -> None:
        """Begin with the rows before what is read now; None if they are unknown."""
        self._before = before
        self._later: Counter[datetime] = Counter()

    def add(self, starts: Iterable[datetime]) -> None:
        """Count the rows of a window."""
        if self._before is not None:
            self._later.update(starts)

    def settle(self, limit: datetime) -> int | None:
        """How many rows start before the limit, which only ever grows."""
        if self._before is not None:
            for start in [start for start in self._later if start < limit]:
                self._before += self._later.pop(start)
        return self._before

    def forget(self) -> None:
        """The rows can no longer be counted."""
        self._before = None
        self._later.clear()


class Overlaps:
    """Counts readings that begin before the one before them has ended."""

    def __init__(self) -> None:
        """Start with no reading."""
        self._ends: dict[tuple[str, str], datetime] = {}

    def count(self, rows: Iterable[IntervalRecord]) -> int:
        """Count those among rows, which are in order."""
        found = 0
        for row in rows:
            key = row.meter_key, row.channel
            known = self._ends.get(key)
            if known is not None and row.interval_start < known:
                found += 1
            if known is None or row.interval_end > known:
                self._ends[key] = row.interval_end
        return found


class ConnectionJob:
    """Brings the intervals of one connection up to date."""

    def __init__(
        self,
        context: Context,
        walk: Walk,
        old: Mark | None,
        terms: Terms,
        wish: Wish,
    ) -> None:
        """Prepare; nothing is asked yet."""
        self.context = context
        self.walk = walk
        self.old = old
        self.terms = terms
        self.wish = wish
        self.report = walk.client.report
        self.overlaps = Overlaps()
        self.is_countable = True
        self._unreadable: list[str] = []
        self._nameless = 0
        self.stretches: list[Stretch] = []
        self.is_whole = not wish.is_filtered

    def __call__(self) -> Iterator[Event]:
        """Read the connection; see `providers.base.Job`."""
        return source_events(self.context, self._events())

    def _events(self) -> Iterator[Rows | Reached | Covered]:
        read_at = self.walk.client.transport.clock.now()
        wish, mark = self.wish, self._plan()
        start = mark.resume if mark.resume is not None else self.terms.since
        if wish.end is not None and start is not None and start >= wish.end:
            return
        tally = RowsBefore(self._rows_before(start))
        first = start
        if start is not None and start == self.terms.since:
            # Nothing was read before: bounds that Nectar reads in another zone must
            # not cut off the first hours.
            first = earlier(start, OUTSIDE)
        spans = self.walk.spans(first, wish.end)
        for span, batch in spans:
            yield from self._rows(batch)
            seen = [row.interval_start for row in batch.rows]
            past = [start for start in seen if start <= wish.started]
            mark = mark.at(max(past, default=None))
            self._tally(tally, batch)
            self._unreadable += batch.unreadable
            self._nameless += batch.nameless
            if span.stop not in {None, wish.end} and self._loss is None:
                mark = self._counted(mark, tally, span)
                yield from self._reached(replace(mark, resume=span.stop))
        self._tell_of_old_data()
        loss = self._loss
        self.is_whole = self.is_whole and loss is None
        yield Covered(self._covered(read_at, start))
        if loss is not None:
            # What was reached on the way lies behind the loss.
            yield from self._reached(self.old or self.terms.begun(None))
            raise loss
        mark = self._counted(mark, tally, Span(start, None), finally_=True)
        yield from self._reached(replace(mark, resume=None))

    def _tell_of_old_data(self) -> None:
        """Say that there is nothing to read since the start date, but before it."""
        start = self.wish.start
        if start is None or self.stretches or self._is_backfill:
            return
        newest = self.walk.newest()
        if newest is not None and newest < start:
            what = "nectar: a connection has data only before start_date"
            self.report.warn_of(what, newest.date().isoformat())

    def _covered(self, read_at: str, start: datetime | None) -> list[CoverageRecord]:
        """What of the connection was read whole."""
        asked = Asked(
            self.context["provider"],
            self.context["connection_id"],
            read_at,
            [Window(start, self.wish.end or END)],
        )
        return covered(asked, self.stretches, is_whole=self.is_whole)

    def _plan(self) -> Mark:
        """The mark to start from; its `resume` says where reading begins."""
        old, terms = self.old, self.terms
        if old is not None and old.of != terms.of:
            self.report.warn(
                "nectar: a connection's accounts, meters or identifiers are others, or "
                "what is wanted of it: its history is read again"
            )
        if old is None or self._is_backfill or terms.must_scan(old):
            return terms.begun(old)
        if self._has_grown_behind(old):
            return terms.begun(old)
        start = begin(old, terms.since, self.wish.lookback)
        return replace(old, since=terms.since, resume=start, read=terms.read)

    def _has_grown_behind(self, old: Mark) -> bool:
        """Whether rows came or went before the look-back since they were counted.

        Rows that arrive between two counts look like a change; so it is counted again.
        """
        if old.before is None or old.rows is None or old.since != self.terms.since:
            return False
        return all(
            self._count_before(old.before) not in (None, old.rows)
            for _ in range(COUNTS)
        )

    def _rows_before(self, start: datetime | None) -> int | None:
        if start == self.terms.since:
            return 0
        if self.old and start == self.old.before and self.old.since == self.terms.since:
            return self.old.rows
        return None if start is None else self._count_before(start)

    def _count_before(self, moment: datetime) -> int | None:
        """How many rows lie between the start date and a moment, if Nectar can tell."""
        if not self.walk.is_counted:
            return None
        try:
            return self.walk.count(self.terms.since) - self.walk.count(moment)
        except (errors.TooWide, FilterIgnored):
            self.walk.is_counted = False
            return None

    @property
    def _loss(self) -> errors.SourceError | None:
        """What is known to be missing: then the bookmark must stay."""
        if self._unreadable:
            times = ", ".join(self._unreadable[:TOLD])
            problem = f"sent {len(self._unreadable)} intervals with unreadable times"
            return self.walk.error(f"{problem}, such as {times}")
        if self._nameless:
            return self.walk.error(f"sent {self._nameless} intervals without an id")
        return self.walk.loss

    def _rows(self, batch: Batch) -> Iterator[Rows]:
        """The rows of a window in order, each with a key of its own."""
        start, end, others = self.wish.start, self.wish.end, self.wish.others
        came = len(batch.rows)
        if others:
            batch.rows = [row for row in batch.rows if row.meter_key not in others]
        # Lists rather than generators here: these lines run for every row.
        rows, twins = in_order(
            [
                row
                for row in batch.rows
                if (start is None or row.interval_start >= start)
                and (end is None or row.interval_start < end)
            ]
        )
        known = self.walk.known
        warnings = {
            "nectar: an interval came twice, its newest form is kept": batch.doubled,
            "nectar: intervals of another datasource type than was asked for are left "
            "out": came - len(batch.rows),
            "nectar: intervals with one key but different ids are numbered": (
                twins.numbered
            ),
            "nectar: all intervals of a meter come in pairs (perhaps import and "
            "export, or two devices): they are told apart by the order of their ids": (
                twins.paired
            ),
            "nectar: readings of one meter and channel overlap": self.overlaps.count(
                rows
            ),
            "nectar: a meter has a reading that does not end after its start": sum(
                [row.interval_end <= row.interval_start for row in rows]
            ),
            "nectar: a value of an interval cannot be read and is null": sum(
                [row.unreadable is not None for row in rows]
            ),
            "nectar: intervals whose meter is not listed": (
                sum([row.meter_key not in known for row in rows])
                if self.wish.knows_meters
                else 0
            ),
        }
        for what, count in warnings.items():
            if count:
                self.report.warn(what, count)
        if rows:
            begin, end = rows[0].interval_start, max([row.interval_end for row in rows])
            self.stretches.append(Stretch(begin, end, len(rows)))
        yield from in_events(rows)

    def _tally(self, tally: RowsBefore, batch: Batch) -> None:
        """Count the rows, unless Nectar counts them in another way."""
        self.is_countable = self.is_countable and not batch.doubled
        if batch.doubled or batch.strays or not self.walk.is_counted:
            tally.forget()
        since = self.terms.since
        tally.add([s for s in batch.starts if since is None or s >= since])

    def _counted(
        self, mark: Mark, tally: RowsBefore, span: Span, *, finally_: bool = False
    ) -> Mark:
        """The mark with how many rows lie before where the next run will begin."""
        limits = [span.stop]
        if mark.seen is not None:
            limits.append(look_back(mark.seen, self.wish.lookback))
        limit = min((moment for moment in limits if moment is not None), default=None)
        if limit is None or (self.terms.since is not None and limit < self.terms.since):
            return replace(mark, before=None, rows=None)
        rows = tally.settle(limit)
        if rows is None and finally_ and self.is_countable:
            rows = self._count_before(limit)
        return replace(mark, before=limit if rows is not None else None, rows=rows)

    def _reached(self, mark: Mark) -> Iterator[Reached]:
        """The bookmark, which a backfill of times long past does not touch."""
        if not self._is_backfill:
            yield Reached(self.context, mark.state())

    @property
    def _is_backfill(self) -> bool:
        """Whether this run ends before what an earlier one has seen."""
        end, seen = self.wish.end, self.old.seen if self.old else None
        return end is not None and seen is not None and end <= seen

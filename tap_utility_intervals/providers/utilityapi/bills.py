"""Reading the bills of a few meters: all of them, for they are few.

The date filter takes only bills that lie whole inside it, so one that straddles an edge
would vanish; it is not used. `start_date` and `end_date` filter periods here. See
utilityapi.md#time-filters and utilityapi.md#bill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from typing_extensions import Self

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import DAY, parse_instant
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.periods import is_wanted
from tap_utility_intervals.floor.ranges import Range, missing
from tap_utility_intervals.floor.records import UsageRecord
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.base import (
    Bookmark,
    Event,
    Reached,
    Record,
    Rows,
    Run,
    source_events,
)
from tap_utility_intervals.providers.bookmarks import short_hash, shown
from tap_utility_intervals.providers.utilityapi.bookmarks import BillBookmark
from tap_utility_intervals.providers.utilityapi.client import (
    UtilityApi,
    persistent,
)
from tap_utility_intervals.providers.utilityapi.intervals.job import context
from tap_utility_intervals.providers.utilityapi.intervals.together import (
    grouped,
    parts,
    smaller,
)
from tap_utility_intervals.providers.utilityapi.mapping.bills import usage
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.rules import BILL_MAPPING, Rules

BILLS_PER_REQUEST = 500
"""Asked for at most; how many a page may hold is not said: utilityapi.md#lists."""

SEAM = timedelta(days=3)
"""The widest hole that is none: whether a period's last day counts differs by
utility (utilityapi.md#bill)."""


@dataclass(frozen=True)
class BillTask:
    """The bills of a few meters; see `providers.base.Task`."""

    meters: tuple[Meter, ...]
    olds: Mapping[str, BillBookmark | None]
    """Their bookmarks, by uid."""
    rules: Rules
    listed_at: str

    def events(self, api: UtilityApi, run: Run) -> Iterator[Event]:
        """Yield what `BillJob.events` does."""
        return BillJob(api, self, run.report).events()


class BillJob:
    """The bills of a few meters in one run."""

    def __init__(self, api: UtilityApi, task: BillTask, report: Report) -> None:
        """Prepare to read them."""
        self.api = api
        self.meters = {meter.uid: meter for meter in task.meters}
        self.olds = task.olds
        self.rules = task.rules
        self.report = report
        self.listed_at = task.listed_at
        self.is_incomplete = False
        """Whether an answer said so, of any of the meters: utilityapi.md#lists."""
        self.nameless: Counter[str] = Counter()
        """How many bills came without a uid of their own, by meter."""

    def events(self) -> Iterator[Event]:
        """Per meter: its bills, its bookmark, and the end.

        Raises:
            errors.Unauthorized: when the credential itself is refused.
        """
        meters = list(self.meters.values())
        if len(meters) == 1:
            yield from source_events(context(meters[0]), self._read(meters[0]))
            return
        try:
            bills = self._all(list(self.meters))
        except errors.SourceError as error:
            # It may be the fault of one of them.
            for part in parts(meters, smaller(len(meters), error)):
                yield from self._only(part).events()
            return
        for meter in meters:
            found = bills[meter.uid]
            if self._is_worth_asking_alone(meter, found):
                yield from self._only([meter]).events()
            else:
                yield from source_events(context(meter), self._of_one(meter, found))

    def _only(self, meters: Sequence[Meter]) -> Self:
        """The same job for some of its meters."""
        some = copy(self)
        some.meters = {meter.uid: meter for meter in meters}
        for uid in some.meters:
            self.report.decided(PROVIDER, uid, "asked for bills again, with fewer")
        some.is_incomplete = False
        some.nameless = Counter()
        return some

    def _read(self, meter: Meter) -> Iterator[Rows | Reached]:
        yield from self._of_one(meter, self._all([meter.uid])[meter.uid])

    def _all(self, uids: list[str]) -> dict[str, dict[str, UsageRecord]]:
        """Return the bills by meter and uid, once the listing has come to its end."""
        found: dict[str, dict[str, UsageRecord]] = {uid: {} for uid in uids}

        def restart() -> None:
            self.is_incomplete = False
            self.nameless.clear()
            for bills in found.values():
                bills.clear()

        listed = sum(self.meters[uid].bill_count or 0 for uid in uids)
        expected = min(max(listed, len(uids)), BILLS_PER_REQUEST)
        for page in persistent(partial(self.api.bills, uids, expected), restart):
            self.is_incomplete |= page.is_incomplete
            for bill in page.items:
                assert isinstance(bill, dict)  # noqa: S101 - decoded whole
                self._take(bill, found)
        return found

    def _take(
        self, bill: dict[str, Any], found: dict[str, dict[str, UsageRecord]]
    ) -> None:
        meter = self._owner(bill)
        if meter is None:
            self.warn("a bill of a meter not asked for was left out")
            return
        try:
            record = usage(bill, meter, self.listed_at, self.rules.zone)
        except ValueError:
            self.nameless[meter.uid] += 1
            return
        if record.unreadable:
            self.warn("a value of a bill could not be read and is null")
        known = found[meter.uid].get(record.usage_id)
        # One uid for two periods is that of two bills, and only one can have it.
        if known and _period(known) != _period(record):
            self.nameless[meter.uid] += 1
        if known and (known.source_updated_at or "") > (record.source_updated_at or ""):
            return
        found[meter.uid][record.usage_id] = record
        self.note(record, bill)

    def warn(self, what: str) -> None:
        """Count a warning."""
        self.report.warn(f"{PROVIDER}: {what}")

    def note(self, record: UsageRecord, bill: dict[str, Any]) -> None:
        """Look at a bill as sent; the stream in UtilityAPI's own shape keeps it."""

    def rows(self, records: list[UsageRecord]) -> Sequence[Record]:
        """What goes out for these bills."""
        return records

    def _owner(self, bill: dict[str, Any]) -> Meter | None:
        """Return whose bill it is; None for a meter that was not asked for.

        Raises:
            errors.BadAnswer: when it names none, and may be of several.
        """
        uid = Values().text("meter_key", bill.get("meter_uid"))
        if uid is not None:
            return self.meters.get(uid)
        if len(self.meters) > 1:
            # Its meter has to be asked for alone.
            raise errors.BadAnswer(PROVIDER, "/bills", problem="names no meter")
        return next(iter(self.meters.values()))

    def _of_one(
        self, meter: Meter, found: Mapping[str, UsageRecord]
    ) -> Iterator[Rows | Reached]:
        """Yield what is wanted of a meter's bills, and its bookmark.

        Raises:
            errors.BadAnswer: when some had no uid of their own.
            errors.FallsShort: as `_check`.
        """
        rows = [record for record in found.values() if self._is_wanted(record)]
        is_cut = len(rows) < len(found) and self.rules.end_date is not None
        nameless = self.nameless[meter.uid]
        unproved = meter.bill_count is None and not meter.bill_coverage
        # An empty list of this meter alone was not cut; any other may have been.
        if unproved and (found or len(self.meters) > 1):
            self.warn("a meter lists no number and no time of bills: some may not come")
        some_lack = nameless or unproved or lacking(meter, found)
        if self.is_incomplete or is_cut or some_lack:
            # A bill looks withdrawn if others of its meter have a newer `listed_at`.
            # What did not come this time, or a backfill leaves out, must not.
            for row in rows:
                row.listed_at = None
        if rows:
            yield Rows(self.rows(rows))
        if nameless:
            raise _wrong(meter, f"sent {nameless} bills without a uid of their own")
        if self.is_incomplete:
            self.warn("an answer is marked incomplete; the meter's bookmark stays")
        else:
            yield Reached(context(meter), self._bookmark(meter, found, rows))
        # While a collection runs, the count may be ahead: utilityapi.md#collecting.
        if meter.status != "pending":
            self._check(meter, lacking(meter, found))

    def _check(self, meter: Meter, lacking: int) -> None:
        """Refuse to count a meter as read when bills do not come.

        Raises:
            errors.FallsShort: they are more than lacked the last time.
        """
        if lacking > self._old(meter).lacking:
            problem = f"lists {lacking:,} more bills than come"
            raise _wrong(meter, problem, errors.FallsShort)
        if lacking:
            self.report.note(f"{PROVIDER}: meters that list more bills than come")

    def _is_worth_asking_alone(
        self, meter: Meter, found: Mapping[str, UsageRecord]
    ) -> bool:
        """Whether an answer for several meters lacks more bills than were known to."""
        lacks = self.nameless[meter.uid] or lacking(meter, found)
        return bool(meter.bill_count and not found) or lacks > self._old(meter).lacking

    def _old(self, meter: Meter) -> BillBookmark:
        return self.olds[meter.uid] or BillBookmark()

    def _is_wanted(self, record: UsageRecord) -> bool:
        first, last = record.period_start_date, record.period_end_date
        return is_wanted(first, last, self.rules.start_date, self.rules.end_date)

    def _bookmark(
        self,
        meter: Meter,
        found: Mapping[str, UsageRecord],
        rows: Sequence[UsageRecord],
    ) -> Bookmark:
        old = self._old(meter)
        newest = old.newest
        updates = [row.source_updated_at for row in rows if row.source_updated_at]
        if updates:
            # One in the future would stay the furthest for good.
            newest = min(parse_instant(max(updates)), self.rules.now)
            newest = max(newest, old.newest or newest)
        lacks, is_pending = old.lacking, meter.status == "pending"
        if not is_pending:
            lacks = lacking(meter, found)
        # Where more came than is counted, the listing was behind, and may be still.
        is_proof = not (lacks or is_pending) and (meter.bill_count or 0) >= len(found)
        return BillBookmark(
            newest,
            bill_listing(meter, self.rules) if is_proof else None,
            self.rules.rescan.day(meter.uid, is_first=old.scanned is None),
            lacks,
        ).state()


def _wrong(
    meter: Meter, problem: str, kind: type[errors.SourceError] = errors.BadAnswer
) -> errors.SourceError:
    return kind(PROVIDER, "/bills", source=f"meter {meter.uid}", problem=problem)


def sharing(meters: Iterable[Meter], size: int) -> Iterator[list[Meter]]:
    """Yield neighbours that share a request: at most `size`, with one page of bills."""
    return grouped(meters, size, BILLS_PER_REQUEST, lambda one: one.bill_count or 1)


def why_bills_are_due(
    meter: Meter, old: BillBookmark | None, rules: Rules
) -> str | None:
    """Why a meter's bills must be read; None if they need not."""
    listed = bill_listing(meter, rules)
    if old is None:
        return "they never were"
    if listed is None or old.listed != listed:
        return "nothing proves that they are as they were"
    is_due = rules.rescan.is_due(old.scanned or 0)
    return "it is time to look for what is hidden" if is_due else None


def bill_listing(meter: Meter, rules: Rules) -> str | None:
    """Hash of all that the listing says of a meter's bills, and of what is wanted.

    None without a readable count, or if bills are counted and no coverage tells of
    which time: then nothing proves them unchanged.
    """
    if meter.bill_count is None or (meter.bill_count and not meter.bill_coverage):
        return None
    spans = [(shown(start), shown(end)) for start, end in meter.bill_coverage]
    return short_hash(
        [
            *(BILL_MAPPING, meter.status, meter.status_ts, meter.bill_count),
            *(spans, shown(rules.start_date), shown(rules.end_date)),
        ]
    )


def lacking(meter: Meter, found: Mapping[str, UsageRecord]) -> int:
    """How many bills the listing promises of a meter that did not come.

    Args:
        meter: as listed before its bills were asked for.
        found: all its bills by uid, before any is left out.

    Returns:
        By the count, or at least one for each covered stretch without a bill.
    """
    periods = [_period(record) for record in found.values()]
    known = [period for period in periods if period]
    holes = 0
    if len(known) == len(periods):
        holes = len(missing(meter.bill_coverage, known, SEAM))
    return max((meter.bill_count or 0) - len(found), holes)


def _period(record: UsageRecord) -> Range | None:
    """A bill's period, its last day included; None if it cannot be told."""
    if record.period_start_date is None or record.period_end_date is None:
        return None
    first, last = (
        datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
        for day in (record.period_start_date, record.period_end_date)
    )
    return first, last + DAY

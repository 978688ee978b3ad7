"""What is remembered of each meter between runs. Pure.

A bookmark of `intervals` holds, beside the replication key:

| field | meaning |
|---|---|
| `listed` | hash of the meter as listed when last read whole; absent: read again |
| `rules` | what decides how a row looks: see `Rules.digest` |
| `since`, `until` | start and end date when last read, epoch; absent: without bound |
| `covered` | edges of the covered ranges, epoch minutes; of many, a hash (`_covered`) |
| `edge` | see `Edge` |
| `scanned` | day number on which history was last read whole (see `scan_day`) |
| `short` | hash of what the listing promised and reading did not bring |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from tap_utility_intervals.floor.instants import parse_instant, seconds_form
from tap_utility_intervals.floor.ranges import Range, Window, clip, missing
from tap_utility_intervals.providers.base import Bookmark
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter
from tap_utility_intervals.providers.utilityapi.rules import (
    BILL_MAPPING,
    FAR,
    Rules,
    short_hash,
)

__all__ = ["DAY", "EARLIEST", "FAR", "Edge"]

EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)

RANGES_KEPT = 2
"""More covered ranges than this are remembered as a hash: STATE must stay small."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the look-back began and what lay before it; in STATE a list of three."""

    start: datetime
    begins: datetime | None
    """First reading of the oldest Interval object that reaches into the look-back."""
    older: int | None
    """Readings that the provider counts before the look-back."""

    @property
    def reach(self) -> datetime:
        """`begins` holds for what starts here or later."""
        return earlier(self.start, DAY)

    @classmethod
    def of(cls, bookmark: Bookmark) -> Edge | None:
        """The edge that a bookmark remembers."""
        found = bookmark.get("edge")
        if not isinstance(found, list):
            return None
        start, begins, older = found
        return cls(
            from_epoch(start), None if begins is None else from_epoch(begins), older
        )

    def remembered(self) -> list[int | None]:
        """As it stands in STATE."""
        return [_epoch(self.start), _epoch(self.begins), self.older]


def interval_bookmark(  # noqa: PLR0913 - what a bookmark is made of
    meter: Meter,
    old: Bookmark,
    rules: Rules,
    *,
    newest: datetime | None,
    edge: Edge | None,
    short: str | None,
    is_scan: bool,
) -> Bookmark:
    """The bookmark after a meter was read to its end."""
    is_settled = meter.status != "pending" and short is None
    found: dict[str, Any] = {
        "replication_key_value": None if newest is None else seconds_form(newest),
        "listed": interval_listing(meter) if is_settled else None,
        "rules": rules.digest,
        "since": _epoch(rules.start_date),
        "until": _epoch(rules.end_date),
        "covered": _covered(meter.interval_coverage, edge),
        "edge": edge.remembered() if edge else None,
        "scanned": scan_day(meter.uid, old, rules) if is_scan else old.get("scanned"),
        "short": short,
    }
    return {name: value for name, value in found.items() if value is not None}


def added_coverage(meter: Meter, old: Bookmark) -> list[Range] | None:
    """Where the listing covers more than it did: collected later, or filled.

    None if that cannot be told.
    """
    before = old.get("covered")
    coverage = meter.interval_coverage
    if isinstance(before, list):
        edges = [from_epoch(60 * minutes) for minutes in before]
        return missing(coverage, zip(edges[::2], edges[1::2], strict=True), MINUTE)
    edge = Edge.of(old)
    return [] if edge and before == _hashed(coverage, edge) else None


def interval_listing(meter: Meter) -> str:
    """Hash of all that the listing says of a meter's readings."""
    coverage = _texts(meter.interval_coverage)
    return short_hash([meter.status, meter.status_ts, meter.reading_count, coverage])


def bill_listing(meter: Meter, rules: Rules) -> str | None:
    """Hash of all that the listing says of a meter's bills, and of what is wanted.

    None without a readable count and coverage: then nothing proves them unchanged.
    """
    if not meter.bill_count or not meter.bill_coverage:
        return None
    bounds = [rules.start_date, rules.end_date]
    return short_hash(
        [
            *(BILL_MAPPING, meter.status, meter.status_ts, meter.bill_count),
            _texts(meter.bill_coverage),
            *(seconds_form(bound) if bound else None for bound in bounds),
        ]
    )


def bills_changed(meter: Meter, old: Bookmark | None, rules: Rules) -> bool:
    """Whether a meter's bills must be read."""
    listed = bill_listing(meter, rules)
    if old is None or listed is None or old.get("listed") != listed:
        return True
    return is_scan_due(old, rules)


def scan_day(uid: str, old: Bookmark, rules: Rules) -> int:
    """The day number to note after a full scan.

    The first one is set back by a hash of the uid, so that meters first read on the
    same day are not all due again on the same day.
    """
    if "scanned" in old or not rules.full_rescan_days:
        return rules.today
    return rules.today - int(short_hash(uid), 16) % rules.full_rescan_days


def is_scan_due(old: Bookmark, rules: Rules) -> bool:
    """Whether history must be read whole to find what nothing announces."""
    days = rules.full_rescan_days
    return bool(days) and rules.today - old.get("scanned", 0) >= days


def instant_of(
    bookmark: Bookmark, name: str = "replication_key_value"
) -> datetime | None:
    """An instant that a bookmark holds, if there is a readable one."""
    try:
        return parse_instant(bookmark.get(name))
    except ValueError:
        return None


def bound_of(bookmark: Bookmark, name: str) -> datetime | None:
    """The start or end date when last read: `since` or `until`."""
    return from_epoch(bookmark[name]) if name in bookmark else None


def earlier(instant: datetime, by: timedelta) -> datetime:
    """So much earlier, or at the beginning of the calendar."""
    return instant - by if instant - EARLIEST > by else EARLIEST


def from_epoch(seconds: float) -> datetime:
    """An instant from epoch seconds; before 1970, too."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)


def _covered(coverage: Sequence[Range], edge: Edge | None) -> list[int] | str | None:
    """Few ranges as they are; of many a hash of what lies before the look-back."""
    if len(coverage) <= RANGES_KEPT:
        edges = [(start.timestamp(), end.timestamp()) for start, end in coverage]
        return [int(n) for start, end in edges for n in (start // 60, -(-end // 60))]
    return _hashed(coverage, edge) if edge else None


def _hashed(coverage: Sequence[Range], edge: Edge) -> str:
    return short_hash(_texts(clip(coverage, Window(None, edge.start))))


def _epoch(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp() // 1)


def _texts(coverage: Sequence[Range]) -> list[list[str]]:
    return [[seconds_form(start), seconds_form(end)] for start, end in coverage]

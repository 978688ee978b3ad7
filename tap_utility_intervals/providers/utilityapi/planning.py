"""What to read of each meter, and what to remember of it. Pure.

A bookmark holds, beside the replication key:

| field | meaning |
|---|---|
| `listed` | hash of the meter as listed when last read whole; absent: read again |
| `rules` | hash of the settings and the mapping that decide what a row looks like |
| `since` | the start date that history was read from; absent: all of it |
| `covered` | covered ranges as listed, in epoch seconds; absent when there are many |
| `older` | readings that the provider counts before the look-back |
| `begins` | first reading of the oldest object that reaches into the look-back, epoch |
| `scanned` | day number on which history was last read whole (see `scan_day`) |
| `short` | hash of what the listing promised and reading did not bring |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec

from tap_utility_intervals.config import Settings
from tap_utility_intervals.instants import parse_instant, seconds_form
from tap_utility_intervals.providers.base import Bookmark
from tap_utility_intervals.providers.utilityapi.normalize import Meter
from tap_utility_intervals.providers.utilityapi.timeline import Arrived
from tap_utility_intervals.windows import Range, Window, clip, merge, missing

MAPPING = 1
"""Raise it when the rows of unchanged data come out otherwise: all is read again."""

EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
FAR = datetime.max.replace(tzinfo=timezone.utc)
DAY = timedelta(days=1)
TOLERANCE = DAY
"""Coverage is the provider's summary; smaller holes inside it are no alarm."""

RANGES_KEPT = 3
RECENT = timedelta(days=62)
"""Beyond the look-back, for how long the starts of readings are counted one by one."""


@dataclass(frozen=True)
class Rules:
    """The settings that decide what is read, and the run's start."""

    start_date: datetime | None
    end_date: datetime | None
    lookback: timedelta
    full_rescan_days: int
    allow_mixed: bool
    now: datetime
    """The earlier of the local clock and the server's, at the run's start."""

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> Rules:
        """The rules of a run."""
        return cls(
            start_date=settings.start_date,
            end_date=settings.end_date,
            lookback=settings.lookback,
            full_rescan_days=settings.full_rescan_days,
            allow_mixed=bool(settings.raw.get("utilityapi_allow_mixed")),
            now=now,
        )

    @property
    def digest(self) -> str:
        """Of what makes a row: when it changes, all is read again."""
        return short_hash([MAPPING, self.allow_mixed])

    @property
    def today(self) -> int:
        """Days since the epoch, UTC."""
        return int(self.now.timestamp() // DAY.total_seconds())

    @property
    def end(self) -> datetime:
        """Readings that start here or later are not wanted."""
        return self.end_date or FAR


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

    @property
    def start(self) -> datetime | None:
        """The earliest instant wanted; None for the beginning of history."""
        return self.wanted[0].start if self.wanted else None


def plan_intervals(meter: Meter, old: Bookmark | None, rules: Rules) -> Plan | None:
    """What to read of a meter's readings, or None when it has not changed."""
    known = old or {}
    whole = Plan(meter, (_everything(rules),), known, is_scan=True, begins=None)
    if old is None or known.get("rules") != rules.digest or is_scan_due(known, rules):
        return whole
    earlier = _earlier_start(known, rules)
    if known.get("listed") == interval_listing(meter, rules) and not earlier:
        return None
    newest = bookmark_instant(known)
    if newest is None or not {"covered", "older"} & known.keys():
        return whole  # nothing tells where it grew
    lookback = _later(newest - rules.lookback, rules.start_date)
    lookback = min(lookback, rules.end)
    added = _added_coverage(meter, known, rules)
    ranges = [*_as_ranges(earlier), *added, (lookback, rules.end)]
    wanted = tuple(_as_windows(merge(ranges)))
    begins = None
    if "begins" in known and wanted and wanted[0].start == lookback:
        begins = min(lookback, from_epoch(known["begins"]))
    return Plan(meter, wanted, known, is_scan=False, begins=begins)


def _everything(rules: Rules) -> Window:
    start = rules.start_date
    return Window(start, rules.end if start is None else max(rules.end, start))


def _as_ranges(windows: Iterable[Window]) -> list[Range]:
    return [(window.start or EARLIEST, window.end) for window in windows]


def _as_windows(ranges: Iterable[Range]) -> list[Window]:
    return [Window(None if start == EARLIEST else start, end) for start, end in ranges]


def conclude(plan: Plan, arrived: Arrived, rules: Rules, short: str | None) -> Bookmark:
    """The bookmark after a meter was read to its end.

    Args:
        plan: what was wanted.
        arrived: what came.
        rules: of the run.
        short: hash of what is still missing of the listed coverage.
    """
    old, meter = plan.old, plan.meter
    newest = max(filter(None, (bookmark_instant(old), arrived.newest)), default=None)
    since = _earliest_start(plan, rules)
    covered = [
        [int(start.timestamp()), int(end.timestamp())]
        for start, end in meter.interval_coverage
    ]
    is_settled = meter.status != "pending" and short is None
    found: dict[str, Any] = {
        "replication_key_value": None if newest is None else seconds_form(newest),
        "listed": interval_listing(meter, rules) if is_settled else None,
        "rules": rules.digest,
        "since": None if since is None else seconds_form(since),
        "covered": covered if len(covered) <= RANGES_KEPT else None,
        "scanned": scan_day(meter.uid, old, rules) if plan.is_scan else old["scanned"],
        "short": short,
    }
    if newest is not None:
        found |= _around_lookback(plan, arrived, newest - rules.lookback, rules)
    return {name: value for name, value in found.items() if value is not None}


def _around_lookback(
    plan: Plan, arrived: Arrived, lookback: datetime, rules: Rules
) -> dict[str, Any]:
    """What tells the next run whether something happened before its look-back."""
    older = _older(plan, arrived, lookback, rules)
    reaching = [first for first, last in arrived.spans if last >= lookback]
    known = plan.old.get("begins")
    if plan.begins is not None and known is not None:
        # A filter that cuts hides where the oldest of them begins.
        reaching.append(from_epoch(known))
    return {
        "older": None if older is None else [int(lookback.timestamp()), older],
        "begins": int(min(reaching).timestamp()) if reaching else None,
    }


def _older(
    plan: Plan, arrived: Arrived, lookback: datetime, rules: Rules
) -> int | None:
    """How many readings the provider counts before an instant; None if unknowable.

    What arrived beyond the listed coverage came after the listing and is not counted
    by it.
    """
    counted = plan.meter.reading_count
    coverage = plan.meter.interval_coverage
    reads_it_all = any(
        (window.start is None or window.start <= lookback) and window.end == rules.end
        for window in plan.wanted
    )
    if counted is None or not coverage or rules.end_date or not reads_it_all:
        return None
    recent = arrived.between(lookback, coverage[-1][1])
    return None if recent is None else counted - recent


def grew_before(plan: Plan, arrived: Arrived, rules: Rules) -> bool:
    """Whether the provider counts more readings before the look-back than it did.

    That is how history shows that was collected into holes of the listed coverage.
    """
    if plan.is_scan or "older" not in plan.old:
        return False
    epoch, before = plan.old["older"]
    older = _older(plan, arrived, from_epoch(epoch), rules)
    return older is not None and older > before


def widened(plan: Plan, rules: Rules) -> Plan:
    """The plan to read all history of the same meter."""
    return replace(plan, wanted=(_everything(rules),), is_scan=True, begins=None)


def complement(plan: Plan, wider: Plan) -> list[Window]:
    """What the wider plan wants beyond the other."""
    return _as_windows(missing(_as_ranges(wider.wanted), _as_ranges(plan.wanted)))


def shortfall(plan: Plan, arrived: Arrived, rules: Rules) -> list[Range]:
    """The stretches that are listed as covered and wanted, and did not come."""
    covered: list[Range] = []
    for start, end in _as_ranges(plan.wanted):
        if start < (until := min(end, rules.now)):
            covered += clip(plan.meter.interval_coverage, Window(start, until))
    return missing(covered, arrived.ranges, TOLERANCE)


def interval_listing(meter: Meter, rules: Rules) -> str:
    """Hash of all that the listing says of a meter's readings."""
    return short_hash(
        [
            meter.status,
            meter.status_ts,
            meter.reading_count,
            [[seconds_form(a), seconds_form(b)] for a, b in meter.interval_coverage],
            seconds_form(rules.end_date) if rules.end_date else None,
        ]
    )


def bill_listing(meter: Meter, rules: Rules) -> str:
    """Hash of all that the listing says of a meter's bills."""
    return short_hash(
        [
            MAPPING,
            meter.status,
            meter.status_ts,
            meter.bill_count,
            [[seconds_form(a), seconds_form(b)] for a, b in meter.bill_coverage],
            seconds_form(rules.start_date) if rules.start_date else None,
            seconds_form(rules.end_date) if rules.end_date else None,
        ]
    )


def bills_changed(meter: Meter, old: Bookmark | None, rules: Rules) -> bool:
    """Whether a meter's bills must be read."""
    if old is None or old.get("listed") != bill_listing(meter, rules):
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


def bookmark_instant(bookmark: Bookmark) -> datetime | None:
    """The furthest replication key, if there is a readable one."""
    try:
        return parse_instant(bookmark.get("replication_key_value"))
    except ValueError:
        return None


def short_hash(value: object) -> str:
    """Twelve hexadecimal digits of a value's JSON."""
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=6).hexdigest()


def from_epoch(seconds: float) -> datetime:
    """An instant from epoch seconds."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)


def _earlier_start(old: Bookmark, rules: Rules) -> Sequence[Window]:
    """What a start date set earlier than before adds."""
    if "since" not in old:
        return ()
    since = parse_instant(old["since"])
    if rules.start_date is not None and rules.start_date >= since:
        return ()
    return (Window(rules.start_date, since),)


def _earliest_start(plan: Plan, rules: Rules) -> datetime | None:
    """From where on history is known: never later than it was."""
    if not plan.old or "rules" not in plan.old or plan.old["rules"] != rules.digest:
        return rules.start_date
    if rules.start_date is None or "since" not in plan.old:
        return None
    return min(rules.start_date, parse_instant(plan.old["since"]))


def _added_coverage(meter: Meter, old: Bookmark, rules: Rules) -> list[Range]:
    """Where the listing covers more than it did: collected later, or filled."""
    if "covered" not in old:
        return []
    before = [(from_epoch(start), from_epoch(end)) for start, end in old["covered"]]
    added = missing(meter.interval_coverage, before)
    return clip([(start - DAY, end + DAY) for start, end in added], _everything(rules))


def _later(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else max(one, other)

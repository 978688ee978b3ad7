"""What is remembered of a source between runs, and what that means for the next. Pure.

A bookmark in STATE, here of a connection:

    {"replication_key_value": "2026-05-27T11:45:00Z",   the furthest interval start
     "since": "2024-01-01T00:00:00Z",                  the start_date it was read with
     "of": "5f0c2a9e",                                 a hash of what was to be read
     "scanned": 20597,                                 the day of the last full scan
     "before": "2026-04-27T11:45:00Z", "rows": 40213,  how many rows lie before
     "resume": "2025-03-01T00:00:00Z"}                 only while a scan is unfinished
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from tap_utility_intervals.floor.instants import as_utc, parse_instant, seconds_form

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """A bookmark, parsed."""

    seen: datetime | None
    since: datetime | None
    of: str
    scanned: int
    before: datetime | None = None
    rows: int | None = None
    resume: datetime | None = None

    @classmethod
    def parse(cls, bookmark: Mapping[str, Any] | None) -> Mark | None:
        """Read a bookmark; None for one that is missing or cannot be trusted."""
        if bookmark is None:
            return None
        try:
            return cls(
                seen=_moment(bookmark.get("replication_key_value")),
                since=_moment(bookmark["since"]),
                of=str(bookmark["of"]),
                scanned=int(bookmark["scanned"]),
                before=_moment(bookmark.get("before")),
                rows=None if bookmark.get("rows") is None else int(bookmark["rows"]),
                resume=_moment(bookmark.get("resume")),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def bookmark(self, seen: str | None) -> dict[str, Any]:
        """The JSON of it; `seen` in the form that the replication key has."""
        shown: dict[str, Any] = {} if seen is None else {"replication_key_value": seen}
        shown |= {"since": _shown(self.since), "of": self.of, "scanned": self.scanned}
        if self.before is not None and self.rows is not None:
            shown |= {"before": _shown(self.before), "rows": self.rows}
        if self.resume is not None:
            shown["resume"] = _shown(self.resume)
        return shown

    def at(self, seen: datetime | None) -> Mark:
        """The mark moved forward to `seen`, never back."""
        furthest = [moment for moment in (self.seen, seen) if moment is not None]
        return replace(self, seen=max(furthest, default=None))


@dataclass(frozen=True, slots=True)
class Terms:
    """What this run wants of a source."""

    since: datetime | None
    of: str
    day: int
    """Days from the epoch to this run's start."""
    every: int
    """A full scan is due after so many days; 0 for never."""
    spread: int
    """Spreads the scans of different sources over the days."""

    def begun(self, old: Mark | None) -> Mark:
        """The mark of a full scan that begins now."""
        early = self.spread % self.every if old is None and self.every else 0
        return Mark(
            None if old is None else old.seen, self.since, self.of, self.day - early
        )

    def must_scan(self, old: Mark | None) -> bool:
        """Whether everything must be read again, whatever was read before."""
        if old is None or old.of != self.of or is_earlier(self.since, old.since):
            return True
        if old.resume is not None:
            return False
        due = self.every > 0 and self.day - old.scanned >= self.every
        return old.seen is None or due


def begin(old: Mark, since: datetime | None, lookback: timedelta) -> datetime:
    """From where a source is read when not everything must be read again."""
    candidates = [old.resume, old.before if old.rows is not None else None]
    if old.seen is not None:
        candidates.append(_whole_seconds(_earlier(old.seen, lookback)))
    start = min(moment for moment in candidates if moment is not None)
    return start if since is None else max(start, since)


def look_back(seen: datetime, lookback: timedelta) -> datetime:
    """Where the next run will begin, in whole seconds, as requests are made."""
    return _whole_seconds(_earlier(seen, lookback))


def is_earlier(one: datetime | None, other: datetime | None) -> bool:
    """Whether one beginning lies before another; None is the beginning of time."""
    if other is None:
        return False
    return one is None or one < other


def fingerprint(*parts: Iterable[str]) -> str:
    """A short hash of sets of words, whatever their order."""
    text = repr([sorted(set(part)) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def spread(name: str) -> int:
    """A number that is the same for a name in every run and on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def day_number(moment: datetime) -> int:
    """Days since the epoch, UTC."""
    return (as_utc(moment) - _EPOCH) // _DAY


def _earlier(moment: datetime, by: timedelta) -> datetime:
    return moment - by if moment - _EARLIEST > by else _EARLIEST


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else seconds_form(moment)


def _moment(value: object) -> datetime | None:
    if value is None:
        return None
    return as_utc(parse_instant(value, naive_is_utc=True))

"""What is remembered of a source between runs, and what that means for the next. Pure.

A bookmark in STATE, here of a connection:

    {"replication_key_value": "2026-05-27T11:45:00Z",   the furthest interval start
     "since": "2024-01-01T00:00:00Z",                  the start_date it was read with
     "of": "5f0c2a9e11d2",                             a hash of what was to be read
     "scanned": 20597,                                 the day of the last full scan
     "read": "2026-05-28T02:00:00Z",                   the start of the last run
     "before": "2026-04-27T11:45:00Z", "rows": 40213,  how many rows lie before
     "resume": "2025-03-01T00:00:00Z"}                 only while a scan is unfinished

That of a company's bills has `oldest`, before which nothing was updated, in place of
the last three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from tap_utility_intervals.floor.instants import EARLIEST, earlier, seconds_form
from tap_utility_intervals.providers.base import Bookmark
from tap_utility_intervals.providers.bookmarks import (
    Rescan,
    is_earlier,
    moment,
    short_hash,
    shown,
)

LARGEST = 2**31
"""Of a number of days or rows; a larger one in STATE is a mistake."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A bookmark, parsed."""

    seen: datetime | None
    since: datetime | None
    of: str
    scanned: int
    read: datetime | None = None
    before: datetime | None = None
    rows: int | None = None
    resume: datetime | None = None
    oldest: datetime | None = None

    @classmethod
    def parse(cls, found: Bookmark | None) -> Mark | None:
        """Read a bookmark; None for none, and for one that holds anything odd."""
        if not found:
            return None
        try:
            return cls(
                seen=moment(found.get("replication_key_value")),
                since=moment(found["since"]),
                of=_word(found["of"]),
                scanned=_number(found["scanned"]),
                read=moment(found.get("read")),
                before=moment(found.get("before")),
                rows=None if found.get("rows") is None else _number(found["rows"]),
                resume=moment(found.get("resume")),
                oldest=moment(found.get("oldest")),
            )
        except (KeyError, ValueError):
            return None

    def state(self, form: Callable[[datetime], str] = seconds_form) -> Bookmark:
        """The JSON of it; `form` is how the replication key is written."""
        is_counted = self.before is not None and self.rows is not None
        there: dict[str, Any] = {
            "replication_key_value": self.seen and form(self.seen),
            "read": shown(self.read),
            "before": shown(self.before) if is_counted else None,
            "rows": self.rows if is_counted else None,
            "resume": shown(self.resume),
            "oldest": shown(self.oldest),
        }
        always = {"since": shown(self.since), "of": self.of, "scanned": self.scanned}
        return always | {n: one for n, one in there.items() if one is not None}

    def at(self, seen: datetime | None) -> Mark:
        """The mark moved forward to `seen`, never back."""
        furthest = [one for one in (self.seen, seen) if one is not None]
        return replace(self, seen=max(furthest, default=None))


@dataclass(frozen=True, slots=True)
class Terms:
    """What this run wants of a source."""

    source: str
    since: datetime | None
    of: str
    rescan: Rescan
    started: datetime
    read: datetime
    """What is noted as when the source was read."""

    def begun(self, old: Mark | None) -> Mark:
        """The mark of a full scan that begins now."""
        day = self.rescan.day(self.source, is_first=old is None)
        seen = None if old is None else old.seen
        return Mark(seen, self.since, self.of, day, self.read)

    def must_scan(self, old: Mark | None) -> bool:
        """Whether everything must be read again, whatever was read before."""
        if old is None or old.of != self.of or is_earlier(self.since, old.since):
            return True
        if old.resume is not None:
            return False
        return old.seen is None or self.rescan.is_due(old.scanned)

    def why(self, old: Mark | None) -> str:
        """How a source is read, and why, as the log says it."""
        if old is None:
            return "read whole: it never was"
        if self.must_scan(old):
            is_same = old.of == self.of and not is_earlier(self.since, old.since)
            news = "it is time to look for what is hidden"
            return f"read whole: {news if is_same else 'what is asked for has changed'}"
        return "read on from where it was left" if old.resume else "read for changes"


def begin(old: Mark, since: datetime | None, lookback: timedelta) -> datetime:
    """From where a source is read when not everything must be read again."""
    candidates = [old.resume, old.before if old.rows is not None else None]
    if old.seen is not None:
        candidates.append(look_back(old.seen, lookback))
    start = min(one for one in candidates if one is not None)
    return start if since is None else max(start, since)


def look_back(seen: datetime, lookback: timedelta) -> datetime:
    """Where the next run will begin, in whole seconds, as requests are made."""
    return earlier(seen, lookback).replace(microsecond=0)


def longest_unread(mark: Mark | None) -> datetime:
    """What sources are put in order by: those never read come first."""
    return mark.read if mark is not None and mark.read is not None else EARLIEST


def fingerprint(*parts: Iterable[str]) -> str:
    """A short hash of sets of words, whatever their order."""
    return short_hash([sorted(set(part)) for part in parts])


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - all that is odd is one error
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no whole number")  # noqa: TRY004 - all that is odd is one error
    if not 0 <= value <= LARGEST:
        raise ValueError("no count and no day")
    return value

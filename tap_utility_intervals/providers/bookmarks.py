"""What all bookmarks have in common: re-scan day, hashes, instants. Pure.

A bookmark is stored in STATE as JSON; instants in it are texts in their one UTC form.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache

import msgspec

from tap_utility_intervals.floor.instants import (
    DAY,
    EARLIEST,
    MICROSECOND,
    as_utc,
    later,
    parse_instant,
    seconds_form,
)

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Rescan:
    """When all of a source is read again, to find what nothing announces."""

    every: int
    """After so many days (`full_rescan_days`); 0 for never."""
    today: int
    """Days from the epoch to the run's start."""

    @classmethod
    def of(cls, every: int, started: datetime) -> Rescan:
        """The days of a run that started then."""
        return cls(every, (as_utc(started) - EPOCH) // DAY)

    def is_due(self, scanned: int) -> bool:
        """Tell whether a source that was read whole on that day is due."""
        return self.every > 0 and self.today - scanned >= self.every

    def day(self, source: str, *, is_first: bool) -> int:
        """Return the day to note after a source was read whole.

        The first one is set back by a hash of the source's id, so that sources first
        read on one day are not all due again on one day.
        """
        if not is_first or not self.every:
            return self.today
        return self.today - int(short_hash(source), 16) % self.every


def read_mark(started: datetime, before: Iterable[datetime | None]) -> datetime:
    """Return what a run notes as when it read: later than the runs `before` noted.

    Sources are read in the order of it, also where a server's clock stands still.
    """
    latest = max(filter(None, before), default=EARLIEST)
    return max(started.replace(microsecond=0), later(latest, MICROSECOND))


def believed(read: datetime | None, latest: datetime) -> datetime | None:
    """Return when a run noted that it read; None if its clock was wrong.

    That is so if it is far beyond the later of the clocks of now: what was noted after
    it would be, too, for as long.
    """
    return None if read is not None and read > later(latest, DAY) else read


def short_hash(value: object) -> str:
    """Return twelve hexadecimal digits that stand for a value's JSON."""
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=6).hexdigest()


def is_earlier(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether one bound lies before another; None is the beginning of time."""
    return other is not None and (one is None or one < other)


def shown(instant: datetime | None) -> str | None:
    """Return an instant as STATE holds it."""
    return None if instant is None else seconds_form(instant)


def moment(value: object) -> datetime | None:
    """Return the instant that STATE holds; None for none.

    Raises:
        ValueError: when there is something, and it is no instant.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004 - all that is odd is one error
    return _instant(value)


@lru_cache(maxsize=4_096)
def _instant(text: str) -> datetime:
    """Up to when and when they were read, most sources share."""
    return as_utc(parse_instant(text))

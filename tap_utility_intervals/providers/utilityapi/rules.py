"""The settings that decide what is read of each meter, and the run's start."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import msgspec

from tap_utility_intervals.settings.shared import Settings

MAPPING = 1
"""Raise it when the rows of unchanged data come out otherwise: all is read again."""

BILL_MAPPING = 2
"""The same for bills."""

FAR = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class Rules:
    """What holds for every meter of a run."""

    start_date: datetime | None
    end_date: datetime | None
    lookback: timedelta
    full_rescan_days: int
    allow_mixed: bool
    window: timedelta | None
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
            window=settings.window,
            now=now,
        )

    @property
    def digest(self) -> str:
        """What makes a row, in a word: when it changes, all is read again."""
        return f"{MAPPING}{'m' if self.allow_mixed else ''}"

    @property
    def today(self) -> int:
        """Days since the epoch, UTC."""
        return int(self.now.timestamp() // 86_400)

    @property
    def end(self) -> datetime:
        """Readings that start here or later are not wanted."""
        return self.end_date or FAR


def short_hash(value: object) -> str:
    """Twelve hexadecimal digits of a value's JSON."""
    return hashlib.blake2b(msgspec.json.encode(value), digest_size=6).hexdigest()

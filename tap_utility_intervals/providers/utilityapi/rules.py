"""The settings that decide what is read of each meter, and the run's start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from tap_utility_intervals.floor.instants import FAR
from tap_utility_intervals.providers.base import earlier_clock
from tap_utility_intervals.providers.bookmarks import Rescan
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings
from tap_utility_intervals.settings.shared import Settings

MAPPING = 1
"""Raise it when the rows of unchanged data come out otherwise: all is read again."""

BILL_MAPPING = 2
"""The same for bills."""


@dataclass(frozen=True)
class Rules:
    """What holds for every meter of a run."""

    start_date: datetime | None
    end_date: datetime | None
    lookback: timedelta
    rescan: Rescan
    allow_mixed: bool
    window: timedelta | None
    now: datetime
    """The earlier of the local clock and the server's, at the run's start."""
    latest: datetime
    """The later of the two: what is promised until then is expected."""
    zone: tzinfo | None = None
    """Of times that are sent without one."""
    read: datetime | None = None
    """What is noted as when a meter was read; None: the run's start."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        own: UtilityApiSettings,
        started: datetime,
        server: datetime | None,
    ) -> Rules:
        """The rules of a run that started then, by the local clock."""
        now = earlier_clock(started, server)
        return cls(
            start_date=settings.start_date,
            end_date=settings.end_date,
            lookback=settings.lookback,
            rescan=Rescan.of(settings.full_rescan_days, now),
            allow_mixed=own.allow_mixed,
            window=settings.window,
            now=now,
            latest=max(started, server or started),
            zone=own.zone,
        )

    @property
    def digest(self) -> str:
        """What makes a row, in a word: when it changes, all is read again."""
        return f"{MAPPING}{'m' if self.allow_mixed else ''}"

    @property
    def end(self) -> datetime:
        """Readings that start here or later are not wanted."""
        return self.end_date or FAR

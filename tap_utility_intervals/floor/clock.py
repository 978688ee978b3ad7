"""The instants at which a run reads: strictly increasing, also across runs.

Of two rows of one key the one read later counts, and what was read whole after a row
had arrived may retire it. Both compare instants of different runs, so a clock that was
set back must not make a later run look like an earlier one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timezone

from tap_utility_intervals.floor.instants import (
    EARLIEST,
    MICROSECOND,
    as_utc,
    micros_form,
    parse_instant,
)

_LATEST = datetime(9998, 1, 1, tzinfo=timezone.utc)
"""A later instant in STATE is a mistake, and would leave no room for further ones."""


def _local() -> datetime:
    return datetime.now(timezone.utc)


class Clock:
    """Tells each instant once, in order; safe to share between threads."""

    def __init__(self, local: Callable[[], datetime] = _local) -> None:
        """Follow the `local` clock, which may stand still or go back."""
        self._local = local
        self._newest = EARLIEST
        self._lock = threading.Lock()

    def now(self) -> str:
        """Return the next instant, as `2026-05-27T16:48:25.301699Z`.

        It is the local clock's, or a microsecond after the one before if that is later.
        """
        with self._lock:
            self._newest = max(self._local(), self._newest + MICROSECOND)
            return micros_form(self._newest)

    def follow(self, instant: object) -> None:
        """Stay behind no instant that an earlier run used; what is none is ignored."""
        try:
            used = as_utc(parse_instant(instant))
        except ValueError:
            return
        with self._lock:
            if used < _LATEST:
                self._newest = max(self._newest, used)

    @property
    def newest(self) -> str | None:
        """The newest instant that was used, by this run or an earlier one."""
        with self._lock:
            return None if self._newest == EARLIEST else micros_form(self._newest)

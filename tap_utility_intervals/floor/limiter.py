"""One limiter per credential: how many at once, how fast, and how long to hold off.

A 429 belongs to the credential, not to the request that met it, so one worker's
`hold` keeps all of them waiting.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")


class Stopped(Exception):  # noqa: N818 - it says what happened, as in httpx
    """The limiter was stopped: give up the work, there will be no more requests."""


class Limiter:
    """A gate for the requests of one credential, shared by all its threads.

    `with limiter:` waits for a free slot, for an end of any hold, and for its turn;
    turns are `1 / per_second` apart, without bursts, also after a hold. The slot is
    free again when the block ends.
    """

    def __init__(
        self,
        per_second: float | None,
        in_flight: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Allow `in_flight` blocks at once and `per_second` a second (`None`: any).

        `clock` and `sleep` are for tests; the default sleep ends early on `stop`.

        Raises:
            ValueError: A bound that would let nothing pass.
        """
        if in_flight < 1 or (per_second is not None and not per_second > 0):
            raise ValueError("a limiter must let something pass")
        self._spacing = 0.0 if per_second is None else 1 / per_second
        self._free = in_flight
        self._turn = -math.inf
        self._held_until = -math.inf
        self._stopped = False
        self.now = clock
        """The clock that all waiting goes by, in seconds."""
        self._sleep = sleep or self._rest
        # Reentrant: a signal handler may call stop() in a thread that holds the lock.
        self._lock = threading.RLock()
        self._slot = threading.Condition(self._lock)
        self._stop = threading.Condition(self._lock)

    def __enter__(self) -> None:
        """Wait for a slot, for the end of any hold, and for the turn.

        Raises:
            Stopped: The limiter was stopped before or meanwhile.
        """
        self._take_slot()
        try:
            while (seconds := self._take_turn()) > 0:
                self._sleep(seconds)
        except BaseException:
            self._give_slot()
            raise

    def __exit__(self, *_: object) -> None:
        """Free the slot."""
        self._give_slot()

    def hold(self, seconds: float) -> bool:
        """Let nobody pass before `seconds` from now; never shortens an earlier hold.

        Tells whether all wait longer now, by a second or more.
        """
        with self._lock:
            before = max(self._held_until, self.now())
            self._held_until = max(before, self.now() + seconds)
            return self._held_until - before >= 1

    def sleep(self, seconds: float) -> None:
        """Back off in this thread alone, for at least `seconds`.

        Raises:
            Stopped: The limiter was stopped before or meanwhile.
        """
        until = self.now() + seconds
        self._check()
        while (left := until - self.now()) > 0:
            self._sleep(left)
            self._check()

    def stop(self) -> None:
        """Wake everybody who waits, with `Stopped`; let nobody pass from now on."""
        with self._lock:
            self._stopped = True
            self._slot.notify_all()
            self._stop.notify_all()

    def _check(self) -> None:
        if self._stopped:
            raise Stopped("stopped while waiting to send a request")

    def _take_slot(self) -> None:
        with self._slot:
            self._slot.wait_for(lambda: self._free > 0 or self._stopped)
            self._check()
            self._free -= 1

    def _give_slot(self) -> None:
        with self._slot:
            self._free += 1
            self._slot.notify()

    def _take_turn(self) -> float:
        """Return 0.0 having taken the turn, or the seconds until it may come.

        Turns are not reserved: those from before a hold would all come due at its end.
        """
        with self._lock:
            self._check()
            now = self.now()
            wait = max(self._turn, self._held_until) - now
            if wait > 0:
                return wait
            self._turn = now + self._spacing
            return 0.0

    def _rest(self, seconds: float) -> None:
        with self._stop:
            self._stop.wait_for(
                lambda: self._stopped, min(seconds, threading.TIMEOUT_MAX)
            )


def shared(per_second: float, in_flight: int, shares: int) -> Limiter:
    """Return one of so many limiters that together keep to a credential's budget.

    Shares are whole numbers of requests: in each second, and not only on the average,
    they are no more than may be.

    Raises:
        ValueError: there are more shares than requests.
    """
    part = per_second if shares == 1 else per_second // shares
    return Limiter(part, in_flight // shares)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return how many seconds a `Retry-After` asks to wait, from `now` (aware).

    Reads seconds, also with decimals, and HTTP dates (RFC 9110, 10.2.3). Never
    negative, and not capped: that is for the caller. `None` if absent or unreadable.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    moment = http_date(text)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def http_date(header: str | None) -> datetime | None:
    """Return the instant of an HTTP date; `None` if absent or unreadable."""
    try:
        moment = parsedate_to_datetime(header or "")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" and the asctime form come naive; both mean UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)

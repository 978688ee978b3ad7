"""A clock for tests: nothing in them waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tap_utility_intervals.floor.limiter import Limiter


@dataclass
class Clock:
    """Time passes only when somebody sleeps; what was slept is remembered."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds

    def limiter(self, per_second: float | None, in_flight: int = 1) -> Limiter:
        """A limiter that goes by this clock."""
        return Limiter(per_second, in_flight, clock=self, sleep=self.sleep)


@contextmanager
def nobody_waits() -> Iterator[None]:
    """Rests pass at once; how long they are is the matter of the limiter's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Limiter, "hold", lambda _self, _seconds: None)
        patch.setattr(Limiter, "sleep", lambda self, _seconds: self._check())
        yield

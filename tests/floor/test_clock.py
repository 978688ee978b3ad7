"""Instants that only go forward."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest

from tap_utility_intervals.floor.clock import Clock

NOON = datetime(2026, 5, 27, 12, tzinfo=timezone.utc)


def ticking(*instants: datetime) -> Clock:
    left = list(instants)
    return Clock(lambda: left.pop(0) if len(left) > 1 else left[0])


def test_it_tells_the_local_time_with_six_digits() -> None:
    assert ticking(NOON).now() == "2026-05-27T12:00:00.000000Z"


def test_no_instant_is_told_twice_while_the_local_clock_stands_or_goes_back() -> None:
    back = NOON - timedelta(minutes=10)
    clock = ticking(NOON, NOON, back, NOON + timedelta(seconds=1))
    assert [clock.now() for _ in range(4)] == [
        "2026-05-27T12:00:00.000000Z",
        "2026-05-27T12:00:00.000001Z",
        "2026-05-27T12:00:00.000002Z",
        "2026-05-27T12:00:01.000000Z",
    ]


def test_a_run_whose_clock_is_behind_goes_on_after_the_run_before() -> None:
    clock = ticking(NOON - timedelta(minutes=10))
    clock.follow("2026-05-27T12:00:00.000000Z")
    clock.follow("2026-05-27T11:00:00.000000Z")
    assert clock.newest == "2026-05-27T12:00:00.000000Z"
    assert clock.now() == "2026-05-27T12:00:00.000001Z" == clock.newest


@pytest.mark.parametrize(
    "odd", [None, 5, "soon", "2026-05-27", "9999-12-31T23:59:59.999999Z", [], "", True]
)
def test_what_is_no_instant_in_state_is_ignored(odd: object) -> None:
    clock = ticking(NOON)
    clock.follow(odd)
    assert clock.newest is None
    assert clock.now() == "2026-05-27T12:00:00.000000Z"


def test_threads_never_get_the_same_instant() -> None:
    clock = ticking(NOON)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: clock.now(), range(1_000)))
    assert len(set(found)) == 1_000

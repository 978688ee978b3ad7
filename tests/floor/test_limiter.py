"""The limiter lets through neither too many, nor too fast, nor during a hold."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor.limiter import Limiter, Stopped, retry_after

PATIENCE = 30.0  # an upper bound for what a broken test waits, never a sleep
NOW = datetime(2026, 5, 27, 12, tzinfo=timezone.utc)


class FakeTime:
    """A clock that moves only when somebody sleeps on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lock = threading.Lock()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += seconds

    def limiter(self, per_second: float | None, in_flight: int = 1) -> Limiter:
        return Limiter(per_second, in_flight, clock=self.clock, sleep=self.sleep)


def in_threads(number: int, work: object) -> list[threading.Thread]:
    assert callable(work)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 12))
def test_never_more_in_flight_than_allowed(in_flight: int, threads: int) -> None:
    limiter = Limiter(None, in_flight)
    lock = threading.Lock()
    running = most = passed = 0

    def work() -> None:
        nonlocal running, most, passed
        for _ in range(5):
            with limiter:
                with lock:
                    running += 1
                    most = max(most, running)
                with lock:
                    running -= 1
                    passed += 1

    join(in_threads(threads, work))
    assert most <= in_flight
    assert passed == threads * 5


def test_as_many_as_allowed_do_run_at_once() -> None:
    limiter = Limiter(None, 4)
    meeting = threading.Barrier(4, timeout=PATIENCE)

    def work() -> None:
        with limiter:
            meeting.wait()

    join(in_threads(8, work))


@given(st.floats(0.01, 100), st.lists(st.floats(0, 300), min_size=1, max_size=30))
def test_turns_are_evenly_spaced_whatever_the_pauses(
    per_second: float, pauses: list[float]
) -> None:
    time = FakeTime()
    limiter = time.limiter(per_second)
    entered = []
    for pause in pauses:
        with limiter:
            entered.append(time.now)
        time.sleep(pause)
    spacing = 1 / per_second
    assert all(b - a >= spacing - 1e-6 for a, b in pairwise(entered))
    waits = sum(max(0.0, spacing - pause) for pause in pauses[:-1])
    assert entered[-1] - 1000 == pytest.approx(sum(pauses[:-1]) + waits, abs=1e-6)
    assert entered[0] == 1000.0  # the first has nothing to wait for


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 8))
def test_turns_are_evenly_spaced_between_threads(threads: int) -> None:
    time = FakeTime()
    limiter = time.limiter(10, threads)
    turns = []
    spy, take = limiter._take_turn, threading.Lock()

    def take_turn() -> float:
        with take:
            seconds = spy()
            if seconds == 0:
                turns.append(time.now)
            return seconds

    limiter._take_turn = take_turn  # type: ignore[method-assign]

    def work() -> None:
        for _ in range(4):
            with limiter:
                pass

    join(in_threads(threads, work))
    assert len(turns) == threads * 4
    assert all(b - a >= 0.1 - 1e-6 for a, b in pairwise(sorted(turns)))


@given(st.lists(st.floats(0, 500), min_size=1, max_size=8))
def test_the_longest_hold_counts(holds: list[float]) -> None:
    time = FakeTime()
    limiter = time.limiter(None)
    for seconds in holds:
        limiter.hold(seconds)
    with limiter:
        assert time.now == pytest.approx(1000 + max(holds))
    with limiter:
        assert time.now == pytest.approx(1000 + max(holds))


def test_turns_stay_spaced_after_a_hold() -> None:
    time = FakeTime()
    limiter = time.limiter(2)
    limiter.hold(60)
    entered = []
    for _ in range(3):
        with limiter:
            entered.append(time.now)
    assert entered == [1060.0, 1060.5, 1061.0]


def test_a_hold_set_while_somebody_waits_keeps_them_too() -> None:
    time = FakeTime()

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if time.now == 1001.0:
            limiter.hold(30)

    limiter = Limiter(1, 1, clock=time.clock, sleep=sleep)
    entered = []
    for _ in range(2):
        with limiter:
            entered.append(time.now)
    assert entered == [1000.0, 1031.0]


def test_stop_wakes_those_who_wait_for_a_slot() -> None:
    limiter = Limiter(None, 1)
    outcome = []

    def work() -> None:
        try:
            with limiter:
                outcome.append("passed")
        except Stopped:
            outcome.append("stopped")

    with limiter:
        threads = in_threads(3, work)
        limiter.stop()
        join(threads)
    assert outcome == ["stopped"] * 3


def test_stop_wakes_those_who_wait_for_time() -> None:
    limiter = Limiter(None, 4)
    limiter.hold(3600)
    outcome = []

    def enter() -> None:
        try:
            with limiter:
                outcome.append("passed")
        except Stopped:
            outcome.append("stopped")

    def rest() -> None:
        with pytest.raises(Stopped):
            limiter.sleep(3600)
        outcome.append("stopped")

    threads = in_threads(2, enter) + in_threads(2, rest)
    limiter.stop()
    join(threads)
    assert outcome == ["stopped"] * 4


def test_nobody_passes_after_stop() -> None:
    limiter = Limiter(None, 1)
    limiter.stop()
    with pytest.raises(Stopped), limiter:
        pass
    with pytest.raises(Stopped):
        limiter.sleep(0)


def test_stop_may_come_from_a_signal_handler_that_interrupted_the_lock() -> None:
    limiter = Limiter(None, 1)
    with limiter._lock:
        limiter.stop()


def test_an_interrupted_wait_gives_its_slot_back() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    time = FakeTime()
    limiter = Limiter(None, 1, clock=time.clock, sleep=interrupt)
    limiter.hold(5)
    with pytest.raises(KeyboardInterrupt), limiter:
        pass
    time.now += 5
    with limiter:
        assert limiter._free == 0


def test_an_error_inside_gives_the_slot_back() -> None:
    limiter = Limiter(None, 1)
    with pytest.raises(ZeroDivisionError), limiter:
        raise ZeroDivisionError
    with limiter:
        assert limiter._free == 0


def test_sleep_is_for_this_thread_alone() -> None:
    time = FakeTime()
    limiter = time.limiter(None)
    limiter.sleep(7)
    assert time.now == 1007.0
    with limiter:
        assert time.now == 1007.0


@pytest.mark.parametrize(
    ("per_second", "in_flight"), [(0, 1), (-1, 1), (float("nan"), 1), (None, 0)]
)
def test_a_limiter_lets_something_pass(
    per_second: float | None, in_flight: int
) -> None:
    with pytest.raises(ValueError, match="pass"):
        Limiter(per_second, in_flight)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("-5", 0.0),
        ("99999999", 99999999.0),
        ("Wed, 27 May 2026 12:00:30 GMT", 30.0),
        ("Wednesday, 27-May-26 12:00:30 GMT", 30.0),
        ("Wed May 27 12:00:30 2026", 30.0),
        ("Wed, 27 May 2026 12:00:30 -0000", 30.0),
        ("Wed, 27 May 2026 14:00:30 +0200", 30.0),
        ("Wed, 27 May 2026 11:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("1e3", None),
        ("2026-05-27T12:00:30Z", None),
        ("Wed, 27 May 99999 12:00:30 GMT", None),
        ("Wed, 99 May 2026 12:00:30 GMT", None),
    ],
    ids=str,
)
def test_retry_after_is_seconds_or_a_date(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, NOW) == seconds


@given(st.integers(0, 10**6))
def test_retry_after_reads_the_dates_that_python_writes(seconds: int) -> None:
    moment = NOW + timedelta(seconds=seconds)
    header = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after(header, NOW) == seconds


@given(st.text(max_size=40))
def test_any_header_is_a_wait_or_nothing(header: str) -> None:
    found = retry_after(header, NOW)
    assert found is None or found >= 0

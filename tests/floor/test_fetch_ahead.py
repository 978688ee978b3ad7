"""Fetching ahead is a sequential map, only faster; and it stops when told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from itertools import count, islice
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor.fetch_ahead import fetch_ahead

T = TypeVar("T")
PATIENCE = 30.0  # an upper bound for what a broken test waits, never a sleep

workers = st.integers(0, 9)
buffers = st.integers(1, 4)
counts = st.lists(st.integers(0, 7), max_size=25)


class OopsError(Exception):
    """What a producer may raise."""


def ours() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("fetch-ahead")]


def numbers(job: tuple[int, int]) -> Iterator[tuple[int, int]]:
    number, length = job
    for item in range(length):
        yield number, item


def until_oops(found: Iterator[tuple[Any, T]]) -> list[T]:
    items: list[T] = []
    with suppress(OopsError):
        items.extend(item for _, item in found)
        pytest.fail("no error was raised")
    return items


@settings(deadline=None)
@given(counts, workers, buffers)
def test_it_equals_a_sequential_map(lengths: list[int], n: int, buffer: int) -> None:
    jobs = list(enumerate(lengths))
    expected = [(job, item) for job in jobs for item in numbers(job)]
    assert list(fetch_ahead(numbers, jobs, n, buffer)) == expected
    assert ours() == []


@settings(deadline=None)
@given(counts.filter(any), workers, buffers, st.data())
def test_an_error_is_raised_at_its_place(
    lengths: list[int], n: int, buffer: int, data: st.DataObject
) -> None:
    jobs = list(enumerate(lengths))
    items = [item for job in jobs for item in numbers(job)]
    bad = data.draw(st.sampled_from(items))

    def produce(job: tuple[int, int]) -> Iterator[tuple[int, int]]:
        for item in numbers(job):
            if item == bad:
                raise OopsError
            yield item

    assert (
        until_oops(fetch_ahead(produce, jobs, n, buffer)) == items[: items.index(bad)]
    )
    assert ours() == []


@settings(deadline=None)
@given(counts, workers, buffers)
def test_a_failure_of_the_jobs_comes_after_all_items_before_it(
    lengths: list[int], n: int, buffer: int
) -> None:
    def jobs() -> Iterator[tuple[int, int]]:
        yield from enumerate(lengths)
        raise OopsError

    items = [item for job in enumerate(lengths) for item in numbers(job)]
    assert until_oops(fetch_ahead(numbers, jobs(), n, buffer)) == items


class Watch:
    """Counts what is held at every moment, as seen from inside the producers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = self.most_running = 0
        self.begun = self.most_ahead = self.most_held = self.done = 0
        self.held: Counter[int] = Counter()

    def produce(self, job: tuple[int, int]) -> Iterator[tuple[int, int]]:
        with self.lock:
            self.running += 1
            self.begun += 1
            self.most_running = max(self.most_running, self.running)
            self.most_ahead = max(self.most_ahead, self.begun - self.done - 1)
        for item in numbers(job):
            with self.lock:
                self.held[job[0]] += 1
                self.most_held = max(self.most_held, self.held[job[0]])
            yield item
        with self.lock:
            self.running -= 1

    def take(self, item: tuple[int, int], length: int) -> None:
        with self.lock:
            self.held[item[0]] -= 1
            self.done = item[0] + (item[1] == length - 1)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=25), st.integers(2, 9), buffers)
def test_memory_and_threads_are_bounded(
    lengths: list[int], n: int, buffer: int
) -> None:
    watch = Watch()
    for job, item in fetch_ahead(watch.produce, enumerate(lengths), n, buffer):
        watch.take(item, job[1])
    assert watch.most_running <= n
    assert watch.most_ahead <= n
    # one more: the item handed over is taken off our count a moment later
    assert watch.most_held <= buffer + 1


def test_workers_really_run_at_once_and_results_stay_in_order() -> None:
    meeting = threading.Barrier(4, timeout=PATIENCE)

    def produce(job: int) -> list[int]:
        meeting.wait()
        return [job]

    found = list(fetch_ahead(produce, range(8), 4))
    assert found == [(job, job) for job in range(8)]


@pytest.mark.parametrize("n", [-1, 0, 1])
def test_one_worker_is_inline(n: int) -> None:
    def produce(_: int) -> list[str]:
        return [threading.current_thread().name]

    here = threading.current_thread().name
    assert list(fetch_ahead(produce, range(3), n)) == [(i, here) for i in range(3)]


@pytest.mark.parametrize("n", [1, 2, 8])
def test_endless_jobs_are_pulled_only_as_far_as_needed(n: int) -> None:
    pulled = []

    def jobs() -> Iterator[int]:
        for job in count():
            pulled.append(job)
            yield job

    with closing(fetch_ahead(lambda job: [job], jobs(), n)) as found:
        assert [item for _, item in islice(found, 20)] == list(range(20))
    assert len(pulled) <= 20 + n


@pytest.mark.parametrize("n", [1, 2, 8])
def test_endless_items_stop_on_close_and_their_cleanup_runs(n: int) -> None:
    began, ended = Counter[int](), Counter[int]()
    lock = threading.Lock()

    def produce(job: int) -> Iterator[int]:
        with lock:
            began[job] += 1
        try:
            yield from count()
        finally:
            with lock:
                ended[job] += 1

    found = fetch_ahead(produce, count(), n)
    assert next(found) == (0, 0)
    found.close()
    assert began == ended
    assert began[0] == 1
    assert ours() == []


def test_an_error_of_the_consumer_stops_the_producers() -> None:
    def consume(found: Generator[tuple[int, int], None, None]) -> None:
        with closing(found):
            for _ in found:
                raise OopsError

    with pytest.raises(OopsError):
        consume(fetch_ahead(lambda _: count(), count(), 4))
    assert ours() == []


def test_a_job_that_has_not_begun_never_begins_after_close() -> None:
    gate = threading.Event()
    begun = []

    def produce(job: int) -> Iterator[int]:
        begun.append(job)
        if job:
            gate.wait(PATIENCE)
        yield job

    found = fetch_ahead(produce, range(100), 2)
    assert next(found) == (0, 0)
    threading.Timer(0.001, gate.set).start()
    found.close()
    assert begun in ([0, 1], [0, 1, 2], [0, 2, 1])
    assert ours() == []


def test_a_stuck_producer_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tap_utility_intervals.floor.producing._JOIN_SECONDS", 0.001)
    gate = threading.Event()

    def produce(job: int) -> Iterator[int]:
        if job:
            gate.wait(PATIENCE)
        yield job

    found = fetch_ahead(produce, range(3), 2)
    assert next(found) == (0, 0)
    found.close()
    stuck = ours()
    assert stuck
    assert all(thread.daemon for thread in stuck)
    gate.set()
    for thread in stuck:
        thread.join(PATIENCE)
    assert ours() == []


def test_nothing_begins_before_the_first_item_is_asked_for() -> None:
    def produce(_: int) -> list[int]:
        raise AssertionError

    fetch_ahead(produce, range(9), 4).close()
    assert ours() == []


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("raises", [OopsError, KeyboardInterrupt, SystemExit])
def test_an_error_before_the_first_item_is_raised(
    n: int, raises: type[BaseException]
) -> None:
    def produce(job: int) -> list[int]:
        if job == 1:
            raise raises
        return [job]

    found = fetch_ahead(produce, range(9), n)
    assert next(found) == (0, 0)
    with pytest.raises(raises):
        next(found)
    assert list(found) == []  # a generator that raised is finished


@pytest.mark.parametrize("n", [1, 4])
def test_a_stray_stop_iteration_never_passes_for_the_end(n: int) -> None:
    def produce(_: int) -> list[int]:
        raise StopIteration

    with pytest.raises(RuntimeError):
        list(fetch_ahead(produce, range(9), n))


@pytest.mark.parametrize("n", [1, 4])
def test_falsy_jobs_and_items_are_jobs_and_items(n: int) -> None:
    jobs: list[int | None] = [0, None, 0]
    items: Callable[[int | None], list[object]] = lambda _: [None, 0, ""]  # noqa: E731
    found = list(fetch_ahead(items, jobs, n))
    assert found == [(job, item) for job in jobs for item in (None, 0, "")]


def test_a_buffer_holds_something() -> None:
    with pytest.raises(ValueError, match="buffer"):
        fetch_ahead(lambda _: [1], [1], 2, 0)

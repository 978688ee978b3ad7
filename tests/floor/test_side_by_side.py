"""Side by side, each in its own order; one that waits or fails costs no other."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor.producing import End
from tap_utility_intervals.floor.side_by_side import side_by_side

PATIENCE = 30.0  # an upper bound for what a broken test waits, never a sleep


class OopsError(Exception):
    """What a producer may raise."""


def ours() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "side-by-side"]


def numbers(job: tuple[int, int, bool]) -> Generator[tuple[int, int], None, None]:
    number, length, fails = job
    for item in range(length):
        yield number, item
    if fails:
        raise OopsError


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=4),
    st.integers(1, 3),
)
def test_each_job_gives_its_items_in_order_and_one_end(
    sizes: list[tuple[int, bool]], buffer: int
) -> None:
    jobs = [(n, length, fails) for n, (length, fails) in enumerate(sizes)]
    got: dict[Any, list[Any]] = {job: [] for job in jobs}
    for job, item in side_by_side(numbers, jobs, buffer):
        got[job].append(item)
    for number, length, fails in jobs:
        *items, end = got[number, length, fails]
        assert items == [(number, item) for item in range(length)]
        assert isinstance(end, End)
        assert isinstance(end.error, OopsError) is fails
    assert ours() == []


def test_one_that_waits_holds_no_other() -> None:
    """The first waits for the end of the second, whose items are many."""
    done = threading.Event()

    def produce(job: str) -> Generator[int, None, None]:
        if job == "waits":
            assert done.wait(PATIENCE)
        yield from range(100)

    order = []
    for job, item in side_by_side(produce, ["waits", "goes on"]):
        order.append(job)
        if job == "goes on" and isinstance(item, End):
            done.set()
    assert order == ["goes on"] * 101 + ["waits"] * 101


def test_nobody_is_further_ahead_than_the_buffer() -> None:
    made = {"a": 0, "b": 0}
    taken = {"a": 0, "b": 0}
    furthest = []

    def produce(job: str) -> Generator[int, None, None]:
        for item in range(200):
            made[job] += 1
            furthest.append(made[job] - taken[job])
            yield item

    for job, item in side_by_side(produce, ["a", "b"], buffer=3):
        if not isinstance(item, End):
            taken[job] += 1
    # Those in the buffer, the one just handed over, and the one that waits for room.
    assert max(furthest) <= 3 + 2


@pytest.mark.parametrize("jobs", [["a"], ["a", "b"]])
def test_leaving_early_runs_what_is_to_be_run_at_the_end(jobs: list[str]) -> None:
    closed = []

    def produce(job: str) -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            closed.append(job)

    with closing(side_by_side(produce, jobs)) as items:
        next(items)
    assert sorted(closed) == jobs
    assert ours() == []

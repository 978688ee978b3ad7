"""A run that finds nothing new, held by counting: it is what most runs are.

What is measured is in `docs/performance.md`; here are bounds a little above it.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox, bench_world
from tap_utility_intervals.singer.state import encoded
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.speed.counting import Sink
from tests.syncing import config, sync

FEW, MANY = 250, 750


@dataclass
class Idle:
    """What an idle run over so many meters took."""

    requests: list[str]
    states: list[Any]
    calls: int
    """Python's; with one worker all of them are in the main thread."""
    peak: int
    """Bytes of Python objects at the worst moment, beyond those before the run."""


class Noting(Sink):
    """A sink that keeps the STATE messages."""

    def __init__(self) -> None:
        super().__init__()
        self.states: list[Any] = []

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.startswith('{"type":"STATE"'):
                self.states.append(json.loads(line)["value"])
        return super().write(text)


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count calls in this thread."""
    found: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, _arg: object) -> None:
        found[event] += 1

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def idle(meters: int) -> Idle:
    """Read a world, then count what it takes to find that it is as it was."""
    world = bench_world(meters=meters, days=1, minutes=60, channels=1)
    options = replace(world.utilityapi_options, page_size=50)
    with Sandbox(replace(world, utilityapi_options=options)) as sandbox:
        settings = config(sandbox, "utilityapi", max_concurrency=1)
        text = json.dumps(sync(settings).state).encode()

        def run() -> Noting:
            sink = Noting()
            with redirect_stdout(sink):
                tap = TapUtilityIntervals(config=settings, state=encoded(text))
                tap.sync_all()
                tap.write_last_state()
            tap.close()
            assert not tap.report.failed
            return sink

        run()
        sandbox.forget_requests()
        with counted() as calls:
            sink = run()
        requests = [one.path for one in sandbox.requests]
        tracemalloc.start()
        run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return Idle(requests, sink.states, calls["call"], peak)


@pytest.fixture(scope="module")
def runs() -> tuple[Idle, Idle]:
    return idle(FEW), idle(MANY)


def test_it_asks_for_the_meter_list_alone(runs: tuple[Idle, Idle]) -> None:
    for run in runs:
        assert {path.rpartition("/")[2] for path in run.requests} == {"meters"}


def test_it_sends_one_state_however_many_meters_there_are(
    runs: tuple[Idle, Idle],
) -> None:
    for run, meters in zip(runs, (FEW, MANY), strict=True):
        (state,) = run.states
        for stream in ("intervals", "usage"):
            assert len(state["bookmarks"][stream]["partitions"]) == meters


def test_a_meter_takes_few_calls(runs: tuple[Idle, Idle]) -> None:
    few, many = runs
    assert (many.calls - few.calls) / (MANY - FEW) <= 180


def test_a_meter_is_held_in_few_bytes(runs: tuple[Idle, Idle]) -> None:
    few, many = runs
    assert (many.peak - few.peak) / (MANY - FEW) <= 4_500

"""Many meters with little that is new share a request; what a failure of it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.sandbox import Sandbox, bench_world
from tests.oracle import Row
from tests.syncing import Run, config, sync

METERS = 120
ODD = "3000007"


@dataclass
class Fleet:
    """A sandbox with many meters, each with one reading more than the state knows."""

    sandbox: Sandbox
    state: Row

    def sync(self, **settings: Any) -> tuple[Run, Counter[str]]:
        """A run from the same state, and the requests it took, by path."""
        self.sandbox.forget_requests()
        chosen = {"max_retries": 0, "lookback_days": 0, "max_concurrency": 1}
        run = sync(config(self.sandbox, "utilityapi", **chosen, **settings), self.state)
        asked = Counter(one.path.rpartition("/")[2] for one in self.sandbox.requests)
        return run, asked


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    world = bench_world(meters=METERS, days=1, minutes=60, channels=1)
    with Sandbox(world) as sandbox:
        made = Fleet(sandbox, {})
        made.state = made.sync()[0].state
        world.advance(days=1 / 24)
        yield made


def test_a_hundred_meters_share_a_request(fleet: Fleet) -> None:
    run, asked = fleet.sync()
    assert asked == {"meters": 1, "intervals": 2, "bills": 2}
    limits = [request.query.get("limit") for request in fleet.sandbox.requests]
    # Objects of 31 hours, were each day one, and the bills that are listed.
    assert limits == [None, "300", "60", "100", "20"]
    assert newest(run) == everybody(run)


@pytest.mark.parametrize(
    ("trouble", "intervals", "lost"),
    [
        # One that caps `limit` in silence: what it left out comes with `next`.
        (lambda s: options(s, max_limit=30), 4 + 1, set()),
        # One that refuses it is asked once more, and without from then on.
        (
            lambda s: s.faults.add(query="limit=", status=400, times=None),
            1 + 20 + 4,
            set(),
        ),
        # One odd meter: its hundred in tens, its ten one by one.
        (lambda s: one_odd(s, 403), 2 + 10 + 10, {ODD}),
        (lambda s: one_odd(s, 504), 2 + 10 + 10 + 2, {ODD}),
        # A 400 may be the limit's fault, too.
        (lambda s: one_odd(s, 400), 2 + 10 + 10 + 2, {ODD}),
        # One that is not there at all is not asked again and again.
        (lambda s: one_odd(s, 503), 2 + 100, {ODD}),
    ],
)
def test_what_it_costs_where_a_shared_request_fails(
    fleet: Fleet, trouble: Callable[[Sandbox], object], intervals: int, lost: set[str]
) -> None:
    trouble(fleet.sandbox)
    try:
        run, asked = fleet.sync()
    finally:
        fleet.sandbox.faults.clear()
        options(fleet.sandbox, max_limit=1_000)
    assert asked["intervals"] == intervals
    assert newest(run) == everybody(run) - lost
    report = run.tap.report.sources("utilityapi")
    assert {uid for uid, end in report.items() if end is not Outcome.DONE} == lost


def one_odd(sandbox: Sandbox, status: int) -> None:
    fault = {"path": "/intervals", "status": status, "times": None}
    sandbox.faults.add(query=ODD, **fault)


def options(sandbox: Sandbox, **changed: Any) -> None:
    world = sandbox.world
    world.utilityapi_options = replace(world.utilityapi_options, **changed)
    world.advance()  # answers made before are forgotten


def newest(run: Run) -> set[str]:
    """The meters whose new reading came."""
    return {
        row["meter_key"]
        for row in run.rows("intervals")
        if row["interval_start"].startswith("2026-01-31T06:00:00")
    }


def everybody(run: Run) -> set[str]:
    return {row["meter_key"] for row in run.rows("meters")}

"""Random worlds, synced day by day: nothing is lost, nothing comes twice in a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_utility_intervals.providers.nectar.intervals import windows as reading
from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Lifetime,
    NectarMeter,
    Reading,
    Sandbox,
    Series,
    epoch,
)
from tests.providers.nectar.harness import (
    NOW,
    Shelf,
    connection,
    expected,
    intervals,
    kwh_meter,
    world_of,
)

EPOCH = epoch(NOW)
RUNS = 8
CHANGES = 3
"""Everything that changes the past does so in the first days."""


@dataclass(frozen=True)
class MeterPlan:
    """How a random meter behaves."""

    step: int
    days: int
    hole: tuple[int, int]
    late: int
    restated: int
    appears: int
    stretched: int

    def build(self, name: str) -> NectarMeter:
        start = EPOCH - self.days * DAY
        readings: list[Reading] = []
        for number, at in enumerate(range(start, EPOCH + RUNS * DAY, self.step)):
            if self.hole[0] * DAY <= at - start < self.hole[1] * DAY:
                continue
            end = at + self.step * (
                40 if self.stretched and number % 50 == self.stretched else 1
            )
            known = at + self.step
            if self.late and number % 9 == self.late:
                known = EPOCH + self.late * DAY // 2
            one = Reading(at, end, (f"{number % 7}.{number % 10}0",), known)
            readings.append(one)
            if self.restated and number % 11 == self.restated:
                again = max(known, EPOCH + self.restated * DAY // 2)
                readings.append(one._replace(values=("99.9",), available=again))
        appears = EPOCH + self.appears * DAY // 2 if self.appears else 0
        life = Lifetime(appears=appears)
        return kwh_meter(name, Series(readings), life=life)


meter_plans = st.builds(
    MeterPlan,
    step=st.sampled_from([HOUR, 6 * HOUR, DAY]),
    days=st.integers(1, 40),
    hole=st.tuples(st.integers(0, 20), st.integers(0, 40)),
    late=st.integers(0, 5),
    restated=st.integers(0, 5),
    appears=st.integers(0, 4),
    stretched=st.sampled_from([0, 0, 3]),
)


@contextmanager
def most_rows(count: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "MOST_ROWS", count)
        yield


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    plans=st.lists(meter_plans, min_size=1, max_size=3),
    order=st.sampled_from(["start", "created", "shuffled"]),
    page_size=st.sampled_from([5, 30, 100]),
    cap=st.sampled_from([40, 200, 10_000]),
    lookback=st.integers(0, 10),
    narrow=st.sampled_from([None, None, 6]),
)
def test_day_by_day_all_that_is_new_arrives(
    plans: list[MeterPlan],
    order: str,
    page_size: int,
    cap: int,
    lookback: int,
    narrow: int | None,
) -> None:
    if narrow:  # nobody could ask for a reading that is wider than any answer
        plans = [replace(plan, stretched=0) for plan in plans]
    meters = [plan.build(f"m{n}") for n, plan in enumerate(plans)]
    world = world_of(connection("a", *meters), order=order, page_size=page_size)
    wish: dict[str, Any] = {
        "lookback_days": lookback,
        "full_rescan_days": RUNS - CHANGES,
    }
    if narrow:
        # Where open requests are not answered, history is found by full scans alone.
        wish["start_date"] = "2026-02-01"
    with Sandbox(world) as sandbox, most_rows(cap):
        if narrow:
            sandbox.faults.add(
                path="/interval/", status=502, times=None, min_days=narrow
            )
        since = "2026-02-01T00:00:00Z" if narrow else ""
        shelf, known = Shelf(), dict[Any, Decimal | None]()
        for day in range(RUNS + 1):
            if day:
                world.advance(days=1)
            before = expected(world, since).keys() - known.keys()
            run = intervals(sandbox, shelf, **wish)
            assert run.lost == []
            assert run.finished == 1
            known |= run.values
            if not narrow:
                assert before <= run.values.keys()
        assert known == expected(world, since)

"""Random odd servers, whose lists change at any request: all comes, or it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.clock import nobody_waits
from tests.providers.nectar.test_odd_servers import (
    HOUR,
    ORDERS,
    Odd,
    Row,
    _small_memory,  # noqa: F401 - a fixture
    hours,
    row_at,
)

WORLDS = int(os.environ.get("WORLDS", "8"))


@dataclass(frozen=True)
class Arrival:
    """Hours that are there from one request on, by their numbers, or are told anew."""

    request: int
    first: int
    count: int

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)


@dataclass(frozen=True)
class Scene:
    """A server, what it has from the beginning, and what becomes of that."""

    count: int
    arrivals: tuple[Arrival, ...]
    odd: dict[str, Any]
    wish: dict[str, Any]
    renamed: bool
    """Whether the second run meets a meter with one more identifier."""


arrivals = st.builds(
    Arrival,
    request=st.one_of(st.integers(1, 12), st.integers(1, 60)),
    first=st.integers(0, 1_500),
    count=st.sampled_from((1, 30, 400)),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    ignores = draw(st.sets(st.sampled_from(("startDate", "endDate", "datasourceType"))))
    # Who does not filter and ends early cannot be asked for the rest.
    cap = None if ignores else draw(st.sampled_from((None, None, 40, 99, 200, 1_000)))
    shift = draw(st.sampled_from((0, 0, -14, -8, 1, 14)))
    return Scene(
        draw(st.one_of(st.integers(0, 120), st.integers(0, 1_500))),
        tuple(draw(st.lists(arrivals, max_size=3))),
        {
            "ignores": frozenset(ignores),
            "cap": cap,
            "page_cap": draw(st.sampled_from((None, cap))),
            "shift": shift * HOUR,
            "order": draw(st.sampled_from(ORDERS)),
        },
        {
            "window_days": draw(st.sampled_from((None, 10))),
            "max_concurrency": draw(st.sampled_from((1, 4))),
            "lookback_days": draw(st.sampled_from((2, 14))),
        },
        renamed=draw(st.booleans()),
    )


def changing(scene: Scene) -> Odd:
    """The server of a scene; what arrives was told in a first form before."""
    waiting = sorted(scene.arrivals, key=lambda one: one.request)

    def arrive(odd: Odd, number: int) -> None:
        while waiting and waiting[0].request <= number:
            known = {row["id"]: row for row in odd.rows}
            fresh = [row_at(one) for one in waiting.pop(0).numbers]
            odd.rows = [*(known | {row["id"]: row for row in fresh}).values()]

    late = {number for one in scene.arrivals for number in one.numbers}
    rows = [row for row in hours(scene.count) if int(row["usage"]) not in late]
    return Odd(rows, arrive=arrive, **scene.odd)


def held(*runs: Any) -> dict[str, str]:
    """What a warehouse holds: the newest value of each row."""
    return {
        row["source_id"]: str(row["quantity"])
        for run in runs
        for row in run.rows("intervals")
    }


def told(row: Row) -> tuple[str, str]:
    return row["id"], row["usage"]


@settings(
    derandomize=True,
    deadline=None,
    max_examples=WORLDS,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[*HealthCheck],
)
@given(scenes())
def test_whatever_changes_at_whatever_request_comes_or_is_told(scene: Scene) -> None:
    odd = changing(scene)
    with nobody_waits():
        first = odd.sync(**scene.wish)
        if scene.renamed:
            odd.meter_numbers = ("1", "2")
            odd.rows = [{**row, "identifiers": odd.identifiers} for row in odd.rows]
        odd.arrive = None
        odd.rows = [*odd.rows, row_at(1_950)]
        second = odd.sync(first.state, **scene.wish)
    for run in (first, second):
        assert run.failed == any(run.tap.report.reasons.values())
        ids = [row["source_id"] for row in run.rows("intervals")]
        assert len(ids) == len(set(ids))
    if not second.failed:
        assert held(first, second) == dict(map(told, odd.rows))
        if scene.renamed and not first.failed:
            # Under its new key all of its history comes again.
            assert len(second.rows("intervals")) == len(odd.rows)

"""Random runs that are stopped again and again: each of them gets on, none loses a row.

Time is counted in requests: after so many of a run nothing of it comes through.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tests.clock import nobody_waits
from tests.current import current
from tests.providers.lying import Warehouse
from tests.providers.nectar.test_odd_servers import (
    ORDERS,
    Odd,
    Query,
    Row,
    _small_memory,  # noqa: F401 - a fixture
    envelope,
    row_at,
)
from tests.syncing import Run

WORLDS = int(os.environ.get("WORLDS", "8"))
LATEST = 1_400
"""The number of the last reading that may arrive first."""
LISTS = 4
"""Requests before the first source: companies, connections, meters, a second page."""


class Stopped(BaseException):
    """The time of a run is over."""


@dataclass
class Part(Odd):
    """One of several connections."""

    name: str = ""

    def place(self, row: Row) -> Row:
        """A row as one of this connection's."""
        return {
            **row,
            "id": f"{self.name}-{row['id']}",
            "account": f"a{self.name}",
            "identifiers": self.identifiers,
        }

    def hold(self, numbers: Iterable[int]) -> None:
        """Let it have readings, by their numbers, beside those it has."""
        fresh = (self.place(row_at(number)) for number in numbers)
        self.rows = [*{r["id"]: r for r in [*self.rows, *fresh]}.values()]

    def rename(self) -> None:
        """Let its meter have one more identifier."""
        self.meter_numbers = (*self.meter_numbers, str(len(self.meter_numbers) + 1))
        self.rows = [{**row, "identifiers": self.identifiers} for row in self.rows]


@dataclass(frozen=True)
class Event:
    """What happens at a request."""

    request: int
    part: int
    first: int
    count: int
    """No reading at all: the meter is renamed."""


@dataclass
class Several(Odd):
    """Connections of one company, which change while they are read."""

    parts: list[Part] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """Those to come, the next at the end."""
    requests: int = 0
    left: int | None = None
    """How many more requests there is time for; None: for any."""

    @override
    def respond(self, path: str, query: Query) -> Any:
        self.requests += 1
        if self.left is not None:
            self.left -= 1
        while self.events and self.events[-1].request <= self.requests:
            event = self.events.pop()
            part = self.parts[event.part % len(self.parts)]
            if event.count:
                part.hold(range(event.first, event.first + event.count))
            else:
                part.rename()
        names = [part.name for part in self.parts]
        if path == "/connection/company/co":
            accounts = ([{"id": f"a{n}", "meters": [f"m{n}"]}] for n in names)
            rows = zip(names, accounts, strict=True)
            return envelope("connections", [{"id": n, "accounts": a} for n, a in rows])
        if path == "/meter/company/co":
            return envelope("meters", [self.meter(part) for part in self.parts])
        for part in self.parts:
            if path == f"/interval/connection/{part.name}":
                return part.page(query)
        return super().respond(path, query)

    @staticmethod
    def meter(part: Part) -> Row:
        kind, told = "ELECTRICITY", part.identifiers
        named = {"id": f"m{part.name}", "account": f"a{part.name}"}
        return {**named, "datasourceType": kind, "identifiers": told}

    @property
    def told(self) -> dict[str, str]:
        return {row["id"]: row["usage"] for part in self.parts for row in part.rows}


class Pipe(io.StringIO):
    """What reads a run as long as there is time."""

    def __init__(self, several: Several) -> None:
        super().__init__()
        self.several = several

    @override
    def write(self, text: str) -> int:
        if self.several.left is not None and self.several.left < 0:
            raise Stopped
        return super().write(text)


@dataclass(frozen=True)
class Scene:
    counts: list[int]
    events: list[Event]
    order: Any
    workers: int
    patience: int
    """How many requests a run may send, for each source that may be under way."""
    minutes: int
    """Between two runs by the server's clock, which may stand still."""


events = st.builds(
    Event,
    request=st.one_of(st.integers(1, 30), st.integers(1, 400)),
    part=st.integers(0, 5),
    first=st.integers(0, LATEST),
    count=st.sampled_from((0, 1, 30, 200)),
)
scenes = st.builds(
    Scene,
    counts=st.lists(st.integers(0, 350), min_size=2, max_size=6),
    events=st.lists(events, max_size=4),
    order=st.sampled_from(ORDERS),
    workers=st.sampled_from((1, 1, 4)),
    patience=st.sampled_from((8, 12, 20)),
    minutes=st.sampled_from((0, 1)),
)


def reached(state: Row | None) -> set[str]:
    """The connections that were read to their end."""
    found = (state or {}).get("bookmarks", {}).get("intervals", {})
    return {
        entry["context"]["connection_id"]
        for entry in found.get("partitions", ())
        if "of" in entry and "resume" not in entry
    }


def built(scene: Scene) -> Several:
    parts = []
    for number, count in enumerate(scene.counts):
        part = Part([], name=f"c{number}", order=scene.order)
        part.hold(range(count))
        parts.append(part)
    events = sorted(scene.events, key=lambda one: -one.request)
    return Several([], parts=parts, events=events)


def run_on(
    several: Several, warehouse: Warehouse, scene: Scene, allowed: int | None = None
) -> Run | None:
    """A run a bit later, of which only so much comes through; None if stopped."""
    several.today += timedelta(minutes=scene.minutes)
    several.left, pipe = allowed, Pipe(several)
    wish = {"max_concurrency": scene.workers, "state_interval_seconds": 0}
    run = None
    with suppress(Stopped):
        run = several.sync(warehouse.state, pipe, lookback_days=2, **wish)
    warehouse.load(json.loads(line) for line in pipe.getvalue().splitlines())
    return run


def runs_until(
    done: Callable[[], bool], several: Several, warehouse: Warehouse, scene: Scene
) -> None:
    """Stop one run after the other until all is done; each source may take one."""
    at_once = min(scene.workers + (scene.workers > 1), len(several.parts))
    runs = len(several.parts) + len(several.events)
    while not done() and runs:
        runs -= 1
        run_on(several, warehouse, scene, LISTS + at_once * scene.patience)
    assert done()


@settings(
    derandomize=True,
    deadline=None,
    max_examples=max(3, WORLDS // 2),
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[*HealthCheck],
)
@example(Scene([300] * 5, [], list, workers=1, patience=8, minutes=0))
@given(scenes)
def test_runs_that_are_always_stopped_reach_every_source(scene: Scene) -> None:
    several, warehouse = built(scene), Warehouse()
    names = {part.name for part in several.parts}

    def is_reached() -> bool:
        return reached(warehouse.state) == names

    def has_news() -> bool:
        known = {row["source_id"] for row in warehouse.rows["intervals"]}
        return known >= several.told.keys()

    with nobody_waits():
        runs_until(is_reached, several, warehouse, scene)
        several.events.clear()
        for part in several.parts:
            part.hold([LATEST + 400])
        runs_until(has_news, several, warehouse, scene)
        run = run_on(several, warehouse, scene)
    assert run is not None
    assert not run.failed, run.tap.report.reasons
    rows = warehouse.rows["intervals"]
    assert {row["source_id"]: str(row["quantity"]) for row in rows} == several.told
    there = current(rows, warehouse.rows["coverage"]).values()
    assert {row["source_id"] for row in there} == several.told.keys()

"""Random worlds behind servers that lie: current rows are true, or it is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tap_utility_intervals.sandbox import DAY, HOUR, Reading, Sandbox, Series, epoch
from tests.clock import nobody_waits
from tests.oracle import Values, values
from tests.providers.contract import NAMES, NOW, House, Subject, subject_of
from tests.providers.lying import (
    COUNTS,
    COVERAGE,
    IGNORED,
    Liar,
    Lies,
    Warehouse,
    through,
)

WORLDS = int(os.environ.get("WORLDS", "10"))
TODAY = epoch(NOW)
DAYS = 4
LOOKBACK = 8
RECENT = 6
"""Everything that changes is so many days old at most: the look-back finds it."""


def worlds(share: float = 1.0) -> settings:
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=max(4, int(WORLDS * share)),
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@dataclass(frozen=True)
class Change:
    """What becomes of an hour, and when that is known."""

    hour: int
    """Counted back from the day of the change."""
    day: int
    how: str


CHANGES = ("value", "end", "quarters", "withdrawn", "late")

changes = st.builds(
    Change,
    hour=st.integers(1, RECENT * 24 - DAYS * 24 - 1),
    day=st.integers(1, DAYS),
    how=st.sampled_from(CHANGES),
)


def changed(reading: Reading, how: str, known: int) -> list[Reading]:
    """What is said of an hour in its life: each word known from its own time on."""
    start, end = reading.start, reading.end
    gone = reading._replace(values=(), available=known)
    if how == "value":
        return [reading, reading._replace(values=("88.25",), available=known)]
    if how == "end":
        return [reading, gone, Reading(start, end - 60, reading.values, known)]
    if how == "quarters":
        quarter = (end - start) // 4
        parts = range(start, end, quarter)
        return [
            reading,
            gone,
            *(Reading(at, at + quarter, ("0.25",), known) for at in parts),
        ]
    if how == "withdrawn":
        return [reading, gone]
    return [reading._replace(available=known)]


def hours(days: int, drawn: Iterable[Change], hole: range = range(0)) -> Series:
    """Hourly readings of so many days, some of which change, and of days to come."""
    by_start = {
        TODAY + one.day * DAY - 12 * HOUR - one.hour * HOUR: one for one in drawn
    }
    found: list[Reading] = []
    start = TODAY - days * DAY
    for number, at in enumerate(range(start, TODAY + (DAYS + 1) * DAY, HOUR)):
        if number in hole:
            continue
        reading = Reading(at, at + HOUR, (f"{number % 9}.{number % 10}0",), at + HOUR)
        change = by_start.get(at)
        if change is None:
            found.append(reading)
        else:
            known = max(TODAY + change.day * DAY - HOUR, reading.available + 1)
            found += changed(reading, change.how, known)
    return Series(found)


SERIES = hours(
    30,
    [Change(5 + 2 * n, 1 + n % DAYS, how) for n, how in enumerate(CHANGES)],
    range(200, 210),
)
SETTINGS: Mapping[str, Any] = {"lookback_days": LOOKBACK, "max_concurrency": 1}


@st.composite
def series(draw: st.DrawFn) -> Series:
    hole = draw(st.integers(0, 30 * 24))
    wide = draw(st.sampled_from((0, 0, 1, 30)))
    drawn = draw(st.lists(changes, max_size=5))
    return hours(draw(st.integers(2, 40)), drawn, range(hole, hole + wide))


@st.composite
def lies_of(draw: st.DrawFn, provider: str) -> Lies:
    withheld = draw(st.sampled_from((0, 0, 0, 2, 13)))
    # Who promises nothing, or less, can keep things back without a trace.
    counts = ("true", "one more") if withheld else sorted(COUNTS)
    return Lies(
        ignored=frozenset(
            draw(st.sets(st.sampled_from(IGNORED[provider]), max_size=2))
        ),
        count=draw(st.sampled_from(counts)),
        coverage=draw(st.sampled_from(sorted(COVERAGE))),
        withheld=withheld,
        no_next=draw(st.booleans()),
        lag=draw(st.sampled_from((0, 0, 5, 30))),
        backwards=draw(st.booleans()),
        renamed=draw(st.booleans()),
    )


@dataclass(frozen=True)
class Scene:
    """A world in a provider's words, and what its server lies about."""

    houses: tuple[House, ...]
    lies: Lies
    settings: Mapping[str, Any]
    cuts: Mapping[int, float] = field(default_factory=dict)
    """On which day only so much of what was written comes through."""
    filtered: frozenset[int] = frozenset()
    """On which days gas meters are not asked for."""

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: FBT001 - IPython's
        printer.text(f"Scene({len(self.houses)} houses, {self.lies}, ")
        printer.text(f"{self.settings}, {self.cuts}, {self.filtered})")


@st.composite
def scenes(draw: st.DrawFn, provider: str, *, honest: bool = False) -> Scene:
    count = draw(st.integers(1, 2))
    gas = st.one_of(st.none(), series())
    return Scene(
        tuple(House(str(101 + n), draw(series()), gas=draw(gas)) for n in range(count)),
        Lies() if honest else draw(lies_of(provider)),
        {
            "lookback_days": LOOKBACK,
            "max_concurrency": draw(st.sampled_from((1, 4))),
            "full_rescan_days": draw(st.sampled_from((0, 2))),
            "state_interval_seconds": 0,
        },
        draw(st.dictionaries(st.integers(0, DAYS - 1), st.floats(0, 1), max_size=2)),
        frozenset(draw(st.sets(st.integers(0, DAYS - 1), max_size=2))),
    )


def follow(subject: Subject, scene: Scene) -> None:
    """Sync day by day; after each day the current rows are true, or it failed."""
    world, lies = subject.world(*scene.houses), scene.lies
    gas = {subject.gas_key(house) for house in scene.houses}
    power_alone = subject.power_alone(*scene.houses)
    table = through(subject.name, lambda api: Liar(api, lies, world))
    with Sandbox(world, providers=table) as sandbox, nobody_waits():
        warehouse = Warehouse()
        for day in range(DAYS + 1):
            if day:
                world.advance(days=1)
            is_filtered = day in scene.filtered
            wish = {**scene.settings, **(power_alone if is_filtered else {})}
            run = subject.sync(sandbox, warehouse.state, **wish)
            messages, came = run.messages, values(run.rows("intervals"))
            truth = lies.served(world, subject.truth(world))
            before = warehouse.current()
            if is_filtered:
                truth = without(gas, truth) | {
                    key: value for key, value in before.items() if key[0] in gas
                }
                assert without(gas, came) == came
            assert came.items() <= truth.items()
            if day in scene.cuts:
                warehouse.load(messages[: int(len(messages) * scene.cuts[day])])
                continue
            warehouse.load(messages)
            report = run.tap.report
            told = [*report.reasons.values(), *report.stopped.values()]
            if run.failed and lies != Lies():
                assert any(told)
                continue
            assert not run.failed, told
            current = warehouse.current()
            if any(not row["is_complete"] for row in run.rows("coverage")):
                # An under-read is told, and retires nothing: what was there stays.
                assert report.warnings or report.notes or is_filtered
                current = {k: value for k, value in current.items() if k in truth}
            assert current == truth, (
                day,
                sorted(truth.keys() - current.keys())[:3],
                sorted(current.keys() - truth.keys())[:3],
                dict(report.warnings),
            )


def without(meters: set[str], known: Values) -> Values:
    """What is known of other meters than these."""
    return {key: value for key, value in known.items() if key[0] not in meters}


@pytest.mark.parametrize(
    ("provider", "lies"),
    [
        pytest.param(name, lies, id=f"{name}-{what}")
        for name in NAMES
        for what, lies in {
            **{word: Lies(ignored=frozenset({word})) for word in IGNORED[name]},
            **{f"count {word}": Lies(count=word) for word in COUNTS},
            **{f"coverage {word}": Lies(coverage=word) for word in COVERAGE},
            "half withheld": Lies(withheld=2),
            "no next": Lies(no_next=True),
            "lag": Lies(lag=20),
            "backwards": Lies(backwards=True),
            "renamed": Lies(renamed=True),
        }.items()
    ],
)
def test_one_lie_at_a_time(provider: str, lies: Lies) -> None:
    house, filtered = House("101", SERIES), frozenset[int]()
    if lies.ignored & {"uids", "datasourceType"}:
        house, filtered = replace(house, gas=SERIES), frozenset({0, 1, 3})
    follow(subject_of(provider), Scene((house,), lies, SETTINGS, filtered=filtered))


@pytest.mark.parametrize("provider", NAMES)
def test_a_run_without_gas_meters_retires_nothing_of_theirs(provider: str) -> None:
    houses = House("101", SERIES, gas=SERIES), House("102", SERIES)
    scene = Scene(houses, Lies(), SETTINGS, filtered=frozenset({0, 1, 3}))
    follow(subject_of(provider), scene)


@pytest.mark.parametrize("provider", NAMES)
@worlds(0.5)
@given(data=st.data())
def test_of_an_honest_server_every_current_row_is_the_worlds(
    provider: str, data: st.DataObject
) -> None:
    follow(subject_of(provider), data.draw(scenes(provider, honest=True)))


@pytest.mark.parametrize("provider", NAMES)
@worlds()
@given(data=st.data())
def test_of_a_lying_server_every_current_row_is_the_worlds_or_it_is_told(
    provider: str, data: st.DataObject
) -> None:
    follow(subject_of(provider), data.draw(scenes(provider)))

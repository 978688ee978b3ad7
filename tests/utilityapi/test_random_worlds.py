"""Properties that hold in every world: nothing lost, nothing twice, nothing altered."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tap_utility_intervals.sandbox import Sandbox
from tests.syncing import config, sync
from tests.utilityapi.worlds import Follower, Scene, scenes

few, many = (
    settings(
        derandomize=True,
        deadline=None,
        max_examples=examples,
        # Shrinking a world takes minutes, and a failing one is told in a line as it is.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    for examples in (25, 300)
)
weeks = settings(few, max_examples=4)
many_weeks = settings(many, max_examples=40)


def each_sync_delivers_what_is_new_and_what_is_restated(scene: Scene) -> None:
    with Sandbox(scene.world) as sandbox:
        follower = Follower(scene, sandbox)
        follower.sync(advancing=scene.advances)
        for days in scene.steps:
            scene.world.advance(days=days)
            follower.sync(advancing=scene.advances)
        follower.sync()


def after_a_week_of_daily_syncs_nothing_differs(scene: Scene) -> None:
    with Sandbox(scene.world) as sandbox:
        follower = Follower(scene, sandbox)
        follower.sync()
        for _ in range(10 + 7):  # restatements end on the ninth day
            scene.world.advance(days=1)
            follower.sync()
        there = {m.uid for m in scene.world.utilityapi if scene.world.is_there(m)}
        known = {k: v for k, v in follower.known.items() if k[0] in there}
        assert known == scene.truth()


def eight_workers_write_what_one_writes(scene: Scene) -> None:
    def lines(workers: int) -> list[str]:
        began = scene.world.now
        with Sandbox(scene.world) as sandbox:
            chosen = scene.settings | {"max_concurrency": workers}
            first = sync(config(sandbox, "utilityapi", **chosen))
            scene.world.advance(days=1)
            second = sync(config(sandbox, "utilityapi", **chosen), first.state)
            scene.world.move(began)
        both = first.lines + second.lines
        # The two that tell when the run was, and not what it read.
        return [re.sub('"(time_extracted|listed_at)":"[^"]*"', "", x) for x in both]

    assert lines(1) == lines(8)


test_each_sync_delivers_what_is_new_and_what_is_restated = few(
    given(scenes())(each_sync_delivers_what_is_new_and_what_is_restated)
)
test_after_a_week_of_daily_syncs_nothing_differs = weeks(
    given(scenes(full_rescan_days=7))(after_a_week_of_daily_syncs_nothing_differs)
)
test_eight_workers_write_what_one_writes = settings(few, max_examples=10)(
    given(scenes())(eight_workers_write_what_one_writes)
)


@pytest.mark.slow
@many
@given(scenes())
def test_many_worlds_day_by_day(scene: Scene) -> None:
    each_sync_delivers_what_is_new_and_what_is_restated(scene)


@pytest.mark.slow
@many_weeks
@given(scenes(full_rescan_days=7))
def test_many_weeks(scene: Scene) -> None:
    after_a_week_of_daily_syncs_nothing_differs(scene)


@pytest.mark.slow
@settings(many, max_examples=100)
@given(scenes())
def test_many_worlds_with_eight_workers(scene: Scene) -> None:
    eight_workers_write_what_one_writes(scene)

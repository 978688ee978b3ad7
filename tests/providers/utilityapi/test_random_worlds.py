"""Properties that hold in every world: nothing lost, nothing twice, nothing altered."""

from __future__ import annotations

import os
import re

from hypothesis import HealthCheck, Phase, given, settings

from tap_utility_intervals.sandbox import Sandbox
from tests.providers.utilityapi.worlds import Follower, Scene, scenes
from tests.syncing import config, sync

WORLDS = int(os.environ.get("WORLDS", "40"))
"""How many worlds each property is tried on; before a release, WORLDS=400."""


def worlds(share: float = 1.0) -> settings:
    return settings(
        derandomize=True,
        deadline=None,
        max_examples=max(4, int(WORLDS * share)),
        # Shrinking a world takes minutes, and a failing one is told in a line as it is.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@worlds()
@given(scenes())
def test_each_sync_delivers_what_is_new_and_what_is_restated(scene: Scene) -> None:
    with Sandbox(scene.world) as sandbox:
        follower = Follower(scene, sandbox)
        follower.sync(advancing=scene.advances)
        for days in scene.steps:
            scene.world.advance(days=days)
            follower.sync(advancing=scene.advances)
        follower.sync()


@worlds(0.15)
@given(scenes(full_rescan_days=7))
def test_after_a_week_of_daily_syncs_nothing_differs(scene: Scene) -> None:
    with Sandbox(scene.world) as sandbox:
        follower = Follower(scene, sandbox)
        follower.sync()
        for _ in range(10 + 7):  # restatements end on the ninth day
            scene.world.advance(days=1)
            follower.sync()
        there = {m.uid for m in scene.world.utilityapi if scene.world.is_there(m)}
        known = {k: v for k, v in follower.known.items() if k[0] in there}
        assert known == scene.truth()


@worlds(0.3)
@given(scenes())
def test_eight_workers_write_what_one_writes(scene: Scene) -> None:
    def lines(workers: int) -> list[str]:
        began = scene.world.now
        with Sandbox(scene.world) as sandbox:
            # At most one STATE in ten seconds would be a matter of the machine.
            chosen = scene.settings | {
                "max_concurrency": workers,
                "state_interval_seconds": 0,
            }
            first = sync(config(sandbox, "utilityapi", **chosen))
            scene.world.advance(days=1)
            second = sync(config(sandbox, "utilityapi", **chosen), first.state)
            scene.world.move(began)
        both = first.lines + second.lines
        # Those that tell when the run was, and not what it read.
        return [
            re.sub('"(time_extracted|listed_at|read_at)":"[^"]*"', "", x) for x in both
        ]

    assert lines(1) == lines(8)

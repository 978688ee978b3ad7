"""Three credentials side by side into one schema: each day what their worlds say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Lifetime, Sandbox, UtilityMeter, World, epoch
from tests.oracle import Key, readings
from tests.store.fleets import ByLoad, ByMeltano, Fleet, block
from tests.store.loads import hours, small_world
from tests.syncing import config
from tests.warehouses.server import Server, postgres

pytestmark = pytest.mark.slow

RUN = "utility_intervals_run_"
TONIGHT = epoch("2026-03-08T20:00:00Z")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


def worlds() -> dict[str, World]:
    def one(*uids: str) -> World:
        life = {"102": Lifetime(vanishes=TONIGHT)}
        return World(small_world().now, [
            UtilityMeter(uid, hours("2026-02-20", 600), block_days=2,
                         life=life.get(uid, Lifetime()))
            for uid in uids
        ])  # fmt: skip

    nectar = small_world()
    return {
        "west": one("101", "102"),
        "east": one("201", "202"),
        "nectar": World(nectar.now, (), nectar.nectar),
    }


def provider(name: str) -> str:
    return "nectar" if name == "nectar" else "utilityapi"


@pytest.mark.parametrize("way", [ByLoad, ByMeltano])
def test_each_day_the_tables_are_what_the_worlds_say(
    tmp_path: Path, server: Server, way: type[Fleet]
) -> None:
    fleet = way(tmp_path, server)
    with ExitStack() as stack:
        sandboxes = {
            name: stack.enter_context(Sandbox(world))
            for name, world in worlds().items()
        }

        def offered(*names: str) -> dict[Key, object]:
            return {
                key: value
                for name in names
                for key, value in readings(
                    sandboxes[name].world, provider(name)
                ).items()
            }

        for name, sandbox in sandboxes.items():
            fleet.settings[name] = config(sandbox, provider(name))
        assert fleet.first() == 0
        first = offered(*sandboxes)
        nectar = {key[0] for key in offered("nectar")}
        assert fleet.held() == first
        assert fleet.listed() == {"101", "102", "201", "202", *nectar}

        large = block("operations.md", "sql large")
        server.run("-c", f"set search_path to {fleet.schema}; {large}")
        assert fleet.held() == first

        for sandbox in sandboxes.values():
            sandbox.world.advance(days=1)
            sandbox.forget_requests()
        fleet.settings["east"]["utilityapi_api_token"] = "refused"
        assert fleet.daily() == 1
        # Of the refused one, and of the meter that has vanished, yesterday stays.
        stays = {key: v for key, v in first.items() if key[0] in {"102", "201", "202"}}
        assert fleet.held() == {**stays, **offered("west", "nectar")}
        assert fleet.listed() == {"101", "201", "202", *nectar}

        for name, sandbox in sandboxes.items():
            told, of = fleet.metrics(name), f'credential_name="{name}"'
            of_provider = f'{{{of},provider="{provider(name)}"}}'
            assert f"{RUN}exit_code{{{of}}} {int(name == 'east')}\n" in told
            assert f"{RUN}given_up{of_provider} {int(name == 'east')}\n" in told
            assert f"{RUN}requests{of_provider} {len(sandbox.requests)}\n" in told
            assert not [s for s in (sandbox.token, sandbox.api_key) if s in told]

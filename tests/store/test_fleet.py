"""Three credentials side by side into one schema: each day what their worlds say."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.sandbox import Lifetime, Sandbox, UtilityMeter, World, epoch
from tests.commands.running import COMMAND
from tests.current import current
from tests.oracle import Key, Row, readings
from tests.packaging.tree import ROOT
from tests.store.loads import hours, small_world
from tests.syncing import config
from tests.warehouses.server import DATABASE, PASSWORD, USER, Server, postgres

pytestmark = pytest.mark.slow

TONIGHT = epoch("2026-03-08T20:00:00Z")
PAGE = (ROOT / "docs" / "fleets.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")


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


def loaded(folder: Path, server: Server) -> int:
    """Run the page's own script."""
    (script,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    here = f"{USER}@127.0.0.1:{server.port}/{DATABASE}"
    script = script.replace("loader@db.example.com/warehouse", here)
    done = subprocess.run(
        ["sh", "-c", script.replace("utility-intervals load", f"{COMMAND} load")],
        cwd=folder,
        env={**os.environ, "PGPASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


def listed(server: Server) -> set[str]:
    schema = {"utility_intervals_schema": "energy"}
    models = Models("postgres", DATABASE, "energy", schema)
    rows = server.query(models.sql("stg_utility_intervals__meters"), "energy")
    return {row["meter_key"] for row in rows if row["is_listed"]}


def held(server: Server) -> dict[Key, object]:
    """Current readings; instants as the oracle has them."""

    form = '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\''

    def text(name: str) -> str:
        return f"to_char({name} at time zone 'UTC', {form}) as {name}"

    intervals = server.query(
        "select provider, meter_key, connection_id, channel, quantity, read_at, "
        + ", ".join(map(text, ("interval_start", "interval_end")))
        + " from intervals",
        "energy",
    )
    coverage = server.query(
        "select provider, source, is_complete, read_at, "
        + ", ".join(map(text, ("range_start", "range_end")))
        + " from coverage",
        "energy",
    )
    found: Mapping[Key, Row] = current(intervals, coverage)
    return {key: row["quantity"] for key, row in found.items()}


def test_each_day_the_tables_are_what_the_worlds_say(
    tmp_path: Path, server: Server
) -> None:
    server.run("-c", "create schema if not exists energy")
    with ExitStack() as stack:
        sandboxes = {
            name: stack.enter_context(Sandbox(world))
            for name, world in worlds().items()
        }

        def configure(name: str, **more: object) -> None:
            chosen = config(sandboxes[name], provider(name), credential_name=name)
            (tmp_path / f"{name}.json").write_text(json.dumps({**chosen, **more}))

        def offered(*names: str) -> dict[Key, object]:
            return {
                key: value
                for name in names
                for key, value in readings(
                    sandboxes[name].world, provider(name)
                ).items()
            }

        for name in sandboxes:
            configure(name)
        assert loaded(tmp_path, server) == 0
        first = offered(*sandboxes)
        nectar = {key[0] for key in offered("nectar")}
        assert held(server) == first
        assert listed(server) == {"101", "102", "201", "202", *nectar}

        (large,) = re.findall(
            r"^```sql large\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL
        )
        server.run("-c", f"set search_path to energy; {large}")
        assert held(server) == first

        for sandbox in sandboxes.values():
            sandbox.world.advance(days=1)
        configure("east", utilityapi_api_token="refused")
        assert loaded(tmp_path, server) == 1
        # Of the refused one, and of the meter that has vanished, yesterday stays.
        stays = {key: v for key, v in first.items() if key[0] in {"102", "201", "202"}}
        assert held(server) == {**stays, **offered("west", "nectar")}
        assert listed(server) == {"101", "201", "202", *nectar}

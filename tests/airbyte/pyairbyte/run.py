"""PyAirbyte into DuckDB, six times: `python -m tests.airbyte.pyairbyte.run`.

It runs in `.venvs/pyairbyte`, made here, offline, against a sandbox in this process.
After every sync the table must hold the sandbox's world, reading by reading.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tap_utility_intervals.sandbox import Sandbox, World, tiny_world, truth
from tests.airbyte.environments import CONNECTOR, environment, say
from tests.oracle import channel, meter_key, naive
from tests.syncing import config

HERE = Path(__file__).parent
STREAMS = ["intervals", "meters", "usage", "coverage"]
COLUMNS = "provider, meter_key, channel, interval_start, interval_end, quantity"
LOOKBACK = 2
BLOCK_DAYS = 4
"""UtilityAPI is asked from the beginning of the object that the look-back begins in."""

BESIDES = 50
"""Meters and bills: a few."""

Reading = tuple[Any, ...]
"""The columns."""


class Client:
    """A user of PyAirbyte with a warehouse of their own."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        """Keep everything in `folder`."""
        self.folder = folder
        self.sandbox = sandbox
        self.python = environment("pyairbyte", HERE / "requirements.txt") / "python"
        self.database = folder / "warehouse.duckdb"
        self.settings = config(
            sandbox,
            lookback_days=LOOKBACK,
            max_retries=1,
            utilityapi_meters_per_request=1,
        )

    def expect(
        self,
        what: str,
        table: Counter[Reading],
        most: int,
        least: int,
        *,
        fails: bool = False,
        force: bool = False,
    ) -> None:
        """Sync; the table must then be `table`, and about so much have been read."""
        done = self.sync(force=force)
        records = done.get("records", 0)
        wrong = (self.table - table) + (table - self.table)
        say(f"{what}: {records} records read, {self.table.total()} readings there")
        if wrong or bool(done["error"]) != fails or not least <= records <= most:
            some = "\n".join(map(str, list(wrong.items())[:10]))
            sys.exit(
                f"{wrong.total()} readings are wrong; read {least} to {most}?\n"
                f"{some}\n{done['error']}"
            )

    def sync(self, *, force: bool = False) -> dict[str, Any]:
        """One sync, in a process of its own."""
        order = self.folder / "order.json"
        wish = {
            "config": self.settings,
            "executable": str(CONNECTOR),
            "streams": STREAMS,
            "database": str(self.database),
            "force": force,
        }
        order.write_text(json.dumps(wish))
        done = subprocess.run(
            [self.python, HERE / "step.py", order],
            cwd=self.folder,
            env={
                **{n: v for n, v in os.environ.items() if n != "PYTHONPATH"},
                "AIRBYTE_OFFLINE_MODE": "1",
                "AIRBYTE_PROJECT_DIR": str(self.folder),
                "AIRBYTE_TEMP_DIR": str(self.folder),
                "AIRBYTE_LOGGING_ROOT": str(self.folder / "logs"),
                "HOME": str(self.folder),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        result: dict[str, Any] = json.loads(order.with_suffix(".done").read_text())
        return result

    @property
    def table(self) -> Counter[Reading]:
        """What the warehouse holds; a row that is there twice counts twice."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            rows = connection.execute(f"select {COLUMNS} from raw.intervals").fetchall()
        return Counter(rows)


def offered(world: World) -> Counter[Reading]:
    """What the warehouse must hold."""
    return Counter(
        (
            reading.provider,
            meter_key(reading),
            channel(reading),
            naive(reading.start),
            naive(reading.end),
            None if reading.value is None else Decimal(reading.value),
        )
        for provider in ("utilityapi", "nectar")
        for reading in truth.readings(world, provider)
    )


def recent(world: World, since: datetime) -> int:
    """How much a run may read that begins where one at `since` ended."""
    begin = naive(since) - timedelta(days=LOOKBACK + BLOCK_DAYS)
    starts = [start for _, _, _, start, _, _ in offered(world)]
    return len([start for start in starts if start >= begin]) + BESIDES


def main() -> int:
    """Six syncs; 0 if the table was right after every one."""
    with tempfile.TemporaryDirectory() as parent, Sandbox(tiny_world()) as sandbox:
        client, world = Client(Path(parent), sandbox), sandbox.world

        everything = len(list(offered(world).elements()))
        client.expect("first sync", offered(world), everything + BESIDES, everything)

        before = world.now
        world.advance(days=1)
        client.expect("a day later", offered(world), recent(world, before), 1)
        client.expect("nothing new", offered(world), recent(world, world.now), 0)

        before, there = world.now, offered(world)
        world.advance(days=1)
        fault = {"path": "/intervals", "query": "meters=102", "times": None}
        sandbox.faults.add(status=500, **fault)
        client.expect("one meter fails", there, 0, 0, fails=True)

        sandbox.faults.clear()
        client.expect("healthy again", offered(world), recent(world, before), 1)

        everything = len(list(offered(world).elements()))
        client.expect(
            "full refresh", offered(world), everything + BESIDES, everything, force=True
        )
    say("PyAirbyte: six syncs, and the table was right after each")
    return 0


if __name__ == "__main__":
    sys.exit(main())

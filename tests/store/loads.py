"""Loading in a test: whole, or killed at a chosen moment, and what is stored then."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from tap_utility_intervals.arrow import schema
from tap_utility_intervals.sandbox import Sandbox, Series, UtilityMeter, World
from tap_utility_intervals.sandbox.readings import Reading, epoch
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.loading import load
from tests.oracle import Row, readings
from tests.providers.nectar.harness import connection, kwh_meter, world_of
from tests.providers.utilityapi.serving import NOW, page
from tests.syncing import config

STEP = Decimal("1e-18")
LAST_DIGITS = tuple(Decimal(f"{'9' * 20}.{'0' * 17}{digit}") for digit in "12")
"""Two values that only an exact comparison tells apart."""
KEY = ("meter_key", "interval_start", "channel", "interval_end", "provider")


def small_world() -> World:
    """Two meters of UtilityAPI and a connection of Nectar, a few days each."""
    nectar = world_of(
        connection("c", kwh_meter("T1", hours("2026-03-01", 200))),
        now="2026-03-08T12:00:00Z",
    )
    meters = [
        UtilityMeter(uid, hours("2026-02-20", 600), block_days=2)
        for uid in ("101", "102", "103")
    ]
    return World(nectar.now, meters, nectar.nectar)


def hours(day: str, count: int) -> Series:
    start = epoch(f"{day}T00:00:00Z")
    return Series(
        [
            Reading(at, at + 3600, (f"{n}.25",), at + 3600)
            for n, at in enumerate(range(start, start + 3600 * count, 3600))
        ]
    )


@contextmanager
def serving(*readings: tuple[int, str | None]) -> Iterator[Sandbox]:
    """Have UtilityAPI send these values of these hours for meter 58."""
    day = NOW.replace(hour=0)
    sent = [
        {
            "start": (day + timedelta(hours=hour)).isoformat(),
            "end": (day + timedelta(hours=hour + 1)).isoformat(),
            "kwh": f"@{value}@",
            "datapoints": [],
        }
        for hour, value in readings
    ]
    body = page({"uid": "1", "meter_uid": "58", "readings": sent})
    body = body.replace('"@', "").replace('@"', "")
    with Sandbox(World(NOW, [UtilityMeter("58", Series([]))])) as sandbox:
        sandbox.faults.add(path="/intervals", status=200, body=body, times=None)
        yield sandbox


@dataclass
class Warehouse:
    """A DuckDB file that is loaded from a sandbox."""

    folder: Path
    settings: Row = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.folder / "warehouse.duckdb"

    def load(self, sandbox: Sandbox, *providers: str, **options: Any) -> int:
        chosen = config(sandbox, *providers, **{"max_retries": 0, **self.settings})
        return load(chosen, DuckDB(self.path), **options)

    def query(self, sql: str) -> list[Row]:
        with duckdb.connect(self.path, read_only=True) as db:
            db.execute("set TimeZone = 'UTC'")
            found: list[Row] = db.sql(sql).to_arrow_table().to_pylist()
            return found

    def values(self) -> dict[tuple[str, ...], Decimal | None]:
        """Key to quantity, each key once."""
        rows = self.query(f"select {', '.join(KEY)}, quantity from intervals")
        found = {
            tuple(shown(row[name]) for name in KEY): row["quantity"] for row in rows
        }
        assert len(found) == len(rows), "a key is there twice"
        return found


def shown(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:%Y-%m-%dT%H:%M:%SZ}"


def world_values(world: World) -> dict[tuple[str, ...], Decimal | None]:
    """What `intervals` must hold of a world."""
    found: Mapping[Any, Decimal | None] = readings(world, "utilityapi", "nectar")
    return {key: value and value.quantize(STEP) for key, value in found.items()}


def rows(**columns: list[Any]) -> pa.RecordBatch:
    """Rows of `intervals`; what is not given is null, and the key's rest constant."""
    count = len(next(iter(columns.values())))
    constant = {"provider": "p", "channel": "c", "interval_end": NOW}
    made = {
        field.name: columns.get(field.name, [constant.get(field.name)] * count)
        for field in schema("intervals")
    }
    return pa.RecordBatch.from_pydict(made, schema=schema("intervals"))


def killed(work: Callable[[], object]) -> bool:
    """Do work in a process of its own, which may kill itself; whether it did."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the sandbox has threads
        child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


class Fuse:
    """Kills the process at the n-th call of what it is put around."""

    def __init__(self, moment: int | None = None) -> None:
        self.calls = 0
        self.moment = moment

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def fused(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self.moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return fused


def kill_again_and_again(
    load: Callable[[Any, Fuse], None], fresh: Callable[[int], Any], first: int = 1
) -> Iterator[Any]:
    """Yield warehouses that were killed five times, gone on each time, to the end.

    Args:
        load: into a warehouse; each use of the fuse is a moment to be killed at.
        fresh: makes an empty warehouse.
        first: the first moment at which a load may be killed.
    """
    whole, counting = fresh(0), Fuse()
    load(whole, counting)
    yield whole
    moments = list(range(first, counting.calls, max(1, counting.calls // 24)))
    deaths = 0
    for place in range(0, len(moments), 5):
        warehouse = fresh(place + 1)
        for number, moment in enumerate(moments[place : place + 5]):
            fuse = Fuse(max(first, moment // 3) if number else moment)
            deaths += killed(lambda w=warehouse, f=fuse: load(w, f))  # type: ignore[misc]
        load(warehouse, Fuse())
        yield warehouse
    assert deaths >= 20


class Fused:
    """A connection of which every call is a moment at which the process may die."""

    def __init__(self, connection: Any, fuse: Fuse) -> None:
        self._connection = connection
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._fuse.around(found) if callable(found) else found

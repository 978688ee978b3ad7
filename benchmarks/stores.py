"""The whole way: `load` into each store, and what others do with the same server."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import duckdb

from benchmarks.cases import MANY, selection, utilityapi
from benchmarks.measure import ROOT, TAP, Command, Cost, Failed, server
from benchmarks.tables import Result, Shown, Verdict
from tests.warehouses.server import DATABASE, PASSWORD, USER, Server, postgres

if TYPE_CHECKING:
    from benchmarks.cases import Setting

PYTHON = ROOT / ".venvs" / "dlt" / "bin" / "python"
"""Of all of them. `.venv` has pandas, which pyarrow imports wherever it is there."""
LOADERS = ROOT / ".meltano" / "loaders"
TARGET_POSTGRES = LOADERS / "target-postgres" / "venv" / "bin" / "target-postgres"
LOAD = ("-c", "from tap_utility_intervals.cli import main; main()", "load")
PEER = ("-m", "benchmarks.peers")
SCHEMA = "bench"

BATCHES, INTO_DUCKDB, INTO_PARQUET = "record batches", "load, DuckDB", "load, Parquet"
INTO_POSTGRES, BY_TARGET = "load, PostgreSQL", "tap | target-postgres"
OVER_BATCHES, ARROW, ROWS = "dlt, our batches", "dlt, Arrow", "dlt, rows"
BATCHES_A_SECOND, MEGABYTES = 700_000, 700


@dataclass(frozen=True)
class Way:
    """A command, how many readings it left behind, and how to forget them."""

    command: Command
    count: Callable[[], int]
    forget: Callable[[], object]


def a_year(setting: Setting) -> Result:
    """1.4 million readings: record batches, `load`, and dlt's Arrow pipeline."""
    with server("year") as source, postgres() as warehouse:
        ways = _ways(setting.folder, utilityapi(source), warehouse)
        names = (BATCHES, INTO_DUCKDB, INTO_PARQUET, INTO_POSTGRES, OVER_BATCHES, ARROW)
        found = _measured(setting, {name: ways[name] for name in names})
    rate = found.rows / found.wall(BATCHES)
    peak = max(cost.peak_mb for cost in found.costs[INTO_DUCKDB])
    return Result(
        "A year of 20 meters, 15 min, 2 channels: from HTTP to the end",
        found.lines(),
        (
            Verdict(
                f"at least {BATCHES_A_SECOND:,} rows/s as record batches",
                f"{rate:,.0f}",
                rate >= BATCHES_A_SECOND,
            ),
            found.faster(INTO_DUCKDB, ARROW, 10),
            Verdict(
                f"`load` into DuckDB holds at most {MEGABYTES} MB",
                f"{peak:.0f} MB",
                peak <= MEGABYTES,
            ),
        ),
    )


def a_quarter(setting: Setting) -> Result:
    """345,760 readings: `load` beside a Singer target and dlt's dictionaries."""
    with server("utilityapi") as source, postgres() as warehouse:
        ways = _ways(setting.folder, utilityapi(source), warehouse)
        names = (INTO_DUCKDB, ROWS, INTO_POSTGRES, BY_TARGET)
        found = _measured(setting, {name: ways[name] for name in names})
    return Result(
        "90 days of 20 meters, 15 min, 2 channels: from HTTP to the end",
        found.lines(),
        (
            found.faster(INTO_DUCKDB, ROWS, 10),
            found.faster(INTO_POSTGRES, BY_TARGET, 15),
        ),
    )


@dataclass(frozen=True)
class Measured:
    """What each way cost, for the same rows."""

    rows: int
    costs: dict[str, list[Cost]]

    def wall(self, name: str) -> float:
        """The median, in seconds."""
        return median(cost.wall for cost in self.costs[name])

    def faster(self, ours: str, other: str, times: float) -> Verdict:
        """How many times; pair by pair, for the machine's speed drifts."""
        pairs = zip(self.costs[other], self.costs[ours], strict=True)
        found = median(slow.wall / fast.wall for slow, fast in pairs)
        promise = f"`{ours}` is at least {times:g} times `{other}`"
        return Verdict(promise, f"{found:.1f}", found >= times)

    def lines(self) -> list[Shown]:
        """As lines of a table."""
        return [
            {
                "": name,
                "rows": f"{self.rows:,}",
                "wall s": f"{self.wall(name):.2f}",
                "rows/s": f"{self.rows / self.wall(name):,.0f}",
                "CPU s": f"{median(cost.cpu for cost in costs):.2f}",
                "peak MB": f"{max(cost.peak_mb for cost in costs):.0f}",
            }
            for name, costs in self.costs.items()
        ]


def _measured(setting: Setting, ways: dict[str, Way]) -> Measured:
    """Run them in turn; each starts from nothing and must leave the same rows."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    rows = set()
    output = setting.folder / "output"
    first = next(iter(ways.values()))
    first.command.run(output)  # the server makes its answers now
    first.forget()
    for _ in range(setting.runs):
        for name, way in ways.items():
            costs[name].append(way.command.run(output))
            rows.add(way.count())
            way.forget()
    if len(rows) != 1:
        raise Failed(f"not the same rows: {sorted(rows)}")
    return Measured(rows.pop(), costs)


def _ways(folder: Path, source: dict[str, object], postgres: Server) -> dict[str, Way]:
    if not (PYTHON.exists() and TARGET_POSTGRES.exists()):
        raise Failed("something is not installed: make .venvs/dlt/.installed demo")
    config = {**source, "utilityapi_requests_per_second": MANY}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    file, lake = folder / "warehouse.duckdb", folder / "lake"
    address = f"postgresql://{USER}@127.0.0.1:{postgres.port}/{DATABASE}"
    load = (str(PYTHON), *LOAD, "--config", str(path), "--into")
    secret = ("env", f"PGPASSWORD={PASSWORD}")
    output = folder / "output"

    def way(
        args: Sequence[str], count: Callable[[], int], forget: Callable[[], object]
    ) -> Way:
        return Way(Command(args, folder), count, forget)

    def in_duckdb(*args: str) -> Way:
        return way(args, lambda: _in_duckdb(file), lambda: file.unlink(missing_ok=True))

    def in_postgres(*args: str) -> Way:
        return way(args, lambda: _in_postgres(postgres), lambda: _emptied(postgres))

    def dlt(kind: str) -> Way:
        return in_duckdb(str(PYTHON), *PEER, kind, str(path), str(file))

    _emptied(postgres)
    batches = (str(PYTHON), *PEER, "batches", str(path))
    return {
        BATCHES: way(batches, lambda: int(output.read_text()), lambda: None),
        INTO_DUCKDB: in_duckdb(*load, str(file)),
        INTO_PARQUET: way(
            (*load, f"{lake}/"),
            lambda: _in_parquet(lake),
            lambda: shutil.rmtree(lake),
        ),
        INTO_POSTGRES: in_postgres(*secret, *load, address, "--schema", SCHEMA),
        OVER_BATCHES: dlt("dlt-over-batches"),
        ARROW: dlt("dlt-arrow"),
        ROWS: dlt("dlt-rows"),
        BY_TARGET: in_postgres(
            *("bash", "-o", "pipefail", "-c"),
            _piped(folder, config, postgres),
        ),
    }


def _piped(folder: Path, config: dict[str, object], postgres: Server) -> str:
    """This tap and a Singer target, in one line of shell."""
    catalog = selection(folder, TAP, config)
    tap = Command.of(folder, "tap", TAP, config, catalog=catalog)
    settings = folder / "target.json"
    settings.write_text(
        json.dumps(
            {
                "host": "127.0.0.1",
                "port": postgres.port,
                "user": USER,
                "password": PASSWORD,
                "database": DATABASE,
                "default_target_schema": SCHEMA,
            }
        )
    )
    target = (str(TARGET_POSTGRES), "--config", str(settings))
    return f"{shlex.join(tap.args)} | PGTZ=UTC {shlex.join(target)} >/dev/null"


def _in_duckdb(file: Path) -> int:
    """Count the readings, whatever the schema is called."""
    with duckdb.connect(str(file), read_only=True) as found:
        (schema,) = found.execute(
            "select table_schema from information_schema.tables"
            " where table_name = 'intervals' and table_schema not like '%staging'"
        ).fetchall()[0]
        return _number(found.execute(f'select count(*) from "{schema}".intervals'))  # noqa: S608


def _in_parquet(lake: Path) -> int:
    files = str(lake / "data" / "*" / "intervals.parquet")
    return _number(duckdb.execute("select count(*) from read_parquet(?)", [files]))


def _number(asked: duckdb.DuckDBPyConnection) -> int:
    return int(asked.fetchall()[0][0])


def _in_postgres(warehouse: Server) -> int:
    return int(warehouse.run("-c", f"select count(*) from {SCHEMA}.intervals"))  # noqa: S608


def _emptied(warehouse: Server) -> None:
    warehouse.run("-c", f"drop schema if exists {SCHEMA} cascade")
    warehouse.run("-c", f"create schema {SCHEMA}")

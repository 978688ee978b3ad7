"""Warehouses with the same rows in tables of every kind, and models over them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import duckdb
import pytest

from tap_utility_intervals.arrow.batches import batch
from tap_utility_intervals.arrow.schemas import schema
from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.sandbox import World
from tap_utility_intervals.store.base import Pending, Store, table_of
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.parquet import Lake
from tap_utility_intervals.store.postgres import PostgreSQL
from tests.models import expected, odd
from tests.models.expected import Compared, Found, Gap, Reading, shown
from tests.models.world import AS_OF, ZONES, models_world, tables
from tests.oracle import KEYS, Row
from tests.packaging.tree import ROOT
from tests.warehouses.loaders import Asked
from tests.warehouses.server import DATABASE, PASSWORD, USER, Server
from tests.warehouses.stores import STREAMS, InDuckDB, InPostgreSQL

VARIABLES = {
    "utility_intervals_schema": "utility_intervals",
    "utility_intervals_time_zones": "utility_intervals.zones",
    "utility_intervals_as_of": AS_OF,
}
"""In DuckDB dbt's models lie in another schema than the tables, in PostgreSQL not."""
OWN = {"utility_intervals_time_zones": "zones", "utility_intervals_as_of": AS_OF}
ZONED = "create table zones (provider text, meter_key text, time_zone text);" + "".join(
    2 * f"insert into zones select provider, meter_key, '{zone}' from {{meters}}"
    f" where meter_key like '%:{name}';"
    for name, zone in ZONES.items()
    if name.startswith("T")
)


@dataclass(frozen=True)
class Told:
    """The world, what two runs and the odd meters bring, and what models must hold."""

    before: World
    after: World
    tables: Mapping[str, Sequence[Row]]
    rows: list[Reading]

    @cached_property
    def gaps(self) -> list[Gap]:
        return expected.gaps(self.rows, [*expected.promises(), *odd.promises()])

    @cached_property
    def bills(self) -> list[Compared]:
        billed = [*expected.bills(self.before, self.after), *odd.bills()]
        return expected.bill_check(self.rows, billed)

    @cache  # noqa: B019 - there is one
    def wanted(self, model: str) -> Found:
        found: Found = getattr(expected, model)(self.rows)
        return found

    def __hash__(self) -> int:
        return id(self)


@cache
def told() -> Told:
    before, after = models_world(), models_world()
    found = tables(after)
    listed_at = max(row["listed_at"] for row in found["meters"])
    for name, some in odd.tables(listed_at).items():
        found[name] = [*found[name], *some]
    return Told(
        before, after, found, [*expected.readings(before, after), *odd.readings()]
    )


@dataclass
class Built:
    """A warehouse with models, and where dbt has compiled them, if it has."""

    ask: Callable[[str], list[Row]]
    models: Models
    target: Path | None = None

    def found(self, model: str, columns: str) -> Found:
        """All rows but those of the two nights."""
        rows = self.ask(
            f"select {columns} from {model} where meter_key not in {odd.NIGHTS}"
        )
        return {tuple(map(shown, row.values())) for row in rows}


@contextmanager
def dbt_in_duckdb(folder: Path, _: Callable[[], Server]) -> Iterator[Built]:
    """Tables as target-duckdb makes them, a row of each run."""
    store = InDuckDB(folder, appends=True, bare=True)
    for name, some in told().tables.items():
        store.load(name, some)
    file = folder / "it.duckdb"
    store.execute(f"attach '{file}' as it; create schema it.utility_intervals")
    for name in STREAMS:
        store.execute(f"create table it.utility_intervals.{name} as from {name}")
    store.execute("use it.utility_intervals;" + ZONED.format(meters="meters"))
    store.execute("use memory; detach it")
    dbt(folder, DBT_TARGET="duckdb", DBT_DUCKDB_PATH=str(file))
    store.execute(f"attach '{file}' as it; use it")
    yield Built(
        store.query, Models("duckdb", "it", "main", VARIABLES), folder / "target"
    )


@contextmanager
def dbt_in_postgres(folder: Path, server: Callable[[], Server]) -> Iterator[Built]:
    """Tables as target-postgres makes them."""
    its = server()
    store = InPostgreSQL(its, bare=True)
    for name, some in told().tables.items():
        store.load(name, newest(name, some))
    zoned = ZONED.format(meters="meters")
    its.run(script=f"set search_path = utility_intervals; {zoned}")
    where = {"PGHOST": "127.0.0.1", "PGPORT": str(its.port), "PGUSER": USER,
             "PGPASSWORD": PASSWORD, "PGDATABASE": DATABASE}  # fmt: skip
    dbt(folder, DBT_TARGET="postgres", **where)
    yield Built(
        lambda sql: its.query(sql, "utility_intervals"),
        Models("postgres", DATABASE, "utility_intervals", VARIABLES),
        folder / "target",
    )


def newest(stream: str, rows: Sequence[Row]) -> list[Row]:
    """Of each key the last row, as a loader keeps it that upserts."""
    return [*{tuple(row[name] for name in KEYS[stream]): row for row in rows}.values()]


def dbt(folder: Path, **environment: str) -> None:
    subprocess.run(["make", ".venvs/dbt/.installed"], cwd=ROOT, check=True)
    done = subprocess.run(
        [
            *(ROOT / ".venvs" / "dbt" / "bin" / "dbt", "--no-use-colors", "build"),
            *("--project-dir", ROOT / "dbt", "--profiles-dir", ROOT / "dbt"),
            *("--target-path", folder / "target", "--log-path", folder / "log"),
            *("--vars", json.dumps(VARIABLES)),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " WARN=0 ERROR=0 SKIP=0 " in done.stdout
    assert "3 unit tests" in done.stdout


# --- the tables of `load` -------------------------------------------------------------


@contextmanager
def load_into_duckdb(folder: Path, _: Callable[[], Server]) -> Iterator[Built]:
    commit(DuckDB(folder / "warehouse.duckdb"))
    with duckdb.connect(folder / "warehouse.duckdb") as db:
        yield modelled(db, "meters", OWN)


@contextmanager
def load_into_parquet(folder: Path, _: Callable[[], Server]) -> Iterator[Built]:
    commit(Lake(folder / "lake"))
    with duckdb.connect() as db:
        meters = f"read_parquet('{folder}/lake/data/*/meters.parquet')"
        variables = {**OWN, "utility_intervals_parquet": f"{folder}/lake"}
        yield modelled(db, meters, variables)


def modelled(
    db: duckdb.DuckDBPyConnection, meters: str, variables: Mapping[str, object]
) -> Built:
    db.execute(ZONED.format(meters=meters))
    models = Models("duckdb", "", "main", variables)
    for statement in models.script():
        db.execute(statement)
    return Built(Asked(db).rows, models)


@contextmanager
def load_into_postgres(_: Path, server: Callable[[], Server]) -> Iterator[Built]:
    its = server()
    url = f"postgresql://{USER}@127.0.0.1:{its.port}/{DATABASE}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        commit(PostgreSQL(url, "public"))
    models = Models("postgres", "", "public", OWN)
    its.run(script=ZONED.format(meters="meters") + ";".join(models.script()))
    yield Built(its.query, models)


def commit(store: Store) -> None:
    """Store all rows as `load` would, in two commits."""
    with store.alone():
        for half in (0, 1):
            pending = Pending()
            for stream, rows in told().tables.items():
                middle = len(rows) // 2
                some = rows[middle:] if half else rows[:middle]
                names = schema(stream).names
                whole = [{name: row.get(name) for name in names} for row in some]
                table = table_of(stream, KEYS[stream])
                pending.add(table, batch(stream, [whole], warned))
            store.commit(pending)


def warned(sentence: str, _: int) -> None:
    raise AssertionError(sentence)


BUILDERS = {
    "dbt, DuckDB": dbt_in_duckdb,
    "dbt, PostgreSQL": dbt_in_postgres,
    "load, DuckDB": load_into_duckdb,
    "load, PostgreSQL": load_into_postgres,
    "load, Parquet": load_into_parquet,
}

"""`load` into PostgreSQL: exactly once, side by side, and no bloat."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.store import commits, loading
from tap_utility_intervals.store import postgres as module
from tap_utility_intervals.store.base import Pending, StoreError, Table, table_of
from tap_utility_intervals.store.postgres import PostgreSQL
from tap_utility_intervals.store.sources import Claim, claims
from tests.oracle import KEYS, Row
from tests.providers.utilityapi.serving import NOW
from tests.store.loads import (
    KEY,
    LAST_DIGITS,
    Fuse,
    kill_again_and_again,
    rows,
    shown,
    small_world,
    world_values,
)
from tests.syncing import config
from tests.warehouses.server import DATABASE, PASSWORD, USER, Server, postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@dataclass
class Database:
    """One schema of a database, which is loaded from a sandbox."""

    server: Server
    schema: str
    settings: Row = field(default_factory=dict)

    def store(self, settings: Row | None = None) -> PostgreSQL:
        url = f"postgresql://{USER}@127.0.0.1:{self.server.port}/{DATABASE}"
        return PostgreSQL(url, self.schema, claims(settings or {}))

    def load(self, sandbox: Sandbox) -> int:
        chosen = config(sandbox, max_retries=0, **self.settings)
        return loading.load(chosen, self.store(chosen))

    def query(self, sql: str) -> list[Row]:
        with psycopg.connect(
            self.store().name, row_factory=psycopg.rows.dict_row
        ) as db:
            db.execute(f"set search_path = {self.schema}")
            db.execute("set time zone 'UTC'")
            return db.execute(sql).fetchall()

    def values(self) -> dict[tuple[str, ...], Decimal | None]:
        found = self.query(f"select {', '.join(KEY)}, quantity from intervals")
        return {tuple(shown(r[name]) for name in KEY): r["quantity"] for r in found}

    def commit(self, *batches: pa.RecordBatch, table: Table | None = None) -> None:
        pending = Pending()
        for one in batches:
            pending.add(table or table_of("intervals", KEYS["intervals"]), one)
        store = self.store()
        with store.alone():
            store.commit(pending)


@pytest.fixture
def database(
    server: Server, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Database:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return Database(server, f"s{abs(hash(request.node.name))}")


def fused_load(database: Database, sandbox: Sandbox, fuse: Fuse) -> None:
    """Load; every statement is a moment, and so is the end of each transaction."""
    execute, commit = psycopg.Connection.execute, psycopg.Transaction.__exit__
    psycopg.Connection.execute = fuse.around(execute)  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = fuse.around(commit)  # type: ignore[method-assign]
    try:
        assert database.load(sandbox) == 0
    finally:
        psycopg.Connection.execute = execute  # type: ignore[method-assign]
        psycopg.Transaction.__exit__ = commit  # type: ignore[method-assign]


def test_killed_at_any_moment_and_run_again_it_holds_the_world(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_utility_intervals.arrow.reading.ROWS", 100)
    monkeypatch.setattr(commits, "ROWS", 300)
    with Sandbox(small_world()) as sandbox:
        expected = world_values(sandbox.world)

        def fresh(number: int) -> Database:
            return replace(database, schema=f"{database.schema}_{number}")

        def load(one: Database, fuse: Fuse) -> None:
            fused_load(one, sandbox, fuse)

        for one in kill_again_and_again(load, fresh, first=2):
            assert one.values() == expected


def test_rows_without_their_bookmarks_are_not_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("bookmarks cannot be stored")

    monkeypatch.setattr(PostgreSQL, "_remember", fail)
    with pytest.raises(StoreError, match="bookmarks cannot"):
        database.commit(rows(meter_key=["1"], interval_start=[NOW]))
    tables = f"select from pg_tables where schemaname = '{database.schema}'"
    assert database.query(tables) == []


def test_what_is_restated_is_told_and_the_newest_counts(database: Database) -> None:
    def read_at(*hours: int) -> list[Any]:
        return [NOW + timedelta(hours=hour) for hour in hours]

    keys: Row = {"meter_key": ["1"] * 3, "interval_start": [NOW] * 3}
    database.commit(rows(**keys, quantity=[1, 2, 3], read_at=read_at(0, 2, 1)))
    assert database.query("select quantity from intervals") == [{"quantity": 2}]
    database.commit(rows(**keys, quantity=[4, 5, 2], read_at=read_at(3, 3, 4)))
    database.commit(rows(**keys, quantity=[7, 8, 6], read_at=read_at(2, 1, 5)))
    database.commit(rows(**keys, quantity=[7, 8, 9], read_at=read_at(2, 1, 0)))
    held = database.query("select quantity, read_at from intervals")
    assert [(r["quantity"], r["read_at"]) for r in held] == [(6, *read_at(5))]
    told = database.query(
        "select old_quantity, quantity, last_seen_at from restatements"
    )
    assert [tuple(row.values()) for row in told] == [(2, 6, *read_at(4))]


def test_values_that_differ_in_their_last_digit_are_told_apart(
    database: Database,
) -> None:
    for hour, value in enumerate(LAST_DIGITS):
        at = NOW + timedelta(hours=hour)
        one = rows(
            meter_key=["1"], interval_start=[NOW], quantity=[value], read_at=[at]
        )
        database.commit(one)
    told = database.query("select old_quantity, quantity from restatements")
    assert [tuple(row.values()) for row in told] == [LAST_DIGITS]


def test_what_one_answer_restates_again_is_one_restatement(database: Database) -> None:
    for value in (1, 2, 3):
        one = rows(
            meter_key=["1"], interval_start=[NOW], quantity=[value], read_at=[NOW]
        )
        database.commit(one)
    told = database.query("select old_quantity, quantity from restatements")
    assert [tuple(row.values()) for row in told] == [(1, 3)]


def test_texts_are_the_same_whatever_encoding_a_client_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    unit = "kWh, für €"
    one = rows(meter_key=["1"], interval_start=[NOW], quantity=[1], unit=[unit])
    database.commit(one)
    monkeypatch.delenv("PGCLIENTENCODING")
    assert database.query("select unit from intervals") == [{"unit": unit}]


def test_a_role_needs_no_more_than_its_schema(database: Database) -> None:
    role, schema = f"r{database.schema}", database.schema
    database.server.run("-c", f"create role {role} login password '{PASSWORD}'")
    database.server.run("-c", f"create schema {schema}")
    database.server.run("-c", f"grant usage, create on schema {schema} to {role}")
    store = PostgreSQL(database.store().name.replace(USER, role), schema)
    pending = Pending()
    one = rows(meter_key=["1"], interval_start=[NOW], quantity=[1])
    pending.add(table_of("intervals", KEYS["intervals"]), one)
    with store.alone():
        store.commit(pending)
    assert len(database.query("select * from intervals")) == 1


def test_a_new_column_is_added_and_one_of_another_type_is_refused(
    database: Database,
) -> None:
    first = rows(meter_key=["1"], interval_start=[NOW], quantity=[1])
    older = Table("intervals", first.schema.remove(28), KEYS["intervals"])
    database.commit(first.drop_columns(["unreadable"]), table=older)
    database.commit(
        rows(meter_key=["2"], interval_start=[NOW], unreadable=['{"é": "\\\\N"}'])
    )
    held = database.query("select unreadable from intervals order by meter_key")
    assert [row["unreadable"] for row in held] == [None, '{"é": "\\\\N"}']
    table = f"{database.schema}.intervals"
    database.server.run("-c", f"alter table {table} alter quantity type float8")
    with pytest.raises(StoreError, match="quantity is double precision"):
        database.commit(first)


def test_the_same_sources_are_loaded_by_one_and_others_beside_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    base: Row = {"utilityapi_api_token": "t", "utilityapi_base_url": "https://x/api"}
    some = {**base, "utilityapi_meters": ["1", "2"]}
    beside = {**base, "utilityapi_meters": ["3"]}
    with database.store(some).alone():
        for other, told in ((base, "UtilityAPI"), (some, "1 (utilityapi_meters)")):
            with (
                pytest.raises(StoreError, match="is at work") as refused,
                database.store(other).alone(),
            ):
                pass
            assert told in str(refused.value)
        with database.store(beside).alone():
            pass
        with database.store({**base, "utilityapi_api_token": "another"}).alone():
            pass
    with database.store(base).alone():
        pass
    assert all("token" not in one.name for one in claims({**base, "x": "token"}))
    assert [type(one) for one in claims(base)] == [Claim]


def test_thirty_look_backs_leave_the_table_below_twice_its_size(
    database: Database,
) -> None:
    count = 3_000
    keys: Row = {
        "meter_key": [str(n % 3) for n in range(count)],
        "interval_start": [NOW + timedelta(minutes=15 * n) for n in range(count)],
        "quantity": list(range(count)),
        "source_id": ["a source with an id of some length"] * count,
    }
    size = "select pg_total_relation_size('intervals') as size"
    sizes = []
    for day in range(31):
        at = NOW + timedelta(days=day)
        database.commit(rows(**keys, read_at=[at] * count))
        sizes += [row["size"] for row in database.query(size)]
    assert sizes[-1] <= 2 * sizes[0], sizes
    assert database.query("select * from restatements") == []


def test_what_the_database_refuses_is_one_sentence(database: Database) -> None:
    os.environ["PGPASSWORD"] = "wrong"  # the fixture puts it back
    with pytest.raises(StoreError) as refused, database.store().alone():
        pass
    assert "password authentication failed" in str(refused.value)
    assert "wrong" not in str(refused.value)

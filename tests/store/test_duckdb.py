"""`load` into DuckDB: exactly once, whatever happens, and restatements told."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.sandbox import Fault, Sandbox, UtilityMeter
from tap_utility_intervals.store import commits
from tap_utility_intervals.store import duckdb as module
from tap_utility_intervals.store.base import (
    Pending,
    StoreError,
    Table,
    state_of,
    table_of,
)
from tap_utility_intervals.store.duckdb import DuckDB
from tests.commands.running import COMMAND
from tests.oracle import KEYS, Row
from tests.providers.utilityapi.serving import NOW
from tests.store.loads import (
    LAST_DIGITS,
    Fuse,
    Fused,
    Warehouse,
    hours,
    killed,
    rows,
    serving,
    small_world,
    world_values,
)
from tests.syncing import config


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
def _many_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_utility_intervals.arrow.reading.ROWS", 100)
    monkeypatch.setattr(commits, "ROWS", 300)


# --- exactly once ---------------------------------------------------------------------


def fused_load(warehouse: Warehouse, sandbox: Sandbox, fuse: Fuse) -> None:
    """Load; each call of DuckDB, also the opening of the file, is a moment."""
    connect = duckdb.connect

    def opened(*args: Any) -> Any:
        return Fused(fuse.around(connect)(*args), fuse)

    duckdb.connect = opened  # type: ignore[assignment] # only in a process of its own
    try:
        warehouse.load(sandbox)
    finally:
        duckdb.connect = connect


@pytest.mark.usefixtures("_many_commits")
def test_killed_at_any_moment_and_run_again_it_holds_the_world(tmp_path: Path) -> None:
    with Sandbox(small_world()) as sandbox:
        counting = Fuse()
        whole = Warehouse(tmp_path)
        fused_load(whole, sandbox, counting)
        expected = world_values(sandbox.world)
        assert whole.values() == expected
        assert len(expected) > 1_000
        # Pages gather as they come, into more or fewer commits: a moment may not come.
        moments = range(1, counting.calls, max(1, counting.calls // 22))
        deaths = partly = 0
        for moment in moments:
            folder = tmp_path / str(moment)
            folder.mkdir()
            warehouse = Warehouse(folder)
            fuse = Fuse(moment)
            deaths += killed(lambda w=warehouse, f=fuse: fused_load(w, sandbox, f))  # type: ignore[misc]
            partly += warehouse.path.exists()
            assert warehouse.load(sandbox) == 0
            assert warehouse.values() == expected, moment
            assert len(warehouse.query("from meters")) == 4
        assert deaths >= 20
        assert partly >= 15


def test_rows_without_their_bookmarks_are_not_stored(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("bookmarks cannot be stored")

    monkeypatch.setattr(DuckDB, "_remember", fail)
    with pytest.raises(StoreError, match="bookmarks cannot"):
        commit(DuckDB(warehouse.path), rows(meter_key=["1"], interval_start=[NOW]))
    assert warehouse.query("from duckdb_tables()") == []


# --- what comes again -----------------------------------------------------------------


def test_a_second_run_reads_the_look_back_and_new_rows_alone(
    warehouse: Warehouse,
) -> None:
    warehouse.settings["lookback_days"] = 2
    with Sandbox(small_world()) as sandbox:
        assert warehouse.load(sandbox) == 0
        first = warehouse.query("select max(read_at) as at from intervals")[0]["at"]
        sandbox.world.advance(days=1)
        assert warehouse.load(sandbox) == 0
        assert warehouse.values() == world_values(sandbox.world)
        again = warehouse.query(
            "select provider, min(interval_start) as since"
            f" from intervals where read_at > '{first}' group by provider"
            " order by provider"
        )
    assert [row["provider"] for row in again] == ["nectar", "utilityapi"]
    bookmark = NOW.replace(month=3, day=8)
    for row in again:
        # The days before the bookmark; UtilityAPI: from the beginning of the Interval
        # object that reaches into them.
        assert row["since"] >= bookmark - timedelta(days=2 + 2), row


def served(warehouse: Warehouse, *readings: tuple[int, str | None]) -> int:
    """Load meter 58, to which UtilityAPI sends these values of these hours."""
    with serving(*readings) as sandbox:
        return warehouse.load(sandbox, "utilityapi", full_refresh=True)


def test_a_restated_reading_is_told_and_an_unchanged_one_is_not(
    warehouse: Warehouse,
) -> None:
    assert served(warehouse, (0, "1.5"), (1, "2"), (2, "7")) == 0
    (one, *_) = warehouse.query("from intervals order by interval_start")
    assert warehouse.query("from restatements") == []
    assert served(warehouse, (0, "1.50"), (1, "2.25"), (2, "null")) == 0
    told = warehouse.query("from restatements order by interval_start")
    assert [(r["old_quantity"], r["quantity"]) for r in told] == [
        (Decimal(2), Decimal("2.25")),
        (Decimal(7), None),
    ]
    assert {r["last_seen_at"] for r in told} == {one["read_at"]}
    assert all(r["read_at"] > r["last_seen_at"] for r in told)
    assert {r["old_unit"] for r in told} == {"kWh"}
    held = warehouse.query("select quantity from intervals order by interval_start")
    assert [r["quantity"] for r in held] == [Decimal("1.5"), Decimal("2.25"), None]


def test_a_withdrawn_reading_is_kept_and_is_not_current(warehouse: Warehouse) -> None:
    served(warehouse, (0, "1"), (1, "2"))
    served(warehouse, (0, "1"))
    assert len(warehouse.query("from intervals")) == 2
    assert warehouse.query("from usage") == []  # there, without a row
    with duckdb.connect(warehouse.path) as db:
        for statement in Models("duckdb", "", "main").script():
            db.execute(statement)
        found = db.execute(
            "select hour(interval_start) from utility_intervals__current"
        )
        assert found.fetchall() == [(0,)]
    # What retires it stays; what a later whole read says as well is left out.
    served(warehouse, (0, "1"))
    assert len(warehouse.query("from coverage where is_complete")) == 2


def test_numbers_that_no_decimal_holds_are_told(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    long = "0." + "1234567890" * 6
    served(warehouse, (0, "1e299"), (1, "9" * 60), (2, long), (3, "0.1"))
    rows = warehouse.query("from intervals order by interval_start")
    assert [row["quantity"] for row in rows] == [
        *(None, None),
        *(Decimal("0.123456789012345679"), Decimal("0.1")),
    ]
    kept = [row["unreadable"] and json.loads(row["unreadable"]) for row in rows]
    assert [one and one["quantity"].lower() for one in kept] == [
        *("1e+299", "9" * 60, long, None),
    ]
    assert "2 times: intervals.quantity has more than 20 digits" in caplog.text
    assert "intervals.quantity has more than 18 decimals" in caplog.text


# --- the store by itself --------------------------------------------------------------


def commit(store: DuckDB, *batches: pa.RecordBatch) -> None:
    pending = Pending()
    for one in batches:
        pending.add(table_of("intervals", KEYS["intervals"]), one)
    store.commit(pending)


def read_at(*hours: int) -> list[Any]:
    return [NOW + timedelta(hours=hour) for hour in hours]


def test_of_one_key_the_row_that_was_read_last_counts(warehouse: Warehouse) -> None:
    store = DuckDB(warehouse.path)
    keys: Row = {"meter_key": ["1"] * 3, "interval_start": [NOW] * 3}
    one = rows(**keys, quantity=[1, 2, 3], read_at=read_at(0, 2, 1))
    commit(store, one)
    commit(store, rows(**keys, quantity=[4, 5, 6], read_at=read_at(3, 3, 3)))
    commit(store, rows(**keys, quantity=[7, 8, 9], read_at=read_at(2, 1, 0)))
    held = warehouse.query("select quantity from intervals")
    assert held == [{"quantity": 6}]
    told = warehouse.query("select old_quantity, quantity from restatements")
    assert told == [{"old_quantity": 2, "quantity": 6}]


def test_values_that_differ_in_their_last_digit_are_told_apart(
    warehouse: Warehouse,
) -> None:
    for hour, value in enumerate(LAST_DIGITS):
        one = rows(
            meter_key=["1"],
            interval_start=[NOW],
            quantity=[value],
            read_at=read_at(hour),
        )
        commit(DuckDB(warehouse.path), one)
    told = warehouse.query("select old_quantity, quantity from restatements")
    assert [tuple(row.values()) for row in told] == [LAST_DIGITS]


def test_a_table_without_readings_keeps_what_came_last(warehouse: Warehouse) -> None:
    table = Table(
        "things", pa.schema([("id", pa.int64()), ("v", pa.string())]), ("id",)
    )
    store = DuckDB(warehouse.path, "other schema")
    for values in (["a", "b"], ["c", None]):
        pending = Pending()
        batch = pa.RecordBatch.from_pydict({"id": [1, 1], "v": values}, table.schema)
        pending.add(table, batch)
        store.commit(pending)
    assert warehouse.query('from "other schema".things') == [{"id": 1, "v": None}]


@pytest.mark.parametrize("schema", ["warehouse", "Main", 'a"b'])
def test_a_schema_may_be_called_as_the_file_or_in_capitals(
    warehouse: Warehouse, schema: str
) -> None:
    for at in read_at(0, 1):
        one = rows(meter_key=["1"], interval_start=[NOW], quantity=[1], read_at=[at])
        commit(DuckDB(warehouse.path, schema), one)
    with duckdb.connect(warehouse.path) as db:
        name = schema.replace('"', '""')
        found = db.execute(f'select read_at from warehouse."{name}".intervals')
        assert found.fetchall() == [(at,)]


def test_streams_and_columns_may_be_called_as_what_the_store_uses(
    warehouse: Warehouse,
) -> None:
    names = ("held", "came", "rowid", "_place", "n", "ID")
    shape = pa.schema([(name, pa.string()) for name in names])
    store = DuckDB(warehouse.path)
    for name in ("came", "shape", "met", "covered", "held"):
        table = Table(name, shape, ("ID", "held"))
        for value in "ab":
            pending = Pending()
            # A foreign key may be null: that is a row like others.
            made = {one: [None, value, "k"] for one in names} | {"ID": [None, "1", "1"]}
            made["held"] = [None, "k", "k"]
            pending.add(table, pa.RecordBatch.from_pydict(made, shape))
            store.commit(pending)
        found = warehouse.query(f"select _place from main.{name} order by all")
        assert [row["_place"] for row in found] == ["k", None]
    alike = Table("t", pa.schema([("id", pa.string()), ("Id", pa.string())]), ("id",))
    pending = Pending()
    pending.expect(alike)
    with pytest.raises(StoreError, match="two of its columns have one name"):
        store.commit(pending)


def test_a_new_column_is_added_and_one_of_another_type_is_refused(
    warehouse: Warehouse,
) -> None:
    store = DuckDB(warehouse.path)
    first = rows(meter_key=["1"], interval_start=[NOW], quantity=[1])
    older = Table("intervals", first.schema.remove(28), KEYS["intervals"])
    pending = Pending()
    pending.add(older, first.drop_columns(["unreadable"]))
    store.commit(pending)
    commit(store, rows(meter_key=["2"], interval_start=[NOW], unreadable=["{}"]))
    held = warehouse.query("select unreadable from intervals order by meter_key")
    assert [row["unreadable"] for row in held] == [None, "{}"]
    with duckdb.connect(warehouse.path) as db:
        db.execute("alter table intervals alter quantity type double")
    with pytest.raises(StoreError, match=r"quantity is DOUBLE, and should be"):
        commit(store, first)
    assert len(warehouse.query("from intervals")) == 2


def test_bookmarks_come_back_as_they_were(warehouse: Warehouse) -> None:
    store = DuckDB(warehouse.path)
    assert store.bookmarks() == {}
    one = (("meter_key", "1"), ("provider", "utilityapi"))
    pending = Pending()
    pending.note("usage", {one: {"context": dict(one), "at": "x"}, (): {"version": 2}})
    store.commit(pending)
    assert state_of(store.bookmarks()) == {
        "bookmarks": {
            "usage": {"version": 2, "partitions": [{"context": dict(one), "at": "x"}]}
        }
    }
    pending = Pending()
    pending.note("usage", {one: None})
    store.commit(pending)
    assert state_of(store.bookmarks()) == {"bookmarks": {"usage": {"version": 2}}}


def test_each_credential_goes_by_its_own_bookmarks(warehouse: Warehouse) -> None:
    """A second one does not forget the first one's, though it lists others."""
    worlds = {name: small_world() for name in ("west", "east")}
    worlds["east"] = replace(
        worlds["east"], utilityapi=[UtilityMeter("201", hours("2026-02-20", 99))]
    )

    def run(name: str | None, **options: Any) -> set[str]:
        """Load from a credential's API; the meters whose intervals were asked for."""
        with Sandbox(worlds[name or "west"]) as sandbox:
            warehouse.settings = {"credential_name": name}
            assert warehouse.load(sandbox, "utilityapi", **options) == 0
            asked = [r.query for r in sandbox.requests if r.path.endswith("/intervals")]
        return {uid for uid in ("101", "102", "103", "201") if uid in repr(asked)}

    assert run("west") == {"101", "102", "103"}
    assert run("east") == {"201"}
    assert run("west") == run("east") == set()
    # Read again by one credential, the others' bookmarks stay.
    assert run("east", full_refresh=True) == {"201"}
    assert run("west") == run("east") == set()
    assert run(None) == {"101", "102", "103"}
    assert run(None) == run("west") == run("east") == set()


def test_what_is_no_warehouse_or_open_elsewhere_is_one_sentence(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.path.write_text("not a database " * 1000)
    with pytest.raises(StoreError, match="cannot be opened"):
        DuckDB(warehouse.path).bookmarks()
    warehouse.path.unlink()
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    asked = "import duckdb, sys; db = duckdb.connect(sys.argv[1]); print(flush=True)"
    other = subprocess.Popen(
        [
            COMMAND.with_name("python"),
            "-c",
            f"{asked}; sys.stdin.read()",
            warehouse.path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout
    assert other.stdout.readline()
    with pytest.raises(StoreError, match="cannot be opened"):
        DuckDB(warehouse.path).bookmarks()
    other.communicate()


# --- the command ----------------------------------------------------------------------


def test_the_command_loads_and_a_second_one_is_kept_out(warehouse: Warehouse) -> None:
    with Sandbox(small_world()) as sandbox:
        file = warehouse.folder / "config.json"
        file.write_text(json.dumps(config(sandbox)))
        line: list[str | Path] = [COMMAND, "load", "--config", file]
        line += ["--into", warehouse.path]
        stalled = sandbox.faults.add(
            Fault("slow", provider="nectar", path="interval", seconds=60)
        )
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as first:
            while not stalled.struck:
                time.sleep(0.05)
            second = subprocess.run(line, capture_output=True, text=True, check=False)
            assert second.returncode == 1
            (told,) = second.stderr.splitlines()[-1:]
            assert told == f"Error: Another load into {warehouse.path} is at work."
            first.send_signal(signal.SIGTERM)
            _, log = first.communicate()
        assert first.returncode == 128 + signal.SIGTERM, log
        assert "Asked to stop; what was read so far is stored." in log
        assert "Traceback" not in log
        # Read side by side: how much of UtilityAPI came before the signal is open.
        assert {key[4] for key in warehouse.values()} <= {"utilityapi"}
        sandbox.faults.clear()
        third = subprocess.run(line, capture_output=True, text=True, check=False)
        assert third.returncode == 0, third.stderr
        assert warehouse.values() == world_values(sandbox.world)
        for secret in (sandbox.token, sandbox.api_key):
            assert secret not in log + second.stderr + third.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--into", "table.xls"], "name a DuckDB file"),
        (["--into", "w.duckdb", "--select", "bills"], "there are intervals, meters"),
        (["--into", "postgres://u@h/d?x=1&pass%77ord=secret"], "leave the password"),
        (["--into", "postgres://u@[::1/d"], "Invalid IPv6 URL"),
    ],
)
def test_a_line_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, options: list[str], told: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"nectar_api_key": "x"}))
    done = subprocess.run(
        [COMMAND, "load", "--config", file, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr

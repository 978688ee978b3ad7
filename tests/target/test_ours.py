"""The tap's own streams: as `load` stores them, exactly once, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.singer import targets
from tap_utility_intervals.store.base import StoreError
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import Row
from tests.providers.utilityapi.serving import NOW
from tests.store.loads import (
    Fuse,
    Fused,
    Warehouse,
    kill_again_and_again,
    serving,
    small_world,
    world_values,
)
from tests.syncing import config, sync
from tests.target.loading import Loaded, listen, schema

ALIKE = "select * exclude {1} from one.{0} except all select * exclude {1} from two.{0}"


class Pipe(Warehouse):
    """The tap and the target; what is confirmed is kept beside the file."""

    def pipe(
        self, sandbox: Sandbox, catalog: Row | None = None, **options: Any
    ) -> list[Row]:
        """Sync from the last STATE on; the rows of intervals that came."""
        file = self.folder / "state.jsonl"
        known = file.read_text().rpartition("\n")[0] if file.exists() else ""
        state = json.loads(known.splitlines()[-1]) if known else None
        chosen = config(sandbox, **{"max_retries": 0, **self.settings})
        run = sync(chosen, state, catalog)
        with file.open("a") as out, redirect_stdout(out):
            listen(self.path, run.lines, batch_size_rows=300, **options)
        return run.rows("intervals")

    def forget(self) -> None:
        """Read everything next time."""
        (self.folder / "state.jsonl").unlink()


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipe:
    monkeypatch.setattr(targets, "CHUNK", 50_000)
    return Pipe(tmp_path, {"state_interval_seconds": 0, "lookback_days": 2})


def test_tables_are_those_of_load(pipe: Pipe, tmp_path: Path) -> None:
    (tmp_path / "load").mkdir()
    loaded = Warehouse(tmp_path / "load")
    with Sandbox(small_world()) as sandbox:
        pipe.pipe(sandbox)
        loaded.load(sandbox)
        assert pipe.values() == world_values(sandbox.world)
    with duckdb.connect() as db:
        db.execute(f"attach '{pipe.path}' as one; attach '{loaded.path}' as two")
        for table in ("meters", "intervals", "usage", "coverage", "restatements"):
            shape = db.execute(f"describe one.{table}").fetchall()
            assert shape == db.execute(f"describe two.{table}").fetchall()
            names = [row[0] for row in shape if row[0] in {"read_at", "listed_at"}]
            differ = ALIKE.format(table, f"({', '.join(names)})")
            assert db.execute(differ).fetchall() == []
            counts = (f"select count(*) from {of}.{table}" for of in ("one", "two"))
            ours, theirs = (db.execute(count).fetchall() for count in counts)
            assert ours == theirs


def test_killed_at_any_moment_and_run_again_it_holds_the_world(pipe: Pipe) -> None:
    """Each call of DuckDB is a moment: also those around a STATE."""

    def fresh(number: int) -> Pipe:
        folder = pipe.folder / str(number)
        folder.mkdir()
        return Pipe(folder, pipe.settings)

    with Sandbox(small_world()) as sandbox:
        expected = world_values(sandbox.world)

        def load(one: Pipe, fuse: Fuse) -> None:
            connect = duckdb.connect

            def opened(*args: Any) -> Any:
                return Fused(fuse.around(connect)(*args), fuse)

            duckdb.connect = opened  # type: ignore[assignment]
            try:
                one.pipe(sandbox)
            finally:
                duckdb.connect = connect

        for one in kill_again_and_again(load, fresh):
            assert one.values() == expected
            assert one.query("from restatements") == []
            assert len(one.query("from meters")) == 4
        sandbox.world.advance(days=1)
        again = one.pipe(sandbox)
        assert one.values() == world_values(sandbox.world)
    since = (NOW.replace(month=3, day=8) - timedelta(days=4)).isoformat()
    assert min(row["interval_start"] for row in again) >= since[:19]


def test_rows_after_another_schema_go_into_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are taken many at once: not by the sink that was there before."""
    with tiny() as sandbox:
        lines = [f"{line}\n".encode() for line in sync(config(sandbox)).lines]
    head, *records = [line for line in lines if b'"stream":"intervals"' in line]
    assert len(records) == 2
    less = json.loads(head)
    del less["schema"]["properties"]["source_id"]
    again = f"{json.dumps(less)}\n".encode()
    chunks = [head + records[0], again, records[1]]
    monkeypatch.setattr(targets, "chunks", lambda _: iter(chunks))
    warehouse = Loaded(tmp_path / "warehouse.duckdb")
    warehouse.load([])
    found = warehouse.query("select quantity from intervals order by all")
    assert found == [(Decimal(1),), (Decimal("2.5"),)]


def test_restatements_and_numbers_are_exact(
    pipe: Pipe, caplog: pytest.LogCaptureFixture
) -> None:
    long, nines = "0." + "1234567890" * 6, "9" * 60
    for values in (("1.5", "1e299", nines, long), ("1.50", "2", "7", "0.1")):
        with serving(*enumerate(values)) as sandbox:
            sandbox.settings = partial_settings(sandbox)  # type: ignore[method-assign]
            pipe.pipe(sandbox)
        pipe.forget()
        if values[0] == "1.5":
            held = pipe.query("from intervals order by interval_start")
    rounded = Decimal("0.123456789012345679")
    assert [row["quantity"] for row in held] == [Decimal("1.5"), None, None, rounded]
    kept = [json.loads(row["unreadable"] or "{}") for row in held]
    assert [one.get("quantity", "").lower() for one in kept] == [
        *("", "1e+299", nines, long),
    ]
    assert "2 times: intervals.quantity has more than 20 digits" in caplog.text
    told = pipe.query("from restatements order by interval_start")
    assert [(row["old_quantity"], row["quantity"]) for row in told] == [
        *((None, Decimal(2)), (None, Decimal(7)), (rounded, Decimal("0.1"))),
    ]
    assert {row["last_seen_at"] for row in told} == {held[0]["read_at"]}


def partial_settings(sandbox: Sandbox) -> Any:
    every = sandbox.settings
    return lambda *_: every("utilityapi")


@contextmanager
def tiny() -> Iterator[Sandbox]:
    with serving((0, "1"), (1, "2.5")) as sandbox:
        sandbox.settings = partial_settings(sandbox)  # type: ignore[method-assign]
        yield sandbox


def without(sandbox: Sandbox, *names: str) -> Row:
    """A catalog whose streams lack these columns."""
    catalog: Row = TapUtilityIntervals(config=config(sandbox)).catalog_dict
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"][-1:] in [[name] for name in names]:
                entry["metadata"]["selected"] = False
    return catalog


def test_deselected_columns_are_missing_and_come_with_their_selection(
    pipe: Pipe,
) -> None:
    names = ("read_at", "unreadable", "quantity_normalized", "is_complete")
    with tiny() as sandbox:
        for _ in range(2):
            pipe.pipe(sandbox, without(sandbox, *names))
            pipe.forget()
        assert set(pipe.query("from intervals")[0]).isdisjoint(names)
        pipe.pipe(sandbox)
        pipe.forget()
        pipe.pipe(sandbox)
    rows = pipe.query("from intervals order by interval_start")
    assert [row["quantity"] for row in rows] == [1, Decimal("2.5")]
    assert set(names[:-1]) < set(rows[0])
    assert pipe.query("from restatements") == []


def test_a_map_adds_a_column_and_leaves_the_others_exact(pipe: Pipe) -> None:
    made = {"stream_maps": {"intervals": {"wh": "float(quantity) * 1000"}}}
    with tiny() as sandbox:
        pipe.pipe(sandbox, **made)  # the target's
        pipe.forget()
        pipe.settings |= made  # the tap's
        pipe.pipe(sandbox)
    found = pipe.query("select quantity, wh from intervals order by wh")
    assert [tuple(row.values()) for row in found] == [
        (Decimal(1), 1000.0),
        (Decimal("2.5"), 2500.0),
    ]


def test_a_foreign_stream_of_our_name_is_left_to_itself(tmp_path: Path) -> None:
    warehouse = Loaded(tmp_path / "warehouse.duckdb")
    for stream in ("coverage", "intervals", "coverage"):
        text = {"type": "string"}
        lines = schema(stream, quantity={"type": "number"}, source=text)
        row = {"id": "1", "quantity": 1.5, "source": "x"}
        warehouse.load([lines, {"type": "RECORD", "stream": stream, "record": row}])
        assert warehouse.query(f"from {stream}") == [("1", 1.5, "x")]


def test_a_record_that_lacks_its_key_is_one_sentence(tmp_path: Path) -> None:
    warehouse = Loaded(tmp_path / "warehouse.duckdb")
    with tiny() as sandbox:
        lines = sync(config(sandbox)).lines
    lines = [line.replace('"meter_key":"58",', "") for line in lines]
    with pytest.raises(StoreError, match=r"A RECORD|a RECORD .*meter_key"):
        warehouse.load(lines)
    assert warehouse.confirmed == []

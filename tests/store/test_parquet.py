"""`load` into a folder of Parquet files: exactly once, and readable at any moment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.store import commits, loading
from tap_utility_intervals.store.base import Pending, StoreError, table_of
from tap_utility_intervals.store.parquet import Lake
from tests.oracle import KEYS, Row
from tests.packaging.tree import ROOT
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

PAGE = (ROOT / "docs" / "load.md").read_text(encoding="utf-8")


@dataclass
class Folder:
    """A lake that is loaded from a sandbox, and read as the page says."""

    path: Path
    settings: Row = field(default_factory=dict)

    def load(self, sandbox: Sandbox) -> int:
        chosen = config(sandbox, max_retries=0, **self.settings)
        return loading.load(chosen, Lake(self.path))

    def query(self, sql: str) -> list[Row]:
        views = PAGE.partition("```sql\n")[2].partition("```")[0]
        with duckdb.connect() as db:
            db.execute("set TimeZone = 'UTC'")
            db.execute(views.replace("lake/", f"{self.path}/"))
            found: list[Row] = db.sql(sql).to_arrow_table().to_pylist()
            return found

    def values(self) -> dict[tuple[str, ...], Decimal | None]:
        found = self.query(f"select {', '.join(KEY)}, quantity from intervals")
        values = {tuple(shown(r[name]) for name in KEY): r["quantity"] for r in found}
        assert len(values) == len(found)
        return values

    def commit(self, **columns: list[Any]) -> None:
        pending = Pending()
        pending.add(table_of("intervals", KEYS["intervals"]), rows(**columns))
        Lake(self.path).commit(pending)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    with Lake(tmp_path / "lake").alone():
        return Folder(tmp_path / "lake")


def fused_load(folder: Folder, sandbox: Sandbox, fuse: Fuse) -> None:
    """Load; whatever touches the disk is a moment."""
    before = os.mkdir, os.rename, os.fsync, pq.write_table
    os.mkdir, os.rename = fuse.around(os.mkdir), fuse.around(os.rename)
    os.fsync, pq.write_table = fuse.around(os.fsync), fuse.around(pq.write_table)
    try:
        assert folder.load(sandbox) == 0
    finally:
        os.mkdir, os.rename, os.fsync, pq.write_table = before


def test_killed_at_any_moment_and_run_again_it_holds_the_world(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_utility_intervals.arrow.reading.ROWS", 100)
    monkeypatch.setattr(commits, "ROWS", 300)
    with Sandbox(small_world()) as sandbox:
        expected = world_values(sandbox.world)

        def fresh(number: int) -> Folder:
            path = folder.path.with_name(f"lake-{number}")
            return Folder(path)

        def load(one: Folder, fuse: Fuse) -> None:
            fused_load(one, sandbox, fuse)

        for one in kill_again_and_again(load, fresh):
            assert one.values() == expected
            assert not list((one.path / ".writing").rglob("*.parquet"))


def test_what_is_restated_is_told_and_the_newest_counts(folder: Folder) -> None:
    def read_at(*hours: int) -> list[Any]:
        return [NOW + timedelta(hours=hour) for hour in hours]

    keys: Row = {"meter_key": ["0"], "interval_start": [NOW]}
    for hour, value in enumerate(LAST_DIGITS):
        folder.commit(**keys, quantity=[value], read_at=read_at(hour))
    exact = "select old_quantity, quantity from restatements"
    assert [tuple(row.values()) for row in folder.query(exact)] == [LAST_DIGITS]
    keys = {"meter_key": ["1", "1", "2"], "interval_start": [NOW] * 3}
    folder.commit(**keys, quantity=[1, 2, None], read_at=read_at(0, 2, 1))
    folder.commit(**keys, quantity=[4, 2, None], read_at=read_at(3, 4, 4))
    folder.commit(**keys, quantity=[7, 6, 8], read_at=read_at(2, 5, 5))
    folder.commit(**keys, quantity=[7, 9, 9], read_at=read_at(2, 1, 0))
    held = folder.query("select quantity from intervals order by meter_key")
    assert [row["quantity"] for row in held] == [LAST_DIGITS[1], 6, 8]
    told = folder.query(
        "select old_quantity, quantity, last_seen_at from restatements"
        " where meter_key > '0' order by meter_key"
    )
    (at,) = read_at(4)
    assert [tuple(row.values()) for row in told] == [(2, 6, at), (None, 8, at)]


def test_of_rows_that_were_read_at_once_the_last_counts(folder: Folder) -> None:
    """Also of those without such an instant."""
    keys: Row = {"meter_key": ["1"] * 3, "interval_start": [NOW] * 3}
    for at in (None, NOW):
        folder.commit(**keys, quantity=[1, 2, 3], read_at=[at] * 3)
        folder.commit(**keys, quantity=[4, 5, 6], read_at=[at] * 3)
        assert folder.query("select quantity from intervals") == [{"quantity": 6}]
    files = sorted(folder.path.glob("data/*/intervals.parquet"))
    assert [pq.read_metadata(one).num_rows for one in files] == [1] * 4
    told = folder.query("select old_quantity, quantity from restatements")
    pairs = {(row["old_quantity"], row["quantity"]) for row in told}
    assert pairs == {(3, 6), (6, 3)}
    assert len(told) == 3


def test_what_a_load_did_not_write_is_left_alone_or_told(folder: Folder) -> None:
    keys: Row = {"meter_key": ["1"], "interval_start": [NOW]}
    folder.commit(**keys, quantity=[1], read_at=[NOW])
    data = folder.path / "data"
    for name in ("2024", "12 old", "year=2024"):
        (data / name).mkdir()
    (data / "9.txt").touch()
    # As an earlier version would have written it.
    file = data / "0000000001" / "intervals.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["quality", "source_id"]), file)
    folder.commit(**keys, quantity=[2], quality=["actual"], read_at=[NOW])
    store = Lake(folder.path)
    assert (store.bookmarks(), (data / "0000000002").is_dir()) == ({}, True)
    told = folder.query("select old_quantity, old_quality, quality from restatements")
    assert [tuple(row.values()) for row in told] == [(1, None, "actual")]
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StoreError, match="Parquet"):
        folder.commit(**keys, quantity=[3], read_at=[NOW])
    file.with_name("bookmarks.json").write_text('[["usage"')
    with pytest.raises(StoreError, match=r"0001/bookmarks.json cannot be used"):
        store.bookmarks()


def test_bookmarks_are_those_of_all_commits(folder: Folder) -> None:
    one, two = ((("meter_key", key),) for key in "12")
    store = Lake(folder.path)
    all_changes: list[Any] = [
        *({one: {"at": 1}, two: {"at": 1}}, {one: {"at": 2}}, {two: None}),
    ]
    for changes in all_changes:
        pending = Pending()
        pending.note("usage", changes)
        store.commit(pending)
    assert store.bookmarks() == {("usage", '{"meter_key": "1"}'): '{"at":2}'}


def test_one_load_at_a_time_and_no_folder_is_one_sentence(folder: Folder) -> None:
    store = Lake(folder.path)
    with (
        store.alone(),
        pytest.raises(StoreError, match=r"Another load into .* is at work"),
        Lake(folder.path).alone(),
    ):
        pass
    file = folder.path / "file"
    file.touch()
    with pytest.raises(StoreError, match="cannot be used"), Lake(file).alone():
        pass

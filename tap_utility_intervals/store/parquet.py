"""A folder of Parquet files: each commit is one folder that appears at once, or never.

    lake/data/0000000001/intervals.parquet, …, bookmarks.json

Files are only added: readers take the newest row of each key (`docs/load.md`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tap_utility_intervals.store.base import (
    Pending,
    Place,
    StoreError,
    Table,
    only_load,
)

DATA = "data"
WRITING = ".writing"
DEEPER = Path("a", "b")
"""Where a commit is written: no documented glob reaches it, dot folders or not."""

FILE = "bookmarks.json"


class Lake:
    """Tables as Parquet files below one folder."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made when it is needed."""
        self.name = str(folder)
        self._folder = folder
        self._data = folder / DATA

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold `<folder>/.lock`; what a killed load was writing is removed."""
        with self._told():
            self._data.mkdir(parents=True, exist_ok=True)
        with only_load(self._folder / ".lock", self.name):
            with self._told():
                shutil.rmtree(self._folder / WRITING, ignore_errors=True)
            yield

    def bookmarks(self) -> dict[Place, str]:
        """All bookmarks, as they were committed: each commit has what changed."""
        found: dict[Place, str | None] = {}
        with self._told():
            for commit in self._commits():
                text = (commit / FILE).read_text(encoding="utf-8")
                found.update(((one[0], one[1]), one[2]) for one in json.loads(text))
        return {place: text for place, text in found.items() if text is not None}

    def commit(self, pending: Pending) -> None:
        """Store everything at once."""
        with self._told():
            commits = self._commits()
            name = f"{int(commits[-1].name) + 1 if commits else 1:010d}"
            folder = self._folder / WRITING / DEEPER / name
            folder.mkdir(parents=True, exist_ok=True)
            for table in pending.tables.values():
                self._write(folder, table, pending.come(table), commits)
            changes = [[*place, text] for place, text in pending.bookmarks.items()]
            if not changes and not any(folder.iterdir()):
                return
            (folder / FILE).write_text(json.dumps(changes), encoding="utf-8")
            for path in (*folder.iterdir(), folder):
                _settle(path)
            folder.rename(self._data / name)  # the moment
            _settle(self._data)

    def _commits(self) -> list[Path]:
        """The folders of commits, the oldest first."""
        return sorted(path for path in self._data.glob("[0-9]*") if path.is_dir())

    def _write(
        self, folder: Path, table: Table, rows: pa.Table, commits: list[Path]
    ) -> None:
        """Write a table's rows; without any a file only if there is none so far."""
        name = f"{table.name}.parquet"
        if not rows.num_rows and any((one / name).exists() for one in commits):
            return
        rows = _last(table, rows)
        if table.readings:
            told = self._restated(table, rows, commits)
            _write(folder / f"{table.restatements.name}.parquet", told)
        _write(folder / name, rows)

    def _restated(self, table: Table, rows: pa.Table, commits: list[Path]) -> pa.Table:
        """What came again with another value: rows of the table of restatements."""
        readings = table.readings
        assert readings  # noqa: S101 - for mypy
        files = [commit / f"{table.name}.parquet" for commit in commits]
        names = [*table.key, *readings.compared, readings.read_at]
        wanted = table.restatements.schema
        held = self._held(table, rows, [file for file in files if file.exists()])
        if held is None or not held.num_rows:
            return wanted.empty_table()
        old = {name: f"old_{name}" for name in readings.compared}
        old[readings.read_at] = "last_seen_at"
        both = rows.select(names).join(
            held.rename_columns([old.get(name, name) for name in names]),
            list(table.key),
            join_type="inner",
        )
        differ = [_differ(both[n], both[f"old_{n}"]) for n in readings.compared]
        changed = reduce(pc.or_, differ)
        newer = pc.greater_equal(both[readings.read_at], both["last_seen_at"])
        told = both.filter(pc.and_(changed, pc.fill_null(newer, fill_value=True)))
        return told.select(wanted.names).cast(wanted)

    def _held(self, table: Table, rows: pa.Table, files: list[Path]) -> pa.Table | None:
        """The newest row of each key that may have come again; of its columns some."""
        readings = table.readings
        assert readings  # noqa: S101 - for mypy
        if not files:
            return None
        start, source = pc.field(readings.start), pc.field(readings.source)
        came = rows[readings.start]
        held = pq.read_table(
            [str(file) for file in files],
            columns=[*table.key, *readings.compared, readings.read_at],
            filters=source.isin(rows[readings.source].unique())
            & (start >= pc.min(came))
            & (start <= pc.max(came)),
        )
        return _newest(table, held)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = error.strerror or str(error)
            raise StoreError(f"{self.name} cannot be used: {what}.") from None


def _newest(table: Table, rows: pa.Table) -> pa.Table:
    """Of each key the row that was read last."""
    assert table.readings  # noqa: S101 - for mypy
    read_at, key = table.readings.read_at, list(table.key)
    last = rows.group_by(key).aggregate([(read_at, "max")])
    if last.num_rows == rows.num_rows:
        return rows
    names = [*key, read_at]
    found = last.rename_columns(names).join(rows, names, join_type="inner")
    return found.select(rows.schema.names)


def _last(table: Table, rows: pa.Table) -> pa.Table:
    """Of each key the row that was read last, or else the one that came last."""
    if table.readings:
        return _newest(table, rows)
    columns = [rows[name].to_pylist() for name in table.key]
    places = {key: place for place, key in enumerate(zip(*columns, strict=True))}
    if not columns or len(places) == rows.num_rows:
        return rows
    return rows.take(pa.array(sorted(places.values()), pa.int64()))


def _differ(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where two columns differ; null is a value like others."""
    values = pc.fill_null(pc.not_equal(one, other), fill_value=False)
    return pc.or_(values, pc.xor(pc.is_null(one), pc.is_null(other)))


def _write(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path, compression="zstd")


def _settle(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

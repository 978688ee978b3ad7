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
from typing import TypeAlias

import msgspec
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

DIGITS = 10

NAMES = "[0-9]" * DIGITS
"""What folders of commits are called; others below `data` are somebody else's."""

Change: TypeAlias = tuple[str, str, str | None]
"""A bookmark: stream, source, and what it is now."""


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
                text = (commit / FILE).read_bytes()
                try:
                    changes = msgspec.json.decode(text, type=list[Change])
                except msgspec.MsgspecError as error:
                    told = f"{commit / FILE} cannot be used: {error}."
                    raise StoreError(told) from None
                found.update(((stream, of), entry) for stream, of, entry in changes)
        return {place: text for place, text in found.items() if text is not None}

    def commit(self, pending: Pending) -> None:
        """Store everything at once."""
        with self._told():
            commits = self._commits()
            number = int(commits[-1].name) + 1 if commits else 1
            name = f"{number:0{DIGITS}d}"
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
        return sorted(path for path in self._data.glob(NAMES) if path.is_dir())

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
        names = [*table.key, *readings.compared, readings.read_at]
        held = pq.read_table(
            [str(file) for file in files],
            columns=names,
            filters=source.isin(rows[readings.source].unique())
            & (start >= pc.min(came))
            & (start <= pc.max(came)),
            schema=pa.schema([table.schema.field(name) for name in names]),
        )
        return _last(table, held)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = error.strerror or str(error)
            where = error.filename or self.name
            raise StoreError(f"{where} cannot be used: {what}.") from None
        except pa.ArrowException as error:  # of a file that is no longer whole
            what = str(error).partition("\n")[0]
            raise StoreError(f"{self.name} cannot be used: {what}") from error


def _last(table: Table, rows: pa.Table) -> pa.Table:
    """Of each key the row that was read last, or else the one that came last."""
    key = list(table.key)
    if not key or rows.group_by(key).aggregate([]).num_rows == rows.num_rows:
        return rows
    place = pa.array(range(rows.num_rows), pa.int64())
    if table.readings:
        when = rows[table.readings.read_at].cast(pa.int64())
        place = pc.sort_indices(pc.fill_null(when, -(2**63)))  # keeps ties in order
    turn = pa.array(range(rows.num_rows), pa.int64())
    turns = rows.select(key).take(place).append_column("", turn)
    last = turns.group_by(key).aggregate([("", "max")])["_max"]
    return rows.take(place.take(last).sort())


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

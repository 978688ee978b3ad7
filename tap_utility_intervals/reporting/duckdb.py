"""A DuckDB file or a folder of Parquet files, read only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb
from typing_extensions import override

from tap_utility_intervals.reporting.database import (
    Database,
    ReportError,
    Row,
    literal,
    quoted,
)


@contextmanager
def opened(path: Path, schema: str) -> Iterator[Database]:
    """Open it beside a file of our own, where what we make lies; that one is deleted.

    Raises:
        ReportError: there is no such file, or it cannot be read.
    """
    if not path.exists():
        raise ReportError(f"There is no {path}.")
    with TemporaryDirectory(prefix="utility-intervals-report-") as folder:
        try:
            with duckdb.connect(f"{folder}/report.duckdb") as db:
                db.execute("set TimeZone = 'UTC'")
                db.execute("set preserve_insertion_order = false")
                if not path.is_dir():
                    db.execute(f"attach {literal(str(path))} as warehouse (read_only)")
                yield DuckDB(db, path, schema)
        except duckdb.Error as error:
            raise ReportError(f"{path}: {str(error).partition(chr(10))[0]}") from None


class DuckDB(Database):
    """A session in DuckDB."""

    type: Literal["duckdb", "postgres"] = "duckdb"
    database = "report"
    schema = "main"

    def __init__(self, db: duckdb.DuckDBPyConnection, path: Path, held_in: str) -> None:
        """Use a connection with the file at `path` attached, unless it is a folder."""
        self._db = db
        self._path = path
        self._held_in = held_in

    @override
    def run(self, sql: str) -> None:
        self._db.execute(sql)

    @override
    def rows(self, sql: str, *values: object) -> list[Row]:
        done = self._db.execute(sql, values)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    @override
    def columns(self, view: str) -> list[str]:
        found = self._db.execute(f"select * from {quoted(view)} limit 0")  # noqa: S608
        return [column[0] for column in found.description or ()]

    @override
    def found(self, table: str) -> str | None:
        if self._path.is_dir():
            if not any(self._path.glob(f"data/*/{table}.parquet")):
                return None
            files = literal(f"{self._path}/data/*/{table}.parquet")
            return f"read_parquet({files}, union_by_name = true)"
        schema, _, name = table.rpartition(".")
        place = ("warehouse", schema or self._held_in, name)
        there = self.rows(
            "select 1 from duckdb_columns() where database_name = $1"
            " and schema_name = $2 and table_name = $3 limit 1",
            *place,
        )
        return quoted(*place) if there else None

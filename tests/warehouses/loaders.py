"""Each loader: its settings, and how one asks what it has loaded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tests.warehouses.server import DATABASE, PASSWORD, USER, Server
from tests.warehouses.sql import documented, models, over, whole_lines

Row = dict[str, Any]
BATCH = "1000"
"""Rows per load: several loads happen before the pipeline is killed."""


class Loader(Protocol):
    """What the tests need to know."""

    @property
    def name(self) -> str:
        """As Meltano calls it."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Environment variables."""

    def has_rows(self) -> bool:
        """Whether any interval has arrived."""

    def prepare(self) -> None:
        """Make the table of zones."""

    def model(self) -> None:
        """Make the models."""

    def query(self, sql: str) -> list[Row]:
        """Ask in SQL; numbers are decimals with the digits that were stored."""

    def execute(self, sql: str) -> None:
        """Do something else in SQL."""


def decimals(row: Row) -> Row:
    """Floats by their shortest digits, as whoever wrote them meant them."""
    return {
        name: Decimal(repr(value)) if isinstance(value, float) else value
        for name, value in row.items()
    }


class Asked:
    """What a DuckDB connection answers."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, sql: str) -> list[Row]:
        """Rows by column name; instants as JSON would have them."""
        answer = self.connection.execute(sql)
        names = [column[0] for column in answer.description or ()]
        return [decimals(dict(zip(names, r, strict=True))) for r in answer.fetchall()]


@dataclass
class DuckDB:
    folder: Path
    name: str = "target-utility-duckdb"

    @property
    def file(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "TARGET_UTILITY_DUCKDB_FILEPATH": str(self.file),
            "TARGET_UTILITY_DUCKDB_BATCH_SIZE_ROWS": BATCH,
        }

    def has_rows(self) -> bool:
        """The loader has the file open while it commits, and at no other time."""
        with suppress(duckdb.Error):
            return bool(self.query("from intervals limit 1"))
        return False

    def prepare(self) -> None:
        self.execute(documented(""))

    def model(self) -> None:
        self.execute(models("duckdb"))

    def execute(self, sql: str) -> None:
        with duckdb.connect(str(self.file)) as connection:
            connection.execute(sql)

    def query(self, sql: str) -> list[Row]:
        with duckdb.connect(str(self.file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return Asked(connection).rows(sql)


@dataclass
class Files:
    """A loader that writes files, asked through the views that the page has for it."""

    folder: Path
    kind: str

    def __post_init__(self) -> None:
        self.connection = duckdb.connect()
        self.seen = False

    @property
    def name(self) -> str:
        return f"target-{self.kind}"

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "TZ": "UTC",
            "TARGET_CSV_OUTPUT_PATH": str(self.folder),
            "TARGET_CSV_BATCH_SIZE_ROWS": BATCH,
            "TARGET_JSONL_DESTINATION_PATH": str(self.folder),
            "TARGET_JSONL_DO_TIMESTAMP_FILE": "true",
        }

    def files(self, stream: str) -> list[Path]:
        return sorted(self.folder.glob(f"{stream}-*.{self.kind}"))

    def has_rows(self) -> bool:
        return any(f.read_bytes().count(b"\n") > 1 for f in self.files("intervals"))

    def prepare(self) -> None:
        self.execute(documented(""))

    def model(self) -> None:
        self.execute(models("duckdb"))

    def execute(self, sql: str) -> None:
        self.connection.execute(sql)

    def query(self, sql: str) -> list[Row]:
        if not self.seen:
            whole_lines(self.folder)
            self.connection.execute(over(self.folder, documented(self.kind)))
            self.seen = True
        return Asked(self.connection).rows(sql)


@dataclass
class PostgreSQL:
    folder: Path
    server: Server
    name: str = "target-postgres"
    path: str = "utility_intervals"

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "TARGET_POSTGRES_HOST": "127.0.0.1",
            "TARGET_POSTGRES_PORT": str(self.server.port),
            "TARGET_POSTGRES_USER": USER,
            "TARGET_POSTGRES_PASSWORD": PASSWORD,
            "TARGET_POSTGRES_DATABASE": DATABASE,
            "TARGET_POSTGRES_BATCH_SIZE_ROWS": BATCH,
        }

    def has_rows(self) -> bool:
        there = "to_regclass('utility_intervals.intervals') is not null as there"
        if self.server.query(f"select {there}") != [{"there": True}]:
            return False
        (found,) = self.query("select count(*) as n from intervals")
        return bool(found["n"])

    def prepare(self) -> None:
        self.execute(documented(""))

    def model(self) -> None:
        script = models("postgres")
        self.server.run(script=f"set search_path = {self.path}; {script}")

    def execute(self, sql: str) -> None:
        self.server.run("-c", f"set search_path = {self.path}", "-c", sql)

    def query(self, sql: str) -> list[Row]:
        return self.server.query(sql, self.path)

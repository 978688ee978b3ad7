"""A PostgreSQL database as it was at one instant; what we make are temporary tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import DictRow, dict_row
from typing_extensions import override

from tap_utility_intervals.reporting.database import Database, ReportError, Row, quoted


@contextmanager
def opened(url: str, schema: str) -> Iterator[Database]:
    """Open it, the password by libpq's own means.

    Raises:
        ReportError: it cannot be opened, or refuses something.
    """
    try:
        with psycopg.connect(
            url, cursor_factory=psycopg.RawCursor, row_factory=dict_row
        ) as db:
            db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            db.execute("set time zone 'UTC'")
            yield PostgreSQL(db, schema)
            db.rollback()
    except psycopg.Error as error:
        what = error.diag.message_primary or str(error).partition("\n")[0]
        name = urlsplit(url).path.strip("/")
        raise ReportError(f"{name}: {what}") from None


class PostgreSQL(Database):
    """A session in PostgreSQL."""

    type: Literal["duckdb", "postgres"] = "postgres"
    schema = "pg_temp"

    def __init__(self, db: psycopg.Connection[DictRow], held_in: str) -> None:
        """Use a connection; the loader's tables are in the schema `held_in`."""
        self._db = db
        self._held_in = held_in
        self.database = db.info.dbname

    @override
    def run(self, sql: str) -> None:
        self._db.execute(sql)

    @override
    def rows(self, sql: str, *values: object) -> list[Row]:
        return self._db.execute(sql, values).fetchall()

    @override
    def columns(self, view: str) -> list[str]:
        found = self._db.execute(f"select * from {quoted(view)} limit 0")  # noqa: S608
        return [column[0] for column in found.description or ()]

    @override
    def found(self, table: str) -> str | None:
        schema, _, name = table.rpartition(".")
        held = quoted(schema or self._held_in, name)
        (row,) = self.rows("select to_regclass($1) is not null as there", held)
        return held if row["there"] else None

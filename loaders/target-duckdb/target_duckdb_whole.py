"""target-duckdb 0.8.0, with every row kept.

The target writes each batch to a CSV file without a header and loads it by a `COPY`
that leaves the file's dialect to DuckDB's guess. Every DuckDB since 1.1 may guess that
the first row is a header: one row of each batch is lost, and nobody is told. Pull
request 58 of jwills/target-duckdb cures that but was never released; the last DuckDB
without the guess, 1.0.0, has no wheels for Python 3.13 and later.

So this wrapper says how the file is written instead of having it guessed, and compares
what `COPY` loaded with what the target meant to load. It also mends what the target
confirms: the first STATE of a run counted as loaded whatever it covered (a crash after
it could lose rows for good), and a last STATE with no record after the last batch was
never passed on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import target_duckdb
from duckdb import DuckDBPyConnection
from target_duckdb.db_sync import DbSync

GUESSED = " WITH (new_line '\\r\\n')"
"""How the target ends its `COPY`."""


class WholeConnection:
    """A DuckDB connection whose `COPY` guesses nothing and loses nothing."""

    def __init__(
        self, connection: DuckDBPyConnection, config: Mapping[str, Any]
    ) -> None:
        self._connection = connection
        self._dialect = dialect(config)
        self.expected = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, query: str, *parameters: object) -> object:
        """Run one statement; a `COPY` with an exact dialect and a counted result."""
        if not query.startswith("COPY "):
            return self._connection.execute(query, *parameters)
        if not query.endswith(GUESSED):
            msg = f"target-duckdb has changed its COPY; adapt {__file__}: {query}"
            raise RuntimeError(msg)
        query = query.removesuffix(GUESSED) + self._dialect
        copied = self._connection.execute(query).fetchall()
        if copied != [(self.expected,)]:
            msg = f"DuckDB loaded {copied}, not {self.expected} rows: {query}"
            raise RuntimeError(msg)
        return self._connection


def dialect(config: Mapping[str, Any]) -> str:
    """Say in SQL how `DbSync.load_rows` writes its file with this configuration."""
    delimiter, quote = (
        str(config.get(setting, default)).replace("'", "''")
        for setting, default in (("delimiter", ","), ("quotechar", '"'))
    )
    new_line = csv.excel.lineterminator.encode("unicode_escape").decode()
    return (
        f" (FORMAT csv, AUTO_DETECT false, HEADER false, DELIMITER '{delimiter}',"
        f" QUOTE '{quote}', ESCAPE '{quote}', NEW_LINE '{new_line}', PARALLEL false)"
    )


class LastState:
    """Passes Singer lines on and remembers the last STATE among them."""

    def __init__(self) -> None:
        self.value: object = None

    def watch(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield every line as it is."""
        for line in lines:
            if '"STATE"' in line and (message := json.loads(line))["type"] == "STATE":
                self.value = message["value"]
            yield line


def main() -> None:
    """Run target-duckdb with its connection, its batches and its STATE made whole."""
    connect = target_duckdb.duckdb_connect
    persist_lines = target_duckdb.persist_lines
    load_rows = DbSync.load_rows

    def connect_whole(config: Mapping[str, Any]) -> WholeConnection:
        return WholeConnection(connect(config), config)

    def load_counted(
        self: DbSync, rows: Iterable[object], count: int, folder: str
    ) -> None:
        self.conn.expected = count
        load_rows(self, rows, count, folder)

    def persist_all(
        connection: WholeConnection, config: Mapping[str, Any], lines: Iterable[str]
    ) -> None:
        last = LastState()
        # All streams at once: then a STATE in between covers only what is loaded.
        config = {**config, "flush_all_streams": True}
        persist_lines(connection, config, last.watch(lines))
        target_duckdb.emit_state(last.value)

    target_duckdb.duckdb_connect = connect_whole
    target_duckdb.persist_lines = persist_all
    DbSync.load_rows = load_counted
    target_duckdb.main()


if __name__ == "__main__":
    main()

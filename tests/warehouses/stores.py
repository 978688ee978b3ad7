"""Warehouses without a loader: tables as the loaders make them, filled from a sync."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tests.oracle import KEYS
from tests.packaging.tree import ROOT
from tests.syncing import Run
from tests.warehouses.loaders import Asked, Row
from tests.warehouses.server import Server
from tests.warehouses.sql import documented

STREAMS = ("intervals", "coverage", "meters", "usage")
TYPES = {
    "duckdb": {"number": "double", "integer": "bigint", "boolean": "boolean"},
    "postgresql": {
        "number": "numeric",
        "integer": "integer",
        "boolean": "boolean",
        "object": "jsonb",
        "array": "jsonb",
    },
}


class Store(Protocol):
    """A warehouse with the views of the documentation."""

    def load(self, stream: str, rows: Sequence[Row]) -> None:
        """Load rows as a loader does."""

    def query(self, sql: str) -> list[Row]:
        """Ask in SQL, with all that was loaded in sight."""

    def execute(self, sql: str) -> None:
        """Do something else in SQL."""


def load(store: Store, *runs: Run) -> None:
    """Load all that some runs wrote, in their order."""
    for run in runs:
        for stream in STREAMS:
            store.load(stream, run.rows(stream))


def set_zones(store: Store, zone: str) -> None:
    """Tell where all meters of Nectar are."""
    store.execute(
        "insert into meter_zones select distinct provider, meter_key,"
        f" '{zone}' from intervals where provider = 'nectar'"
    )


def columns(stream: str, kind: str) -> Mapping[str, str]:
    """Each column's type."""
    schema = json.loads((ROOT / "schemas" / f"{stream}.json").read_text("utf-8"))
    return {name: _type(prop, kind) for name, prop in schema["properties"].items()}


def _type(prop: Mapping[str, Any], kind: str) -> str:
    if prop.get("format") == "date-time":
        return "timestamp"
    types = [prop["type"]] if isinstance(prop["type"], str) else prop["type"]
    (one,) = [name for name in types if name != "null"]
    return TYPES[kind].get(one, "varchar")


def text(rows: Iterable[Row]) -> str:
    """Rows as JSON, numbers by their digits as far as floats have them."""
    return json.dumps(list(rows), default=float)


class InDuckDB:
    """A DuckDB database in memory, by key or appended to."""

    def __init__(self, folder: Path, *, appends: bool = False) -> None:
        """Make tables and views."""
        self.connection = duckdb.connect()
        self.file = folder / "rows.json"
        self.appends = appends
        for stream in STREAMS:
            fields = ", ".join(f"{n} {t}" for n, t in columns(stream, "duckdb").items())
            key = "" if appends else f", primary key ({', '.join(KEYS[stream])})"
            self.connection.execute(f"create table {stream} ({fields}{key})")
        self.connection.execute(documented("", "duckdb"))

    def load(self, stream: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        self.file.write_text(text(rows), "utf-8")
        fields = {n: t.upper() for n, t in columns(stream, "duckdb").items()}
        verb = "insert" if self.appends else "insert or replace"
        self.connection.execute(
            f"{verb} into {stream} by name"
            f" select * from read_json(?, columns = {fields})",
            [str(self.file)],
        )

    def query(self, sql: str) -> list[Row]:
        return Asked(self.connection).rows(sql)

    def execute(self, sql: str) -> None:
        self.connection.execute(sql)


class InPostgreSQL:
    """Tables in a schema of their own, and the documented schema for the views."""

    path = "energy, utility_intervals"

    def __init__(self, server: Server) -> None:
        """Make tables and views anew."""
        self.server = server
        script = "drop schema if exists utility_intervals, energy cascade;"
        script += (
            "create schema utility_intervals; set search_path = utility_intervals;"
        )
        for stream in STREAMS:
            fields = ", ".join(
                f"{n} {t}" for n, t in columns(stream, "postgresql").items()
            )
            keys = ", ".join(KEYS[stream])
            script += f"create table {stream} ({fields}, primary key ({keys}));"
        server.run(script=script + documented("", "postgresql"))

    def load(self, stream: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        fields = columns(stream, "postgresql")
        news = ", ".join(f"{name} = excluded.{name}" for name in fields)
        self.server.run(
            script=f"set search_path = {self.path}; insert into {stream}"
            f" select * from json_populate_recordset(null::{stream},"
            f" $json${text(rows)}$json$)"
            f" on conflict ({', '.join(KEYS[stream])}) do update set {news};"
        )

    def query(self, sql: str) -> list[Row]:
        self.execute(documented("refresh"))
        return self.server.query(sql, self.path)

    def execute(self, sql: str) -> None:
        self.server.run("-c", f"set search_path = {self.path}", "-c", sql)


def total(rows: Iterable[Row], column: str) -> Decimal:
    """The sum of a column."""
    return sum((Decimal(str(row[column] or 0)) for row in rows), Decimal())

"""Warehouses without a loader: tables as the loaders make them, filled from a sync."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from tap_utility_intervals.reporting.models import Models
from tests.oracle import KEYS
from tests.packaging.tree import ROOT
from tests.syncing import Run
from tests.warehouses.loaders import Asked, Row
from tests.warehouses.server import Server
from tests.warehouses.sql import documented

ZONES = "meter_zones"
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
    """A warehouse with the models."""

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


def views(models: Models, steps: str) -> str:
    """Every model as a view, so that it always tells of all that was loaded.

    The lookup of PostgreSQL's current readings has to be fast: `steps` may say so.
    """
    return "".join(
        f"create {steps if name.endswith('__steps') else 'view'} {name} as"
        f" {models.sql(name)};\n"
        for name in models
    )


class InDuckDB:
    """A DuckDB database in memory, by key or appended to."""

    models = Models("duckdb", "", "main", {"utility_intervals_time_zones": ZONES})

    def __init__(
        self, folder: Path, *, appends: bool = False, bare: bool = False
    ) -> None:
        """Make tables and, unless it is to be bare, models."""
        self.connection = duckdb.connect()
        self.file = folder / "rows.json"
        self.appends = appends
        for stream in STREAMS:
            fields = ", ".join(f"{n} {t}" for n, t in columns(stream, "duckdb").items())
            key = "" if appends else f", primary key ({', '.join(KEYS[stream])})"
            self.connection.execute(f"create table {stream} ({fields}{key})")
        if not bare:
            self.execute(documented("") + views(self.models, "view"))

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
    """Tables in a schema of their own, and models in another."""

    path = "energy, utility_intervals"
    models = Models(
        "postgres",
        "",
        "energy",
        {
            "utility_intervals_schema": "utility_intervals",
            "utility_intervals_time_zones": ZONES,
        },
    )

    def __init__(self, server: Server, *, bare: bool = False) -> None:
        """Make tables anew and, unless it is to be bare, models."""
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
        if not bare:
            script += f"create schema energy; set search_path = {self.path};"
            script += documented("") + views(self.models, "materialized view")
        server.run(script=script)

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
        self.execute("refresh materialized view int_utility_intervals__steps")
        return self.server.query(sql, self.path)

    def execute(self, sql: str) -> None:
        self.server.run("-c", f"set search_path = {self.path}", "-c", sql)


def total(rows: Iterable[Row], column: str) -> Decimal:
    """The sum of a column."""
    return sum((Decimal(str(row[column] or 0)) for row in rows), Decimal())

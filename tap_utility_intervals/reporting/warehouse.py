"""A warehouse that is asked through the models; nothing in it is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from tap_utility_intervals.reporting.database import (
    Database,
    ReportError,
    literal,
    quoted,
)
from tap_utility_intervals.reporting.models import Models

SOURCES = ("intervals", "meters", "usage", "coverage")
"""What the models read."""

RESTATEMENTS = "restatements"
"""Only `load` and `target-utility-duckdb` write it."""


@dataclass(frozen=True)
class Wanted:
    """What of a warehouse is asked for."""

    meters: Sequence[str] = ()
    """Keys; none: all meters."""
    time_zone: str = ""
    """A zone for all meters, or a relation as the models have it."""
    as_of: str = ""
    """What "now" is, as `2026-03-20 12:00:00` in UTC; empty: now."""


@contextmanager
def asked(where: str, schema: str | None, wanted: Wanted) -> Iterator[Database]:
    """Open a warehouse with every model as a table, for as long as it is open.

    Raises:
        ReportError: it cannot be opened, or lacks a table.
        ImportError: what it needs is not installed.
    """
    with _opened(where, schema) as database:
        _show(database, wanted)
        _build(database, wanted)
        yield database


def name_of(where: str) -> str:
    """What to call a warehouse on a page: no folder, no user, no host."""
    parts = urlsplit(where)
    return parts.path.strip("/") if parts.scheme else Path(where).name


def _opened(where: str, schema: str | None) -> AbstractContextManager[Database]:
    if where.startswith(("postgresql://", "postgres://")):
        from tap_utility_intervals.reporting import postgres  # noqa: PLC0415 - extra

        return postgres.opened(where, schema or "public")
    from tap_utility_intervals.reporting import duckdb  # noqa: PLC0415 - extra

    return duckdb.opened(Path(where), schema or "main")


def _show(database: Database, wanted: Wanted) -> None:
    """Make views of the loader's tables, with readings of the wanted meters alone."""
    for name in (*SOURCES, RESTATEMENTS):
        held = database.found(name)
        if held is None and name in SOURCES:
            raise ReportError(
                f"There is no table {name}. The models need {', '.join(SOURCES)}: load"
                " the streams of these names, or name another --schema."
            )
        if held:
            only = ", ".join(literal(key) for key in wanted.meters)
            sql = f"select * from {held}"  # noqa: S608 - quoted
            # Whether a meter is listed still is told by what else is listed.
            if only and name not in {"coverage", "meters"}:
                sql += f" where meter_key in ({only})"
            _make(database, "view", name, sql)
    if wanted.time_zone:
        _make(database, "view", "zones", _zones(database, wanted.time_zone))


def _zones(database: Database, named: str) -> str:
    if named in available_timezones():
        keys = "select provider, meter_key from {}"
        both = " union ".join(keys.format(_of(database, n)) for n in SOURCES[:2])
        return f"select *, {literal(named)} as time_zone from ({both}) one"  # noqa: S608
    held = database.found(named)
    if held is None:
        raise ReportError(
            f"--time-zone {named}: neither a zone, such as America/Chicago, nor a table"
            " with columns provider, meter_key and time_zone."
        )
    return f"select provider, meter_key, time_zone from {held}"  # noqa: S608 - quoted


def _build(database: Database, wanted: Wanted) -> None:
    variables = {
        "utility_intervals_as_of": wanted.as_of,
        "utility_intervals_time_zones": wanted.time_zone and _of(database, "zones"),
    }
    models = Models(database.type, database.database, database.schema, variables)
    for name in models:
        _make(database, models.kind(name), name, models.sql(name))


def _make(database: Database, kind: str, name: str, sql: str) -> None:
    temporary = "temp " if database.type == "postgres" else ""
    database.run(f"create {temporary}{kind} {quoted(name)} as {sql}")
    if kind == "table" and database.type == "postgres":
        database.run(f"analyze {quoted(name)}")


def _of(database: Database, name: str) -> str:
    return ".".join(map(quoted, (database.database, database.schema, name)))

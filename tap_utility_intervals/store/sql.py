"""The SQL of the stores: sets of rows at a time, names quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from tap_utility_intervals.store.base import Readings, Table


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def named(schema: str, table: str) -> str:
    """A table as SQL has it."""
    return f"{quoted(schema)}.{quoted(table)}"


def listed(names: Iterable[str], of: str = "") -> str:
    """Names with commas between them, all of one relation if it is named."""
    prefix = f"{of}." if of else ""
    return ", ".join(prefix + quoted(name) for name in names)


def same(key: Iterable[str], left: str = "held", right: str = "came") -> str:
    """The condition that two rows have the same key."""
    return " and ".join(f"{left}.{quoted(n)} = {right}.{quoted(n)}" for n in key)


def differ(columns: Iterable[str]) -> str:
    """The condition that two rows differ in any of these columns."""
    return " or ".join(
        f"held.{quoted(n)} is distinct from came.{quoted(n)}" for n in columns
    )


def delete(table: str, key: Iterable[str]) -> str:
    """Delete from a table what is about to be inserted; a foreign key may be null."""
    alike = " and ".join(
        f"held.{quoted(n)} is not distinct from came.{quoted(n)}" for n in key
    )
    return f"delete from {table} held using came where {alike}"  # noqa: S608 - quoted


def newest_first(table: Table) -> str:
    """How rows of one key are ordered, before their place decides."""
    if not table.readings:
        return ""
    return f"{quoted(table.readings.read_at)} desc nulls last,"


def is_older(readings: Readings, came: str = "came") -> str:
    """The condition that what came was read earlier than what is held."""
    at = quoted(readings.read_at)
    return f"coalesce({came}.{at} < held.{at}, false)"


def restated(table: Table, held: str) -> str:
    """Select what is restated: rows of the table of restatements."""
    readings = table.readings
    assert readings  # noqa: S101 - for mypy
    at = quoted(readings.read_at)
    pairs = [
        f"held.{quoted(n)} as {quoted(f'old_{n}')}, came.{quoted(n)}"
        for n in readings.compared
    ]
    columns: Sequence[str] = (
        listed(table.key, "came"),
        *pairs,
        f"held.{at} as last_seen_at, came.{at}",
    )
    return (
        f"select {', '.join(columns)} from {held} held join came on {same(table.key)}"  # noqa: S608
        f" where ({differ(readings.compared)}) and not {is_older(readings)}"
    )


class Connection(Protocol):
    """What the connections of DuckDB and psycopg have in common."""

    def execute(self, query: str, /) -> Any:  # noqa: ANN401 - each has its own
        """Run a statement; its rows can be fetched."""


def prune(
    db: Connection, tables: Mapping[str, str], columns: Mapping[str, Iterable[str]]
) -> None:
    """Leave out of `coverage`, into which rows `came`, what says nothing any more.

    Args:
        db: where.
        tables: the two that are `NEEDED`, as SQL has them.
        columns: of both tables; where one that is needed is missing, all is left.
    """
    if any(not NEEDED[name].issubset(found) for name, found in columns.items()):
        return
    db.execute(COVERED.format(**tables))
    if db.execute("select 1 from covered limit 1").fetchone():
        db.execute(PRUNE.format(**tables))
    db.execute("drop table covered")


NEEDED = {
    "coverage": {
        *("provider", "source", "range_start", "range_end", "read_at", "is_complete"),
    },
    "intervals": {
        *("provider", "meter_key", "connection_id", "interval_start", "read_at"),
    },
}

COVERED = """
    create temp table covered as
    select distinct
        old.provider, old.source, old.range_start, old.range_end, old.read_at
    from {coverage} old
    join {coverage} new
        on new.provider = old.provider and new.source = old.source
        and new.range_start <= old.range_start and new.range_end >= old.range_end
        and new.read_at > old.read_at
    where old.is_complete and new.is_complete
        and old.source in (select source from came)
"""
"""Finds complete rows that a later complete one covers as a whole."""

PRUNE = """
    delete from {coverage} held using covered
    where held.provider = covered.provider and held.source = covered.source
        and held.range_start = covered.range_start and held.read_at = covered.read_at
        and not exists (
            select 1 from {intervals} one
            where one.provider = covered.provider
                and coalesce(one.connection_id, one.meter_key) = covered.source
                and one.interval_start >= covered.range_start
                and one.interval_start < covered.range_end
                and one.read_at < covered.read_at)
"""
"""Deletes of these where no older reading is left: they say nothing any more."""

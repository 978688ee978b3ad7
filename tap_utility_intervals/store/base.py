"""What a store is: tables of rows, and bookmarks, committed together or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.schemas import schema
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.floor.locked import locked
from tap_utility_intervals.singer.state import VERSION, Changes

BOOKMARKS = "_utility_intervals_bookmarks"
"""The table of bookmarks: stream, source, bookmark; the last two are JSON."""

RESTATEMENTS = "restatements"
"""The table of readings whose value has changed: what it was, and what it is."""

Place: TypeAlias = tuple[str, str]
"""Whose bookmark it is: the stream, and the source's context as JSON text.

The text is empty for what is remembered of the stream as a whole. It holds the
`credential_name` too, if one is set: each credential has bookmarks of its own.
"""


class StoreError(TapError):
    """A store cannot be used; it holds what was committed before."""

    @classmethod
    def of_type(
        cls, column: str, found: str, wanted: str, elsewhere: str
    ) -> StoreError:
        """Say that a column has another type, and where to go instead."""
        return cls(
            f"{column} is {found}, and should be {wanted}: another program made that"
            f" table. Nothing was stored; load into {elsewhere}."
        )


@dataclass(frozen=True)
class Readings:
    """Which columns of a table of readings have a meaning for the store."""

    source: str = "meter_key"
    start: str = "interval_start"
    read_at: str = "read_at"
    """Of two rows of one key the one that was read later counts."""
    compared: tuple[str, ...] = ("quantity", "unit", "quality")
    """A change of these is a restatement."""


@dataclass(frozen=True)
class Table:
    """A table as it should be."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    """Empty for a table that is only appended to."""
    readings: Readings | None = None
    loose: frozenset[str] = frozenset()
    """Columns whose type is no promise: they become text, where they do not fit it."""

    @property
    def restatements(self) -> Table:
        """The table of what was restated in this one."""
        assert self.readings  # noqa: S101 - for mypy
        fields = [self.schema.field(name) for name in self.key]
        for name in self.readings.compared:
            one = self.schema.field(name)
            fields += [one.with_name(f"old_{name}"), one]
        read_at = self.schema.field(self.readings.read_at)
        fields += [read_at.with_name("last_seen_at"), read_at]
        key = (*self.key, self.readings.read_at)
        return Table(RESTATEMENTS, pa.schema(fields), key)


def table_of(stream: str, key: Iterable[str]) -> Table:
    """Return the table of one of our streams."""
    readings = Readings() if stream == "intervals" else None
    return Table(stream, schema(stream), tuple(key), readings)


@dataclass
class Pending:
    """What is committed next, all of it or nothing."""

    tables: dict[str, Table] = field(default_factory=dict)
    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    bookmarks: dict[Place, str | None] = field(default_factory=dict)
    """As JSON; None for a source that is no more."""
    rows: Counter[str] = field(default_factory=Counter)
    """How many came, by table."""
    bytes: int = 0

    def __bool__(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self.tables or self.bookmarks)

    def expect(self, table: Table) -> None:
        """Have a table, whether or not rows come."""
        self.tables[table.name] = table

    def add(self, table: Table, rows: pa.RecordBatch) -> None:
        """Add rows of a table; the later one of a key counts."""
        self.expect(table)
        self.batches.setdefault(table.name, []).append(rows)
        self.rows[table.name] += rows.num_rows
        self.bytes += rows.nbytes

    def come(self, table: Table) -> pa.Table:
        """Hand over all rows of a table, which are held no longer than they are needed.

        A column may have become text meanwhile.
        """
        batches = self.batches.pop(table.name, [])
        return pa.Table.from_batches(
            [one.cast(table.schema) for one in batches], table.schema
        )

    def note(self, stream: str, changes: Changes, whose: str | None = None) -> None:
        """Add bookmarks that cover rows which are already here, or committed.

        Args:
            stream: of which stream.
            changes: by source.
            whose: the `credential_name`.
        """
        named = {} if whose is None else {"credential_name": whose}
        for key, entry in changes.items():
            context = json.dumps({**dict(key), **named}) if key else ""
            text = None if entry is None else msgspec.json.encode(entry).decode()
            self.bookmarks[stream, context] = text


@contextmanager
def only_load(lock: Path, name: str) -> Iterator[None]:
    """Hold a file, which stays: it would be missed by who waits for it.

    Raises:
        StoreError: another load has it, or it cannot be made.
    """
    try:
        file = lock.open("ab")
    except OSError as error:
        raise StoreError(f"{name} cannot be used: {error.strerror}.") from None
    with file:
        if not locked(file):
            raise StoreError(f"Another load into {name} is at work.")
        yield


class Store(Protocol):
    """A warehouse."""

    name: str
    """As it may be shown: without a password."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only one that loads, until the end of the block.

        Raises:
            StoreError: another one is at work.
        """

    def bookmarks(self) -> dict[Place, str]:
        """All bookmarks, as they were committed. Raises `StoreError`."""

    def commit(self, pending: Pending) -> None:
        """Store everything at once.

        Raises:
            StoreError: nothing of it is stored.
        """


def is_of(place: Place, whose: str | None) -> bool:
    """Whether a credential of that name goes by a bookmark."""
    found: Any = json.loads(place[1]) if place[1] else {}
    return not found or found.get("credential_name") == whose


def state_of(bookmarks: Mapping[Place, str]) -> dict[str, Any]:
    """Return bookmarks as STATE has them."""
    streams: dict[str, Any] = {}
    for (stream, source), text in sorted(bookmarks.items()):
        entry = msgspec.json.decode(text)
        # No store is older than this; not every stream notes it beside its sources.
        found = streams.setdefault(stream, {"version": VERSION})
        if source:
            found.setdefault("partitions", []).append(entry)
        else:
            found.update(entry)
    return {"bookmarks": streams}

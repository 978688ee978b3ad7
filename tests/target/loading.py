"""Singer lines into a DuckDB file, in this process, and what is confirmed."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import duckdb

from tap_utility_intervals.target.duckdb import TargetUtilityDuckDB
from tests.oracle import Row

Line = str | Row
TEXT: Row = {"type": ["null", "string"]}


def listen(path: Path, lines: Iterable[Line], **settings: Any) -> None:
    """Load lines; what is confirmed goes to standard output."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
    given = io.BytesIO("".join(f"{text}\n" for text in texts).encode())
    signals = signal.SIGINT, signal.SIGTERM
    before = [signal.getsignal(one) for one in signals]
    target = TargetUtilityDuckDB(config={"filepath": str(path), **settings})
    for one, handler in zip(signals, before, strict=True):
        signal.signal(one, handler)
    target.listen(cast("IO[str]", given))


@dataclass
class Loaded:
    """A DuckDB file that the target fills."""

    path: Path
    settings: Row = field(default_factory=dict)
    confirmed: list[Row] = field(default_factory=list)

    def load(self, lines: Iterable[Line], **settings: Any) -> list[Row]:
        """The states that are confirmed; also in `confirmed`, whatever ends it."""
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                listen(self.path, lines, **self.settings, **settings)
        finally:
            self.confirmed = [json.loads(line) for line in out.getvalue().splitlines()]
        return self.confirmed

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path, read_only=True) as db:
            db.execute("set TimeZone = 'UTC'")
            return db.execute(sql).fetchall()

    def types(self, table: str) -> Row:
        return {row[0]: row[1] for row in self.query(f'describe "{table}"')}


def schema(stream: str, **columns: Row) -> Row:
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": ["id"],
        "schema": {"properties": {"id": {"type": "string"}, **columns}},
    }


def record(stream: str, key: object, **values: object) -> Row:
    return {"type": "RECORD", "stream": stream, "record": {"id": str(key), **values}}


def records(stream: str, keys: Iterable[object], **values: object) -> Iterator[Row]:
    return (record(stream, key, **values) for key in keys)


def state(**bookmarks: int) -> Row:
    return {"type": "STATE", "value": {"bookmarks": bookmarks}}

"""Rows of a stream as a record batch.

`batch` is the one way from rows to columns. Most columns of a page hold one value, or
none: those cost nothing; the others are made a column at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.numbers import Misfits, decimals
from tap_utility_intervals.arrow.schemas import DECIMAL, TEXT, json_columns, schema
from tap_utility_intervals.singer.writer import ENCODER, Row

Warn: TypeAlias = Callable[[str, int], None]
"""Takes a sentence and how often it is true, as `Report.warn` does."""

ODD = ("unreadable", "extra")
"""Where a stream keeps what has no place in its column."""

CALCULATED = frozenset({"quantity_normalized"})
"""No digits of these were sent: 28 of them, rounded to 18 decimals, lose nothing."""


def batch(stream: str, rows: Sequence[Row], warn: Warn) -> pa.RecordBatch:
    """Return rows of one stream as a record batch of its schema.

    Args:
        stream: its name.
        rows: structs of the unified records, or dictionaries; at least one.
        warn: told how many numbers were rounded, and how many are null.
    """
    columns = _columns(rows)
    texts = json_columns(stream)
    made: dict[str, pa.Array] = {}
    odd: dict[int, dict[str, str]] = {}
    for field in schema(stream):
        values = columns[field.name]
        if field.type == DECIMAL:
            made[field.name], misfits = decimals(values)
            if field.name in CALCULATED:
                misfits.rounded.clear()
            if misfits:
                _note(f"{stream}.{field.name}", misfits, odd, warn)
        elif field.name in texts:
            made[field.name] = _json(values)
        else:
            made[field.name] = _plain(values, field.type)
    if odd:
        _keep(made, columns, odd)
    return pa.record_batch(list(made.values()), schema=schema(stream))


def _columns(rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    first = rows[0]
    if isinstance(first, dict):
        records = cast("Sequence[dict[str, Any]]", rows)
        return {name: [row.get(name) for row in records] for name in first}
    structs = cast("Sequence[msgspec.Struct]", rows)
    values = zip(*map(msgspec.structs.astuple, structs), strict=True)
    return dict(zip(first.__struct_fields__, values, strict=True))


def _is_one(values: Sequence[Any]) -> bool:
    """Whether all values are the same: equal objects are mostly one object here."""
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def _plain(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if _is_one(values):
        return _repeated(values[0], kind, len(values))
    # Rows have instants and dates as text, but for what the tap itself calculates with.
    given = next(value for value in values if value is not None)
    if isinstance(given, str) and kind != TEXT:
        return pa.array(values, TEXT).cast(kind)
    return pa.array(values, kind)


def _repeated(value: object, kind: pa.DataType, count: int) -> pa.Array:
    if value is None:
        return pa.nulls(count, kind)
    if isinstance(value, str):
        return pa.repeat(pa.scalar(value, TEXT).cast(kind), count)
    return pa.repeat(pa.scalar(value, kind), count)


def _json(values: Sequence[Any]) -> pa.Array:
    if _is_one(values):
        one = values[0]
        text = None if one is None else ENCODER.encode(one).decode()
        return _repeated(text, TEXT, len(values))
    lines = ENCODER.encode_lines(values).decode().split("\n")[:-1]
    found = [None if line == "null" else line for line in lines]
    return pa.array(found, TEXT)


def _note(
    column: str, misfits: Misfits, odd: dict[int, dict[str, str]], warn: Warn
) -> None:
    """Count what does not fit, and remember its digits."""
    _, _, name = column.partition(".")
    for texts, what in (
        (misfits.rounded, "has more than 18 decimals; it is rounded"),
        (misfits.too_large, "has more than 20 digits before the point; it is null"),
    ):
        for row, text in texts.items():
            odd.setdefault(row, {})[name] = text
        if texts:
            warn(f"{column} {what}, and its digits are kept", len(texts))


def _keep(
    made: dict[str, pa.Array],
    columns: dict[str, Sequence[Any]],
    odd: dict[int, dict[str, str]],
) -> None:
    """Put the digits where the stream keeps what could not be read."""
    place = next(name for name in ODD if name in made)
    kept = list(columns[place])
    for row, texts in odd.items():
        kept[row] = {**(kept[row] or {}), **texts}
    made[place] = _json(kept)

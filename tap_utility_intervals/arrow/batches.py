"""Rows of a stream as a record batch.

`batch` is the one way from rows to columns. Most columns of a page hold one value, or
none: those cost nothing; the others are made a column at a time. Of a block the columns
are taken as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.blocks import of_block
from tap_utility_intervals.arrow.columns import as_json, plain
from tap_utility_intervals.arrow.numbers import CALCULATED, Misfits, decimals
from tap_utility_intervals.arrow.schemas import DECIMAL, json_columns, schema
from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.singer.writer import Row

Warn: TypeAlias = Callable[[str, int], None]
"""Takes a sentence and how often it is true, as `Report.warn` does."""

ODD = ("unreadable", "extra")
"""Where a stream keeps what has no place in its column."""


def batch(stream: str, rows: Sequence[Row], warn: Warn) -> pa.RecordBatch:
    """Return rows of one stream as a record batch of its schema.

    Args:
        stream: its name.
        rows: structs of the unified records, or dictionaries; at least one.
        warn: told how many numbers were rounded, and how many are null.
    """
    made = of_block(stream, rows) if isinstance(rows, RowBlock) else None
    return _of_rows(stream, rows, warn) if made is None else made


def _of_rows(stream: str, rows: Sequence[Row], warn: Warn) -> pa.RecordBatch:
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
            made[field.name] = as_json(values)
        else:
            made[field.name] = plain(values, field.type)
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
    made[place] = as_json(kept)

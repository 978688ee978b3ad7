"""Rows of a stream as a record batch.

`batch` is the one way from rows to columns. Most columns of a page hold one value, or
none: those cost nothing; the others are made a column at a time. Of blocks the columns
are taken as they are, of many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, TypeAlias, cast

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.blocks import layout, of_blocks
from tap_utility_intervals.arrow.columns import as_json, plain
from tap_utility_intervals.arrow.numbers import CALCULATED, Misfits, decimals
from tap_utility_intervals.arrow.schemas import DECIMAL, json_columns, schema
from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.singer.writer import Row

Warn: TypeAlias = Callable[[str, int], None]
"""Takes a sentence and how often it is true, as `Report.warn` does."""

Columns: TypeAlias = Mapping[str, Sequence[Any]]

ODD = ("unreadable", "extra")
"""Where a stream keeps what has no place in its column."""


def batch(stream: str, pages: Sequence[Sequence[Row]], warn: Warn) -> pa.RecordBatch:
    """Return pages of one stream as a record batch of its schema.

    Args:
        stream: its name.
        pages: of structs of the unified records, or of dictionaries; at least one row.
            What is narrowed has the columns that are left.
        warn: told how many numbers were rounded, and how many are null.
    """
    made: list[pa.RecordBatch] = []
    for shape, group in groupby(pages, _layout):
        some = list(group)
        if shape is None:
            made.append(_of_rows(stream, some, warn))
        else:
            made += _of_blocks(stream, cast("list[RowBlock]", some), warn)
    return pa.concat_batches(made) if len(made) > 1 else made[0]


def _layout(page: Sequence[Row]) -> Hashable:
    """Which pages make columns together; None for rows that are no block."""
    return layout(page) if isinstance(page, RowBlock) else None


def _of_blocks(
    stream: str, blocks: Sequence[RowBlock], warn: Warn
) -> list[pa.RecordBatch]:
    """Blocks of one layout; with a number that does not fit, each one by itself."""
    made = of_blocks(stream, blocks)
    if made is None and len(blocks) > 1:
        return [one for block in blocks for one in _of_blocks(stream, [block], warn)]
    if made is None:
        made = _of_rows(stream, blocks, warn)
    return [made.select([n for n in made.schema.names if n in blocks[0].columns])]


def _of_rows(stream: str, pages: Iterable[Sequence[Row]], warn: Warn) -> pa.RecordBatch:
    found, rows = schema(stream), list(chain.from_iterable(pages))
    columns = columns_of(rows, found.names)
    if len(columns) < len(found):
        found = pa.schema(one for one in found if one.name in columns)
    arrays = arrays_of(stream, found, columns, warn)
    return pa.record_batch(list(arrays.values()), schema=found)


def arrays_of(
    stream: str, fields: Iterable[pa.Field], columns: Columns, warn: Warn
) -> dict[str, pa.Array]:
    """Return some columns of one of our streams as arrays, by name."""
    texts = json_columns(stream)
    made: dict[str, pa.Array] = {}
    odd: dict[int, dict[str, str]] = {}
    for field in fields:
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
    return made


def columns_of(rows: Sequence[Row], names: Iterable[str]) -> Columns:
    """Return rows, at least one, column by column; structs have all their columns."""
    first = rows[0]
    if isinstance(first, dict):
        records = cast("Sequence[dict[str, Any]]", rows)
        return {name: [row.get(name) for row in records] for name in names}
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
    columns: Columns,
    odd: dict[int, dict[str, str]],
) -> None:
    """Put the digits where the stream keeps what could not be read, if it is there."""
    place = next((name for name in ODD if name in made), None)
    if place is None:
        return
    kept = list(columns[place])
    for row, texts in odd.items():
        found = kept[row]
        if isinstance(found, msgspec.Raw):
            found = msgspec.json.decode(found)
        kept[row] = {**(found or {}), **texts}
    made[place] = as_json(kept)

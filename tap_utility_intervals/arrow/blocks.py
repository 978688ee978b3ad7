"""Blocks of readings as a record batch: their columns as they are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache, lru_cache
from itertools import chain, groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tap_utility_intervals.arrow.columns import as_json, is_one, plain, repeated
from tap_utility_intervals.arrow.numbers import (
    CALCULATED,
    Misfits,
    decimals,
    nullable,
    of_texts,
)
from tap_utility_intervals.arrow.schemas import DECIMAL, json_columns, schema
from tap_utility_intervals.floor.blocks import RowBlock


def layout(block: RowBlock) -> Hashable:
    """Tell what blocks must have in common to be joined."""
    wholes = [(n, len(v) == len(block)) for n, v in block.values.items()]
    return len(block.forms), block.columns, *wholes, *block.numbers


def of_blocks(stream: str, blocks: Sequence[RowBlock]) -> pa.RecordBatch | None:
    """Return blocks of one layout as a record batch of the stream's schema.

    None if a number has no exact place in its column: that is told row by row.
    """
    first, made = blocks[0], []
    read: dict[tuple[int, ...], tuple[pa.Array, Misfits]] = {}
    for column in _columns(stream):
        name = column.name
        if name in first.numbers:
            same = tuple(id(block.numbers[name]) for block in blocks)
            if same not in read:  # two columns are mostly one
                texts = chain.from_iterable(block.numbers[name] for block in blocks)
                read[same] = of_texts(nullable(list(texts)))
            array = _fitting(name, *read[same])
        elif name in first.values:
            array = _differing(column, blocks)
        else:
            array = _common(column, blocks)
        if array is None:
            return None
        made.append(array)
    return pa.record_batch(made, schema=schema(stream))


class _Column(NamedTuple):
    name: str
    kind: pa.DataType
    is_number: bool
    is_json: bool

    def array(self, values: Sequence[Any]) -> pa.Array | None:
        """Some values; None for numbers that do not fit."""
        if self.is_number:
            return _fitting(self.name, *decimals(values))
        return (as_json if self.is_json else plain)(values, self.kind)


@cache
def _columns(stream: str) -> Sequence[_Column]:
    """Return a stream's columns; asking pyarrow for them each time takes longer."""
    texts = json_columns(stream)
    return [
        _Column(f.name, f.type, f.type == DECIMAL, f.name in texts)
        for f in schema(stream)
    ]


def _differing(column: _Column, blocks: Sequence[RowBlock]) -> pa.Array | None:
    """A column with a value for each row, or for each turn of all forms."""
    rows, forms = sum(map(len, blocks)), len(blocks[0].forms)
    values = list(chain.from_iterable(block.values[column.name] for block in blocks))
    array = column.array(values)
    if array is None or len(values) == rows:
        return array
    return array.take(_turns(rows, forms))


def _common(column: _Column, blocks: Sequence[RowBlock]) -> pa.Array | None:
    """A column whose values are those of the forms."""
    found = []
    said = [[getattr(form, column.name) for form in block.forms] for block in blocks]
    for values, group in groupby(zip(said, blocks, strict=True), lambda one: one[0]):
        rows = sum(len(block) for _, block in group)
        array = column.array(values[:1] if is_one(values) else values)
        if array is None:
            return None
        if len(array) == 1:
            found.append(repeated(array[0], column.kind, rows))
        else:
            found.append(array.take(_places(rows, len(values))))
    return found[0] if len(found) == 1 else pa.concat_arrays(found)


def _fitting(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    is_told = misfits.too_large or (misfits.rounded and name not in CALCULATED)
    return None if is_told else array


def _turns(rows: int, forms: int) -> pa.Array:
    """Return which turn of all forms each row is of."""
    return pc.divide(_count(rows), forms)


def _places(rows: int, forms: int) -> pa.Array:
    """Return which form each row is of."""
    return pc.subtract(_count(rows), pc.multiply(_turns(rows, forms), forms))


def _count(rows: int) -> pa.Array:
    """Return the numbers from 0 on."""
    return _counted(1 << rows.bit_length())[:rows]


@lru_cache(maxsize=8)
def _counted(rows: int) -> pa.Array:
    return pa.array(range(rows), pa.int32())

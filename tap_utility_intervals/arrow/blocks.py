"""A block of readings as a record batch: its columns as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import pyarrow as pa

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


def of_block(stream: str, block: RowBlock) -> pa.RecordBatch | None:
    """Return a block as a record batch of the stream's schema.

    None if a number has no exact place in its column: that is told row by row.
    """
    texts = {id(one): one for one in block.numbers.values()}  # two columns, one list
    numbers = {place: of_texts(nullable(one)) for place, one in texts.items()}
    made = []
    for column in _columns(stream):
        name = column.name
        if name in block.numbers:
            array = _fitting(name, *numbers[id(block.numbers[name])])
        else:
            array = _array(block, column)
        if array is None:
            return None
        made.append(array)
    return pa.record_batch(made, schema=schema(stream))


class _Column(NamedTuple):
    name: str
    kind: pa.DataType
    is_number: bool
    is_json: bool


@cache
def _columns(stream: str) -> Sequence[_Column]:
    """Return a stream's columns; asking pyarrow for them each time takes longer."""
    texts = json_columns(stream)
    return [
        _Column(f.name, f.type, f.type == DECIMAL, f.name in texts)
        for f in schema(stream)
    ]


def _array(block: RowBlock, column: _Column) -> pa.Array | None:
    name, kind, is_number, is_json = column
    values = block.values.get(name) or [getattr(form, name) for form in block.forms]
    make = as_json if is_json else plain
    if is_number:
        array = _fitting(name, *decimals(values))
    elif is_one(values):
        return repeated(make(values[:1], kind)[0], kind, len(block))
    else:
        array = make(values, kind)
    if array is None or len(values) == len(block):
        return array
    turns_of_forms = name not in block.values
    return array.take(_places(len(block), len(block.forms), turns_of_forms))


def _fitting(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    is_told = misfits.too_large or (misfits.rounded and name not in CALCULATED)
    return None if is_told else array


@lru_cache(maxsize=8)
def _places(rows: int, forms: int, turns_of_forms: bool) -> pa.Array:  # noqa: FBT001
    """Return which form, or else which turn of all forms, each row of a block is of."""
    turns = rows // forms
    if turns_of_forms:
        return pa.array([*range(forms)] * turns, pa.int32())
    return pa.array([turn for turn in range(turns) for _ in range(forms)], pa.int32())

"""A block of readings as a record batch: its columns as they are."""

from __future__ import annotations

from functools import lru_cache

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
    made = [_column(stream, block, field) for field in schema(stream)]
    if any(one is None for one in made):
        return None
    return pa.record_batch(made, schema=schema(stream))


def _column(stream: str, block: RowBlock, field: pa.Field) -> pa.Array | None:
    name = field.name
    if name in block.numbers:
        return _fitting(name, *of_texts(nullable(block.numbers[name])))
    values = block.values.get(name) or [getattr(form, name) for form in block.forms]
    make = as_json if name in json_columns(stream) else plain
    if field.type == DECIMAL:
        array = _fitting(name, *decimals(values))
    elif is_one(values):
        return repeated(make(values[:1], field.type)[0], field.type, len(block))
    else:
        array = make(values, field.type)
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

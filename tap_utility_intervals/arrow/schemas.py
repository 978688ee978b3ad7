"""The Arrow schema of each stream: one, explicit, made of its JSON schema.

Without it an all-null column of one batch would get another type than in the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa

from tap_utility_intervals.singer.streams import SCHEMAS

PLACES = 18
"""Digits after the point."""

DECIMAL = pa.decimal128(38, PLACES)
INSTANT = pa.timestamp("us", "UTC")
TEXT = pa.string()
"""Also lists and objects, as JSON: what they hold differs from row to row."""

UNIFIED = ("meters", "intervals", "usage", "coverage")
"""Of these we know that their dates are dates; providers send what they like."""

_PLAIN = {"boolean": pa.bool_(), "integer": pa.int32(), "number": DECIMAL}
"""All integers are bounded by 32 bits, by their JSON schemas or by the mapping."""


@lru_cache
def schema(stream: str) -> pa.Schema:
    """Return the schema of a stream: the columns of `schemas/<stream>.json`, in order.

    Instants are `timestamp[us, UTC]`, dates of the unified streams `date32`, numbers
    `decimal128(38, 18)`, lists and objects JSON text.

    Raises:
        FileNotFoundError: there is no such stream.
    """
    described = SCHEMAS.get_schema(stream)
    return pa.schema(
        pa.field(
            name,
            _type(one, has_dates=stream in UNIFIED),
            nullable=name not in described["required"],
        )
        for name, one in described["properties"].items()
    )


def is_json(described: Mapping[str, Any]) -> bool:
    """Tell whether a column holds lists or objects."""
    return not {"array", "object"}.isdisjoint(_kinds(described))


@lru_cache
def json_columns(stream: str) -> frozenset[str]:
    """Return the columns of a stream whose values become JSON text."""
    described = SCHEMAS.get_schema(stream)["properties"]
    return frozenset(name for name, one in described.items() if is_json(one))


def _type(described: Mapping[str, Any], *, has_dates: bool) -> pa.DataType:
    kinds, form = _kinds(described), described.get("format")
    if is_json(described):
        return TEXT
    if form == "date-time":
        return INSTANT
    if form == "date" and has_dates:
        return pa.date32()
    return _PLAIN.get(next(kind for kind in kinds if kind != "null"), TEXT)


def _kinds(described: Mapping[str, Any]) -> list[str]:
    kinds = described["type"]
    return [kinds] if isinstance(kinds, str) else kinds

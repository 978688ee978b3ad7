"""The table of a SCHEMA message: our columns as `load` makes them, others by guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tap_utility_intervals.arrow.schemas import DECIMAL, INSTANT, TEXT, schema
from tap_utility_intervals.singer.streams import SCHEMAS
from tap_utility_intervals.store.base import Readings, Table

OURS = "urn:tap-utility-intervals:"
"""What the `$id` of our streams' schemas begins with."""

PLAIN = {"boolean": pa.bool_(), "integer": pa.int64(), "number": pa.float64()}


def table_of(stream: str, described: Mapping[str, Any], key: Sequence[str]) -> Table:
    """Return the table of a stream, as a SCHEMA message describes it.

    Args:
        stream: its name; the table's.
        described: the JSON schema of its records.
        key: the columns that name a row; none for rows that are only added.
    """
    known = _known(stream, described)
    fields = [
        known.get(name) or pa.field(name, guessed(one))
        for name, one in described["properties"].items()
    ]
    loose = frozenset(described["properties"]).difference(known)
    found = pa.schema(fields)
    return Table(stream, found, tuple(key), _readings(stream, known), loose)


def _known(stream: str, described: Mapping[str, Any]) -> dict[str, pa.Field]:
    """The columns that are ours, unless a map has made something else of them."""
    if described.get("$id") != f"{OURS}{stream}":
        return {}
    ours = SCHEMAS.get_schema(stream)["properties"]
    return {
        name: schema(stream).field(name)
        for name, one in described["properties"].items()
        if name in ours and _kind(one) == _kind(ours[name])
    }


def _kind(described: Mapping[str, Any]) -> tuple[object, object]:
    return described.get("type"), described.get("format")


def _readings(stream: str, known: Mapping[str, pa.Field]) -> Readings | None:
    """What tells restatements, as far as these columns are selected."""
    usual = Readings()
    compared = tuple(name for name in usual.compared if name in known)
    needed = {usual.source, usual.start, usual.read_at}
    if stream != "intervals" or not compared or not needed.issubset(known):
        return None
    return Readings(compared=compared)


def guessed(described: Mapping[str, Any]) -> pa.DataType:
    """Return the type of a column that is not ours; what is not plain is text."""
    kinds = described.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    named = [kind for kind in kinds if kind != "null"]
    if len(named) != 1:
        return TEXT
    (kind,) = named
    if kind == "string":
        formats = {"date-time": INSTANT, "date": pa.date32()}
        return formats.get(described.get("format", ""), TEXT)
    if kind == "number" and "multipleOf" in described:
        return DECIMAL
    return PLAIN.get(kind, TEXT)

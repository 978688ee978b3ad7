"""Values of one column as an Arrow array."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from tap_utility_intervals.arrow.schemas import TEXT
from tap_utility_intervals.floor.blocks import ENCODER

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def is_one(values: Sequence[Any]) -> bool:
    """Whether all values are the same: equal objects are mostly one object here."""
    return values[0] == values[-1] and values.count(values[0]) == len(values)


def plain(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Texts, instants, dates, integers, truth values."""
    if is_one(values):
        return repeated(values[0], kind, len(values))
    # Rows have instants and dates as text, but for what the tap itself calculates with.
    given = next(value for value in values if value is not None)
    if isinstance(given, datetime):
        return _since_1970(values).view(kind)
    if not isinstance(given, str):
        return pa.array(values, kind)
    found = pa.array(values, TEXT)
    return found if kind == TEXT else found.cast(kind)


def _since_1970(instants: Sequence[datetime | None]) -> pa.Array:
    """Microseconds; pyarrow takes four times as long for an instant with a zone."""
    since = [None if one is None else one - EPOCH for one in instants]
    return pa.array(since, pa.duration("us")).view(pa.int64())


def repeated(value: object, kind: pa.DataType, count: int) -> pa.Array:
    """One value so many times."""
    if isinstance(value, pa.Scalar):
        return pa.repeat(value, count)
    if value is None:
        return pa.nulls(count, kind)
    if isinstance(value, str):
        text = pa.scalar(value, TEXT)
        return pa.repeat(text if kind == TEXT else text.cast(kind), count)
    return pa.repeat(pa.scalar(value, kind), count)


def as_json(values: Sequence[Any], _: pa.DataType = TEXT) -> pa.Array:
    """Lists and objects, as their JSON text."""
    if is_one(values):
        text = ENCODER.encode(values[0]).decode()
        return repeated(None if text == "null" else text, TEXT, len(values))
    lines = ENCODER.encode_lines(values).decode().split("\n")[:-1]
    found = [None if line == "null" else line for line in lines]
    return pa.array(found, TEXT)

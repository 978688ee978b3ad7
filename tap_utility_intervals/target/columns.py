"""Columns that are not ours: of the type that was promised, or else of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.numbers import decimals
from tap_utility_intervals.arrow.schemas import DECIMAL, INSTANT, TEXT
from tap_utility_intervals.floor.blocks import ENCODER


def fitting(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return values as an array of this type; of text, if one does not fit.

    Args:
        values: as JSON has them, numbers perhaps as `Decimal`.
        kind: what was promised.
    """
    make = MAKE.get(kind, pa.array)
    with suppress(pa.ArrowException, ValueError, TypeError, ArithmeticError):
        return make(values, kind)
    return _texts(values, TEXT)


def _texts(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Texts as they are, anything else as JSON."""
    return pa.array(
        (
            one if one is None or isinstance(one, str) else ENCODER.encode(one).decode()
            for one in values
        ),
        kind,
    )


def _floats(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    return pa.array((None if one is None else _float(one) for one in values), kind)


def _float(value: Any) -> float:  # noqa: ANN401 - a number
    """The nearest double. Raises `OverflowError`: none is near."""
    found = float(value)
    if math.isinf(found) and isinstance(value, Decimal) and value.is_finite():
        raise OverflowError
    return found


def _exact(values: Sequence[Any], _: pa.DataType) -> pa.Array:
    array, misfits = decimals(values)
    if misfits:
        raise ValueError
    return array


def _instants(values: Iterable[Any], kind: pa.DataType) -> pa.Array:
    """Instants; without a zone they are taken for UTC."""
    # `datetime.fromisoformat` knows no Z before Python 3.11.
    found = msgspec.convert(list(values), list[datetime | None])
    aware = [
        one.replace(tzinfo=timezone.utc) if one and one.tzinfo is None else one
        for one in found
    ]
    return pa.array(aware, kind)


def _dates(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, TEXT).cast(kind)


MAKE: dict[pa.DataType, Callable[[Sequence[Any], pa.DataType], pa.Array]] = {
    DECIMAL: _exact,
    INSTANT: _instants,
    TEXT: _texts,
    pa.date32(): _dates,
    pa.float64(): _floats,
}

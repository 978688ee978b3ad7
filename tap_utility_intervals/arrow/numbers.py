"""JSON numbers as `decimal128(38, 18)`: exact, or told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec
import pyarrow as pa

from tap_utility_intervals.arrow.schemas import DECIMAL, PLACES

WHOLE_DIGITS = 20
"""Digits before the point: what 38 leave beside the 18 behind it."""

CALCULATED = frozenset({"quantity_normalized"})
"""No digits of these were sent: 28 of them, rounded to 18 decimals, lose nothing."""

_STEP = Decimal(1).scaleb(-PLACES)
_CONTEXT = Context(prec=WHOLE_DIGITS + PLACES + 1, rounding=ROUND_HALF_EVEN)


@dataclass
class Misfits:
    """The digits of numbers that have no exact place, by row."""

    rounded: dict[int, str] = field(default_factory=dict)
    too_large: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.rounded or self.too_large)


def decimals(values: Sequence[Any]) -> tuple[pa.Array, Misfits]:
    """Return numbers as an Arrow array, and those that are not exactly in it.

    What has more than 18 decimals is rounded half-even; what has more than 20 digits
    before the point is null.

    Args:
        values: `msgspec.Raw`, `Decimal`, int or None.
    """
    return of_texts(_texts(values))


def of_texts(texts: Sequence[str | None]) -> tuple[pa.Array, Misfits]:
    """Return the same of numbers as JSON has them."""
    try:
        return pa.array(texts, pa.string()).cast(DECIMAL), Misfits()
    except pa.ArrowInvalid:
        return _one_by_one(texts)


def _texts(values: Sequence[Any]) -> Sequence[str | None]:
    if set(map(type, values)) == {msgspec.Raw}:
        return nullable(b"\n".join(values).decode().split("\n"))
    return [None if value is None else _text(value) for value in values]


def nullable(texts: Sequence[str]) -> Sequence[str | None]:
    """Return the same, with None for JSON's null."""
    if "null" not in texts:
        return texts
    return [None if text == "null" else text for text in texts]


def _text(value: object) -> str:
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _one_by_one(texts: Iterable[str | None]) -> tuple[pa.Array, Misfits]:
    found: list[Decimal | None] = []
    misfits = Misfits()
    for row, text in enumerate(texts):
        number = fitted = None if text is None else Decimal(text)
        if text is not None and number is not None:
            fitted = _fitted(number)
            if fitted is None:
                misfits.too_large[row] = text
            elif fitted != number:
                misfits.rounded[row] = text
        found.append(fitted)
    return pa.array(found, DECIMAL), misfits


def _fitted(number: Decimal) -> Decimal | None:
    """The nearest number of 18 decimals; None where 20 digits do not hold it."""
    if number and number.adjusted() >= WHOLE_DIGITS:
        return None
    rounded = number.quantize(_STEP, context=_CONTEXT)
    return rounded if rounded.adjusted() < WHOLE_DIGITS else None

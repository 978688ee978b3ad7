"""Reading a provider's values one by one, so that an odd one costs nothing else.

A value that cannot be read becomes null, and its text is kept for the record's
`unreadable` column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from tap_utility_intervals.floor.instants import micros_form, parse_date, parse_instant
from tap_utility_intervals.floor.units import read_number

MAX_KEPT = 200
"""Characters kept of an unreadable value."""

LARGEST_INTEGER = 2_147_483_647
"""What the schemas allow: some loaders make wider integers 128 bits wide."""

LONGEST_NUMBER = 300
"""Characters of a number beyond which it is taken as text."""

DEEPEST = 100
"""Levels of nesting beyond which JSON is refused: whoever reads it on may recurse."""

_EXACT = msgspec.json.Encoder(decimal_format="number")

_NUL = b"\\u0000"

_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG_INTEGER = b"0" * (LONGEST_NUMBER + 1)
"""In what `_DIGITS` make of it: a number that must be taken as text, perhaps."""

_ODD_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
"""An escape for half a character, with or without its other half, or for NUL."""

_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooDeep(ValueError):  # noqa: N818 - it says what happened
    """JSON is nested more deeply than anybody means it."""


class Values:
    """Reads the values of one object and collects those that cannot be read."""

    __slots__ = ("unreadable",)

    def __init__(self) -> None:
        """Start with nothing unreadable."""
        self.unreadable: dict[str, str] | None = None

    def refuse(self, column: str, value: object) -> None:
        """Note that a column's value cannot be read; the column becomes null."""
        if self.unreadable is None:
            self.unreadable = {}
        self.unreadable[column] = as_text(value)[:MAX_KEPT]

    def text(self, column: str, value: object) -> str | None:
        """A text; a number is taken as its digits, an empty text as absent."""
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return value
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return str(value)
        self.refuse(column, value)
        return None

    def number(self, column: str, value: object) -> Decimal | None:
        """A quantity with exactly its digits."""
        try:
            return read_number(value)
        except ValueError:
            self.refuse(column, value)
            return None

    def integer(self, column: str, value: object) -> int | None:
        """A count within the bounds of the schemas."""
        if value is None or value == "":
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) <= LARGEST_INTEGER:
                return value
        elif isinstance(value, str) and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - digits of the largest
            return int(value)
        self.refuse(column, value)
        return None

    def flag(self, column: str, value: object) -> bool | None:
        """A truth value, as JSON or as the words true and false."""
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return value
        words = {"true": True, "false": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        self.refuse(column, value)
        return None

    def instant(self, column: str, value: object) -> str | None:
        """A moment of the provider's book-keeping, UTC with six fraction digits."""
        if value is None or value == "":
            return None
        try:
            return micros_form(parse_instant(value, naive_is_utc=True))
        except ValueError:
            self.refuse(column, value)
            return None

    def date(self, column: str, value: object) -> str | None:
        """A plain date; of an instant its local date."""
        if value is None or value == "":
            return None
        try:
            text = value if isinstance(value, str) else ""
            return parse_date(text[:10] if text[10:11] in {"T", " "} else text)
        except ValueError:
            self.refuse(column, value)
            return None

    def mapping(self, column: str, value: object) -> Mapping[str, Any]:
        """An object; empty when absent or something else."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.refuse(column, value)
        return {}

    def items(self, column: str, value: object) -> list[Any]:
        """A list; empty when absent or something else."""
        if isinstance(value, list):
            return value
        if value is not None:
            self.refuse(column, value)
        return []

    def objects(self, column: str, value: object) -> list[Any] | None:
        """A list of objects; what is none of them is left out and noted."""
        if value is None:
            return None
        found = [one for one in self.items(column, value) if isinstance(one, dict)]
        if isinstance(value, list) and len(found) < len(value):
            self.refuse(column, value)
        return found


def as_text(value: object) -> str:
    """A value as the provider may have written it; of a JSON text, what it says."""
    if isinstance(value, msgspec.Raw):
        text = bytes(value)
        said = loads(text) if text.startswith(b'"') else None
        return said if isinstance(said, str) else text.decode("utf-8", "replace")
    if isinstance(value, (str, Decimal)):
        return str(value)
    return _EXACT.encode(value).decode()


def loads(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """JSON as Python values, numbers with all their digits, NaN as its word.

    A byte that is no UTF-8 becomes U+FFFD, as half a character and NUL do.

    Raises:
        ValueError: when it is not JSON at all.
        TooDeep: when it is nested beyond all reason; a `ValueError`, too.
    """
    if _is_deep(body):
        raise TooDeep("JSON that is nested too deeply")
    if not (holds_nul(body) or _LONG_INTEGER in body.translate(_DIGITS)):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return _PLAIN.decode(body)
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        found = json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=str
        )
    except RecursionError:
        raise TooDeep("JSON that is nested too deeply") from None
    return writable(found) if _ODD_ESCAPE.search(text) else found


def holds_nul(body: bytes) -> bool:
    """Tell whether JSON holds the escape for NUL, and must be read with `loads`."""
    # Few bodies hold any escape, and to look for one byte costs a hundredth.
    return b"\\" in body and _NUL in body


def _decimal(number: str) -> Decimal | str:
    """A number; its text if it is longer or larger than Python's can be."""
    if len(number) > LONGEST_NUMBER:
        return number
    try:
        return Decimal(number)
    except InvalidOperation:
        return number


_PLAIN = msgspec.json.Decoder(float_hook=_decimal)
"""Reads five times faster what is JSON to the letter, and as `json` does."""


def exact(value: object) -> msgspec.Raw:
    """The JSON text of a value that `loads` gave."""
    return msgspec.Raw(_EXACT.encode(value))


def _is_deep(body: bytes) -> bool:
    """Whether JSON is nested too deeply."""
    # Without its texts it is told for sure; with them, at a fraction of the cost.
    return _has_brackets_left(body) and _has_brackets_left(_TEXT.sub(b"", body))


def _has_brackets_left(body: bytes) -> bool:
    """Whether any are left when pairs are taken out, level by level."""
    rest = body.translate(None, _NO_BRACKETS)
    for _ in range(DEEPEST):
        if not rest:
            break
        rest = rest.replace(b"[]", b"").replace(b"{}", b"")
    return bool(rest)


def _integer(number: str) -> int | str:
    """An integer; its text if it is absurdly long (Python refuses 4,300 digits)."""
    return int(number) if len(number) <= LONGEST_NUMBER else number


def writable(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Put U+FFFD for halves of characters and for NUL, at every depth.

    No encoder writes the halves, and PostgreSQL stores no NUL.
    """
    if isinstance(value, str):
        whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return whole.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [writable(item) for item in value]
    if isinstance(value, dict):
        return {writable(name): writable(item) for name, item in value.items()}
    return value

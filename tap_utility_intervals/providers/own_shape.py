"""An object as a provider sent it becomes the record that its schema describes. Pure.

Declared attributes keep their names and places; instants get their one UTC form and
numbers exact digits. What is not declared, or of another type than documented, stands
in `extra` as it was sent. Secrets stand nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from typing_extensions import override

from tap_utility_intervals.floor.values import Values

EXTRA = "extra"

RANGE = ("start", "end")
"""A range is sent as a list of two; BigQuery has no lists of lists."""

_SECRET = re.compile(r"(?i)(secret|password|passwd|token|api[_-]?key|credential)s?$")
"""Names of undeclared attributes that are never emitted."""

_TOKEN_IN_URL = re.compile(r"(?i)([?&]access_token=)[^&#\s]+")
_INDEX = re.compile(r"\.[0-9]+(?=\.|$)")


class Shape:
    """Shapes the objects of one stream, and counts what was odd about them."""

    def __init__(
        self,
        schema: Mapping[str, Any],
        name: str,
        warn: Callable[[str], None],
    ) -> None:
        """Shape by a stream's `schema`; `name` begins every warning."""
        self._schema = schema
        self._name = name
        self._warn = warn

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any] | None:
        """The record of an object; None, with a warning, if a key is missing."""
        record, odd = shaped(item, self._schema)
        for column in odd:
            what = "is of another type than documented; it is null, and in extra"
            self._warn(f"{self._name}.{column} {what}")
        if not all(record[name] for name in self._schema["required"]):
            self._warn(f"{self._name}: an object without an id was left out")
            return None
        return record


def shaped(
    item: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The record that `schema` makes of `item`, and the columns that were odd.

    Every declared property is there, at every level whose object is there.
    """
    reader = _Reader()
    # At the top, `extra` is ours; an attribute of that name is an undeclared one.
    declared = {n: one for n, one in schema["properties"].items() if n != EXTRA}
    record = reader.members("", item, declared)
    record[EXTRA] = reader.extra or None
    return record, reader.odd


class _Reader(Values):
    """Reads the values of one object; keeps as sent what has no place."""

    __slots__ = ("extra", "odd")

    def __init__(self) -> None:
        super().__init__()
        self.extra: dict[str, Any] = {}
        self.odd: list[str] = []

    @override
    def refuse(self, column: str, value: object) -> None:
        self.extra[column] = _without_secrets(value)
        self.odd.append(_INDEX.sub("", column))

    def members(
        self, path: str, item: Mapping[str, Any], properties: Mapping[str, Any]
    ) -> dict[str, Any]:
        """An object with all its declared properties; the others go to `extra`."""
        prefix = f"{path}." if path else ""
        for name, value in item.items():
            known = name in properties or value is None
            if not known and not _SECRET.search(name):
                self.extra[prefix + name] = _without_secrets(value)
        return {
            name: self.value(prefix + name, item.get(name), schema)
            for name, schema in properties.items()
        }

    def value(self, path: str, value: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """A value as its schema wants it; None if it is of another type."""
        if value is None:
            return None
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        if (
            isinstance(value, list)
            and len(value) == len(RANGE)
            and tuple(schema.get("properties", ())) == RANGE
        ):
            value = dict(zip(RANGE, value, strict=True))
        if isinstance(value, dict) and "object" in kinds:
            if "properties" in schema:
                return self.members(path, value, schema["properties"])
            return _without_secrets(value)
        if isinstance(value, list) and "array" in kinds:
            if "items" in schema:
                one = schema["items"]
                found = [self.value(f"{path}.{n}", v, one) for n, v in enumerate(value)]
                # A coverage's ranges may not be null; an odd one stands in `extra`.
                may_be_null = "null" in one["type"]
                return found if may_be_null else [v for v in found if v is not None]
            return _without_secrets(value)
        return self._scalar(path, value, schema.get("format") or kinds[0])

    def _scalar(self, path: str, value: Any, kind: str) -> Any:  # noqa: ANN401 - JSON
        read = {
            "string": self._text,
            "date": self._day,
            "date-time": self.instant,
            "number": self.number,
            "integer": self.integer,
            "boolean": self.flag,
        }.get(kind)
        if read is None:
            self.refuse(path, value)
            return None
        return read(path, value)

    def _text(self, path: str, value: object) -> str | None:
        """A text as sent, an empty one, too; of a number its digits."""
        if value == "":
            return ""
        if isinstance(value, bool):
            return str(value).lower()
        text = self.text(path, value)
        return None if text is None else _redacted(text)

    def _day(self, path: str, value: object) -> str | None:
        """A plain date; if an instant was sent, it is kept besides."""
        day = self.date(path, value)
        if day is not None and day != value:
            self.extra[path] = value
        return day


def _without_secrets(value: Any) -> Any:  # noqa: ANN401 - JSON
    """JSON as sent, without what is named like a secret, at any depth."""
    if isinstance(value, dict):
        return {
            name: _without_secrets(one)
            for name, one in value.items()
            if not _SECRET.search(name)
        }
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    if isinstance(value, Decimal) and not value.is_finite():
        return str(value)
    return _redacted(value) if isinstance(value, str) else value


def _redacted(text: str) -> str:
    """A text without the value of an access token in a link."""
    return _TOKEN_IN_URL.sub(r"\1***", text) if "access_token=" in text else text

"""What a meter is called: the keys that join intervals, meters and usage. Pure.

An interval names no meter; it carries an account and a list of identifiers. So the key
is made from these, by one function for all three.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tap_utility_intervals.floor.values import as_text
from tap_utility_intervals.providers.nectar.objects import Entity, text

METER = "METER"

SERVICE_IDENTIFIERS = ("POD", "ESI", "NMI", "MPR", "ICP", "MIRN", "PREMISE")
"""Identifiers of a service rather than of a device or an account."""

_PARTS = {"name", "rawName", "value"}
_DROPPED = str.maketrans("", "", "-_,/")


def canonical(value: str) -> str:
    """An identifier's value as Nectar's own identifier search compares it.

    `" 00-12_ab/3 "` is `12AB3`: dashes, spaces, underscores, commas, slashes and
    leading zeros go, letters are upper case.
    """
    return "".join(value.split()).translate(_DROPPED).lstrip("0").upper()


def meter_key(owner: str, identifiers: object) -> str:
    """The key of a meter: its account (or connection) and what identifies it there.

    With METER identifiers `{owner}:{values, sorted, joined by +}`, else
    `{owner}:{NAME=value pairs, sorted, joined by +}`; all values canonical.
    """
    return f"{owner}:{signature(identifiers)}"


def signature(identifiers: object) -> str:
    """What a list of identifiers says of the meter, without its owner."""
    pairs = list(_pairs(identifiers))
    meters = {value for name, value in pairs if name == METER and value}
    if meters:
        return "+".join(sorted(meters))
    return "+".join(sorted({f"{name}={value}" for name, value in pairs}))


def service_point_key(utility: str | None, identifiers: object) -> str | None:
    """The physical service, the same under every connection; None if it has no name."""
    values: dict[str, set[str]] = {}
    for name, value in _pairs(identifiers):
        values.setdefault(name, set()).add(value)
    for name in (METER, *SERVICE_IDENTIFIERS):
        found = sorted(values.get(name, set()) - {""})
        if utility and found:
            return f"{utility}:{'+'.join(found)}"
    return None


def listed(identifiers: object) -> list[Any] | None:
    """The list as sent; what does not belong into it is left out or made text."""
    if not isinstance(identifiers, list):
        return None
    if all(map(_is_usual, identifiers)):
        return identifiers
    return [
        {**row}
        | {n: as_text(row[n]) for n in _PARTS & row.keys() if row[n] is not None}
        for row in _rows(identifiers)
    ]


def _is_usual(row: object) -> bool:
    return isinstance(row, dict) and all(
        row.get(name) is None or isinstance(row[name], str) for name in _PARTS
    )


def named(identifiers: object, *names: str) -> list[str]:
    """The values, as sent, of the identifiers with one of the names, in their order."""
    return [
        value
        for name in names
        for row in _rows(identifiers)
        if _name(row) == name and (value := text(row.get("value")))
    ]


def _pairs(identifiers: object) -> Iterable[tuple[str, str]]:
    for row in _rows(identifiers):
        yield _name(row), canonical(text(row.get("value")) or "")


def _rows(identifiers: object) -> list[Entity]:
    rows = identifiers if isinstance(identifiers, list) else []
    return [row for row in rows if isinstance(row, dict)]


def _name(identifier: Entity) -> str:
    return (text(identifier.get("name")) or "").strip().upper()

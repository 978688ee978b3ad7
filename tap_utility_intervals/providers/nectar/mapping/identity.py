"""What a meter is called: the keys that join intervals, meters and usage. Pure.

An interval names no meter; it carries an account and a list of identifiers. So the key
is made from these, by one function for all three. See nectar.md#filters-of-intervals
and nectar.md#identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tap_utility_intervals.floor.identifiers import canonical, service_point_key
from tap_utility_intervals.floor.values import as_text
from tap_utility_intervals.providers.bookmarks import short_hash
from tap_utility_intervals.providers.nectar.objects import Entity, objects, text

PROVIDER = "nectar"

METER = "METER"
"""The name of an identifier of the device."""

SERVICE_IDENTIFIERS = ("POD", "ESI", "NMI", "MPR", "ICP", "MIRN", "PREMISE")
"""Identifiers of a service rather than of a device or an account, the best first."""

_PARTS = {"name", "rawName", "value"}
"""What of an identifier goes out as text; what else it holds stays as sent."""

LONGEST_KEY = 200
"""Characters of a key: an index of PostgreSQL holds no more than a few thousand."""


def meter_key(owner: str, identifiers: object) -> str:
    """Return the key of a meter: its owner and what identifies it there.

    The owner is its account, else its connection, else its company.

    With METER identifiers `{owner}:{values, sorted, joined by +}`, else
    `{owner}:{NAME=value pairs, sorted, joined by +}`; all values canonical.
    A long key is its readable head and a hash of the whole.
    """
    key = f"{owner}:{signature(identifiers)}"
    if len(key) <= LONGEST_KEY:
        return key
    whole = f"~{short_hash(key)}"
    return key[: LONGEST_KEY - len(whole)] + whole


def signature(identifiers: object) -> str:
    """What a list of identifiers says of the meter, without its owner.

    Its METER values if there are any, else all its names and values, empty ones too.
    """
    said = list(_pairs(identifiers))
    meters = {value for name, value in said if name == METER and value}
    if meters:
        return "+".join(sorted(meters))
    return "+".join(sorted({f"{name}={value}" for name, value in said}))


def pairs(identifiers: object) -> set[tuple[str, str]]:
    """The names and canonical values of a list of identifiers that have a value."""
    return {(name, value) for name, value in _pairs(identifiers) if value}


def service_point(utility: str | None, identifiers: object) -> str | None:
    """The physical service, the same under every connection; None if it has no name."""
    for name in (METER, *SERVICE_IDENTIFIERS):
        key = service_point_key(utility, named(identifiers, name))
        if key is not None:
            return key
    return None


class Siblings:
    """The listed meters of one connection, found by what an interval says of its own.

    Some intervals name no account, or only some of their meter's identifiers.
    """

    def __init__(
        self,
        meters: Iterable[tuple[str, str | None, object]],
        others: Siblings | None = None,
    ) -> None:
        """Take the key, account and identifiers of each meter; `others` come after."""
        self._others = others
        self._accounts: dict[str, set[str | None]] = {}
        self._found: dict[object, set[str]] = {}
        for key, account, identifiers in meters:
            self._accounts.setdefault(key, set()).add(account)
            for said in (*pairs(identifiers), signature(identifiers)):
                self._found.setdefault(said, set()).add(key)

    def key(self, account: str | None, identifiers: object) -> str | None:
        """Return the key of the only meter that it can be; None for none or several."""
        said = pairs(identifiers)
        if not said:
            return None
        # Who is told exactly comes before who has all this and more.
        same = self._found.get(signature(identifiers), set())
        more = set.intersection(*(self._found.get(one, set()) for one in said))
        keys = {
            key
            for key in same or more
            if account is None or account in self._accounts[key]
        }
        if not keys and self._others is not None:
            return self._others.key(account, identifiers)
        return keys.pop() if len(keys) == 1 else None


@dataclass(frozen=True)
class MeterKeys:
    """Finds the meters of usage entries."""

    by_id: Mapping[str, str]
    """Meter key by meter id."""
    by_signature: Mapping[str, AbstractSet[str]]
    """Meter keys by `signature`, whatever the account."""
    account_of: Mapping[str, str]
    """Account id by meter id."""

    def of_usage(self, row: Entity) -> str | None:
        """Return the key of a usage entry's meter; None when it cannot be told.

        By its meter's id, else account and identifiers, else a signature of one meter.
        """
        meter_id = text(row.get("meter"))
        if meter_id is not None and meter_id in self.by_id:
            return self.by_id[meter_id]
        identifiers = row.get("identifiers")
        said = signature(identifiers)
        if not said:
            return None
        account = text(row.get("account")) or self.account_of.get(meter_id or "")
        if account is not None:
            return meter_key(account, identifiers)
        matching = self.by_signature.get(said, set())
        return next(iter(matching)) if len(matching) == 1 else None


def listed(identifiers: object) -> list[Any] | None:
    """Return the list as sent, parts made text, and what is no object left out."""
    if not isinstance(identifiers, list):
        return None
    if all(map(_is_usual, identifiers)):
        return identifiers
    return [
        {**row}
        | {n: as_text(row[n]) for n in _PARTS & row.keys() if row[n] is not None}
        for row in objects(identifiers)
    ]


def _is_usual(row: object) -> bool:
    return isinstance(row, dict) and all(
        row.get(name) is None or isinstance(row[name], str) for name in _PARTS
    )


def named(identifiers: object, *names: str) -> list[str]:
    """Return the values, as sent, of identifiers so named, in the names' order."""
    return [
        value
        for name in names
        for row in objects(identifiers)
        if _name(row) == name and (value := text(row.get("value")))
    ]


def _pairs(identifiers: object) -> Iterable[tuple[str, str]]:
    for row in objects(identifiers):
        yield _name(row), canonical(text(row.get("value")) or "")


def _name(identifier: Entity) -> str:
    return (text(identifier.get("name")) or "").strip().upper()

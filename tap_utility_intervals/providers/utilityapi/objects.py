"""UtilityAPI's objects, typed (https://utilityapi.com/docs/api).

Interval objects are decoded one at a time and strictly; one with an odd value is
decoded again loosely, reading by reading, so that the value costs only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, field

from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.floor.values import as_text, holds_nul, loads
from tap_utility_intervals.providers.utilityapi.local_times import LocalTimes
from tap_utility_intervals.providers.utilityapi.settings import TIME_ZONE

NULL = Raw(b"null")

LONGEST_TOLD = 40
"""So many characters of an unreadable time are told."""

Instant = Annotated[datetime, Meta(tz=True)]


class Datapoint(Struct, gc=False):
    """One register's value within a reading: `{"type": "net", "unit": "kwh", …}`."""

    type: str | None = None
    unit: str | None = None
    value: Raw = NULL
    meter_number: str | None = None


class Reading(Struct, gc=False):
    """One element of `readings`: what all registers showed over `[start, end)`."""

    start: Instant
    end: Instant
    kwh: Raw = NULL
    datapoints: tuple[Datapoint, ...] | None = None


class Base(Struct, gc=False):
    """The `base` block of an Interval object."""

    meter_numbers: list[str] | None = None
    qualities: list[str] | None = None


class Origin(Struct, gc=False):
    """An element of `sources`: `{"type": "greenbutton_cmd", "raw_url": null}`."""

    type: str | None = None


class Block(Struct, gc=False):
    """An Interval object: a container of readings, newest first as they are sent."""

    meter_uid: str | None = None
    uid: str | None = None
    authorization_uid: str | None = None
    created: Instant | None = None
    updated: Instant | None = None
    base: Base | None = None
    sources: list[Origin] | None = None
    readings: list[Reading] = field(default_factory=list)
    read_at: str | None = None
    """When the answer that held it had arrived; not sent by the API."""


class _Owner(Struct, gc=False):
    meter_uid: str = ""


HEAD = 1_000
"""Bytes that hold the times of a first reading, whatever stands before them."""

_FINE = re.compile(rb":[0-9]{2}\.[0-9]{7}")
"""A time with more digits than six."""

_STRICT = msgspec.json.Decoder(Block)
_OWNER = msgspec.json.Decoder(_Owner)
_EXACT = msgspec.json.Encoder(decimal_format="number")


def owner(item: Raw | dict[str, Any]) -> str | None:
    """The meter that an Interval object names; the rest of it stays encoded."""
    if isinstance(item, Raw):
        try:
            return _OWNER.decode(item).meter_uid or None
        except (msgspec.DecodeError, UnicodeDecodeError):
            try:
                item = loads(bytes(item))
            except ValueError:  # nested too deeply
                return None
    return _text(item.get("meter_uid")) if isinstance(item, dict) else None


def block(
    item: Raw | dict[str, Any],
    lose: Callable[[str], object],
    zone: tzinfo | None = None,
) -> Block:
    """Decode one block, loosely if it must be.

    Args:
        item: the block, encoded or as JSON values.
        lose: is told of each reading whose times cannot be read.
        zone: of times that are sent without one.

    Raises:
        ValueError: when it is no object; `TooDeep` when nobody can tell.
    """
    if isinstance(item, Raw):
        try:
            if _is_plain(bytes(item)):
                return _STRICT.decode(item)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # it is read loosely
        item = loads(bytes(item))
    if not isinstance(item, dict):
        raise ValueError("an Interval object that is no object")  # noqa: TRY004 - the body's fault
    base = item.get("base")
    return Block(
        meter_uid=_text(item.get("meter_uid")),
        uid=_text(item.get("uid")),
        authorization_uid=_text(item.get("authorization_uid")),
        created=_moment(item.get("created")),
        updated=_moment(item.get("updated")),
        base=Base(
            meter_numbers=_texts(base.get("meter_numbers")),
            qualities=_texts(base.get("qualities")),
        )
        if isinstance(base, dict)
        else None,
        sources=[Origin(_text(s.get("type"))) for s in _objects(item.get("sources"))],
        readings=list(_readings(item.get("readings"), lose, zone)),
    )


def _is_plain(item: bytes) -> bool:
    """Whether the strict decoder reads all of it as the loose one does.

    It rounds what goes beyond six fraction digits, which are cut elsewhere, and a key
    could move. Who sends such times once does so always: the first ones are looked at.
    """
    first = max(item.find(b'"readings"'), 0)
    return not holds_nul(item) and not _FINE.search(item, first, first + HEAD)


def _readings(
    found: object, lose: Callable[[str], object], zone: tzinfo | None
) -> Iterator[Reading]:
    if found is not None and not isinstance(found, list):
        lose("readings that are no list")
    times = LocalTimes(zone)
    for reading in times.ordered(found) if isinstance(found, list) else ():
        sent = reading if isinstance(reading, dict) else {}
        try:
            start, end = times.span(sent)
        except ValueError:
            lose(_told(sent))
            continue
        yield Reading(
            start=start,
            end=end,
            kwh=_raw(sent.get("kwh")),
            datapoints=tuple(map(_datapoint, _objects(sent.get("datapoints")))),
        )


def _told(reading: dict[str, Any]) -> str:
    """A reading's times as they were sent, for a message."""
    sent = {name: reading.get(name) for name in ("start", "end")}
    told = " ".join(f"{n}={as_text(t)[:LONGEST_TOLD]}" for n, t in sent.items())
    try:
        for time in sent.values():
            parse_instant(time, naive_is_utc=True)
    except ValueError:
        return told
    return f"{told} (no time zone: set {TIME_ZONE})"


def _datapoint(point: dict[str, Any]) -> Datapoint:
    return Datapoint(
        _text(point.get("type")),
        _text(point.get("unit")),
        _raw(point.get("value")),
        _text(point.get("meter_number")),
    )


def _raw(value: object) -> Raw:
    """A value as JSON text again; numbers keep their digits."""
    return Raw(_EXACT.encode(_whole(value) if isinstance(value, str) else value))


def _moment(value: object) -> datetime | None:
    try:
        return parse_instant(value, naive_is_utc=True)
    except ValueError:
        return None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return _whole(value) or None
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    return None


def _whole(text: str) -> str:
    """A text without the halves of surrogate pairs, which no encoder takes."""
    return text.encode("utf-8", "replace").decode()


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [text for item in value if (text := _text(item))]


def _objects(value: object) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]

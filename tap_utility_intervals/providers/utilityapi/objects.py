"""UtilityAPI's objects, typed (https://utilityapi.com/docs/api).

Interval objects are decoded one at a time and strictly, but for their readings' values;
one with an odd value is decoded again loosely, so that the value costs only itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct, field

from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.floor.values import holds_nul, loads

NULL = Raw(b"null")

Instant = Annotated[datetime, Meta(tz=True)]


class Datapoint(Struct, gc=False):
    """One register's value within a reading: `{"type": "net", "unit": "kwh", …}`."""

    type: str | None = None
    unit: str | None = None
    value: Raw = NULL
    meter_number: str | None = None


class Reading(Struct, gc=False):
    """One element of `readings`: what all registers showed over `[start, end)`.

    Its values are as they were sent: `times.spans` and `datapoints` read them.
    """

    start: Raw = NULL
    end: Raw = NULL
    kwh: Raw = NULL
    datapoints: Raw = NULL


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


_STRICT = msgspec.json.Decoder(Block)
_OWNER = msgspec.json.Decoder(_Owner)
POINTS = msgspec.json.Decoder(tuple[Datapoint, ...] | None)
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


def block(item: Raw | dict[str, Any], lose: Callable[[str], object]) -> Block:
    """Decode one block, loosely if it must be.

    Args:
        item: the block, encoded or as JSON values.
        lose: is told of readings that cannot be read.

    Raises:
        ValueError: when it is no object; `TooDeep` when nobody can tell.
    """
    if isinstance(item, Raw):
        try:
            if not holds_nul(bytes(item)):
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
        readings=list(_readings(item.get("readings"), lose)),
    )


def _readings(found: object, lose: Callable[[str], object]) -> Iterator[Reading]:
    if found is not None and not isinstance(found, list):
        lose("readings that are no list")
    for reading in found if isinstance(found, list) else ():
        sent = reading if isinstance(reading, dict) else {}
        points = tuple(map(_datapoint, _objects(sent.get("datapoints"))))
        yield Reading(
            start=_raw(sent.get("start")),
            end=_raw(sent.get("end")),
            kwh=_raw(sent.get("kwh")),
            datapoints=Raw(_EXACT.encode(points)),
        )


def datapoints(sent: Raw) -> tuple[Datapoint, ...]:
    """Decode a reading's datapoints, loosely if it must be.

    Raises:
        TooDeep: when nobody can tell what they are.
    """
    try:
        return POINTS.decode(sent) or ()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return tuple(map(_datapoint, _objects(loads(bytes(sent)))))


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

"""UtilityAPI's objects as unified records. Pure: no I/O, no state.

Datapoints of one reading stand side by side and are never added up: `net` and `fwd` are
often equal, and `max` has another unit (https://utilityapi.com/docs/api/intervals).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Raw

from tap_utility_intervals.instants import micros_form, parse_instant, seconds_form
from tap_utility_intervals.providers.utilityapi.objects import (
    Datapoint,
    Interval,
    Reading,
)
from tap_utility_intervals.records import (
    Commodity,
    Flow,
    IntervalRecord,
    MeterRecord,
    Number,
    Quality,
    UsageRecord,
)
from tap_utility_intervals.units import Unit, normalize, read_number, unit
from tap_utility_intervals.values import Values, as_text

PROVIDER = "utilityapi"

FLOWS = {"fwd": Flow.DELIVERED, "rev": Flow.RECEIVED, "net": Flow.NET}
"""`fwd` is delivered to the customer, `rev` received from the customer."""

QUALITIES = {
    "actual": Quality.ACTUAL,
    "estimated": Quality.ESTIMATED,
    "edited": Quality.EDITED,
    "validated": Quality.VALIDATED,
    "projected": Quality.PROJECTED,
    "derived": Quality.DERIVED,
}

COMMODITIES = {
    "electric": Commodity.ELECTRICITY,
    "gas": Commodity.GAS,
    "water": Commodity.WATER,
}
"""By the last word of `service_class`: `res-electric`, `comm_water`, `gas`, …"""

Range = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Meter:
    """What the tap remembers of a listed meter during a run."""

    uid: str
    status: str | None
    status_ts: str | None
    reading_count: int | None
    interval_coverage: tuple[Range, ...]
    bill_count: int | None
    bill_coverage: tuple[Range, ...]
    commodity: Commodity | None
    record: MeterRecord


@dataclass(frozen=True, slots=True)
class Channel:
    """Where the values of one datapoint type and unit go."""

    name: str
    flow: Flow | None
    unit: Unit


def meter(item: Mapping[str, Any], listed_at: str) -> Meter:
    """A listed meter.

    Raises:
        ValueError: when it has no uid.
    """
    read = Values()
    uid = read.text("source_meter_id", item.get("uid"))
    if uid is None:
        raise ValueError("a meter without a uid")
    base = read.mapping("base", item.get("base"))
    utility = read.text("utility", item.get("utility"))
    service = read.text("service_identifier", base.get("service_identifier"))
    service_class = read.text("service_class", base.get("service_class"))
    intervals = _coverage(read, "interval_coverage", item.get("interval_coverage"))
    bills = _coverage(read, "bill_coverage", item.get("bill_coverage"))
    record = MeterRecord(
        meter_key=uid,
        provider=PROVIDER,
        source_meter_id=uid,
        service_point_key=_service_point(utility, service),
        authorization_id=read.text("authorization_id", item.get("authorization_uid")),
        account_number=read.text("account_number", base.get("billing_account")),
        utility=utility,
        commodity=commodity(service_class),
        service_identifier=service,
        service_address=read.text("service_address", base.get("service_address")),
        service_class=service_class,
        service_tariff=read.text("service_tariff", base.get("service_tariff")),
        meter_numbers=_texts(read, "meter_numbers", base.get("meter_numbers")),
        status=read.text("status", item.get("status")),
        status_message=read.text("status_message", item.get("status_message")),
        status_at=read.instant("status_at", item.get("status_ts")),
        is_active=read.flag("is_active", item.get("is_activated")),
        is_archived=read.flag("is_archived", item.get("is_archived")),
        reading_count=read.integer("reading_count", item.get("interval_count")),
        first_interval_start=seconds_form(intervals[0][0]) if intervals else None,
        last_interval_end=seconds_form(intervals[-1][1]) if intervals else None,
        interval_coverage=_spans(intervals, item.get("interval_coverage")),
        bill_count=read.integer("bill_count", item.get("bill_count")),
        bill_coverage=_spans(bills, item.get("bill_coverage")),
        created_at=read.instant("created_at", item.get("created")),
        listed_at=listed_at,
    )
    record.unreadable = read.unreadable
    return Meter(
        uid=uid,
        status=record.status,
        status_ts=record.status_at,
        reading_count=record.reading_count,
        interval_coverage=intervals,
        bill_count=record.bill_count,
        bill_coverage=bills,
        commodity=record.commodity,
        record=record,
    )


def usage(bill: Mapping[str, Any], meter: Meter | None, listed_at: str) -> UsageRecord:
    """A bill as one usage entry.

    Raises:
        ValueError: when it has no uid.
    """
    read = Values()
    uid = read.text("usage_id", bill.get("uid"))
    if uid is None:
        raise ValueError("a bill without a uid")
    base = read.mapping("base", bill.get("base"))
    quantity = read.number("quantity", base.get("bill_total_volume"))
    raw_unit = read.text("unit", base.get("bill_total_unit"))
    if quantity is None and base.get("bill_total_kwh") is not None:
        # Deprecated, and null for gas and water; older bills have nothing else.
        quantity = read.number("quantity", base.get("bill_total_kwh"))
        raw_unit = "kwh"
    meant = unit(raw_unit)
    normalized = None if quantity is None else normalize(quantity, meant)
    start, end = base.get("bill_start_date"), base.get("bill_end_date")
    meter_uid = read.text("meter_key", bill.get("meter_uid"))
    tou = bill.get("tou")
    return UsageRecord(
        usage_id=uid,
        provider=PROVIDER,
        meter_key=meter_uid,
        source_meter_id=meter_uid,
        bill_id=uid,
        period_start_date=read.date("period_start_date", start),
        period_end_date=read.date("period_end_date", end),
        period_start_at=_instant_sent(start),
        period_end_at=_instant_sent(end),
        quantity=quantity,
        unit=meant.name,
        unit_raw=raw_unit,
        quantity_normalized=normalized,
        unit_normalized=None if normalized is None else meant.normalized,
        measure=meant.measure if raw_unit else None,
        commodity=commodity(read.text("commodity", base.get("service_class")))
        or (meter.commodity if meter else None),
        cost=read.number("cost", base.get("bill_total_cost")),
        tariff=read.text("tariff", base.get("service_tariff")),
        time_of_use_breakdown=tou if isinstance(tou, list) and tou else None,
        usage_type="consumption",
        source_created_at=read.instant("source_created_at", bill.get("created")),
        source_updated_at=read.instant("source_updated_at", bill.get("updated")),
        listed_at=listed_at,
        unreadable=read.unreadable,
    )


def commodity(service_class: str | None) -> Commodity | None:
    """What flows, by the last word of a service class."""
    return COMMODITIES.get(re.split(r"[-_ ]", (service_class or "").lower())[-1])


@lru_cache(maxsize=1024)
def channel(point: str | None, raw_unit: str | None) -> Channel:
    """The channel of a datapoint's type and unit; unknown ones keep their words."""
    meant = unit(raw_unit)
    name = f"{point or 'usage'}/{meant.name or 'unknown'}"
    return Channel(name, FLOWS.get(point or ""), meant)


def rows(
    held: Interval,
    readings: Sequence[Reading],
    meter: Meter | None,
    warn: Callable[[str], None],
) -> Iterator[list[IntervalRecord]]:
    """The rows of each of these readings of one Interval object, reading by reading."""
    common = _common(held, meter)
    utc = timezone.utc
    seconds_of: dict[timedelta | None, int | None] = {None: None}
    for reading in readings:
        start, end = reading.start, reading.end
        offset = start.utcoffset()
        if offset not in seconds_of:
            assert offset is not None  # noqa: S101 - decoded with a zone
            seconds_of[offset] = int(offset.total_seconds())
        at = (start.astimezone(utc), end.astimezone(utc))
        length = end - start
        span = (length.days * 86400 + length.seconds, seconds_of[offset])
        yield [
            _row(common, at, span, *point, warn)
            for point in _points(reading, common, warn)
        ]


@dataclass(frozen=True, slots=True)
class _Common:
    """What all rows of one Interval object share."""

    meter_key: str
    commodity: Commodity | None
    quality: Quality | None
    quality_raw: str | None
    authorization_id: str | None
    source_type: str | None
    source_id: str | None
    created_at: str | None
    updated_at: str | None
    meter_number: str | None


def _common(held: Interval, meter: Meter | None) -> _Common:
    words = (held.base.qualities if held.base else None) or []
    known = {QUALITIES.get(word.lower()) for word in words}
    numbers = (held.base.meter_numbers if held.base else None) or []
    types = list(dict.fromkeys(o.type for o in held.sources or [] if o.type))
    return _Common(
        meter_key=held.meter_uid,
        commodity=meter.commodity if meter else None,
        # Several words describe the object, not this reading: then it cannot be told.
        quality=known.pop() if len(known) == 1 else None,
        quality_raw=",".join(words) or None,
        authorization_id=held.authorization_uid,
        source_type=",".join(types) or None,
        source_id=held.uid,
        created_at=micros_form(held.created) if held.created else None,
        updated_at=micros_form(held.updated) if held.updated else None,
        meter_number=numbers[0] if len(numbers) == 1 else None,
    )


def _points(
    reading: Reading, common: _Common, warn: Callable[[str], None]
) -> Iterable[tuple[str, Channel, str | None, Raw, str | None]]:
    """Channel name, channel, raw unit, value and meter number of each datapoint."""
    points = reading.datapoints
    if not points:
        yield "usage/kWh", KWH, None, reading.kwh, common.meter_number
        return
    named = [(channel(point.type, point.unit), point) for point in points]
    names = [found.name for found, _ in named]
    if len(set(names)) != len(names):
        names = _apart(names, points, warn)
    for name, (found, point) in zip(names, named, strict=True):
        number = point.meter_number or common.meter_number
        yield name, found, point.unit, point.value, number
    if bytes(reading.kwh) != b"null" and not any(f.unit is KWH.unit for f, _ in named):
        yield "usage/kWh", KWH, None, reading.kwh, common.meter_number


KWH = Channel("usage/kWh", None, unit("kwh"))
"""Of a reading's own `kwh`, whose direction is not stated."""


def _apart(
    names: list[str], points: Sequence[Datapoint], warn: Callable[[str], None]
) -> list[str]:
    """Tell datapoints of one type and unit apart by their meter numbers."""
    twice = {name for name in names if names.count(name) > 1}
    apart = [
        f"{name}@{point.meter_number}" if name in twice and point.meter_number else name
        for name, point in zip(names, points, strict=True)
    ]
    seen: dict[str, int] = {}
    for index, name in enumerate(apart):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            warn("datapoints that nothing tells apart got #2, #3, ... in their channel")
            apart[index] = f"{name}#{seen[name]}"
    return apart


def _row(  # noqa: PLR0913, PLR0917 - the hot path: no objects made for arguments
    common: _Common,
    at: tuple[datetime, datetime],
    span: tuple[int, int | None],
    name: str,
    found: Channel,
    raw_unit: str | None,
    value: Raw,
    number: str | None,
    warn: Callable[[str], None],
) -> IntervalRecord:
    quantity: Number | None
    text = bytes(value)
    unreadable = None
    if text[0] in b"-0123456789" and b"e" not in text.lower() and len(text) < 40:  # noqa: PLR2004
        quantity = value  # a plain JSON number: its very digits
    else:
        quantity, unreadable = _odd(value, warn)
    meant = found.unit
    normalized = quantity
    if meant.factor is None:
        normalized = None
    elif quantity is not None and meant.factor != 1:
        exact = quantity if isinstance(quantity, Decimal) else Decimal(text.decode())
        normalized = normalize(exact, meant)
    return IntervalRecord(
        PROVIDER,
        common.meter_key,
        name,
        at[0],
        at[1],
        span[0],
        span[1],
        quantity,
        meant.name,
        raw_unit,
        normalized,
        meant.normalized if normalized is not None else None,
        meant.measure,
        found.flow,
        common.commodity,
        common.quality,
        common.quality_raw,
        number,
        common.authorization_id,
        None,
        None,
        None,
        None,
        common.source_type,
        common.source_id,
        common.created_at,
        common.updated_at,
        unreadable,
    )


def _odd(
    value: Raw, warn: Callable[[str], None]
) -> tuple[Decimal | None, dict[str, str] | None]:
    """A value that is no plain number: null, a number in quotes, or unreadable."""
    try:
        return read_number(value), None
    except ValueError:
        warn("a quantity could not be read and is null; its text is in `unreadable`")
        read = Values()
        read.refuse("quantity", as_text(value))
        return None, read.unreadable


def _coverage(read: Values, column: str, value: object) -> tuple[Range, ...]:
    """Covered ranges in ascending order; an unreadable one is left out and noted."""
    found: list[Range] = []
    for span in read.items(column, value):
        try:
            start, end = span
            found.append((_aware(start), _aware(end)))
        except (TypeError, ValueError):
            read.refuse(column, span)
    return tuple(sorted(found))


def _aware(value: object) -> datetime:
    return parse_instant(value, naive_is_utc=True).astimezone(timezone.utc)


def _spans(ranges: Sequence[Range], sent: object) -> list[tuple[str, str]] | None:
    if sent is None:
        return None
    return [(seconds_form(start), seconds_form(end)) for start, end in ranges]


def _instant_sent(value: object) -> str | None:
    """An instant, if one was sent rather than a date."""
    try:
        return seconds_form(parse_instant(value))
    except ValueError:
        return None


def _texts(read: Values, column: str, value: object) -> list[str] | None:
    if value is None:
        return None
    return [
        text for item in read.items(column, value) if (text := read.text(column, item))
    ]


def _service_point(utility: str | None, service: str | None) -> str | None:
    """The same physical service under a renewed authorization."""
    if not utility or not service:
        return None
    canonical = re.sub(r"[-_ ,/]", "", service).lstrip("0").upper()
    return f"{utility}:{canonical}" if canonical else None

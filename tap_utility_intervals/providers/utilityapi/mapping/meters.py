"""UtilityAPI's meters as unified records. Pure: no I/O, no state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from tap_utility_intervals.floor.identifiers import service_point_key
from tap_utility_intervals.floor.instants import as_utc, shared_form
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.floor.records import Commodity, MeterRecord
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.utilityapi.times import instant

PROVIDER = "utilityapi"

COMMODITIES = {
    "electric": Commodity.ELECTRICITY,
    "gas": Commodity.GAS,
    "water": Commodity.WATER,
}
"""By the last word of `service_class`: `res-electric`, `comm_water`, `gas`, …"""


class Meter(Struct, frozen=True, gc=False):
    """What reading needs to know of a listed meter; nothing personal."""

    uid: str
    status: str | None
    status_ts: str | None
    reading_count: int | None
    interval_coverage: tuple[Range, ...]
    bill_count: int | None
    bill_coverage: tuple[Range, ...]
    commodity: Commodity | None
    authorization_id: str | None
    is_covered_readably: bool
    """Whether the list tells which stretches are covered, and all of it is read."""


class Listed(NamedTuple):
    """A meter as listed."""

    record: MeterRecord
    meter: Meter


def listed(
    item: Mapping[str, Any], listed_at: str, zone: tzinfo | None = None
) -> Listed:
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
    intervals = _coverage(
        read, "interval_coverage", item.get("interval_coverage"), zone
    )
    bills = _coverage(read, "bill_coverage", item.get("bill_coverage"), zone)
    spans = _spans(intervals, item.get("interval_coverage"))
    record = MeterRecord(
        meter_key=uid,
        provider=PROVIDER,
        source_meter_id=uid,
        service_point_key=service_point_key(utility, [service or ""]),
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
        first_interval_start=spans[0]["start"] if spans else None,
        last_interval_end=spans[-1]["end"] if spans else None,
        interval_coverage=spans,
        bill_count=read.integer("bill_count", item.get("bill_count")),
        bill_coverage=_spans(bills, item.get("bill_coverage")),
        created_at=read.instant("created_at", item.get("created")),
        listed_at=listed_at,
    )
    record.unreadable = unreadable = read.unreadable
    is_readable = "interval_coverage" not in (unreadable or {})
    found = Meter(
        uid=uid,
        status=record.status,
        status_ts=record.status_at,
        reading_count=record.reading_count,
        interval_coverage=intervals,
        bill_count=record.bill_count,
        bill_coverage=bills,
        commodity=record.commodity,
        authorization_id=record.authorization_id,
        is_covered_readably=record.interval_coverage is not None and is_readable,
    )
    return Listed(record, found)


@lru_cache(maxsize=4_096)
def commodity(service_class: str | None) -> Commodity | None:
    """What flows, by the last word of a service class."""
    return COMMODITIES.get(re.split(r"[-_ ]", (service_class or "").lower())[-1])


def _coverage(
    read: Values, column: str, value: object, zone: tzinfo | None
) -> tuple[Range, ...]:
    """Covered ranges in ascending order; an unreadable one is left out and noted."""
    found: list[Range] = []
    for span in read.items(column, value):
        try:
            start, end = (_edge(edge, zone) for edge in span)
        except (TypeError, ValueError):
            read.refuse(column, span)
            continue
        if start > end:
            read.refuse(column, span)
        else:
            found.append((start, end))
    return tuple(sorted(found))


@lru_cache(maxsize=4_096)
def _edge(sent: object, zone: tzinfo | None) -> datetime:
    """A midnight, mostly, that many meters share.

    Raises:
        ValueError: it is no instant.
    """
    return as_utc(instant(sent, zone))


def _spans(ranges: Sequence[Range], sent: object) -> list[dict[str, str]] | None:
    if sent is None:
        return None
    return [{"start": shared_form(a), "end": shared_form(b)} for a, b in ranges]


def _texts(read: Values, column: str, value: object) -> list[str] | None:
    if value is None:
        return None
    return [
        text for item in read.items(column, value) if (text := read.text(column, item))
    ]

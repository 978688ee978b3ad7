"""UtilityAPI's bills as usage entries. Pure: no I/O, no state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_utility_intervals.floor.instants import parse_instant, seconds_form
from tap_utility_intervals.floor.records import UsageRecord
from tap_utility_intervals.floor.units import normalize, unit
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    PROVIDER,
    Meter,
    commodity,
)


def usage(bill: Mapping[str, Any], meter: Meter, listed_at: str) -> UsageRecord:
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
    return UsageRecord(
        usage_id=uid,
        provider=PROVIDER,
        meter_key=meter.uid,
        source_meter_id=meter.uid,
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
        or meter.commodity,
        cost=read.number("cost", base.get("bill_total_cost")),
        tariff=read.text("tariff", base.get("service_tariff")),
        time_of_use_breakdown=read.objects("time_of_use_breakdown", bill.get("tou"))
        or None,
        usage_type="consumption",
        source_created_at=read.instant("source_created_at", bill.get("created")),
        source_updated_at=read.instant("source_updated_at", bill.get("updated")),
        listed_at=listed_at,
        unreadable=read.unreadable,
    )


def _instant_sent(value: object) -> str | None:
    """An instant, if one was sent rather than a date."""
    try:
        return seconds_form(parse_instant(value))
    except ValueError:
        return None

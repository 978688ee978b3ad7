"""UtilityAPI's bills as usage entries. Pure: no I/O, no state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, tzinfo
from decimal import Decimal
from typing import Any

from tap_utility_intervals.floor.instants import as_utc, parse_instant, seconds_form
from tap_utility_intervals.floor.records import Commodity, UsageRecord
from tap_utility_intervals.floor.units import normalize, unit
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    PROVIDER,
    Meter,
    commodity,
)
from tap_utility_intervals.providers.utilityapi.times import instant

KWH = "kWh"
MIDNIGHT = time()


def usage(
    bill: Mapping[str, Any], meter: Meter, listed_at: str, zone: tzinfo | None = None
) -> UsageRecord:
    """A bill as one usage entry; `zone` is that of times without one.

    Raises:
        ValueError: when it has no uid.
    """
    read = Values()
    uid = read.text("usage_id", bill.get("uid"))
    if uid is None:
        raise ValueError("a bill without a uid")
    base = read.mapping("base", bill.get("base"))
    service_class = read.text("commodity", base.get("service_class"))
    flowing = commodity(service_class) or meter.commodity
    quantity, raw_unit = _quantity(read, base, flowing)
    meant = unit(raw_unit)
    normalized = None if quantity is None else normalize(quantity, meant)
    start, end = base.get("bill_start_date"), base.get("bill_end_date")
    return UsageRecord(
        usage_id=uid,
        provider=PROVIDER,
        meter_key=meter.uid,
        source_meter_id=meter.uid,
        bill_id=uid,
        period_start_date=local_date(start) or read.date("period_start_date", start),
        period_end_date=local_date(end) or read.date("period_end_date", end),
        period_start_at=_instant_sent(start, zone),
        period_end_at=_instant_sent(end, zone),
        quantity=quantity,
        unit=meant.name,
        unit_raw=raw_unit,
        quantity_normalized=normalized,
        unit_normalized=None if normalized is None else meant.normalized,
        measure=meant.measure,
        commodity=flowing,
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


def _quantity(
    read: Values, base: Mapping[str, Any], flowing: Commodity | None
) -> tuple[Decimal | None, str | None]:
    """A bill's volume and the word for its unit.

    `bill_total_kwh` is deprecated, and 0 or null for gas and water; older bills of
    electricity have nothing else.
    """
    volume = read.number("quantity", base.get("bill_total_volume"))
    word = read.text("unit", base.get("bill_total_unit"))
    says_other = (
        flowing not in {None, Commodity.ELECTRICITY}
        if word is None
        else (unit(word).name != KWH)
    )
    if volume is not None or says_other:
        return volume, word
    kwh = read.number("quantity", base.get("bill_total_kwh"))
    return kwh, word if kwh is None else word or "kwh"


def local_date(sent: object) -> str | None:
    """The day a bill's paper has for an instant; None when none was sent.

    DEMO bills run from midnight to midnight UTC, written in the utility's offset; the
    documentation's example has local midnight (https://utilityapi.com/docs/api/bills).
    """
    try:
        local = parse_instant(sent, naive_is_utc=True)
    except ValueError:
        return None
    utc = as_utc(local)
    is_utc_midnight = local.time() != MIDNIGHT and utc.time() == MIDNIGHT
    return (utc if is_utc_midnight else local).date().isoformat()


def _instant_sent(value: object, zone: tzinfo | None) -> str | None:
    """An instant, if one was sent rather than a date."""
    try:
        return seconds_form(instant(value, zone))
    except ValueError:
        return None

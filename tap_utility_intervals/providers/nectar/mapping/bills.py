"""From Nectar's usage entries to unified records. Pure: no requests, no state.

See nectar.md#usage-row and nectar.md#document.
"""

from __future__ import annotations

from datetime import date, timedelta

from tap_utility_intervals.floor import units
from tap_utility_intervals.floor.records import Measure, UsageRecord
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER
from tap_utility_intervals.providers.nectar.mapping.meters import site_id
from tap_utility_intervals.providers.nectar.mapping.values import (
    Reader,
    commodity,
    flow,
    normalized,
)
from tap_utility_intervals.providers.nectar.objects import Entity, text

MAPPING = 3
"""Raise it when a usage entry would become another record: all are read again."""

_APPARENT_POWER = {p + u for p in ("", "k", "M", "G") for u in ("VA", "VAr")}
"""Units of power that floor.units calls `OTHER`; demand all the same."""


def usage_record(row: Entity, key: str | None, listed_at: str) -> UsageRecord:
    """Return the record of a usage entry as sent.

    Args:
        row: the entry, with a summary of its document.
        key: of its meter; None when it cannot be told.
        listed_at: the run's start.

    Raises:
        ValueError: when it has no id.
    """
    usage_id = text(row.get("id"))
    if usage_id is None:
        raise ValueError("a usage entry without an id")
    read = Reader()
    document = row.get("document")
    bill: Entity = document if isinstance(document, dict) else {}
    unit = units.unit(text(row.get("usageUnits")))
    quantity = read.number("quantity", row.get("usage"))
    converted = normalized(quantity, unit)
    return UsageRecord(
        usage_id=usage_id,
        provider=PROVIDER,
        meter_key=key,
        source_meter_id=text(row.get("meter")),
        bill_id=text(bill.get("id")) or text(document),
        site_id=site_id(row.get("site")),
        period_start_date=read.date("period_start_date", row.get("startDate")),
        period_end_date=_day_after(read.date("period_end_date", row.get("endDate"))),
        quantity=quantity,
        unit=unit.name,
        unit_raw=text(row.get("usageUnits")),
        quantity_normalized=converted,
        unit_normalized=None if converted is None else unit.normalized,
        measure=unit.measure,
        flow=flow(row.get("netMeteringType")),
        commodity=commodity(row.get("datasourceType")),
        currency=text(bill.get("chargesUnits")),
        tariff=text(row.get("tariff")),
        is_estimated=read.flag("is_estimated", row.get("isEstimated")),
        is_subtracted=read.flag("is_subtracted", row.get("exclusion")),
        is_superseded=_superseded(bill),
        time_of_use=text(row.get("timeOfUse")),
        time_of_use_breakdown=read.objects(
            "time_of_use_breakdown", row.get("timeOfUseBreakdown")
        ),
        usage_type=_usage_type(text(row.get("electricityType")), unit),
        source_created_at=read.instant("source_created_at", row.get("created")),
        source_updated_at=read.instant("source_updated_at", row.get("updated")),
        listed_at=listed_at,
        unreadable=read.unreadable,
    )


def _day_after(last: str | None) -> str | None:
    """Return the day on which a period is over; Nectar sends its last one (assumed).

    Its glossary has the bill date as the last day of the period, and where it does not
    know the end, it sends the first day once more. See nectar.md#usage-row.
    """
    if last is None:
        return None
    try:
        return (date.fromisoformat(last) + timedelta(days=1)).isoformat()
    except OverflowError:  # the end of all days
        return last


def _superseded(bill: Entity) -> bool | None:
    """Whether a newer bill replaces this one; None if the bill does not say.

    The reference has the first name, another page the second: nectar.md#document.
    """
    said = [bill[n] for n in ("revisedDocumentId", "revisedDocument") if n in bill]
    return any(said) if said else None


def _usage_type(sent: str | None, unit: units.Unit) -> str:
    """Power is demand whatever it is called; else Nectar's word, else consumption.

    In 2.1 demand comes as usage entries: nectar.md#versions.
    """
    if unit.measure is Measure.POWER or unit.name in _APPARENT_POWER:
        return "demand"
    return "demand" if sent and "DEMAND" in sent.upper() else "consumption"

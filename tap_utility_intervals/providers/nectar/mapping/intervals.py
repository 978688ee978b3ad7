"""From Nectar's objects to the unified records. Pure: no requests, no state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from tap_utility_intervals.floor import channels, units
from tap_utility_intervals.floor.records import (
    Commodity,
    IntervalRecord,
    Measure,
    MeterRecord,
    UsageRecord,
)
from tap_utility_intervals.floor.values import LARGEST_INTEGER, loads
from tap_utility_intervals.providers.nectar.mapping.identity import (
    METER,
    SERVICE_IDENTIFIERS,
    listed,
    meter_key,
    named,
    service_point_key,
)
from tap_utility_intervals.providers.nectar.mapping.values import (
    Reader,
    commodity,
    flow,
    instant,
    normalized,
    quality,
)
from tap_utility_intervals.providers.nectar.objects import (
    Entity,
    Interval,
    text,
)

NECTAR = "nectar"

MAPPING = 1
"""Raised when the mapping changes so that all rows must be read again."""

_APPARENT_POWER = {p + u for p in ("", "k", "M", "G") for u in ("VA", "VAr")}


@dataclass(frozen=True, slots=True)
class Known:
    """What the meter list tells of the meter with some key."""

    site_id: str | None = None
    commodity: Commodity | None = None


class _Meter(msgspec.Struct, gc=False):
    """What all intervals with the same account and identifiers share."""

    key: str
    identifiers: list[Any] | None
    number: str | None
    site_id: str | None
    commodity: Commodity | None


class Intervals:
    """Turns the intervals of one connection into records."""

    def __init__(
        self,
        connection_id: str,
        known: Mapping[str, Known],
        fallback: Commodity | None = None,
    ) -> None:
        """Take what is known of the meters, and what flows when nothing is known."""
        self.connection_id = connection_id
        self._known = known
        self._fallback = fallback
        self._meters: dict[tuple[str | None, bytes], _Meter] = {}

    def record(self, row: Interval, read_at: str | None = None) -> IntervalRecord:
        """The record of an interval, in an answer that had arrived at `read_at`.

        Raises:
            ValueError: when it cannot have a key: no id, or no readable start or end.
        """
        if not row.id:
            raise ValueError("an interval without an id")
        start, offset = instant(row.start)
        end, _ = instant(row.end)
        meter = self._meter(row.account, bytes(row.identifiers))
        unit = units.unit(row.usage_units)
        seconds = round((end - start).total_seconds())
        read = Reader()
        quantity = read.quantity("quantity", row.usage)
        converted = normalized(quantity, unit)
        return IntervalRecord(
            provider=NECTAR,
            meter_key=meter.key,
            channel=channels.channel_name(None, unit),
            interval_start=start,
            interval_end=end,
            interval_seconds=seconds if abs(seconds) <= LARGEST_INTEGER else None,
            utc_offset_seconds=offset,
            quantity=quantity,
            unit=unit.name,
            unit_raw=row.usage_units or None,
            quantity_normalized=converted,
            unit_normalized=None if converted is None else unit.normalized,
            measure=unit.measure,
            commodity=meter.commodity,
            quality=quality(row.quality),
            quality_raw=row.quality or None,
            meter_number=meter.number,
            connection_id=self.connection_id,
            account_id=row.account or None,
            site_id=meter.site_id,
            identifiers=meter.identifiers,
            source_id=row.id,
            source_created_at=read.instant("source_created_at", row.created),
            source_updated_at=read.instant("source_updated_at", row.updated),
            read_at=read_at,
            unreadable=read.unreadable,
        )

    def _meter(self, account: str | None, identifiers: bytes) -> _Meter:
        """Worked out once for each meter rather than once for each interval."""
        found = self._meters.get((account, identifiers))
        if found is None:
            sent = _identifiers(identifiers)
            key = meter_key(account or self.connection_id, sent)
            known = self._known.get(key, Known())
            numbers = named(sent, METER)
            found = self._meters[account, identifiers] = _Meter(
                key,
                listed(sent),
                numbers[0] if len(numbers) == 1 else None,
                known.site_id,
                known.commodity or self._fallback,
            )
        return found


def _identifiers(sent: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return loads(sent)
    except ValueError:  # nested too deeply
        return None


def newer(one: IntervalRecord, other: IntervalRecord) -> bool:
    """Whether `one` was updated after `other`: of one Nectar id the newest wins."""
    return (one.source_updated_at or "") > (other.source_updated_at or "")


def in_order(rows: Iterable[IntervalRecord]) -> tuple[list[IntervalRecord], int]:
    """Rows by start, meter and channel, each with a key of its own.

    Rows with different ids that would share a key are all kept: in the order of their
    creation, then id, the later ones get `#2`, `#3`, … in their channel.

    Returns:
        The rows, and how many channels had to be numbered.
    """
    ordered = sorted(rows, key=_order)
    numbered = count = 0
    before: tuple[object, ...] = ()
    for row in ordered:
        key = (row.interval_start, row.meter_key, row.channel, row.interval_end)
        count = count + 1 if key == before else 1
        before = key
        if count > 1:
            row.channel = f"{row.channel}#{count}"
            numbered += 1
    return ordered, numbered


def _order(row: IntervalRecord) -> tuple[datetime, str, str, datetime, str, str]:
    return (
        row.interval_start,
        row.meter_key,
        row.channel,
        row.interval_end,
        row.source_created_at or "",
        row.source_id or "",
    )


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around a meter: the objects that it belongs to, where known."""

    company_id: str | None
    connection: Entity
    account: Entity
    site: Entity

    @property
    def owner(self) -> str:
        """What the meter's key begins with when the meter itself names no account."""
        of_account, of_connection = self.account.get("id"), self.connection.get("id")
        return text(of_account) or text(of_connection) or self.company_id or ""


def key_of_meter(row: Entity, around: Around) -> str:
    """The key of a listed meter: what its intervals carry too."""
    return meter_key(text(row.get("account")) or around.owner, row.get("identifiers"))


def meter(row: Entity, around: Around, listed_at: str) -> MeterRecord:
    """The record of a meter."""
    read = Reader()
    identifiers = row.get("identifiers")
    datasource = around.connection.get("datasource")
    utility = text(datasource.get("name")) if isinstance(datasource, dict) else None
    service = named(identifiers, *SERVICE_IDENTIFIERS)
    stopped = "dataCollectionStopDate" in around.site
    return MeterRecord(
        meter_key=key_of_meter(row, around),
        provider=NECTAR,
        source_meter_id=text(row.get("id")),
        service_point_key=service_point_key(utility, identifiers),
        connection_id=text(around.connection.get("id")),
        account_id=text(row.get("account")) or text(around.account.get("id")),
        account_number=text(around.account.get("accountNumber")),
        site_id=site_id(row.get("site")),
        company_id=around.company_id,
        utility=utility,
        commodity=commodity(row.get("datasourceType")),
        service_identifier=service[0] if service else None,
        service_address=text(row.get("address")),
        meter_numbers=named(identifiers, METER) or None,
        identifiers=listed(identifiers),
        status=text(around.connection.get("status")),
        status_message=text(around.connection.get("statusErrorDetail")),
        status_at=read.instant(
            "status_at", around.connection.get("statusLastUpdateTime")
        ),
        is_active=read.flag("is_active", row.get("isTracked")),
        is_archived=bool(around.site["dataCollectionStopDate"]) if stopped else None,
        created_at=read.instant("created_at", row.get("created")),
        updated_at=read.instant("updated_at", row.get("updated")),
        listed_at=listed_at,
        unreadable=read.unreadable,
    )


def site_id(site: object) -> str | None:
    """A site's id, whether the site was sent as an object or as its id."""
    return text(site.get("id")) if isinstance(site, dict) else text(site)


def usage(row: Entity, key: str | None, listed_at: str) -> UsageRecord:
    """The record of a usage entry, whose meter has the key.

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
        provider=NECTAR,
        meter_key=key,
        source_meter_id=text(row.get("meter")),
        bill_id=text(bill.get("id")) or text(document),
        site_id=site_id(row.get("site")),
        period_start_date=read.date("period_start_date", row.get("startDate")),
        period_end_date=read.date("period_end_date", row.get("endDate")),
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


def _superseded(bill: Entity) -> bool | None:
    """Whether a newer bill replaces this one; None if the bill does not say."""
    for name in ("revisedDocumentId", "revisedDocument"):
        if name in bill:
            return bool(bill[name])
    return None


def _usage_type(sent: str | None, unit: units.Unit) -> str:
    """Power is demand whatever it is called; else Nectar's word, else consumption."""
    if unit.measure is Measure.POWER or unit.name in _APPARENT_POWER:
        return "demand"
    return "demand" if sent and "DEMAND" in sent.upper() else "consumption"

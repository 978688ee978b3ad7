"""From Nectar's meters to unified records. Pure: no requests, no state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.nectar.mapping.identity import (
    METER,
    PROVIDER,
    SERVICE_IDENTIFIERS,
    listed,
    meter_key,
    named,
    service_point,
)
from tap_utility_intervals.providers.nectar.mapping.values import Reader, commodity
from tap_utility_intervals.providers.nectar.objects import Entity, text


@dataclass(frozen=True)
class Meter:
    """A meter as sent, and the objects that it belongs to, where known."""

    row: Entity
    company_id: str | None
    connection: Entity
    account: Entity
    site: Entity

    @property
    def account_id(self) -> str | None:
        """The account that it belongs to."""
        return text(self.row.get("account")) or text(self.account.get("id"))

    @cached_property
    def key(self) -> str:
        """Its key in all unified streams: what its intervals carry, too."""
        owner = self.account_id or text(self.connection.get("id")) or self.company_id
        return meter_key(owner or "", self.row.get("identifiers"))


def meter_record(meter: Meter, listed_at: str) -> MeterRecord:
    """The record of a meter."""
    row = meter.row
    read = Reader()
    identifiers = row.get("identifiers")
    datasource = meter.connection.get("datasource")
    utility = text(datasource.get("name")) if isinstance(datasource, dict) else None
    service = named(identifiers, *SERVICE_IDENTIFIERS)
    stopped = "dataCollectionStopDate" in meter.site
    return MeterRecord(
        meter_key=meter.key,
        provider=PROVIDER,
        source_meter_id=text(row.get("id")),
        service_point_key=service_point(utility, identifiers),
        connection_id=text(meter.connection.get("id")),
        account_id=meter.account_id,
        account_number=text(meter.account.get("accountNumber")),
        site_id=site_id(row.get("site")),
        company_id=meter.company_id,
        utility=utility,
        commodity=commodity(row.get("datasourceType")),
        service_identifier=service[0] if service else None,
        service_address=text(row.get("address")),
        meter_numbers=named(identifiers, METER) or None,
        identifiers=listed(identifiers),
        status=text(meter.connection.get("status")),
        status_message=text(meter.connection.get("statusErrorDetail")),
        status_at=read.instant(
            "status_at", meter.connection.get("statusLastUpdateTime")
        ),
        is_active=read.flag("is_active", row.get("isTracked")),
        is_archived=bool(meter.site["dataCollectionStopDate"]) if stopped else None,
        created_at=read.instant("created_at", row.get("created")),
        updated_at=read.instant("updated_at", row.get("updated")),
        listed_at=listed_at,
        unreadable=read.unreadable,
    )


def site_id(site: object) -> str | None:
    """A site's id, whether the site was sent as an object or as its id."""
    return text(site.get("id")) if isinstance(site, dict) else text(site)

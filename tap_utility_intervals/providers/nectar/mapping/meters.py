"""From Nectar's meters to unified records. Pure: no requests, no state."""

from __future__ import annotations

from dataclasses import dataclass

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


def meter_record(row: Entity, around: Around, listed_at: str) -> MeterRecord:
    """The record of a meter."""
    read = Reader()
    identifiers = row.get("identifiers")
    datasource = around.connection.get("datasource")
    utility = text(datasource.get("name")) if isinstance(datasource, dict) else None
    service = named(identifiers, *SERVICE_IDENTIFIERS)
    stopped = "dataCollectionStopDate" in around.site
    return MeterRecord(
        meter_key=key_of_meter(row, around),
        provider=PROVIDER,
        source_meter_id=text(row.get("id")),
        service_point_key=service_point(utility, identifiers),
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

"""Nectar's objects as JSON values, field by field; nectar.md#objects."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uuid
from tap_utility_intervals.sandbox.readings import stamp

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import (
        Account,
        Company,
        Connection,
        Identifier,
        NectarMeter,
        Site,
    )
    from tap_utility_intervals.sandbox.options import NectarOptions

Json = dict[str, object]
EMAIL = "PLANTED-EMAIL-owner@example.com"


def moment(seconds: int, options: NectarOptions) -> str:
    """A time of Nectar's own: `Z`, or naive with nine digits."""
    if options.naive_stamps:
        micro = stamp(seconds).microsecond
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        return f"{text}.{micro:06d}117"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def company(item: Company) -> Json:
    """A company with its sites; nectar.md#company."""
    return {
        "id": item.id,
        "name": item.name,
        "isDemandEnabled": False,
        "sites": [site(place) for place in item.sites],
        "users": [EMAIL],
        "externalId": None,
        "dataCollectionStartDate": "2016-01-01",
        "isImpliedMeteringEnabled": False,
        "impliedMeteringFraction": "1.0",
        "isBasicIdentifierMappingEnabled": False,
        "isLowAccuracyModeEnabled": False,
    }


def site(item: Site) -> Json:
    """A site; nectar.md#site."""
    return {
        "id": item.id,
        "name": item.name,
        "dataCollectionStopDate": None,
        "externalId": None,
        "address": item.address,
        "path": ["US", "IL"],
        "occupancyPercent": None,
    }


def connection(item: Connection, owner: Company, options: NectarOptions) -> Json:
    """A connection with its accounts; nectar.md#connection."""
    created = moment(item.created, options)
    kinds = sorted({meter.datasource_type for _, meter in item.meters})
    return {
        "id": item.id,
        "created": created,
        "updated": created,
        "publicCompanyId": make_uuid("public", owner.id),
        "connectionMagicLinkSecret": item.secret,
        "status": item.status,
        "statusLastUpdateTime": created,
        "statusFirstSeenTime": created,
        "statusErrorDetail": "" if item.status == "CONNECTED" else "The login failed.",
        "externalId": None,
        "datasource": {"name": item.datasource[0], "url": item.datasource[1]},
        "company": {"id": owner.id, "name": owner.name, "externalId": None},
        "accounts": [account(one) for one in item.accounts],
        "url": item.datasource[1],
        "country": item.country,
        "initialSites": list(item.site_ids),
        "initialDatasourceTypes": kinds,
        "username": "PLANTED-USERNAME-jdoe",
        "workflowOwnerEmail": EMAIL,
        "dataCollectionStartDate": "2016-01-01",
        "multiplyByOccupancy": False,
        "isActive": True,
    }


def account(item: Account) -> Json:
    """An account inside a connection; nectar.md#account."""
    return {
        "id": item.id,
        "meters": [meter.id for meter in item.meters],
        "isTracked": True,
        "isDuplicated": "False",
        "accountNumber": item.number,
        "trackingStatus": "ENABLED",
        "dataCollectionStartDate": None,
        "isCollectingInvoiceData": any(meter.bills for meter in item.meters),
        "isCollectingSmartMeterData": any(
            meter.series.readings for meter in item.meters
        ),
        "datasourceTypes": sorted({meter.datasource_type for meter in item.meters}),
        "lastServiceDate": None,
    }


def identifier(item: Identifier) -> Json:
    """An identifier; nectar.md#identifier."""
    return {"rawName": item.raw_name, "value": item.value, "name": item.name}


def meter(item: NectarMeter, owner: Account) -> Json:
    """A meter; nectar.md#meter."""
    return {
        "id": item.id,
        "site": item.site_id,
        "identifiers": [identifier(one) for one in item.identifiers],
        "datasourceType": item.datasource_type,
        "account": owner.id,
        "address": None,
        "isTracked": True,
        **dict(item.details),
    }

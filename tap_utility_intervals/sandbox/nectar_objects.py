"""Nectar's objects as JSON values, field by field; facts §3."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from .readings import local, stamp
from .wire import Verbatim
from .world import make_uuid

if TYPE_CHECKING:
    from .bills import Bill, Known
    from .world import (
        Account,
        Company,
        Connection,
        Identifier,
        NectarMeter,
        NectarOptions,
        Site,
    )

Json = dict[str, object]
EMAIL = "PLANTED-EMAIL-owner@example.com"


def moment(seconds: int, options: NectarOptions) -> str:
    """A time of Nectar's own: `Z`, or in the webhooks' manner naive with nine digits."""
    if options.naive_stamps:
        micro = stamp(seconds).microsecond
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%S"
        )
        return f"{text}.{micro:06d}117"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def company(item: Company) -> Json:
    """A company with its sites; facts §3.1."""
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
    """A site; facts §3.2."""
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
    """A connection with its accounts; facts §3.3."""
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
        "datasource": dict(zip(("name", "url"), item.datasource)),
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
    """An account inside a connection; facts §3.4."""
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
    """An identifier; facts §3.6."""
    return {"rawName": item.raw_name, "value": item.value, "name": item.name}


def meter(item: NectarMeter, owner: Account) -> Json:
    """A meter; facts §3.5."""
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


def document(
    item: NectarMeter,
    known: Known,
    place: Site | None,
    version: str,
    options: NectarOptions,
    reads: int,
) -> Json:
    """A bill with its usage rows and line items; facts §3.7 and §1.2.

    `reads` makes the signed URL another one at every read.
    """
    bill = known.bill
    shown: Json = {
        **document_summary(item, known, options, reads),
        "usageData": usage_rows(item, known, place, version, options),
        "lineItems": [
            {
                "rate": line.rate,
                "totalCharge": line.cost,
                "quantity": line.volume,
                "description": line.name,
                "quantityUnits": item.bill_unit if line.volume else None,
                "electricityTimeOfUse": None,
                "multipliers": [],
                "accountIds": [],
                "chargeType": "TAX" if line.kind == "other" else "SERVICE",
                "electricityChargeType": line.kind.upper(),
                "gasChargeType": None,
                "electricityIsDemand": False,
                "billingPeriod": "CURRENT",
            }
            for line in bill.line_items
        ],
    }
    if version == "v2.2":
        shown["demandMeters"] = _demand_meters(item, bill)
    return shown


def document_summary(
    item: NectarMeter, known: Known, options: NectarOptions, reads: int
) -> Json:
    """A document as usage rows carry it."""
    bill = known.bill
    document_id = make_uuid("document", item.id, bill.number)
    signature = f"X-Amz-Expires=86400&X-Amz-Signature=PLANTED-SIGNATURE-{reads}"
    return {
        "id": document_id,
        "created": moment(known.created, options),
        "updated": moment(known.updated, options),
        "auditTrailUrl": f"https://dashboard.example.com/audit/{document_id}",
        "url": f"https://s3.example.com/{document_id}.pdf?{signature}",
        "billDate": day(item, bill.end),
        "startDate": day(item, bill.start),
        "dueDate": None,
        "chargesUnits": "USD",
        "utilityCompany": "Demo Utility",
        "status": "PROCESSED",
        "flaggedStatus": "",
        "isFlagged": False,
        "revisedDocumentId": None,
        "fileName": f"{bill.number}.pdf",
        "email": None,
        "jobId": None,
        "notes": None,
        "invoiceId": bill.number,
        "sourceType": "INVOICE",
        "totalCharges": bill.cost,
        "currentCharges": bill.cost,
        "credits": "0.00",
        "taxCharges": None,
        "previousCloseBalance": "0.00",
        "currentOpenBalance": bill.cost,
    }


def usage_rows(
    item: NectarMeter,
    known: Known,
    place: Site | None,
    version: str,
    options: NectarOptions,
) -> list[Json]:
    """The usage rows of a bill.

    v2.2 has one row with a breakdown; before, each part of the day is a row of its own,
    and in v2.1 the demand is another; facts §1.2.
    """
    bill = known.bill
    whole = _usage_row(item, known, place, options)
    if version == "v2.2":
        parts = [_breakdown(item, name, usage) for name, usage in bill.time_of_use]
        return [{**whole, "timeOfUseBreakdown": parts, "electricityType": "USAGE"}]
    kind = {"electricityType": "USAGE"} if version == "v2.1" else {}
    rows = [
        {
            **whole,
            "id": make_uuid("usage", item.id, bill.number, name),
            "usage": _amount(usage, options),
            "timeOfUse": name,
            **kind,
        }
        for name, usage in bill.time_of_use
    ] or [{**whole, "timeOfUse": None, **kind}]
    if version == "v2.1" and bill.demand is not None:
        demand: Json = {
            "id": make_uuid("usage", item.id, bill.number, "demand"),
            "usage": _amount(bill.demand, options),
            "usageUnits": "KW",
            "timeOfUse": None,
            "electricityType": "DEMAND",
        }
        rows.append({**whole, **demand})
    return rows


def day(item: NectarMeter, seconds: int) -> str:
    """The date of an instant where the meter is, on the utility's clock.

    Utilities read meters at midnight of standard time, all summer long: a period that
    begins at 01:00 daylight time begins on that day, and so does its plain date.
    """
    return local(seconds, item.zone).date().isoformat()


def _usage_row(
    item: NectarMeter, known: Known, place: Site | None, options: NectarOptions
) -> Json:
    bill = known.bill
    return {
        "id": make_uuid("usage", item.id, bill.number),
        "created": moment(known.created, options),
        "updated": moment(known.updated, options),
        "startDate": day(item, bill.start),
        "endDate": day(item, bill.end),
        "usage": _amount(bill.volume, options),
        "usageUnits": item.bill_unit,
        "serviceAddress": place.address if place else None,
        "meterAddress": None,
        "meter": item.id,
        "meterIsTracked": True,
        "site": site(place) if place else None,
        "identifiers": [identifier(one) for one in item.identifiers],
        "datasourceType": item.datasource_type,
        "netMeteringType": None,
        **dict(item.details),
        "additionalFields": {},
        "isEstimated": bill.estimated,
        "isImplied": False,
        "exclusion": False,
        "currentReading": None,
        "previousReading": None,
        "multiplier": "1.0",
        "multiplier2": None,
        "fractionRenewable": None,
        "billedDemand": bill.demand,
        "tariff": "R1",
        "supplierName": None,
        "utilityName": "Demo Utility",
        "country": "US",
    }


def _breakdown(item: NectarMeter, name: str, usage: str) -> Json:
    return {
        "timeOfUse": name,
        "usage": usage,
        "usageUnits": item.bill_unit,
        "description": name.title(),
        "startDate": None,
        "endDate": None,
    }


def _demand_meters(item: NectarMeter, bill: Bill) -> list[Json]:
    if bill.demand is None:
        return []
    return [
        {
            "startDate": day(item, bill.start),
            "endDate": day(item, bill.end),
            "isEstimated": False,
            "demandUsage": Decimal(bill.demand),
            "demandUsageUnits": "kW",
            "description": "Billed demand",
            "demandType": "PEAK",
            "usageDataIds": [make_uuid("usage", item.id, bill.number)],
        }
    ]


def _amount(text: str | None, options: NectarOptions) -> object:
    return Verbatim(text) if text is not None and options.bare_numbers else text

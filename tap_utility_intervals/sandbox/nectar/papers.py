"""Nectar's documents and usage rows as JSON values, in the shape of each version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uuid
from tap_utility_intervals.sandbox.nectar.objects import Json, identifier, moment, site
from tap_utility_intervals.sandbox.readings import local
from tap_utility_intervals.sandbox.wire import Verbatim

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import Connection, NectarMeter, Site
    from tap_utility_intervals.sandbox.bills import Bill, Known
    from tap_utility_intervals.sandbox.options import NectarOptions


@dataclass(frozen=True)
class Paper:
    """A bill as a document, with what it belongs to."""

    meter: NectarMeter
    known: Known
    connection: Connection
    company_id: str
    place: Site | None
    replaced_by: str | None

    @property
    def id(self) -> str:
        """The id of the document."""
        return make_uuid("document", self.meter.id, self.known.bill.number)

    @property
    def bill(self) -> Bill:
        """The bill."""
        return self.known.bill

    @property
    def start_date(self) -> str:
        """The first day of its period."""
        return day(self.meter, self.bill.start)

    @property
    def end_date(self) -> str:
        """The last day of its period: so Nectar's glossary has it.

        See nectar.md#usage-row.
        """
        over = date.fromisoformat(day(self.meter, self.bill.end))
        return max(self.start_date, (over - timedelta(days=1)).isoformat())


def document(paper: Paper, version: str, options: NectarOptions, reads: int) -> Json:
    """A bill with usage rows and line items; nectar.md#document, nectar.md#versions.

    `reads` makes the signed URL another one at every read.
    """
    item, bill = paper.meter, paper.bill
    shown: Json = {
        **document_summary(paper, options, reads),
        "company": paper.company_id,
        "usageData": usage_rows(paper, version, options),
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
        shown["demandMeters"] = _demand_meters(paper)
    return shown


def document_summary(paper: Paper, options: NectarOptions, reads: int) -> Json:
    """A document as usage rows carry it."""
    bill, known, document_id = paper.bill, paper.known, paper.id
    signature = f"X-Amz-Expires=86400&X-Amz-Signature=PLANTED-SIGNATURE-{reads}"
    return {
        "id": document_id,
        "created": moment(known.created, options),
        "updated": moment(known.updated, options),
        "auditTrailUrl": f"https://dashboard.example.com/audit/{document_id}",
        "url": f"https://s3.example.com/{document_id}.pdf?{signature}",
        "billDate": paper.end_date,
        "startDate": paper.start_date,
        "dueDate": None,
        "chargesUnits": "USD",
        "utilityCompany": "Demo Utility",
        "status": "PROCESSED",
        "flaggedStatus": "",
        "isFlagged": False,
        "revisedDocumentId": paper.replaced_by,
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


def usage_rows(paper: Paper, version: str, options: NectarOptions) -> list[Json]:
    """The usage rows of a bill.

    v2.2 has one row with a breakdown; before, each part of the day is a row of its own,
    and in v2.1 the demand is another; nectar.md#versions.
    """
    item, bill = paper.meter, paper.bill
    whole = _usage_row(paper, options)
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


def _usage_row(paper: Paper, options: NectarOptions) -> Json:
    item, bill, place, known = paper.meter, paper.bill, paper.place, paper.known
    return {
        "id": make_uuid("usage", item.id, bill.number),
        "created": moment(known.created, options),
        "updated": moment(known.updated, options),
        "startDate": paper.start_date,
        "endDate": paper.end_date,
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


def _demand_meters(paper: Paper) -> list[Json]:
    item, bill = paper.meter, paper.bill
    if bill.demand is None:
        return []
    return [
        {
            "startDate": paper.start_date,
            "endDate": paper.end_date,
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

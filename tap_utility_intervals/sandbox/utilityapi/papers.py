"""UtilityAPI's bills, statements and events as JSON values.

See utilityapi.md#bill and utilityapi.md#accounting-and-events.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uid
from tap_utility_intervals.sandbox.readings import DAY
from tap_utility_intervals.sandbox.utilityapi.blocks import clock
from tap_utility_intervals.sandbox.utilityapi.objects import (
    ADDRESS,
    CONTACT,
    Json,
    account_number,
    number,
    service,
    utc,
)
from tap_utility_intervals.sandbox.wire import Verbatim

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import UtilityMeter
    from tap_utility_intervals.sandbox.bills import Known
    from tap_utility_intervals.sandbox.collecting import Event
    from tap_utility_intervals.sandbox.world import World


def bill(item: UtilityMeter, known: Known) -> Json:
    """A bill with its blocks; utilityapi.md#bill."""
    billed = known.bill
    start, end = clock(billed.start, item.zone), clock(billed.end, item.zone)
    lines = [
        {
            "name": line.name,
            "start": _utc_plain(billed.start if line.start is None else line.start),
            "end": _utc_plain(billed.end if line.end is None else line.end),
            "cost": number(line.cost),
            "volume": number(line.volume),
            "rate": number(line.rate),
            "unit": item.bill_unit,
            "kind": line.kind,
        }
        for line in billed.line_items
    ]
    tou = [
        {
            "name": name,
            "bucket": name.lower().replace("_", "-"),
            "cost": None,
            "volume": number(volume),
            "unit": item.bill_unit,
        }
        for name, volume in billed.time_of_use
    ]
    demand = {"name": "Maximum demand", "cost": None, "demand": number(billed.demand)}
    return {
        "uid": bill_uid(item, known),
        "meter_uid": item.uid,
        "authorization_uid": item.authorization_uid,
        "created": utc(known.created),
        "updated": utc(known.updated),
        "notes": [],
        "utility": item.utility,
        "blocks": ["base", "sources", "line_items", "tiers", "tou", "demand", "power"],
        "base": {
            **service(item),
            "service_class": item.service_class,
            "billing_contact": CONTACT,
            "billing_address": ADDRESS,
            "bill_start_date": start,
            "bill_end_date": end,
            "bill_statement_date": clock(billed.end + DAY, item.zone),
            "bill_total_cost": number(billed.cost),
            "bill_total_volume": number(billed.volume),
            "bill_total_unit": item.bill_unit,
            "bill_total_kwh": number(billed.volume)
            if item.bill_unit == "kwh"
            else None,
        },
        "sources": [{"type": "pdf", "raw_url": _raw_url(bill_uid(item, known))}],
        "line_items": lines,
        "tiers": [],
        "tou": tou,
        "demand": [demand] if billed.demand is not None else [],
        "power": [],
    }


def bill_uid(item: UtilityMeter, known: Known) -> str:
    """The uid of a bill, the same in truth."""
    return make_uid("bill", item.uid, known.bill.number)


def billing_account(world: World, uid: str, meters: list[UtilityMeter]) -> Json:
    """The one billing account of an authorization.

    See utilityapi.md#accounting-and-events.
    """
    known = world.collections.bills(meters[0])
    return {
        "uid": make_uid("account", uid),
        "authorization_uid": uid,
        "meter_uids": [item.uid for item in meters],
        "notes": [],
        "statement_dates": [clock(k.bill.end + DAY, meters[0].zone) for k in known],
        "blocks": ["base", "sources"],
        "base": {
            "billing_contact": CONTACT,
            "billing_address": ADDRESS,
            "billing_account": account_number(uid),
        },
        "sources": [{"type": "pdf"}],
    }


def billing_summary(uid: str, meters: list[UtilityMeter], known: Known) -> Json:
    """What one statement asks the customer to pay.

    See utilityapi.md#accounting-and-events.
    """
    zone, billed = meters[0].zone, known.bill
    return {
        "uid": make_uid("summary", uid, billed.number),
        "billing_account_uid": make_uid("account", uid),
        "authorization_uid": uid,
        "meter_uids": [item.uid for item in meters],
        "notes": [],
        "blocks": ["base", "new_charges", "sources"],
        "base": {
            "statement_date": clock(billed.end + DAY, zone),
            "amount_due": number(billed.cost),
            "amount_due_date": clock(billed.end + 20 * DAY, zone),
            "new_charges_amount": number(billed.cost),
            "new_balance_amount": None,
            "previous_balance_amount": Verbatim("0.0"),
            "previous_balance_unpaid": Verbatim("0.0"),
            "previous_payment_amount": None,
        },
        "new_charges": [
            {"name": line.name, "cost": number(line.cost)} for line in billed.line_items
        ],
        "sources": [{"type": "pdf"}],
    }


def event(item: Event, world: World) -> Json:
    """Something that happened; utilityapi.md#accounting-and-events."""
    owner = world.meters_by_uid[item.meter_uid].authorization_uid
    return {
        "uid": make_uid("event", *item),
        "type": item.type,
        "ts": utc(item.seconds),
        "delivery_method": "webhook",
        "delivery_target": "https://example.com/hook",
        "is_delivered": True,
        "authorization_uid": owner,
        "meter_uid": item.meter_uid,
    }


def _raw_url(name: str) -> str:
    """Where the source of something can be downloaded."""
    return f"https://utilityapi.com/api/v2/files/{make_uid('file', name)}"


def _utc_plain(seconds: int) -> str:
    """An instant from the utility spelled in UTC, as line items do.

    See utilityapi.md#bill.
    """
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="microseconds")

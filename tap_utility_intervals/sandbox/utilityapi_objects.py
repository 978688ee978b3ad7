"""UtilityAPI's objects as JSON values, field by field; facts §4."""

from __future__ import annotations

import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .blocks import clock
from .readings import DAY, stamp
from .wire import Verbatim
from .world import make_uid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .bills import Known
    from .blocks import Block
    from .collecting import Event
    from .world import Authorization, UtilityMeter, World

Json = dict[str, object]
USER = {"user_email": "PLANTED-EMAIL-user@example.com", "user_uid": "77"}
CONTACT = "PLANTED-NAME Jane Doe"
ADDRESS = "PLANTED-ADDRESS 123 Main St, Anytown"


def utc(seconds: int) -> str:
    """A time that UtilityAPI made itself: always UTC; facts §5.1."""
    return stamp(seconds).isoformat(timespec="microseconds")


def number(text: str | None) -> Verbatim | None:
    """A number digit for digit."""
    return None if text is None else Verbatim(text)


def authorization(world: World, item: Authorization) -> Json:
    """An authorization, without its meters; facts §4.1."""
    now = world.seconds
    expired = item.expires is not None and item.expires <= now
    revoked = item.revoked is not None and item.revoked <= now
    return {
        "uid": item.uid,
        "created": utc(item.created),
        "customer_email": item.customer_email,
        "customer_signature": {
            "type": "text",
            "ts": utc(item.created),
            "full_name": CONTACT,
        },
        "declined": utc(item.created) if item.declined else None,
        "is_declined": item.declined,
        "expires": "until_revoked" if item.expires is None else utc(item.expires),
        "is_expired": expired,
        "revoked": utc(item.revoked or 0) if revoked else None,
        "is_revoked": revoked,
        "is_archived": item.archived,
        "is_test": item.utility == "DEMO",
        "form_uid": "5001",
        "template_uid": None,
        "referrals": [],
        "nickname": None,
        "scope": {"bills": {"ongoing": True}, "intervals": {"ongoing": True}},
        "notes": [
            {"type": "access_valid", "msg": "The login works.", "ts": utc(item.created)}
        ],
        "status": "updated",
        "status_message": "Last updated now.",
        "status_ts": utc(item.created),
        **USER,
        "user_status": "active",
        "utility": item.utility,
        "exports": {},
        "exports_list": [],
    }


def meter(world: World, item: UtilityMeter) -> Json:
    """A meter with its blocks; facts §4.2 and §4.3."""
    collections = world.collections
    state, (status, since) = collections.state(item), collections.status(item)
    view, known = collections.readings(item, mixed=False), collections.bills(item)
    offered = bool(view.readings or known)
    return {
        "uid": item.uid,
        "authorization_uid": item.authorization_uid,
        "created": utc(item.created),
        **USER,
        "is_archived": item.archived,
        "is_activated": offered or item.collected or bool(state.jobs),
        "is_expanded": item.expanded,
        "notes": _meter_notes(item, status, since, offered=offered),
        "status": status,
        "status_message": "Collecting." if status == "pending" else "Up to date.",
        "status_ts": utc(since),
        "ongoing_monitoring": {
            "frequency": state.monitoring,
            "prepay": None,
            "next_prepay": None,
            "next_refresh": None if state.monitoring == "off" else utc(since + DAY),
            "fixed_refresh_day": state.refresh_day,
        },
        "utility": item.utility,
        "bill_count": len(known),
        "bill_coverage": _ranges(
            item.zone, merged((k.bill.start, k.bill.end) for k in known)
        ),
        "bill_sources": ["pdf"] if known else [],
        "interval_count": len(view.readings),
        "interval_coverage": _ranges(item.zone, view.coverage),
        "interval_sources": [item.source] if view.readings else [],
        "exports": {},
        "exports_list": [],
        "blocks": ["base", "electric_details", "programs", "suppliers"]
        if item.expanded
        else [],
        **(_meter_blocks(item) if item.expanded else {}),
    }


def bill(item: UtilityMeter, known: Known) -> Json:
    """A bill with its blocks; facts §4.4."""
    it = known.bill
    start, end = clock(it.start, item.zone), clock(it.end, item.zone)
    lines = [
        {
            "name": line.name,
            "start": utc_plain(it.start),
            "end": utc_plain(it.end),
            "cost": number(line.cost),
            "volume": number(line.volume),
            "rate": number(line.rate),
            "unit": item.bill_unit,
            "kind": line.kind,
        }
        for line in it.line_items
    ]
    tou = [
        {
            "name": name,
            "bucket": name.lower().replace("_", "-"),
            "cost": None,
            "volume": number(volume),
            "unit": item.bill_unit,
        }
        for name, volume in it.time_of_use
    ]
    demand = {"name": "Maximum demand", "cost": None, "demand": number(it.demand)}
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
            **_base(item),
            "service_class": item.service_class,
            "billing_contact": CONTACT,
            "billing_address": ADDRESS,
            "bill_start_date": start,
            "bill_end_date": end,
            "bill_statement_date": clock(it.end + DAY, item.zone),
            "bill_total_cost": number(it.cost),
            "bill_total_volume": number(it.volume),
            "bill_total_unit": item.bill_unit,
            "bill_total_kwh": number(it.volume) if item.bill_unit == "kwh" else None,
        },
        "sources": [{"type": "pdf", "raw_url": raw_url(bill_uid(item, known))}],
        "line_items": lines,
        "tiers": [],
        "tou": tou,
        "demand": [demand] if it.demand is not None else [],
        "power": [],
    }


def bill_uid(item: UtilityMeter, known: Known) -> str:
    """The uid of a bill, the same in truth."""
    return make_uid("bill", item.uid, known.bill.number)


def interval_head(block: Block) -> Json:
    """An Interval object without its readings; facts §4.5."""
    item = block.meter
    return {
        "uid": block.uid,
        "meter_uid": item.uid,
        "authorization_uid": item.authorization_uid,
        "created": utc(block.part.created),
        "updated": utc(block.part.updated),
        "notes": [],
        "utility": item.utility,
        "blocks": ["base", "sources", "readings"],
        "base": {**_base(item), "qualities": list(item.qualities)},
        "sources": [{"type": item.source, "raw_url": None}],
    }


def billing_account(world: World, uid: str, meters: list[UtilityMeter]) -> Json:
    """The one billing account of an authorization; facts §4.7."""
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
    """What one statement asks the customer to pay; facts §4.7."""
    zone, it = meters[0].zone, known.bill
    return {
        "uid": make_uid("summary", uid, it.number),
        "billing_account_uid": make_uid("account", uid),
        "authorization_uid": uid,
        "meter_uids": [item.uid for item in meters],
        "notes": [],
        "blocks": ["base", "new_charges", "sources"],
        "base": {
            "statement_date": clock(it.end + DAY, zone),
            "amount_due": number(it.cost),
            "amount_due_date": clock(it.end + 20 * DAY, zone),
            "new_charges_amount": number(it.cost),
            "new_balance_amount": None,
            "previous_balance_amount": Verbatim("0.0"),
            "previous_balance_unpaid": Verbatim("0.0"),
            "previous_payment_amount": None,
        },
        "new_charges": [
            {"name": line.name, "cost": number(line.cost)} for line in it.line_items
        ],
        "sources": [{"type": "pdf"}],
    }


def event(item: Event, world: World) -> Json:
    """Something that happened; facts §4.7."""
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


def merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that touch become one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def account_number(uid: str) -> str:
    """The utility's number of a customer's account."""
    return f"ACCT-{zlib.crc32(uid.encode()) % 10**6:06d}"


def raw_url(name: str) -> str:
    """Where the source of something can be downloaded."""
    return f"https://utilityapi.com/api/v2/files/{make_uid('file', name)}"


def utc_plain(seconds: int) -> str:
    """An instant from the utility spelled in UTC, as line items do; facts §4.4."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="microseconds")


def _ranges(zone: str, ranges: list[tuple[int, int]]) -> list[list[str]]:
    return [[clock(start, zone), clock(end, zone)] for start, end in ranges]


def _base(item: UtilityMeter) -> Json:
    return {
        "service_identifier": item.service_identifier or f"SVC-{item.uid}",
        "service_tariff": item.service_tariff,
        "service_address": ADDRESS,
        "meter_numbers": list(item.meter_numbers),
        "billing_account": account_number(item.authorization_uid),
    }


def _meter_blocks(item: UtilityMeter) -> Json:
    return {
        "base": {
            **_base(item),
            "service_class": item.service_class,
            "billing_contact": CONTACT,
            "billing_address": ADDRESS,
        },
        "electric_details": {"voltage": None},
        "programs": [],
        "suppliers": [],
    }


def _meter_notes(
    item: UtilityMeter, status: str, since: int, *, offered: bool
) -> list[Json]:
    if status == "pending":
        return [
            {"type": "waiting", "msg": "Collecting.", "ts": utc(since), "eta": None}
        ]
    if status == "errored":
        return [{"type": "access_invalid", "msg": "Login failed.", "ts": utc(since)}]
    kinds = ["bills_full", "intervals_full", "meter_full"] if offered else []
    return [{"type": kind, "msg": item.uid, "ts": utc(since)} for kind in kinds]

"""UtilityAPI's objects as JSON values, field by field; utilityapi.md#objects."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.readings import DAY, stamp
from tap_utility_intervals.sandbox.utilityapi.blocks import clock
from tap_utility_intervals.sandbox.wire import Verbatim

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_utility_intervals.sandbox.accounts import Authorization, UtilityMeter
    from tap_utility_intervals.sandbox.utilityapi.blocks import Block
    from tap_utility_intervals.sandbox.world import World

Json = dict[str, object]
USER = {"user_email": "PLANTED-EMAIL-user@example.com", "user_uid": "77"}
CONTACT = "PLANTED-NAME Jane Doe"
ADDRESS = "PLANTED-ADDRESS 123 Main St, Anytown"


@lru_cache(maxsize=4_096)
def utc(seconds: int) -> str:
    """A time that UtilityAPI made itself: always UTC; utilityapi.md#time-zones."""
    return stamp(seconds).isoformat(timespec="microseconds")


def number(text: str | None) -> Verbatim | None:
    """A number digit for digit."""
    return None if text is None else Verbatim(text)


def authorization(world: World, item: Authorization) -> Json:
    """An authorization, without its meters; utilityapi.md#authorization."""
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
        "referrals": list(item.referrals),
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
    """A meter with its blocks; utilityapi.md#meter."""
    collections = world.collections
    state, (status, since) = collections.state(item), collections.status(item)
    view, known = collections.readings(item, mixed=False), collections.bills(item)
    offered = bool(view.readings or known)
    blocks = _meter_blocks(item) if item.expanded else {}
    return {
        "uid": item.uid,
        "authorization_uid": item.authorization_uid,
        "created": utc(item.created),
        **USER,
        "is_archived": item.archived,
        "is_activated": collections.activated(item),
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
        "interval_coverage": _ranges(item.zone, view.coverage)
        if world.utilityapi_options.times != "naive"
        else [
            [edge[:26] for edge in pair] for pair in _ranges(item.zone, view.coverage)
        ],
        "interval_sources": [item.source] if view.readings else [],
        "exports": {},
        "exports_list": [],
        "blocks": list(blocks),
        **blocks,
    }


def interval_head(block: Block) -> Json:
    """An Interval object without its readings; utilityapi.md#interval."""
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
        "base": {**service(item), "qualities": list(item.qualities)},
        "sources": [{"type": item.source, "raw_url": None}],
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


def _ranges(zone: str, ranges: list[tuple[int, int]]) -> list[list[str]]:
    return [[_edge(start, zone), _edge(end, zone)] for start, end in ranges]


_edge = lru_cache(maxsize=4_096)(clock)  # neighbouring meters begin and end together


def service(item: UtilityMeter) -> Json:
    """What the `base` of a meter, a bill and an Interval object have in common."""
    return {
        "service_identifier": item.service_identifier or f"SVC-{item.uid}",
        "service_tariff": item.service_tariff,
        "service_address": ADDRESS,
        "meter_numbers": list(item.meter_numbers),
        "billing_account": account_number(item.authorization_uid),
    }


def _meter_blocks(item: UtilityMeter) -> Json:
    blocks: Json = {
        "base": {
            **service(item),
            "service_class": item.service_class,
            "billing_contact": CONTACT,
            "billing_address": ADDRESS,
        },
    }
    if "electric" in item.service_class:  # utilityapi.md#meter
        blocks["electric_details"] = {"voltage": 240.0}
    return {**blocks, "programs": [], "suppliers": []}


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

"""The two POSTs that cost money: historical collection and ongoing monitoring."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.utilityapi.params import missing, refuse
from tap_utility_intervals.sandbox.wire import Answer, Request, answer

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import UtilityMeter
    from tap_utility_intervals.sandbox.world import World

MOST_MONTHS = 36
FREQUENCIES = ("off", "monthly", "weekly", "daily")
LAST_DAY = 31


def post(world: World, request: Request, parts: list[str]) -> Answer:
    """Answer a POST; only the two documented paths change anything."""
    if parts == ["meters", "historical-collection"]:
        return _collect(world, _body(request))
    if parts == ["meters", "ongoing-monitoring"]:
        return _monitor(world, _body(request))
    raise refuse(405, "invalid_param", "Not in the sandbox.")


def _collect(world: World, body: dict[str, object]) -> Answer:
    meters = _meters(world, body)
    months = body.get("collection_duration", MOST_MONTHS)
    if type(months) is not int or not 1 <= months <= MOST_MONTHS:
        text = "collection_duration must be an integer from 1 to 36."
        raise refuse(400, "invalid_param", text)
    able = _paid(world, _permitted(world, meters))
    for meter in able:
        world.collections.start(meter, months)
    uids = [meter.uid for meter in able]
    return answer({"success": True, "meters": uids, "collection_duration": months})


def _monitor(world: World, body: dict[str, object]) -> Answer:
    meters = _meters(world, body)
    frequency, day = body.get("frequency"), body.get("fixed_refresh_day")
    if frequency is None:
        raise refuse(400, "required_param_missing", "Send frequency.")
    if not isinstance(frequency, str) or frequency not in FREQUENCIES:
        raise refuse(400, "invalid_param", f"frequency must be one of {FREQUENCIES}.")
    if day is not None and (type(day) is not int or frequency != "monthly"):
        text = "fixed_refresh_day is an integer, and for monthly only."
        raise refuse(400, "invalid_param", text)
    able = _permitted(world, meters)
    if frequency != "off":
        _paid(world, able)
    for meter in able:
        world.collections.monitor(meter, frequency, day if type(day) is int else None)
    uids = [meter.uid for meter in able]
    shown = {"frequency": frequency, "fixed_refresh_day": day}
    return answer({"success": True, "meters": uids, **shown})


def _body(request: Request) -> dict[str, object]:
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise refuse(400, "invalid_param", "The body must be a valid JSON object.")
    return body


def _meters(world: World, body: dict[str, object]) -> list[UtilityMeter]:
    """The meters named; those that do not exist are left out, but not all of them."""
    uids = body.get("meters")
    if uids is None:
        raise refuse(400, "required_param_missing", "Send meters.")
    if not isinstance(uids, list) or not all(isinstance(uid, str) for uid in uids):
        raise refuse(400, "invalid_param", "meters must be a list of uids.")
    if not uids:
        raise refuse(400, "invalid_param", "meters is empty.")
    known = [
        world.meters_by_uid[u] for u in dict.fromkeys(uids) if u in world.meters_by_uid
    ]
    there = [meter for meter in known if world.is_there(meter)]
    if not there:
        raise missing()
    return there


def _permitted(world: World, meters: list[UtilityMeter]) -> list[UtilityMeter]:
    """Meters of expired authorizations are dropped in silence; facts §3.7."""
    able = []
    for meter in meters:
        expires = world.authorizations_by_uid[meter.authorization_uid].expires
        if expires is None or expires > world.seconds:
            able.append(meter)
    if not able:
        text = "All of the Authorizations for these meters are expired."
        raise refuse(400, "expired_or_revoked", text)
    return able


def _paid(world: World, meters: list[UtilityMeter]) -> list[UtilityMeter]:
    """Without a balance only demo meters can be collected; facts §1.4."""
    if not world.utilityapi_options.balance and any(
        m.utility != "DEMO" for m in meters
    ):
        raise refuse(402, "payment_required", "Your balance is not positive.")
    return meters

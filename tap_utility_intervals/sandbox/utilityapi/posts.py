"""POSTs: the two that cost money, historical collection and monitoring, and tests."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import Authorization, make_uid
from tap_utility_intervals.sandbox.demo import DEMO_METERS, demo_meter
from tap_utility_intervals.sandbox.utilityapi.objects import utc
from tap_utility_intervals.sandbox.utilityapi.params import DOCS, missing, refuse
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
    if parts == ["forms"]:
        return answer(_form(world))
    if parts[:1] == ["forms"] and parts[2:] == ["test-submit"]:
        return _submit(world, _body(request))
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
    shown: dict[str, object] = {"meters": uids, "collection_duration": months}
    if all(meter.utility == "DEMO" for meter in able):
        shown["created_free_collection"] = True  # utilityapi.md#collecting
    return answer({"success": True, **shown})


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


def _form(world: World) -> dict[str, object]:
    """A form to authorize with; only its uid is of use.

    See utilityapi.md#forms-and-tests.
    """
    uid = make_uid("form", world.version)
    return {"uid": uid, "created": utc(world.seconds), "url": f"{DOCS}/forms/{uid}"}


def _submit(world: World, body: dict[str, object]) -> Answer:
    """Authorize as a test would: DEMO meters appear, not collected yet.

    See utilityapi.md#forms-and-tests.
    """
    scenario = body.get("scenario")
    if body.get("utility") != "DEMO":
        raise refuse(400, "invalid_param", "utility must be DEMO in the sandbox.")
    if not isinstance(scenario, str) or scenario not in DEMO_METERS:
        text = f"scenario must be one of {sorted(DEMO_METERS)} in the sandbox."
        raise refuse(400, "invalid_param", text)
    referral = make_uid("referral", world.version, scenario)
    owner = Authorization(
        make_uid("authorization", referral),
        "DEMO",
        world.seconds,
        referrals=(referral,),
    )
    meters = [
        replace(
            demo_meter(make_uid("meter", referral, number), owner.uid, world.seconds),
            created=world.seconds,
            collected=False,
            monitoring="off",
        )
        for number in range(DEMO_METERS[scenario])
    ]
    world.add(owner, meters)
    return answer({"referral": referral})


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
    """Meters of expired authorizations are dropped in silence.

    See utilityapi.md#collecting.
    """
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
    """Without a balance only demo meters can be collected; utilityapi.md#statuses."""
    if not world.utilityapi_options.balance and any(
        m.utility != "DEMO" for m in meters
    ):
        raise refuse(402, "payment_required", "Your balance is not positive.")
    return meters

"""Accounts of the utility DEMO, as a trial of UtilityAPI has them."""

from __future__ import annotations

from datetime import datetime

from tap_utility_intervals.sandbox.accounts import Authorization, make_uid
from tap_utility_intervals.sandbox.demo import DEMO_METERS, demo_meter
from tap_utility_intervals.sandbox.readings import epoch
from tap_utility_intervals.sandbox.world import World


def demo_world(*, now: str = "2026-03-20T12:00:00Z", seed: int = 0) -> World:
    """One residential and one commercial account; their readings are of 2015."""
    moment = epoch(now)
    accounts = [Authorization(f"310{n}", "DEMO") for n in range(len(DEMO_METERS))]
    meters = [
        demo_meter(make_uid("demo", owner.uid, number), owner.uid, moment)
        for owner, count in zip(accounts, DEMO_METERS.values(), strict=True)
        for number in range(count)
    ]
    return World(
        datetime.fromisoformat(now.replace("Z", "+00:00")), meters, [], accounts, seed
    )

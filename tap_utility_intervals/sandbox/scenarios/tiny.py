"""A world of a few days, for tests that must be quick."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import (
    Account,
    Channel,
    Company,
    Connection,
    NectarMeter,
    Site,
    UtilityMeter,
    identifiers,
    make_uuid,
)
from tap_utility_intervals.sandbox.bills import bills_from
from tap_utility_intervals.sandbox.options import UtilityOptions
from tap_utility_intervals.sandbox.readings import Series, epoch
from tap_utility_intervals.sandbox.scenarios.default import (
    CHICAGO,
    LONDON,
    NEW_YORK,
    SOLAR,
)
from tap_utility_intervals.sandbox.scenarios.synthetic import solar, synthetic
from tap_utility_intervals.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def tiny_world(*, now: str = "2026-03-20T12:00:00Z", seed: int = 0) -> World:
    """A few days around the clock changes of autumn 2025 and spring 2026."""
    sunny = _spans(lambda start, end: solar(seed, "sun", start, end, zone=NEW_YORK))
    flame = _spans(lambda start, end: synthetic(seed, "gas", start, end))
    half = _spans(lambda start, end: synthetic(seed, "half", start, end, minutes=30))
    edges = [epoch(f"2026-03-{day:02d}T05:00:00Z") for day in (7, 10, 17, 19)]
    site = Site(make_uuid("tiny site"), "Tiny site")
    accounts = [
        Account(
            make_uuid("tiny account", 1),
            "T-1",
            [
                NectarMeter(
                    make_uuid("tiny meter", 1),
                    half,
                    identifiers("T-001"),
                    site.id,
                    zone=LONDON,
                    bills=bills_from(half, edges),
                ),
                NectarMeter(
                    make_uuid("tiny meter", 2),
                    flame,
                    identifiers("T-002"),
                    site.id,
                    "GAS",
                    "thm (US)",
                    zone=CHICAGO,
                    bills=bills_from(flame, edges),
                    bill_unit="thm (US)",
                ),
            ],
        )
    ]
    return World(
        datetime.fromisoformat(now.replace("Z", "+00:00")),
        [
            UtilityMeter(
                "101",
                sunny,
                zone=NEW_YORK,
                channels=SOLAR,
                bills=bills_from(sunny, edges),
                block_days=4,
            ),
            UtilityMeter(
                "102",
                flame,
                zone=CHICAGO,
                channels=(Channel("net", "therms"),),
                kwh_channel=None,
                bills=bills_from(flame, edges),
                bill_unit="therms",
                service_class="res-gas",
            ),
        ],
        [
            Company(
                make_uuid("tiny company"),
                "Tiny",
                [site],
                [
                    Connection(
                        make_uuid("tiny connection"), accounts, site_ids=[site.id]
                    )
                ],
            )
        ],
        seed=seed,
        utilityapi_options=UtilityOptions(interval_limit=3),
    )


def _spans(make: Callable[[str, str], Series]) -> Series:
    """Only the days around the clock changes, and those around the world's now."""
    kept = [
        ("2025-10-25T00:00:00Z", "2025-10-27T00:00:00Z"),
        ("2025-11-01T04:00:00Z", "2025-11-03T05:00:00Z"),
        ("2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z"),
        ("2026-03-17T04:00:00Z", "2026-03-31T04:00:00Z"),
    ]
    return Series([r for span in kept for r in make(*span).readings])

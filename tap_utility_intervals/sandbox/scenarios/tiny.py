"""A world of a few days, for tests that must be quick."""

from __future__ import annotations

from datetime import datetime

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


def tiny_world(*, now: str = "2026-03-20T12:00:00Z", seed: int = 0) -> World:
    """A few days around the clock changes of autumn 2025 and spring 2026."""
    sunny = _around_changes(
        solar(
            seed, "sun", "2025-10-25T04:00:00Z", "2026-04-01T04:00:00Z", zone=NEW_YORK
        )
    )
    flame = _around_changes(
        synthetic(seed, "gas", "2025-10-25T05:00:00Z", "2026-04-01T05:00:00Z")
    )
    half = _around_changes(
        synthetic(
            seed, "half", "2025-10-25T00:00:00Z", "2026-04-01T00:00:00Z", minutes=30
        )
    )
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


def _around_changes(series: Series) -> Series:
    """Only the days around the clock changes, and those around the world's now."""
    kept = [
        ("2025-10-25T00:00:00Z", "2025-10-27T00:00:00Z"),
        ("2025-11-01T04:00:00Z", "2025-11-03T05:00:00Z"),
        ("2026-03-07T05:00:00Z", "2026-03-10T04:00:00Z"),
        ("2026-03-17T04:00:00Z", "2026-03-31T04:00:00Z"),
    ]
    spans = [(epoch(start), epoch(end)) for start, end in kept]
    return Series(
        [
            r
            for r in series.readings
            if any(low <= r.start < high for low, high in spans)
        ]
    )

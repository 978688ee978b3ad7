"""Big worlds that cost little to serve, for benchmarks."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

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
from tap_utility_intervals.sandbox.options import NectarOptions
from tap_utility_intervals.sandbox.readings import epoch
from tap_utility_intervals.sandbox.scenarios.synthetic import synthetic
from tap_utility_intervals.sandbox.world import World


def bench_world(  # noqa: PLR0913 - the sizes of a benchmark
    *,
    meters: int = 20,
    days: int = 90,
    minutes: int = 15,
    channels: int = 2,
    connections: int = 0,
    meters_per_connection: int = 1,
    future_days: int = 10,
    block_days: int = 20,
    seed: int = 0,
) -> World:
    """Many meters that share one series, so that answers are made once and copied.

    `meters` are UtilityAPI's, `connections` Nectar's. After `advance(days=1)` every
    meter has a day more, of the `future_days` that are in store.
    """
    now = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    start = now.replace(hour=5) - timedelta(days=days)
    shared = synthetic(
        seed,
        "bench",
        start,
        now + timedelta(days=future_days),
        minutes=minutes,
        channels=channels,
    )
    kinds = (Channel("net"), Channel("fwd"), Channel("rev"), Channel("max", "kw"))
    created = epoch("2025-01-01T00:00:00Z")
    utility = [
        UtilityMeter(
            str(3_000_000 + number),
            shared,
            str(1_000 + number // 500),
            channels=kinds[:channels],
            block_days=block_days,
            created=created,
        )
        for number in range(meters)
    ]
    site = Site(make_uuid("bench site"))
    nectar = [
        Connection(
            make_uuid("bench connection", number),
            [
                Account(
                    make_uuid("bench account", number),
                    f"B-{number}",
                    [
                        NectarMeter(
                            make_uuid("bench meter", number, place),
                            shared,
                            identifiers(f"B{number:05d}-{place:03d}"),
                            site.id,
                        )
                        for place in range(meters_per_connection)
                    ],
                )
            ],
            site_ids=[site.id],
        )
        for number in range(connections)
    ]
    company = Company(make_uuid("bench company"), "Bench", [site], nectar)
    return World(
        now,
        utility,
        [company] if connections else [],
        seed=seed,
        nectar_options=NectarOptions(),
    )

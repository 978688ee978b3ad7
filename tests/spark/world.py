"""Enough sources for several partitions, and a night in which they change."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from time import monotonic
from typing import Any

from tap_utility_intervals.sandbox import (
    Account,
    Company,
    Connection,
    NectarMeter,
    Sandbox,
    Site,
    UtilityMeter,
    World,
    bills_from,
    epoch,
    identifiers,
    make_uuid,
    restated,
    synthetic,
    truth,
)
from tests.oracle import Row

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
TONIGHT = epoch(NOW + timedelta(hours=6))
DAYS, LOOK_BACK = 20, 4
EDGES = [epoch(NOW - timedelta(days=days)) for days in (18, 11, 4, -1, -5)]
ADDRESS = "PLANTED-ADDRESS"


def fleet(meters: int = 9, connections: int = 6) -> World:
    """Hourly meters with bills; one reading each is restated tonight."""
    utility = [
        UtilityMeter(str(101 + n), one, bills=bills_from(one, EDGES))
        for n in range(meters)
        for one in [_series(n)]
    ]
    site = Site(make_uuid("spark site"), "Spark site")
    nectar = [_connection(n, site) for n in range(connections)]
    return World(NOW, utility, [Company(make_uuid("spark"), "Spark", [site], nectar)])


def _series(number: int) -> Any:
    begin, end = NOW - timedelta(days=DAYS), NOW + timedelta(days=6)
    whole = synthetic(number, "spark", begin, end)
    known = epoch(NOW - timedelta(days=1))
    last = max(one.start for one in whole.readings if one.start < known)
    return restated(whole, [(last, TONIGHT, ("9.125",))])


def _connection(number: int, site: Site) -> Connection:
    series = _series(100 + number)
    meter = NectarMeter(
        make_uuid("spark meter", number),
        series,
        identifiers(f"S-{number:03d}"),
        site.id,
        bills=bills_from(series, EDGES),
    )
    account = Account(make_uuid("spark account", number), f"A-{number}", [meter])
    name = make_uuid("spark connection", number)
    return Connection(name, [account], site_ids=[site.id])


class Timed(Sandbox):
    """A sandbox that knows when each request came."""

    def __init__(self, world: World, **options: Any) -> None:
        super().__init__(world, **options)
        self.times: list[tuple[str, float]] = []

    def enter(self, provider: str, request: Any, fault: str | None) -> Any:
        self.times.append((provider, monotonic()))
        return super().enter(provider, request, fault)


def settings(sandbox: Sandbox, **more: Any) -> Row:
    return {
        **sandbox.settings(),
        "utilityapi_requests_per_second": 1_000,
        "max_concurrency": 16,
        "lookback_days": LOOK_BACK,
        "full_rescan_days": 0,
        **more,
    }


def bill_ids(world: World) -> set[str]:
    """What `usage` must hold now."""
    return {
        str(bill.bill_id if name == "utilityapi" else bill.usage_id)
        for name in ("utilityapi", "nectar")
        for bill in truth.bills(world, name)
    }

"""The worlds that are measured; meters share one series, so serving them is cheap."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tap_utility_intervals.sandbox import World, bench_world

MONTH_DAYS = 365.25 / 12


def _meters(meters: int, days: int, minutes: int = 15, channels: int = 2) -> World:
    """UtilityAPI alone."""
    return bench_world(meters=meters, days=days, minutes=minutes, channels=channels)


def _connections(connections: int, days: int) -> World:
    """Nectar alone."""
    return bench_world(meters=0, connections=connections, days=days, channels=1)


WORLDS: dict[str, Callable[[], World]] = {
    "tiny": partial(_meters, 2, 3),
    "utilityapi": partial(_meters, 20, 90),
    "year": partial(_meters, 20, 365),
    "loading": partial(_meters, 4, 90),
    "nectar": partial(_connections, 10, 60),
    "many": partial(_meters, 2_000, 1),
    "scale-50000": partial(_meters, 50_000, 1, 60, 1),
    "scale-500": partial(_meters, 500, 1, 60, 1),
    "backfill": partial(_meters, 1_000, int(36 * MONTH_DAYS), 60, 1),
}
"""Name to world; built in the server's process."""

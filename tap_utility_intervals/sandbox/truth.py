"""The world as a test would like to compare it, by a provider's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_utility_intervals.sandbox.provider import Provider
    from tap_utility_intervals.sandbox.rows import BillTruth, MeterTruth, ReadingTruth
    from tap_utility_intervals.sandbox.world import World


def readings(world: World, provider: str) -> Iterator[ReadingTruth]:
    """Give every reading and channel that this provider offers now."""
    return _named(provider).readings(world)


def meters(world: World, provider: str) -> Iterator[MeterTruth]:
    """Give every meter that this provider offers now."""
    return _named(provider).meters(world)


def bills(world: World, provider: str) -> Iterator[BillTruth]:
    """Give every bill that this provider offers now."""
    return _named(provider).bills(world)


def _named(name: str) -> Provider:
    return next(one for one in PROVIDERS if one.name == name)

"""What a channel is called. Pure.

A channel is one of the series that a meter counts side by side, and part of the key of
a reading, so every provider must name it alike.
"""

from __future__ import annotations

from tap_utility_intervals.floor.units import Unit

UNSTATED = "usage"
"""The point of a reading whose direction its provider does not say."""

UNKNOWN = "unknown"
"""The unit in the name of a channel whose unit was not sent; `unit` itself is null."""


def channel_name(point: str | None, unit: Unit) -> str:
    """Name the channel of a point (`net`, `fwd`, …) and a unit: `net/kWh`."""
    return f"{point or UNSTATED}/{unit.name or UNKNOWN}"

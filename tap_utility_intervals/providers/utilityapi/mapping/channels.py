"""The channels of a reading: what tells its datapoints apart. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from msgspec import Raw

from tap_utility_intervals.floor.channels import channel_name
from tap_utility_intervals.floor.records import Flow, Measure
from tap_utility_intervals.floor.units import Unit, read_number, unit
from tap_utility_intervals.providers.utilityapi.objects import Datapoint

FLOWS = {"fwd": Flow.DELIVERED, "rev": Flow.RECEIVED, "net": Flow.NET}
"""`fwd` is delivered to the customer, `rev` received from the customer."""

Warn: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """What all values of one datapoint type and unit have in common."""

    name: str
    flow: Flow | None
    unit: str | None
    unit_raw: str | None
    measure: Measure | None
    meant: Unit
    unit_normalized: str | None
    is_normal: bool
    """Whether a value is the normalized value, digit for digit."""

    @classmethod
    def of(cls, point: str | None, raw_unit: str | None) -> Channel:
        """The channel of a type and unit; unknown ones keep their words."""
        meant = unit(raw_unit)
        return cls(
            name=channel_name(point, meant),
            flow=FLOWS.get(point or ""),
            unit=meant.name,
            unit_raw=raw_unit or None,
            measure=meant.measure,
            meant=meant,
            unit_normalized=meant.normalized,
            is_normal=meant.is_normal,
        )


@dataclass(frozen=True, slots=True)
class Shape:
    """The channels of a reading, in the order of its datapoints."""

    channels: tuple[Channel, ...]
    is_clear: bool
    """Whether the names alone tell the channels apart."""
    twin: int | None
    """The datapoint that `kwh` repeats, if one does."""


OWN = Channel(
    "usage/kWh", None, "kWh", None, Measure.ENERGY, unit("kwh"), "kWh", is_normal=True
)
"""Of a reading's own `kwh`, whose direction and unit are not stated."""

ALIKE = "datapoints that nothing tells apart got #2, #3, ... in their channel"


@lru_cache(maxsize=1024)
def shape(kinds: tuple[tuple[str | None, str | None], ...]) -> Shape:
    """What readings with datapoints of these types and units look like."""
    channels = tuple(Channel.of(*kind) for kind in kinds)
    names = [channel.name for channel in channels]
    energy = [n for n, channel in enumerate(channels) if channel.unit == OWN.unit]
    net = [n for n in energy if kinds[n][0] == "net"]
    # Between `fwd` and `rev` alone, `kwh` is a third value, their difference.
    alone = net or energy
    return Shape(
        channels,
        is_clear=len(set(names)) == len(names),
        twin=alone[0] if len(alone) == 1 else None,
    )


def own_name(what: Shape, warn: Warn) -> str:
    """The channel of a reading's own `kwh`, beside datapoints without a type."""
    same = sum(channel.name == OWN.name for channel in what.channels)
    if not same:
        return OWN.name
    warn(ALIKE)
    return f"{OWN.name}#{same + 1}"


def is_own(kwh: Raw, what: Shape, points: Sequence[Datapoint]) -> bool:
    """Whether `kwh` says something that no datapoint says."""
    text = bytes(kwh)
    if text in {b"null", b'""'}:
        return False
    if what.twin is None:
        return True
    twin = points[what.twin].value
    return text != bytes(twin) and not _are_equal(kwh, twin)


def _are_equal(one: Raw, other: Raw) -> bool:
    try:
        return read_number(one) == read_number(other)
    except ValueError:
        return False


def apart(
    channels: Sequence[Channel], points: Sequence[Datapoint], warn: Warn
) -> Iterator[tuple[Channel, str, Datapoint]]:
    """Tell datapoints of one type and unit apart by their meter numbers."""
    alike = Counter(channel.name for channel in channels)
    seen: Counter[str] = Counter()
    for channel, point in zip(channels, points, strict=True):
        name = channel.name
        if alike[name] > 1 and point.meter_number:
            name = f"{name}@{point.meter_number}"
        seen[name] += 1
        if seen[name] > 1:
            warn(ALIKE)
            name = f"{name}#{seen[name]}"
        yield channel, name, point

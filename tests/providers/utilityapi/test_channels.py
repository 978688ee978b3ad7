"""Which channels the datapoints of a reading make, and when `kwh` is one of its own."""

from __future__ import annotations

import time
from typing import Any

import pytest
from msgspec import Raw

from tap_utility_intervals.floor.records import Flow
from tap_utility_intervals.providers.utilityapi.mapping.channels import (
    ALIKE,
    Channel,
    apart,
    is_own,
    own_name,
    shape,
)
from tap_utility_intervals.providers.utilityapi.objects import Datapoint

Kinds = tuple[tuple[str | None, str | None], ...]
NET, FWD, REV = ("net", "kwh"), ("fwd", "kwh"), ("rev", "kwh")
MAX, BARE = ("max", "kw"), (None, "kwh")


@pytest.mark.parametrize(
    ("point", "word", "name", "flow"),
    [
        ("net", "kwh", "net/kWh", Flow.NET),
        ("fwd", "KWH", "fwd/kWh", Flow.DELIVERED),
        ("rev", "kwh", "rev/kWh", Flow.RECEIVED),
        ("max", "kw", "max/kW", None),
        ("fwd", "therms", "fwd/therm", Flow.DELIVERED),
        ("mystery", "furlongs", "mystery/furlongs", None),
        (None, "ccf", "usage/CCF", None),
        ("", "ccf", "usage/CCF", None),
        ("net", None, "net/unknown", Flow.NET),
        (None, "", "usage/unknown", None),
    ],
)
def test_a_channel_is_named_by_point_and_unit(
    point: str | None, word: str | None, name: str, flow: Flow | None
) -> None:
    channel = Channel.of(point, word)
    assert (channel.name, channel.flow) == (name, flow)
    assert channel.unit_raw == (word or None)


@pytest.mark.parametrize(
    ("kinds", "twin", "is_clear"),
    [
        ((NET,), 0, True),
        ((FWD,), 0, True),
        ((NET, FWD, REV), 0, True),
        ((MAX, FWD, NET), 2, True),
        ((FWD, REV), None, True),
        ((MAX,), None, True),
        ((BARE,), 0, True),
        ((FWD, FWD), None, False),
        ((NET, NET), None, False),
        ((), None, True),
    ],
)
def test_which_datapoint_kwh_repeats(
    kinds: Kinds,
    twin: int | None,
    is_clear: bool,  # noqa: FBT001
) -> None:
    what = shape(kinds)
    assert (what.twin, what.is_clear) == (twin, is_clear)


def points(*values: Any, kinds: Kinds, numbers: tuple[str | None, ...] = ()) -> Any:
    given = numbers or (None,) * len(kinds)
    return [
        Datapoint(kind[0], kind[1], Raw(str(value).encode()), number)
        for kind, value, number in zip(kinds, values, given, strict=True)
    ]


@pytest.mark.parametrize(
    ("kwh", "kinds", "values", "own"),
    [
        ("0.5", (NET, FWD), ("0.5", "0.7"), False),
        ("0.50", (NET, FWD), ("0.5", "0.7"), False),
        ("0.7", (NET, FWD), ("0.5", "0.7"), True),
        ("0.2", (FWD, REV), ("0.5", "0.3"), True),
        ("0.5", (MAX,), ("2",), True),
        ("null", (MAX,), ("2",), False),
        ('""', (MAX,), ("2",), False),
        ("true", (FWD,), ("2",), True),
    ],
)
def test_when_kwh_says_something_of_its_own(
    kwh: str,
    kinds: Kinds,
    values: tuple[str, ...],
    own: bool,  # noqa: FBT001
) -> None:
    found = is_own(Raw(kwh.encode()), shape(kinds), points(*values, kinds=kinds))
    assert found is own


@pytest.mark.parametrize(
    ("kinds", "numbers", "names", "warned"),
    [
        ((FWD, REV), (None, None), "fwd/kWh rev/kWh", 0),
        ((FWD, FWD), ("A", "B"), "fwd/kWh@A fwd/kWh@B", 0),
        ((FWD, FWD, MAX), ("A", "B", "A"), "fwd/kWh@A fwd/kWh@B max/kW", 0),
        ((FWD, FWD), (None, None), "fwd/kWh fwd/kWh#2", 1),
        ((FWD, FWD), ("A", "A"), "fwd/kWh@A fwd/kWh@A#2", 1),
        ((FWD, FWD, FWD), ("A", None, "A"), "fwd/kWh@A fwd/kWh fwd/kWh@A#2", 1),
    ],
)
def test_datapoints_of_one_type_and_unit_are_told_apart(
    kinds: Kinds, numbers: tuple[str | None, ...], names: str, warned: int
) -> None:
    warnings: list[str] = []
    given = points(*"123"[: len(kinds)], kinds=kinds, numbers=numbers)
    found = apart(shape(kinds).channels, given, warnings.append)
    assert " ".join(name for _, name, _ in found) == names
    assert warnings == [ALIKE] * warned


def test_many_datapoints_of_one_kind_take_linear_time() -> None:
    kinds: Kinds = (FWD,) * 50_000
    given = points(*range(50_000), kinds=kinds)
    begun = time.process_time()
    found = {name for _, name, _ in apart(shape(kinds).channels, given, set[str]().add)}
    assert len(found) == 50_000
    assert time.process_time() - begun < 5


def test_kwh_beside_a_datapoint_without_a_type_has_a_name_of_its_own() -> None:
    warnings: list[str] = []
    assert own_name(shape((FWD, REV)), warnings.append) == "usage/kWh"
    assert not warnings
    assert own_name(shape((BARE, BARE)), warnings.append) == "usage/kWh#3"
    assert warnings == [ALIKE]

"""Blocks as rows: readings that are alike take a shorter way, to the same rows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.utilityapi.mapping import intervals
from tap_utility_intervals.providers.utilityapi.mapping.intervals import rows, timed
from tap_utility_intervals.providers.utilityapi.mapping.meters import meter
from tap_utility_intervals.providers.utilityapi.objects import block
from tests.providers.utilityapi.serving import held, quarter

METER = meter({"uid": "58", "base": {"service_class": "res-electric"}}, "now")

numbers = st.sampled_from(["0.5", "-0.10", "12", "1e3", '"7"', "null", '""', "true"])
plain = st.sampled_from(["0.5", "0.166", "-0.10", "12", "0"])
points = st.sampled_from(
    [("net", "kwh"), ("fwd", "kwh"), ("rev", "kwh"), ("max", "kw"), ("fwd", "therms")]
)


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """The JSON of a block whose readings are alike, or nearly so."""
    kinds = draw(st.lists(points, min_size=1, max_size=3, unique=True))
    readings = []
    for number in range(draw(st.integers(1, 4))):
        odd = draw(st.integers(0, 5)) == 0
        values = [draw(numbers if odd else plain) for _ in kinds]
        chosen = draw(st.permutations(kinds)) if odd else kinds
        kwh = draw(numbers) if odd else values[0]
        datapoints = ",".join(
            f'{{"type": "{kind}", "unit": "{unit}", "value": {value}}}'
            for (kind, unit), value in zip(chosen, values, strict=True)
        )
        start, end = quarter(number), quarter(number + 1)
        readings.append(
            f'{{"start": "{start}", "end": "{end}", "kwh": {kwh}, '
            f'"datapoints": [{datapoints}]}}'
        )
    return json.dumps(held("READINGS")).replace('"READINGS"', ",".join(readings))


def made(text: str) -> list[IntervalRecord]:
    found = block(msgspec.Raw(text.encode()), pytest.fail)
    return rows(found, timed(found.readings, pytest.fail), METER, lambda _: None)


@given(blocks())
def test_the_short_way_leads_to_the_same_rows(text: str) -> None:
    short = made(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_blanks", lambda *_: None)
        assert made(text) == short
    assert short


def one(reading: dict[str, Any]) -> dict[str, Any]:
    times = {"start": quarter(0), "end": quarter(1)}
    found = block({**held(), "readings": [{**times, **reading}]}, pytest.fail)
    (row,) = rows(found, timed(found.readings, pytest.fail), METER, lambda _: None)
    return {name: getattr(row, name) for name in row.__struct_fields__}


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("kwh", "0.5", ("kWh", "0.5", "kWh", "energy")),
        ("kw", "0.664", ("kW", "0.664", "kW", "power")),
        ("therms", "1", ("therm", "29.30710701722222222222222222", "kWh", "energy")),
        ("ccf", "1", ("CCF", "2.8316846592", "m3", "volume")),
        ("furlongs", "1", ("furlongs", "None", None, "other")),
        (None, "1", (None, "None", None, None)),
    ],
)
def test_a_unit_decides_what_can_be_normalized(
    unit: str | None, value: str, expected: tuple[Any, ...]
) -> None:
    point = {"type": "net", "unit": unit, "value": msgspec.json.decode(value)}
    row = one({"datapoints": [point]})
    normalized = row["quantity_normalized"]
    text = (
        bytes(normalized).decode()
        if isinstance(normalized, msgspec.Raw)
        else (str(normalized))
    )
    assert (row["unit"], text, row["unit_normalized"], row["measure"]) == expected


def test_a_reading_with_kwh_alone_states_no_direction() -> None:
    row = one({"kwh": 5})
    assert (row["channel"], row["flow"], row["unit_raw"]) == ("usage/kWh", None, None)
    assert (row["commodity"], row["utc_offset_seconds"]) == ("electricity", -14_400)

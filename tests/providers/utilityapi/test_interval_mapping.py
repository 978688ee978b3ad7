"""Blocks as rows: readings that are alike take a shorter way, to the same rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.blocks import ENCODER, RowBlock
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.utilityapi import times
from tap_utility_intervals.providers.utilityapi.intervals.twins import arranged
from tap_utility_intervals.providers.utilityapi.mapping import readings as mapping
from tap_utility_intervals.providers.utilityapi.mapping.intervals import rows
from tap_utility_intervals.providers.utilityapi.mapping.meters import listed as listing
from tap_utility_intervals.providers.utilityapi.objects import block
from tap_utility_intervals.singer.streams import narrowed
from tap_utility_intervals.singer.writer import rendered
from tests.providers.utilityapi.serving import held, quarter

METER = listing({"uid": "58", "base": {"service_class": "res-electric"}}, "now").meter

LONG = "123456789012345678901234567890." + "1" * 30
numbers = st.sampled_from(
    (
        *("0.5", "-0.10", "12", "1e3", '"7"', '"1,234.5"', "null", '""', "true"),
        *(LONG, "1e299", "-0", "0." + "0" * 37 + "1", "{}", "[1]", '"\\u0000"'),
    )
)
plain = st.sampled_from(["0.5", "0.166", "-0.10", "12", "0", "-0", "1" * 39])
points = st.sampled_from(
    (
        *(("net", "kwh"), ("fwd", "kwh"), ("rev", "kwh"), ("max", "kw")),
        *(("fwd", "therms"), ("net", "ccf"), ("x", "Ünits"), ("net", "kvar")),
        *((None, None), (None, "kwh"), ('"value": 1', "kwh"), ("2", "0.5")),
    )
)
ZONES = ("-04:00", "-05:00", "Z", "+05:30")
WORDINGS = (
    '{{"type": {type}, "unit": {unit}, "value": {value}{number}}}',
    '{{"type":{type},"unit":{unit},"value":{value}{number}}}',
    '{{"value" : {value} , "unit": {unit}, "type": {type}{number}}}',
    '{{"value": {value}, "type": {type}, "unit": {unit}, "value": 0{number}}}',
    '{{"value": 7, "type": {type}, "unit": {unit}, "value": {value}{number}}}',
    '{{"value": {value}, "type": {type}, "unit": {unit}, "v\\u0061lue": 7{number}}}',
    '{{"type": {type}, "unit": {unit}, "value ": 1, "value": {value}{number}}}',
    '{{"a": {{"value": {value}}}, "type": {type}, "unit": {unit}, "value": {value}}}',
)
"""The same in other words; some say a key twice, and the last one counts."""


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """The JSON of a block whose readings are alike, or nearly so."""
    kinds = draw(st.lists(points, max_size=3, unique=draw(st.booleans())))
    numbered = draw(st.sampled_from([None, "M-1", "0.5"]))
    wording = draw(st.sampled_from(WORDINGS))
    own = draw(st.sampled_from(["twin", "null", "other"]))
    often = draw(st.sampled_from([0, 3, 40]))
    zone = draw(st.sampled_from(ZONES))
    minutes = draw(st.sampled_from([15, 60, 1440]))
    readings = []
    moment = datetime.fromisoformat("2026-11-01T00:00:00")
    for _ in range(draw(st.integers(1, 60))):
        odd = bool(often) and draw(st.integers(0, often)) == 0
        values = [draw(numbers if odd else plain) for _ in kinds]
        chosen = draw(st.permutations(kinds)) if odd else kinds
        twin = values[0] if values else draw(plain)
        kwh = {"twin": twin, "null": "null", "other": draw(plain)}[own]
        if odd:
            kwh = draw(numbers)
            zone = draw(st.sampled_from(ZONES))
            moment += timedelta(minutes=draw(st.sampled_from([0, 0, 15, 61])))
            wording = draw(st.sampled_from(WORDINGS))
        number = f', "meter_number": "{numbered}"' if numbered and not odd else ""
        datapoints = ",".join(
            wording.format(
                type=json.dumps(kind), unit=json.dumps(unit), value=value, number=number
            )
            for (kind, unit), value in zip(chosen, values, strict=True)
        )
        start, moment = moment, moment + timedelta(minutes=minutes)
        end = moment + timedelta(seconds=draw(st.sampled_from([-1, 60])) if odd else 0)
        readings.append(
            f'{{"start": "{start.isoformat()}{zone}", "end": "{end.isoformat()}{zone}"'
            f', "kwh": {kwh}, "datapoints": [{datapoints}]}}'
        )
    if draw(st.booleans()):
        readings.reverse()
    return json.dumps(held("READINGS")).replace('"READINGS"', ",".join(readings))


def made(text: str, warnings: list[str]) -> list[Sequence[IntervalRecord]]:
    found = block(msgspec.Raw(text.encode()), pytest.fail)
    readings = arranged(found.readings, pytest.fail)
    return list(rows(found, readings, slice(None), METER, warnings.append))


def lines(pages: list[Sequence[IntervalRecord]], without: frozenset[str]) -> bytes:
    columns = frozenset(IntervalRecord.__struct_fields__) - without
    return b"".join(
        part for page in pages for part in rendered(narrowed(page, columns), b"<", b">")
    )


@given(
    blocks(),
    st.frozensets(st.sampled_from(IntervalRecord.__struct_fields__), max_size=27),
)
def test_readings_that_are_alike_lead_to_the_same_lines(
    text: str, without: frozenset[str]
) -> None:
    """Byte for byte, as rows one by one, and whatever columns are wanted."""
    warned: list[str] = []
    pages = made(text, warned)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapping, "_alike", lambda *_: None)
        told: list[str] = []
        slowly = made(text, told)
    assert lines(pages, without) == lines(slowly, without)
    assert warned == told
    assert not any(isinstance(page, RowBlock) for page in slowly)
    # One by one they have the same values, too.
    assert lines([list(page) for page in pages], without) == lines(slowly, without)
    assert sum(map(len, pages)) == len([row for page in pages for row in page])
    assert pages


@given(blocks(), st.sampled_from([None, ZoneInfo("America/New_York")]))
def test_times_read_at_once_are_those_read_one_by_one(
    text: str, zone: ZoneInfo | None
) -> None:
    sent = block(msgspec.Raw(text.encode()), pytest.fail).readings
    assert times._at_once(sent) == times._one_by_one(sent, pytest.fail, zone)


@pytest.mark.parametrize("ends", [("04:00+00:00", "00:00-04:00"), ("05:00Z", "04:00Z")])
def test_the_order_is_that_of_the_moments_whatever_the_texts_say(
    ends: tuple[str, str],
) -> None:
    first, last = (f"2026-11-01T{time[:5]}:00{time[5:]}" for time in ends)
    listed = [{"start": one, "end": one} for one in (first, quarter(0), last)]
    text = json.dumps({**held(), "readings": listed})
    sent = block(msgspec.Raw(text.encode()), pytest.fail).readings
    zone = ZoneInfo("America/New_York")
    assert times._at_once(sent) == times._one_by_one(sent, pytest.fail, zone)


def test_times_are_cut_at_six_digits_wherever_they_stand() -> None:
    spans = [(quarter(n), quarter(n + 1)) for n in range(3)]
    fine = spans[1][0].replace(".000000", ".9999999")
    assert fine != spans[1][0]
    readings = [{"start": start, "end": end, "kwh": 1} for start, end in spans]
    readings[1]["start"] = fine
    pages = made(json.dumps({**held(), "readings": readings}), [])
    starts = [row.interval_start for page in pages for row in page]
    assert [start.microsecond for start in starts] == [0, 999_999, 0]
    assert [start.second for start in starts] == [0, 0, 0]


@pytest.mark.parametrize(
    ("odd", "rows_one_by_one"),
    [(None, 0), ('{"kwh": null}', 16), ('{"kwh": "1"}', 16), ('{"kwh": 1e9}', 16)],
)
def test_an_odd_reading_takes_few_neighbours_with_it(
    odd: str | None, rows_one_by_one: int
) -> None:
    readings = [
        {"start": quarter(n), "end": quarter(n + 1), "kwh": 0.5} for n in range(80)
    ]
    if odd:
        readings[40] |= json.loads(odd, parse_float=Decimal)
    found = {**held(), "readings": readings}
    pages = made(ENCODER.encode(found).decode(), [])
    plainly = [page for page in pages if not isinstance(page, RowBlock)]
    assert sum(map(len, plainly)) == rows_one_by_one
    assert sum(map(len, pages)) == 80


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (2, 1, 0), (1, 0, 2)])
def test_datapoints_that_change_places_keep_their_values(
    order: tuple[int, ...],
) -> None:
    kinds = ["net", "fwd", "rev"]
    points = [{"type": t, "unit": "kwh", "value": n} for n, t in enumerate(kinds)]
    times = [{"start": quarter(n), "end": quarter(n + 1)} for n in range(4)]
    readings = [{**span, "datapoints": points} for span in times]
    readings[2]["datapoints"] = [points[place] for place in order]
    pages = made(json.dumps({**held(), "readings": readings}), [])
    all_rows = [row for page in pages for row in page]
    found = [(row.channel, ENCODER.encode(row.quantity)) for row in all_rows]
    expected = [(f"{kind}/kWh", b"%d" % n) for n, kind in enumerate(kinds)]
    assert sorted(found) == sorted(expected * 4)


def one(reading: dict[str, Any]) -> dict[str, Any]:
    times = {"start": quarter(0), "end": quarter(1)}
    found = {**held(), "readings": [{**times, **reading}]}
    ((row,),) = made(ENCODER.encode(found).decode(), [])
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

"""What becomes of readings that no one should ever send; their neighbours are whole."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tests.providers.utilityapi.serving import (
    END,
    START,
    day_of,
    held,
    page,
    quarter,
    reading,
    synced,
    synced_text,
)

GOOD = ("2026-05-27T12:00:00Z", Decimal("0.5"))


def good() -> Any:
    return reading(0.5, END, "2026-05-27T08:15:00.000000-04:00")


@pytest.mark.parametrize(
    ("sent", "quantity", "kept"),
    [
        ("null", None, None),
        ('""', None, None),
        ('"1,234.5"', None, "1,234.5"),
        ("true", None, "true"),
        ("[1]", None, "[1]"),
        ("NaN", None, "NaN"),
        ("Infinity", None, "Infinity"),
        ("1e999", None, "1e999"),
        ("-1e-999", None, "-1e-999"),
        ('"412.50"', Decimal("412.50"), None),
        ('" 7 "', Decimal(7), None),
        ("0.10", Decimal("0.10"), None),
        ("-0", Decimal(0), None),
        ("1.5e3", Decimal(1500), None),
        (
            "123456789012345678901234567890",
            Decimal(123456789012345678901234567890),
            None,
        ),
        ("0.1234567890123456789", Decimal("0.1234567890123456789"), None),
    ],
)
def test_a_value_costs_only_itself(
    sent: str, quantity: Decimal | None, kept: str | None
) -> None:
    bad = json.dumps(reading("VALUE")).replace('"VALUE"', sent)
    result = synced_text(page(held(good(), "BAD")).replace('"BAD"', bad))
    (row, neighbour) = (r for r in result.rows if r["channel"] == "net/kWh")
    assert row["quantity"] == quantity
    assert (row["unreadable"] or {}).get("quantity") == kept
    is_read = kept is None and sent not in {"null", '""'}
    assert row["unit_normalized"] == ("kWh" if is_read else None)
    assert (neighbour["interval_start"], neighbour["quantity"]) == GOOD
    assert bool(result.warned("could not be read")) == (kept is not None)


def test_digits_are_kept_as_they_were_sent() -> None:
    text = page(held(reading("VALUE"))).replace('"VALUE"', "0.10")
    (line,) = [
        m for m in synced_text(text).run.lines if '"stream":"intervals","re' in m
    ]
    assert '"quantity":0.10,' in line
    assert '"quantity_normalized":0.10,' in line


@pytest.mark.parametrize(
    "times",
    [
        {"start": None},
        {"start": "2026-05-27T07:45:00"},
        {"start": "yesterday"},
        {"end": ""},
        {"end": 5},
        {"end": "9999-12-31T23:59:59.000000-05:00"},
        {"start": "0001-01-01T00:00:00.000000+05:00"},
    ],
)
def test_a_reading_without_a_time_fails_its_meter_and_costs_no_other_reading(
    times: Any,
) -> None:
    result = synced(held(good(), reading(**times)))
    assert result.of("interval_start", "quantity") == [GOOD]
    assert result.bookmark is None
    assert "1 readings without readable times" in result.failure


def test_the_times_that_cannot_be_read_are_told_as_they_were_sent() -> None:
    result = synced(held(reading(start="27/05/2026 07:45", end=None)))
    assert "start=27/05/2026 07:45 end=null" in result.failure


def test_times_without_a_zone_fail_their_meter_and_name_the_setting() -> None:
    result = synced(held(reading(start="2026-05-27T07:45:00", end="2026-05-27T08:00")))
    assert "set utilityapi_default_time_zone" in result.failure


def test_a_reading_dated_far_ahead_is_kept_and_poisons_no_bookmark() -> None:
    late = reading(9, "2099-01-01T00:00:00+00:00", "2099-01-01T00:15:00+00:00")
    result = synced(held(late, good()))
    assert result.of("interval_start", "quantity") == [
        GOOD,
        ("2099-01-01T00:00:00Z", Decimal(9)),
    ]
    assert result.bookmark
    assert result.bookmark["replication_key_value"] == "2026-05-27T12:00:00Z"


def test_a_reading_dated_long_ago_does_no_harm() -> None:
    old = reading(9, "0001-01-02T00:00:00+00:00", "0001-01-02T00:15:00+00:00")
    result = synced(held(old))
    assert result.of("interval_start") == [("0001-01-02T00:00:00Z",)]
    assert result.bookmark


def test_readings_in_any_order_come_out_in_theirs() -> None:
    mixed = [reading(n, quarter(n), quarter(n + 1)) for n in (3, 9, 1, 7, 2)]
    assert [v for (v,) in synced(held(*mixed)).of("quantity")] == [1, 2, 3, 7, 9]


def test_a_reading_listed_twice_in_one_object_is_one_row() -> None:
    result = synced(held(good(), reading(), reading()))
    assert [v for (v,) in result.of("quantity")] == [Decimal("0.5"), Decimal("0.5")]
    assert result.warned("listed twice") == 1


def test_of_a_value_and_null_for_one_stretch_the_value_is_kept() -> None:
    for pair in ((reading(None), reading(3)), (reading(3), reading(None))):
        assert synced(held(*pair)).of("channel", "quantity") == [("net/kWh", 3)]


def test_two_values_for_one_stretch_in_one_object_are_two_readings() -> None:
    # The hour of the autumn change, sent twice with the same offset.
    result = synced(held(good(), reading(2), reading(1)))
    assert result.of("channel", "quantity") == [
        ("net/kWh", 2),
        ("net/kWh#2", 1),
        ("net/kWh", Decimal("0.5")),
    ]
    assert result.warned("second got #2") == 1


def test_registers_sent_as_readings_of_their_own_are_all_kept() -> None:
    fwd = reading(3, kwh=None, datapoints=[{"type": "fwd", "unit": "kwh", "value": 3}])
    result = synced(held(reading(1), fwd))
    assert result.of("channel", "quantity") == [("net/kWh", 1), ("fwd/kWh", 3)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_a_reading_in_two_objects_the_newer_word_counts(
    order: tuple[int, int],
) -> None:
    old = held(*day_of(range(8), 1), uid="a", updated="2026-05-26T00:00:00+00:00")
    new = held(*day_of(range(6, 20), 2), uid="b", updated="2026-05-27T00:00:00+00:00")
    both = [old, new]
    result = synced(*(both[n] for n in order))
    assert [v for (v,) in result.of("quantity")] == [1] * 6 + [2] * 14
    assert [v for (v,) in result.of("source_id")] == ["a"] * 6 + ["b"] * 14


def test_a_newer_object_takes_no_channel_away() -> None:
    fwd = {"type": "fwd", "unit": "kwh", "value": 7}
    rich = reading(1)
    rich["datapoints"].append(fwd)
    old = held(rich, uid="a", updated="2026-05-26T00:00:00+00:00")
    result = synced(old, held(reading(2), uid="b"))
    assert sorted(result.of("channel", "quantity")) == [("fwd/kWh", 7), ("net/kWh", 2)]


def test_an_object_without_a_date_of_its_own_yields_to_one_with() -> None:
    result = synced(held(reading(2)), held(reading(1), updated=None))
    assert result.of("quantity") == [(2,)]


def test_readings_of_other_lengths_over_the_same_time_are_kept_beside_each_other() -> (
    None
):
    hour = reading(4, quarter(0), quarter(4))
    result = synced(held(hour, *day_of(range(4), 1)), utilityapi_allow_mixed=True)
    assert sorted(result.of("interval_seconds", "quantity")) == [(900, 1)] * 4 + [
        (3600, 4)
    ]
    assert result.warned("readings overlap") == 1


@pytest.mark.parametrize("end", [START, "2026-05-27T07:30:00.000000-04:00"])
def test_a_reading_that_ends_before_it_begins_is_passed_on_as_it_is(end: str) -> None:
    result = synced(held(good(), reading(2, end=end)))
    assert result.of("interval_start", "quantity") == [
        ("2026-05-27T11:45:00Z", 2),
        GOOD,
    ]
    assert result.rows[0]["interval_seconds"] in {0, -900}
    assert result.warned("does not end after its start") == 1


def test_kwh_beside_datapoints_of_another_kind_is_a_channel_of_its_own() -> None:
    peak = reading(2, datapoints=[{"type": "max", "unit": "kw", "value": 8}])
    assert synced(held(peak)).of("channel", "quantity") == [
        ("max/kW", 8),
        ("usage/kWh", 2),
    ]


def test_kwh_between_fwd_and_rev_is_a_third_value() -> None:
    points = [
        {"type": "fwd", "unit": "kwh", "value": 5},
        {"type": "rev", "unit": "kwh", "value": 3},
    ]
    result = synced(held(reading(2, datapoints=points)))
    assert result.of("channel", "quantity") == [
        ("fwd/kWh", 5),
        ("rev/kWh", 3),
        ("usage/kWh", 2),
    ]


def test_kwh_that_repeats_its_datapoint_in_other_digits_is_no_channel() -> None:
    assert synced(held(reading(2.50) | {"kwh": "2.5"})).of("channel") == [("net/kWh",)]
    assert len(synced(held(reading(2.50) | {"kwh": 2.75})).rows) == 2


def test_no_datapoints_and_no_kwh_is_a_reading_without_a_quantity() -> None:
    result = synced(held({"start": START, "end": END}))
    assert result.of("channel", "quantity") == [("usage/kWh", None)]


def test_unknown_types_and_units_keep_their_words() -> None:
    points = [
        {"type": "flux", "unit": "jigowatts", "value": 1.21},
        {"type": "net", "unit": None, "value": 2},
        {"unit": "therms", "value": 3},
        {"type": "", "unit": "", "value": 4},
        {"type": 7, "unit": "kwh", "value": 5},
    ]
    result = synced(held(reading(None, datapoints=points)))
    columns = ("channel", "unit", "unit_raw", "measure", "unit_normalized", "flow")
    assert result.of(*columns) == [
        ("flux/jigowatts", "jigowatts", "jigowatts", "other", None, None),
        ("net/unknown", None, None, None, None, "net"),
        ("usage/therm", "therm", "therms", "energy", "kWh", None),
        ("usage/unknown", None, None, None, None, None),
        ("7/kWh", "kWh", "kwh", "energy", "kWh", None),
    ]


def test_alike_datapoints_are_told_apart_by_their_meter_numbers() -> None:
    points = [
        {"type": "net", "unit": "kwh", "value": 1, "meter_number": "A"},
        {"type": "net", "unit": "kWh", "value": 2, "meter_number": "B"},
        {"type": "net", "unit": "kw", "value": 3, "meter_number": "A"},
    ]
    result = synced(held(reading(None, datapoints=points)))
    assert result.of("channel", "quantity", "meter_number") == [
        ("net/kWh@A", 1, "A"),
        ("net/kWh@B", 2, "B"),
        ("net/kW", 3, "A"),
    ]
    assert not result.warnings


def test_alike_datapoints_that_nothing_tells_apart_are_numbered() -> None:
    points = [{"type": "net", "unit": "kwh", "value": n} for n in (1, 2, 3)]
    result = synced(held(reading(None, datapoints=points)))
    assert result.of("channel", "quantity") == [
        ("net/kWh", 1),
        ("net/kWh#2", 2),
        ("net/kWh#3", 3),
    ]
    assert result.warned("nothing tells apart") == 2


def test_an_object_without_a_meter_is_of_the_one_that_was_asked_for() -> None:
    result = synced(held(reading(), meter_uid=None), held(good(), meter_uid=58))
    assert [row["meter_key"] for row in result.rows] == ["58", "58"]


def test_an_object_of_another_meter_is_left_out_and_counted() -> None:
    result = synced(held(reading(), meter_uid="59"), held(good()))
    assert result.of("interval_start", "quantity") == [GOOD]
    assert result.warned("not asked for") == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"type": 5, "unit": "kwh", "value": 1},
        None,
        "x",
    ],
)
def test_one_odd_thing_among_a_thousand_good_ones_costs_nothing_else(odd: Any) -> None:
    readings = day_of(range(96 * 2), 1)
    readings[100]["datapoints"].append(odd)
    result = synced(held(*readings))
    net = [row for row in result.rows if row["channel"] == "net/kWh"]
    assert [row["quantity"] for row in net] == [1] * 192
    assert len({row["interval_start"] for row in net}) == 192


@pytest.mark.parametrize("part", ["base", "sources", "created", "updated", "uid"])
@pytest.mark.parametrize("odd", [None, 5, "x", [None], {"qualities": 5}])
def test_an_odd_part_of_an_object_costs_no_reading(part: str, odd: Any) -> None:
    result = synced(held(reading(1), good(), **{part: odd}))
    assert [v for (v,) in result.of("quantity")] == [1, Decimal("0.5")]


@pytest.mark.parametrize("odd", [None, 5, "x", [held()]])
def test_something_else_than_an_object_fails_its_meter(odd: Any) -> None:
    result = synced(odd, held(good()))
    assert result.of("interval_start", "quantity") == [GOOD]
    assert "that is no object" in result.failure


@pytest.mark.parametrize("odd", [{}, "x", 5])
def test_readings_that_are_no_list_fail_their_meter(odd: Any) -> None:
    result = synced(held(readings=odd), held(good()))
    assert result.of("interval_start", "quantity") == [GOOD]
    assert "that are no list" in result.failure


@pytest.mark.parametrize("odd", [None, 5, "x", []])
def test_an_odd_reading_fails_its_meter(odd: Any) -> None:
    result = synced(held(odd, good()))
    assert result.of("interval_start", "quantity") == [GOOD]
    assert "without readable times" in result.failure


def test_half_a_surrogate_and_broken_utf8_cost_no_reading() -> None:
    half = synced_text(page(held(good(), uid="UID")).replace("UID", "\\ud800"))
    assert half.of("interval_start", "quantity") == [GOOD]
    assert half.rows[0]["source_id"] == "\ufffd"


def test_nul_is_replaced_wherever_it_stands() -> None:
    base = {"meter_numbers": ["UID"], "qualities": []}
    text = page(held(good(), reading("UID"), uid="UID", base=base))
    result = synced_text(text.replace("UID", "a\\u0000b"))
    assert "\0" not in str(result.rows)
    assert {row["source_id"] for row in result.rows} == {"a\ufffdb"}
    assert {row["meter_number"] for row in result.rows} == {"a\ufffdb"}
    assert {str(row["unreadable"]) for row in result.rows} == {
        "None",
        "{'quantity': 'a\ufffdb'}",
    }


@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_value_is_absent(nothing: str) -> None:
    result = synced(held(reading(nothing)))
    assert result.of("quantity", "unreadable") == [(None, None)]
    assert not result.warnings


def test_qualities_are_told_only_when_there_is_one() -> None:
    def of(*words: str) -> tuple[Any, ...]:
        base = {"qualities": list(words), "meter_numbers": ["A", "B"]}
        (row,) = synced(held(good(), base=base)).of(
            "quality", "quality_raw", "meter_number"
        )
        return row

    assert of("ACTUAL") == ("actual", "ACTUAL", None)
    assert of("actual", "estimated") == (None, "actual,estimated", None)
    assert of("revenue") == (None, "revenue", None)
    assert of() == (None, None, None)


def naive(*texts: str) -> list[Any]:
    """Readings between these local times, newest first."""
    pairs = list(itertools.pairwise(texts))
    found = [reading(n, *pair) for n, pair in enumerate(pairs)]
    return found[::-1]


ZONE = {"utilityapi_default_time_zone": "America/New_York"}


def test_times_without_a_zone_are_of_the_zone_that_is_set() -> None:
    result = synced(held(*naive("2026-05-27T07:45:00", "2026-05-27 08:00:00")), **ZONE)
    assert result.of("interval_start", "utc_offset_seconds") == [
        ("2026-05-27T11:45:00Z", -14400)
    ]
    assert not result.run.failed


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_tells_both_hours_of_an_autumn_night_apart(turned: Any) -> None:
    times = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30"]
    readings = naive(*(f"2026-11-01T{time}:00" for time in times))
    result = synced(held(*(readings[::-1] if turned else readings)), **ZONE)
    assert result.of("interval_start", "quantity") == [
        (f"2026-11-01T{time}:00Z", n)
        for n, time in enumerate(["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"])
    ]
    assert set(result.of("interval_seconds")) == {(1800,)}


def test_a_spring_night_has_no_hole() -> None:
    times = ["01:30", "03:00", "03:30"]
    result = synced(held(*naive(*(f"2026-03-08T{time}:00" for time in times))), **ZONE)
    assert result.of("interval_start", "interval_seconds") == [
        ("2026-03-08T06:30:00Z", 1800),
        ("2026-03-08T07:00:00Z", 1800),
    ]


@pytest.mark.parametrize("name", ["Mars/Phobos", "../etc", "EST5EDT4"])
def test_a_zone_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ConfigValidationError, match="utilityapi_default_time_zone"):
        synced(held(good()), utilityapi_default_time_zone=name)


@pytest.mark.parametrize("odd", ["", "1,5"], ids=["strictly", "loosely"])
def test_fine_fractions_are_cut_whichever_way_a_block_is_read(odd: str) -> None:
    fine = reading(
        0.5, START.replace(".000000", ".1234567"), f"{END[:17]}59.9999999-04:00"
    )
    more = [reading(odd, END, "2026-05-27T08:15:00.000000-04:00")] if odd else []
    (row, *_) = sorted(synced(held(fine, *more)).rows, key=lambda r: r["interval_end"])
    assert row["interval_start"] == "2026-05-27T11:45:00.123456Z"
    assert row["interval_end"].endswith("59.999999Z")

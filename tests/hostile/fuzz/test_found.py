"""Inputs that once went wrong, and what must come of them now."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.fuzz.delivering import ENTRIES, Delivery, deliver, found, valid
from tests.hostile.fuzz.replaying import check

FOUND = [path for entry in ENTRIES for path in found(entry)]


def replayed(name: str) -> Delivery:
    path = next(p for p in FOUND if f"{p.parent.name}/{p.stem}" == name)
    return deliver(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("path", FOUND, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_what_went_wrong_once_ends_as_declared(path: Path) -> None:
    check(deliver(path.parent.name, path.read_bytes()))


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_valid_answers_are_delivered_whole(entry: str) -> None:
    delivery = deliver(entry, valid(entry))
    check(delivery)
    assert all(delivery.rows.values())
    assert delivery.is_healthy


def test_kwh_beside_a_datapoint_without_a_type_has_a_channel_of_its_own() -> None:
    rows = replayed("utilityapi_intervals/untyped_datapoint_beside_kwh").rows
    shown = [(row["channel"], row["quantity"]) for row in rows["intervals"]]
    assert shown == [("usage/kWh", None), ("usage/kWh#2", 1)]


def test_a_number_beyond_all_bounds_costs_only_itself() -> None:
    (row,) = replayed("utilityapi_meters/number_beyond_decimal").rows["meters"]
    assert row["meter_key"] == "101"
    assert row["bill_count"] is None
    assert row["unreadable"] == {"bill_count": "1e99999999999999999999"}


@pytest.mark.parametrize(
    "name", ["next_is_no_url", "next_is_an_anchor", "next_differs_by_a_line_break"]
)
def test_a_next_link_that_is_none_ends_with_a_sentence(name: str) -> None:
    delivery = replayed(f"utilityapi_meters/{name}")
    assert "sent a next link" in delivery.report.stopped["utilityapi"]


def test_an_odd_range_of_coverage_is_left_out_and_kept_as_sent() -> None:
    rows = replayed("utilityapi_meters/coverage_of_nothing").rows
    (row,) = rows["utilityapi_meters"]
    assert row["bill_coverage"] == []
    assert row["extra"] == {"bill_coverage.0": "101"}


def test_bytes_that_are_no_text_cost_only_themselves() -> None:
    rows = replayed("utilityapi_intervals/bytes_that_are_no_utf8").rows["intervals"]
    assert [(r["meter_key"], r["source_id"], r["quantity"]) for r in rows] == [
        ("101", "\ufffd", 1)
    ]
    rows = replayed("utilityapi_authorizations/surrogate_bytes").rows[
        "utilityapi_authorizations"
    ]
    assert rows[0]["utility"].strip("\ufffd") == ""


def test_what_is_nested_too_deeply_loses_no_reading_in_silence() -> None:
    delivery = replayed("utilityapi_intervals/deep_in_a_surrogate")
    assert delivery.report.sources("utilityapi")["101"].value == "failed"
    (row,) = replayed("nectar_intervals/deep_usage").rows["intervals"]
    assert row["quantity"] is None
    assert row["unreadable"]["quantity"].startswith("[[[")
    (row,) = replayed("nectar_intervals/deep_identifiers").rows["intervals"]
    assert (row["quantity"], row["identifiers"]) == (1, None)


def test_identifiers_of_all_kinds_are_objects_of_texts() -> None:
    (row,) = replayed("nectar_intervals/identifiers_of_all_kinds").rows["intervals"]
    assert row["identifiers"] == [{"name": "METER", "value": "12.0", "rawName": "{}"}]
    assert row["meter_key"] == "acc-1:12.0"


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("nectar_intervals/has_next_for_ever", "intervals"),
        ("nectar_connections/has_next_for_ever", "nectar_connections"),
        ("nectar_usage_data/has_next_for_ever", "usage"),
    ],
)
def test_a_next_page_for_ever_is_asked_for_a_few_times_only(
    name: str, stream: str
) -> None:
    delivery = replayed(name)
    assert len(delivery.rows[stream]) == 1
    assert len(delivery.asked) < 60


@pytest.mark.parametrize(
    "name",
    [
        "utilityapi_bills/time_of_use_of_numbers",
        "nectar_usage_data/time_of_use_of_numbers",
    ],
)
def test_a_breakdown_holds_objects_and_what_else_was_sent_is_noted(name: str) -> None:
    (row,) = replayed(name).rows["usage"]
    assert row["time_of_use_breakdown"] in (None, [{"a": 1}])
    assert row["unreadable"]["time_of_use_breakdown"].startswith("[1")


@pytest.mark.parametrize("name", ["total_of_nothing", "first_page_is_page_0"])
def test_an_envelope_that_denies_its_rows_loses_none_in_silence(name: str) -> None:
    delivery = replayed(f"nectar_intervals/{name}")
    (outcome,) = delivery.report.sources("nectar").values()
    assert outcome.value == "failed"


@pytest.mark.parametrize(
    "name",
    [
        "utilityapi_intervals/a_thousand_years",
        "utilityapi_intervals/a_thousand_years_of_a_datapoint",
        "nectar_intervals/a_thousand_years",
    ],
)
def test_a_reading_of_a_thousand_years_has_no_length_in_seconds(name: str) -> None:
    (row,) = replayed(name).rows["intervals"]
    assert (row["quantity"], row["interval_seconds"]) == (1, None)

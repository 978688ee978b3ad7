"""A listed meter as a row of `meters`, and what the tap remembers of it."""

from __future__ import annotations

from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    commodity,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    listed as listing,
)


def of(**item: Any) -> Any:
    return listing({"uid": "1", **item}, "2026-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("res-electric", "electricity"),
        ("comm-electric", "electricity"),
        ("electric", "electricity"),
        ("RES-GAS", "gas"),
        ("comm_water", "water"),
        ("comm water", "water"),
        ("heat", None),
        ("other", None),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_the_commodity_is_the_last_word_of_the_class(
    word: str | None, what: str | None
) -> None:
    found = commodity(word)
    assert (found.value if found else None) == what


SPAN = ["2026-01-01T00:00:00-05:00", "2026-02-01T00:00:00-05:00"]
LATER = ["2026-03-01T00:00:00-05:00", "2026-03-02T00:00:00-05:00"]


@pytest.mark.parametrize(
    ("sent", "shown", "unreadable"),
    [
        (None, None, None),
        ([], [], None),
        (
            [LATER, SPAN],
            [
                {"start": "2026-01-01T05:00:00Z", "end": "2026-02-01T05:00:00Z"},
                {"start": "2026-03-01T05:00:00Z", "end": "2026-03-02T05:00:00Z"},
            ],
            None,
        ),
        (
            [SPAN, ["soon", None]],
            [{"start": "2026-01-01T05:00:00Z", "end": "2026-02-01T05:00:00Z"}],
            {"interval_coverage": '["soon",null]'},
        ),
        ("2026", [], {"interval_coverage": "2026"}),
    ],
)
def test_coverage_is_a_list_of_objects_in_ascending_order(
    sent: Any, shown: Any, unreadable: Any
) -> None:
    record = of(interval_coverage=sent).record
    assert record.interval_coverage == shown
    assert record.unreadable == unreadable
    first = shown[0]["start"] if shown else None
    assert record.first_interval_start == first
    of_bills = of(bill_coverage=sent).record
    assert of_bills.bill_coverage == shown
    assert [*(of_bills.unreadable or {}).values()] == [*(unreadable or {}).values()]


@pytest.mark.parametrize(
    ("sent", "count", "unreadable"),
    [
        (240, 240, None),
        ("0240", 240, None),
        (0, 0, None),
        (None, None, None),
        ("", None, None),
        ("many", None, {"bill_count": "many"}),
        (True, None, {"bill_count": "true"}),
        (2**31, None, {"bill_count": "2147483648"}),
    ],
)
def test_a_count_is_a_number_or_absent(sent: Any, count: Any, unreadable: Any) -> None:
    found = of(bill_count=sent)
    assert found.meter.bill_count == found.record.bill_count == count
    assert found.record.unreadable == unreadable


@pytest.mark.parametrize(
    ("utility", "service", "key"),
    [
        ("PG&E", "00-12 34_5/6,a", "PG&E:123456A"),
        ("PG&E", "12\u00a034\u200956", "PG&E:123456"),
        ("PG&E", " \t", None),
        ("PG&E", "", None),
        ("PG&E", None, None),
        (None, "1", None),
    ],
)
def test_a_service_keeps_its_key_however_it_is_written(
    utility: str | None, service: str | None, key: str | None
) -> None:
    found = of(utility=utility, base={"service_identifier": service})
    assert found.record.service_point_key == key


@pytest.mark.parametrize("uid", [None, "", [], True])
def test_a_meter_without_a_uid_is_none(uid: Any) -> None:
    with pytest.raises(ValueError, match="without a uid"):
        of(uid=uid)

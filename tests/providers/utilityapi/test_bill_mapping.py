"""A bill as a usage entry: local dates, and quantities that were said."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tap_utility_intervals.providers.utilityapi.mapping.bills import local_date, usage
from tap_utility_intervals.providers.utilityapi.mapping.meters import listed as listing

PACIFIC = ZoneInfo("America/Los_Angeles")
DATES = {
    # UTC midnight, as every DEMO account has it
    "2020-02-29T16:00:00.000000-08:00": "2020-03-01",
    "2026-02-28T16:00:00.000000-08:00": "2026-03-01",
    "2026-03-31T17:00:00.000000-07:00": "2026-04-01",
    "2026-03-01T00:00:00Z": "2026-03-01",
    "2026-03-01T09:00:00+09:00": "2026-03-01",
    # local midnight, as the documentation has it
    "2015-01-07T00:00:00-08:00": "2015-01-07",
    "2026-07-07T00:00:00.000000-07:00": "2026-07-07",
    # neither
    "2026-02-28T23:59:59-08:00": "2026-02-28",
    "2026-02-28T16:00:01-08:00": "2026-02-28",
    "2026-02-28T17:00:00-08:00": "2026-02-28",
    # without a zone: the local one is meant
    "2026-02-28T16:00:00": "2026-02-28",
    "2026-02-28 00:00:00": "2026-02-28",
}


@pytest.mark.parametrize(("sent", "day"), DATES.items())
def test_the_local_date_of_a_bill(sent: str, day: str) -> None:
    assert local_date(sent) == day


@pytest.mark.parametrize("odd", ["2026-02-30", "soon", 5, None, "", [], True])
def test_what_is_no_date_has_none(odd: Any) -> None:
    assert local_date(odd) is None


def of(service_class: str | None = None, uid: Any = "b1", **base: Any) -> Any:
    listed = listing(
        {"uid": "1", "base": {"service_class": service_class}}, "now"
    ).meter
    return usage({"uid": uid, "base": base}, listed, "now")


@pytest.mark.parametrize(
    ("service_class", "base", "quantity", "unit"),
    [
        ("res-electric", {"bill_total_volume": 5, "bill_total_unit": "kwh"}, 5, "kWh"),
        (
            "res-electric",
            {"bill_total_volume": -5, "bill_total_unit": "kwh"},
            -5,
            "kWh",
        ),
        ("res-electric", {"bill_total_kwh": 7}, 7, "kWh"),
        ("res-electric", {"bill_total_kwh": 0}, 0, "kWh"),
        (None, {"bill_total_kwh": 7}, 7, "kWh"),
        (None, {"bill_total_kwh": "7.50"}, Decimal("7.50"), "kWh"),
        (None, {"bill_total_kwh": 7, "bill_total_unit": "kWh"}, 7, "kWh"),
        (None, {"bill_total_kwh": 7, "bill_total_unit": ""}, 7, "kWh"),
        (None, {"bill_total_kwh": 7, "bill_total_volume": ""}, 7, "kWh"),
        ("res-gas", {"bill_total_unit": "therms", "bill_total_kwh": 0}, None, "therm"),
        (None, {"bill_total_unit": "therms", "bill_total_kwh": 0}, None, "therm"),
        (
            "res-gas",
            {
                "bill_total_volume": None,
                "bill_total_unit": "therms",
                "bill_total_kwh": 0,
            },
            None,
            "therm",
        ),
        (None, {"bill_total_unit": "ccf", "bill_total_kwh": 12}, None, "CCF"),
        ("res-gas", {"bill_total_kwh": 0}, None, None),
        ("comm_water", {"bill_total_kwh": 0}, None, None),
        (None, {"bill_total_kwh": 0}, 0, "kWh"),
        (None, {"bill_total_kwh": ""}, None, None),
        (None, {"bill_total_kwh": None}, None, None),
        ("res-electric", {"bill_total_unit": "kwh"}, None, "kWh"),
    ],
)
def test_the_deprecated_kwh_counts_only_where_kwh_can_be_meant(
    service_class: str | None, base: dict[str, Any], quantity: Any, unit: str | None
) -> None:
    found = of(service_class, **base)
    assert (found.quantity, found.unit) == (quantity, unit)
    assert found.unreadable is None
    assert (found.quantity_normalized is None) == (quantity is None)


def test_an_unreadable_volume_is_not_replaced_by_the_deprecated_one() -> None:
    found = of(bill_total_volume="1,5", bill_total_unit="therms", bill_total_kwh=0)
    assert (found.quantity, found.unit) == (None, "therm")
    assert found.unreadable == {"quantity": "1,5"}


def test_a_bill_keeps_its_instants_beside_its_dates() -> None:
    found = of(
        bill_start_date="2026-02-28T16:00:00.000000-08:00",
        bill_end_date="2026-03-31",
    )
    assert (found.period_start_date, found.period_end_date) == (
        "2026-03-01",
        "2026-03-31",
    )
    assert (found.period_start_at, found.period_end_at) == (
        "2026-03-01T00:00:00Z",
        None,
    )


def test_times_without_a_zone_are_instants_where_the_zone_is_told() -> None:
    listed = listing({"uid": "1"}, "now").meter
    base = {"bill_start_date": "2026-02-01T00:00:00", "bill_end_date": "2026-03-01"}
    bill = {"uid": "b1", "base": base}
    for zone, instant in ((None, None), (PACIFIC, "2026-02-01T08:00:00Z")):
        found = usage(bill, listed, "now", zone)
        assert found.period_start_date == "2026-02-01"
        assert (found.period_start_at, found.period_end_at) == (instant, None)


@pytest.mark.parametrize("uid", [None, "", [], True])
def test_a_bill_without_a_uid_is_none(uid: Any) -> None:
    with pytest.raises(ValueError, match="without a uid"):
        of(uid=uid)


def test_an_odd_date_is_null_and_kept() -> None:
    found = of(bill_start_date="soon", bill_end_date="")
    assert (found.period_start_date, found.period_end_date) == (None, None)
    assert found.unreadable == {"period_start_date": "soon"}

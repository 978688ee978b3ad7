"""What real captures and production clients show unless said otherwise.

See utilityapi.md#known-oddities.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from tap_utility_intervals.sandbox import (
    Channel,
    UtilityMeter,
    World,
    bills_from,
    default_world,
    demo_world,
    solar,
    tiny_world,
    without_zeros,
)
from tests.sandbox.conftest import Client, Serve

NOW = datetime(2026, 1, 10, 12, tzinfo=timezone.utc)


def file(client: Client, name: str, **params: Any) -> list[dict[str, str]]:
    url = f"{client.sandbox.utilityapi_url}/files/{name}"
    assert client.get(url, **params).status_code == 202
    return list(csv.DictReader(io.StringIO(client.get(url, **params).text)))


def test_demo_bills_run_from_midnight_utc_written_in_local_time(serve: Serve) -> None:
    """Seen: §11.1. `2020-02-29T16:00:00.000000-08:00` is the paper's 1 March."""
    client = serve(demo_world())
    meter = client.walk_ua("meters")[0]["uid"]
    bills = client.walk_ua("bills", meters=meter, order="earliest_first")
    spans = [(b["base"]["bill_start_date"], b["base"]["bill_end_date"]) for b in bills]
    assert spans[-1] == (
        "2026-01-31T16:00:00.000000-08:00",
        "2026-02-28T16:00:00.000000-08:00",
    )
    summer = [start for start, _ in spans if start.endswith("-07:00")]
    assert all("T17:00:00" in start for start in summer)
    assert len(summer) > 8
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


def test_demo_line_items_are_of_other_years(serve: Serve) -> None:
    """Seen: §11.2. Names repeat, a tax has no volume, volumes may have 4 decimals."""
    client = serve(demo_world())
    meter = client.walk_ua("meters")[0]["uid"]
    (bill,) = client.ua("bills", meters=meter, limit=1)["bills"]
    items = bill["line_items"]
    assert {item["start"][:4] for item in items} == {"2013"}
    assert [item["name"] for item in items].count("Energy charge") == 2
    assert [item["volume"] for item in items if item["name"] == "Tax"] == [None]
    assert any(len(str(i["volume"]).partition(".")[2]) == 4 for i in items)


def test_demo_readings_are_of_2015(serve: Serve) -> None:
    """Seen: §11.3. 290 readings of 900 s, forward only; a modern start has none."""
    client = serve(demo_world())
    meter = client.walk_ua("meters")[0]["uid"]
    readings = client.readings(meters=meter)
    assert len(readings) == 290
    assert {r["start"][:4] for r in readings} == {"2015"}
    assert {p["type"] for r in readings for p in r["datapoints"]} == {"fwd"}
    assert client.readings(meters=meter, start="2024-01-01") == []
    assert len(client.walk_ua("meters")) == 5


def test_only_electric_meters_have_electric_details(tiny: Client) -> None:
    """Assumed from a client that demands a float: §11.13."""
    meters = {m["uid"]: m for m in tiny.walk_ua("meters")}
    assert meters["101"]["electric_details"]["voltage"] == 240.0
    assert "electric_details" in meters["101"]["blocks"]
    assert "electric_details" not in meters["102"]
    assert "electric_details" not in meters["102"]["blocks"]


def test_a_zero_may_be_no_datapoint_at_all(serve: Serve) -> None:
    """Assumed from Green Button: §11.4. Types change from reading to reading."""
    sunny = solar(0, "s", "2026-01-01", "2026-01-03", zone="America/New_York")
    kinds = tuple(
        Channel(kind, unit)
        for kind, unit in (
            ("net", "kwh"),
            ("max", "kw"),
            ("fwd", "kwh"),
            ("rev", "kwh"),
        )
    )
    meter = UtilityMeter("1", without_zeros(sunny, 3), channels=kinds)
    client = serve(World(NOW, [meter]))
    sets = {
        tuple(sorted(p["type"] for p in reading["datapoints"]))
        for reading in client.readings(meters="1")
    }
    assert sets == {("fwd", "max", "net"), ("fwd", "max", "net", "rev")}


def test_bills_end_at_local_midnight_in_summer_too(serve: Serve) -> None:
    """Documented: the docs' example has local midnight; §11.1."""
    client = serve(default_world(now="2017-09-01T12:00:00Z"))
    bills = client.walk_ua("bills", meters="2001003,2001004")
    ends = [bill["base"]["bill_end_date"] for bill in bills]
    assert all("T00:00:00" in end for end in ends)
    assert any(end.endswith("-04:00") for end in ends)
    assert any(end.endswith("-05:00") for end in ends)


def test_intervals_csv_has_a_row_for_every_reading(tiny: Client) -> None:
    """Seen in code: §6 and §11.12. Times are naive and local."""
    rows = file(tiny, "intervals_csv", meters="101")
    readings = sorted(tiny.readings(meters="101"), key=lambda r: r["start"])
    assert len(rows) == len(readings)
    assert rows[0]["interval_start"] == "10/24/2025 20:00"
    assert rows[0]["interval_timezone"] == "America/New_York"
    assert {"utility_billing_account", "fwd_kWh", "net_kWh", "rev_kWh"} <= set(rows[0])
    assert [Decimal(r["net_kWh"]) for r in rows[:3]] == [
        Decimal(str(r["kwh"])) for r in readings[:3]
    ]
    autumn = [r["interval_start"] for r in rows if " 1:30" in r["interval_start"]]
    assert autumn.count("11/2/2025 1:30") == 2


def test_bills_csv_has_a_row_for_every_bill(tiny: Client) -> None:
    """Seen in code: §6."""
    rows = file(tiny, "meters_bills_csv", meters="101,102")
    bills = tiny.walk_ua("bills", meters="101,102")
    assert len(rows) == len(bills) == 4
    assert {row["bill_total_unit"] for row in rows} == {"kwh", "therms"}
    assert [row["bill_total_kWh"] for row in rows if row["meter_uid"] == "102"] == [
        "",
        "",
    ]
    assert rows[0]["bill_days"] == "3"
    url = f"{tiny.sandbox.utilityapi_url}/files/no_such_csv"
    assert tiny.get(url, meters="101").status_code == 404


def test_a_test_submitted_by_a_form_appears_and_can_be_collected(
    serve: Serve,
) -> None:
    """Documented: §3.8 quickstart; `created_free_collection` in code: §11.5."""
    client = serve(replace(tiny_world(), now=NOW))
    base = client.sandbox.utilityapi_url
    form = client.post(f"{base}/forms", {}).json()["uid"]
    wish = {"utility": "DEMO", "scenario": "commercial"}
    answered = client.post(f"{base}/forms/{form}/test-submit", wish)
    referral = answered.json()["referral"]
    (owner,) = client.walk_ua("authorizations", referrals=referral, include="meters")
    assert (owner["utility"], owner["is_test"]) == ("DEMO", True)
    uids = [m["uid"] for m in owner["meters"]["meters"]]
    assert len(uids) == 4
    assert client.readings(meters=uids[0]) == []
    url = f"{base}/meters/historical-collection"
    started = client.post(url, {"meters": uids}).json()
    assert started["created_free_collection"] is True
    while client.ua(f"meters/{uids[0]}")["status"] == "pending":
        pass
    assert len(client.readings(meters=uids[0])) == 290
    assert client.walk_ua("bills", meters=uids[0])


def test_a_test_with_another_utility_or_scenario_is_refused(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/forms/1/test-submit"
    for wish in ({"utility": "PG&E"}, {"utility": "DEMO", "scenario": "x"}):
        assert tiny.post(url, wish).status_code == 400


def test_the_list_of_meters_may_be_ahead_of_the_data(serve: Serve) -> None:
    """Assumed: documents promise no order in which lists and data change."""
    sunny = solar(0, "s", "2026-01-01", "2026-01-20", zone="America/New_York")
    edges = [int((NOW + timedelta(days=d)).timestamp()) for d in (-6, -5, -3)]
    bills = bills_from(sunny, edges, lag=0)
    kinds = tuple(Channel(n) for n in ("net", "max", "fwd", "rev"))
    client = serve(World(NOW, [UtilityMeter("1", sunny, channels=kinds, bills=bills)]))
    client.world.utilityapi_options.lead_seconds = 4 * 86_400
    meter = client.ua("meters/1")
    readings = client.readings(meters="1")
    assert meter["interval_count"] == len(readings) + 4 * 96
    assert max(r["end"] for r in readings) < meter["interval_coverage"][0][1]
    assert (meter["bill_count"], len(client.walk_ua("bills", meters="1"))) == (2, 1)
    client.world.utilityapi_options.lead_seconds = 0
    client.world.changed()
    assert meter["interval_count"] == len(client.readings(meters="1"))

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    HOUR,
    World,
    bench_world,
    default_world,
    epoch,
    tiny_world,
    truth,
)
from tests.sandbox.conftest import Client, Serve


@pytest.fixture(scope="module")
def world() -> World:
    return default_world()


def served_by_utilityapi(client: Client) -> Counter[Any]:
    return Counter(
        (
            item["meter_uid"],
            datetime.fromisoformat(reading["start"]),
            datetime.fromisoformat(reading["end"]),
            reading["start"][-6:],
            point["type"],
            point["unit"],
            Decimal(str(point["value"])),
            point.get("meter_number"),
        )
        for meter in client.walk_ua("meters")
        for item in client.walk_ua("intervals", meters=meter["uid"])
        for reading in item["readings"]
        for point in reading["datapoints"]
    )


def served_by_nectar(client: Client) -> Counter[Any]:
    return Counter(
        (
            connection["id"],
            row["account"],
            row["id"],
            datetime.fromisoformat(row["start"].replace("Z", "+00:00")),
            datetime.fromisoformat(row["end"].replace("Z", "+00:00")),
            row["usage"],
            row["usageUnits"],
            row["quality"],
        )
        for company in client.nectar("company")
        for connection in client.walk_nectar(
            f"connection/company/{company['id']}", "connections"
        )
        for row in client.walk_nectar(
            f"interval/connection/{connection['id']}", "intervals"
        )
    )


@pytest.mark.parametrize("days", [0, 1])
def test_what_is_served_is_the_truth(serve: Serve, days: int) -> None:
    client = serve(tiny_world())
    client.world.advance(days=days)
    assert served_by_utilityapi(client) == Counter(
        (
            offered.meter_id,
            offered.start,
            offered.end,
            offered.start.isoformat()[-6:],
            offered.type,
            offered.unit,
            Decimal(offered.value or 0),
            offered.meter_number,
        )
        for offered in truth.readings(client.world, "utilityapi")
    )
    assert served_by_nectar(client) == Counter(
        (
            offered.connection_id,
            offered.account_id,
            offered.interval_id,
            offered.start,
            offered.end,
            offered.value,
            offered.unit,
            offered.quality,
        )
        for offered in truth.readings(client.world, "nectar")
    )


def test_bills_served_are_the_truth(tiny: Client) -> None:
    offered = {bill.bill_id: bill for bill in truth.bills(tiny.world, "utilityapi")}
    served = tiny.walk_ua("bills", authorizations="1001")
    assert len(served) == len(offered)
    for bill in served:
        known = offered[bill["uid"]]
        assert bill["meter_uid"] == known.meter_id
        assert bill["base"]["bill_total_unit"] == known.unit
        assert datetime.fromisoformat(bill["updated"]) == known.updated
    told = {bill.usage_id: bill for bill in truth.bills(tiny.world, "nectar")}
    company = tiny.nectar("company")[0]["id"]
    rows = tiny.walk_nectar(f"usage/company/{company}", "usageData")
    assert {row["id"]: row["usage"] for row in rows} == {
        usage_id: bill.volume for usage_id, bill in told.items()
    }


def test_the_default_world_serves_its_counts(serve: Serve, world: World) -> None:
    client = serve(world)
    for meter in truth.meters(world, "utilityapi"):
        shown = client.ua(f"meters/{meter.meter_id}")
        assert shown["interval_count"] == meter.readings
        assert shown["bill_count"] == meter.bills
        served = client.readings(meters=meter.meter_id, limit=100)
        assert len(served) == meter.readings
    (company,) = client.nectar("company")
    total = 0
    for connection in client.walk_nectar(
        f"connection/company/{company['id']}", "connections"
    ):
        page = client.nectar(f"interval/connection/{connection['id']}")
        total += page["totalIntervals"]
    assert total == sum(meter.readings for meter in truth.meters(world, "nectar"))


def test_the_default_world_is_of_moderate_size_and_has_a_future(world: World) -> None:
    readings = sum(
        meter.readings
        for provider in ("utilityapi", "nectar")
        for meter in truth.meters(world, provider)
    )
    assert 60_000 <= readings <= 80_000
    later = default_world(now="2017-04-02T12:00:00Z")
    before, after = (
        {m.meter_id: m.readings for m in truth.meters(w, "utilityapi")}
        for w in (world, later)
    )
    grown = {
        uid: after[uid] - before[uid] for uid in before if after[uid] != before[uid]
    }
    # Of the solar home a quarter of an hour is withdrawn.
    assert grown == {"2001001": 24, "2001002": 24, "2001003": 95, "2001004": 36}


def test_bills_and_intervals_of_the_default_world_reconcile(world: World) -> None:
    kinds: dict[str, str | None] = {"utilityapi": "net", "nectar": None}
    for provider, kind in kinds.items():
        sums: dict[tuple[str, int], Decimal] = {}
        bills = list(truth.bills(world, provider))
        for reading in truth.readings(world, provider):
            if reading.type == kind and reading.value is not None:
                key = (reading.meter_id, epoch(reading.start))
                sums[key] = sums.get(key, Decimal(0)) + Decimal(reading.value)
        by_meter: dict[str, list[tuple[int, Decimal]]] = {}
        for (meter, start), value in sums.items():
            by_meter.setdefault(meter, []).append((start, value))
        assert len(bills) > 20
        for bill in bills:
            low, high = epoch(bill.start), epoch(bill.end)
            found = sum(v for at, v in by_meter[bill.meter_id] if low <= at < high)
            assert abs(found - Decimal(bill.volume or 0)) <= Decimal("0.15"), bill


def test_net_is_forward_less_reverse_exactly(world: World) -> None:
    by_reading: dict[object, dict[str, Decimal]] = {}
    for reading in truth.readings(world, "utilityapi"):
        if reading.meter_id == "2001003":
            flows = by_reading.setdefault(reading.start, {})
            flows[str(reading.type)] = Decimal(str(reading.value))
    assert len(by_reading) > 3_000
    assert all(f["net"] == f["fwd"] - f["rev"] for f in by_reading.values())
    assert any(f["net"] < 0 for f in by_reading.values())


def test_a_bench_world_shares_its_readings(serve: Serve) -> None:
    client = serve(bench_world(meters=30, days=2, minutes=60, connections=2))
    assert len(client.walk_ua("meters")) == 30
    first, last = (client.readings(meters=uid) for uid in ("3000000", "3000029"))
    assert [r["kwh"] for r in first] == [r["kwh"] for r in last]
    assert len(list(truth.readings(client.world, "nectar"))) == 2 * len(first)
    client.world.advance(days=1)
    assert len(client.readings(meters="3000000")) == len(first) + 24
    assert client.world.seconds - epoch(
        datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
    ) == (24 * HOUR)


def test_the_command_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "tap_utility_intervals.sandbox"]
    options = ["--port", "0", "--scenario", "tiny", "--today", "2026-03-21"]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        shown = ""
        assert process.stdout is not None
        while "Ctrl-C" not in shown:
            line = process.stdout.readline()
            assert line, shown
            shown += line
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "2026-03-21T12:00:00+00:00" in shown
    assert '"nectar_api_key": "sandbox-nectar-key"' in shown

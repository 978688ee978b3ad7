from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from requests import Response

from tap_utility_intervals.sandbox import (
    Authorization,
    UtilityMeter,
    World,
    bills_from,
    epoch,
    restated,
    synthetic,
)
from tests.sandbox.conftest import Client, Serve

NOW = datetime(2026, 1, 10, 12, tzinfo=timezone.utc)
SERIES = synthetic(0, "unit", "2025-10-01T05:00:00Z", "2026-02-20T05:00:00Z")
BILLS = bills_from(
    SERIES,
    [epoch(f"{month}-01T05:00:00Z") for month in ("2025-11", "2025-12", "2026-01")],
)


@pytest.fixture
def client(serve: Serve) -> Client:
    never: dict[str, Any] = {"collected": False, "monitoring": "off", "bills": BILLS}
    return serve(
        World(
            NOW,
            [
                UtilityMeter("1", SERIES, **never),
                UtilityMeter("2", SERIES, "expired", **never),
                UtilityMeter("3", SERIES, monitoring="off"),
                UtilityMeter("4", SERIES),
            ],
            authorizations=[Authorization("expired", expires=epoch(NOW) - 1)],
        )
    )


def collect(client: Client, body: Any) -> Response:
    return client.post(
        f"{client.sandbox.utilityapi_url}/meters/historical-collection", body
    )


def monitor(client: Client, body: Any) -> Response:
    return client.post(
        f"{client.sandbox.utilityapi_url}/meters/ongoing-monitoring", body
    )


def test_a_collection_is_pending_fills_up_and_ends(client: Client) -> None:
    """Facts §3.7 and §5.2: counts rise during `pending`."""
    assert client.ua("meters/1")["is_activated"] is False
    answer = collect(client, {"meters": ["1"], "collection_duration": 2})
    assert answer.json() == {"success": True, "meters": ["1"], "collection_duration": 2}
    seen = [client.ua("meters/1") for _ in range(5)]
    statuses = [meter["status"] for meter in seen]
    assert statuses == ["pending", "pending", "pending", "updated", "updated"]
    counts = [meter["interval_count"] for meter in seen]
    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[2] < counts[3] == counts[4]
    assert seen[-1]["bill_count"] == 1
    assert seen[-1]["interval_coverage"][0][0].startswith("2025-11-10")
    assert {event["type"] for event in client.walk_ua("events")} == {
        "meter_created",
        "meter_historical_collection_started",
        "meter_historical_collection_finished_successful",
    }


def test_a_collection_also_ends_when_time_passes(client: Client) -> None:
    collect(client, {"meters": ["1"]})
    assert client.ua("meters/1")["status"] == "pending"
    client.world.advance(seconds=900)
    assert client.walk_ua("meters", uids="1")[0]["status"] == "updated"


def test_collected_data_are_as_new_as_their_collection(client: Client) -> None:
    collect(client, {"meters": ["1"], "collection_duration": 1})
    client.world.advance(days=1)
    created = {item["created"][:10] for item in client.walk_ua("intervals", meters="1")}
    assert created == {"2026-01-10"}


def test_without_monitoring_nothing_new_appears(client: Client) -> None:
    """Facts §0.10."""
    before = {uid: len(client.readings(meters=uid)) for uid in ("3", "4")}
    client.world.advance(days=2)
    after = {uid: len(client.readings(meters=uid)) for uid in ("3", "4")}
    assert after["3"] == before["3"]
    assert after["4"] == before["4"] + 48


def test_monitoring_brings_what_comes_and_not_what_was(client: Client) -> None:
    """Facts §3.7."""
    answer = monitor(client, {"meters": ["1", "3"], "frequency": "daily"})
    assert answer.json()["meters"] == ["1", "3"]
    assert client.readings(meters="1") == []
    client.world.advance(days=2)
    assert 24 < len(client.readings(meters="1")) <= 48
    assert client.ua("meters/1")["ongoing_monitoring"]["frequency"] == "daily"
    monitor(client, {"meters": ["1"], "frequency": "off"})
    count = len(client.readings(meters="1"))
    client.world.advance(days=2)
    assert len(client.readings(meters="1")) == count


def test_meters_of_expired_authorizations_are_dropped_in_silence(
    client: Client,
) -> None:
    """Facts §3.7."""
    answer = collect(client, {"meters": ["1", "2"]})
    assert answer.json()["meters"] == ["1"]
    answer = collect(client, {"meters": ["2"]})
    assert (answer.status_code, answer.json()["error"]) == (400, "expired_or_revoked")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "required_param_missing"),
        ([], "invalid_param"),
        ({"meters": "1"}, "invalid_param"),
        ({"meters": [1]}, "invalid_param"),
        ({"meters": []}, "invalid_param"),
        ({"meters": ["1"], "collection_duration": 0}, "invalid_param"),
        ({"meters": ["1"], "collection_duration": 37}, "invalid_param"),
        ({"meters": ["1"], "collection_duration": True}, "invalid_param"),
    ],
)
def test_bad_bodies_are_refused(client: Client, body: Any, error: str) -> None:
    """Seed 002."""
    answer = collect(client, body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"meters": ["1"]}, "required_param_missing"),
        ({"meters": ["1"], "frequency": "hourly"}, "invalid_param"),
        (
            {"meters": ["1"], "frequency": "daily", "fixed_refresh_day": 3},
            "invalid_param",
        ),
    ],
)
def test_bad_monitoring_is_refused(client: Client, body: Any, error: str) -> None:
    answer = monitor(client, body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_401_402_and_404(client: Client) -> None:
    """Seed 002."""
    assert collect(client, {"meters": ["9"]}).status_code == 404
    client.world.utilityapi_options.balance = False
    assert collect(client, {"meters": ["1"]}).status_code == 402
    assert monitor(client, {"meters": ["1"], "frequency": "off"}).status_code == 200
    url = f"{client.sandbox.utilityapi_url}/meters/historical-collection"
    assert client.session.post(url, json={}, timeout=10).status_code == 401
    assert client.readings(meters="1") == []


def test_collecting_again_brings_restated_values(serve: Serve) -> None:
    first = SERIES.readings[0].start
    changed = restated(SERIES, [(first, epoch(NOW) + 60, ("9.990",))])
    client = serve(World(NOW, [UtilityMeter("1", changed, monitoring="off")]))
    client.world.advance(days=1)
    before = client.walk_ua("intervals", meters="1", limit=100)[-1]
    collect(client, {"meters": ["1"], "collection_duration": 12})
    client.world.advance(days=1)
    after = client.walk_ua("intervals", meters="1", limit=100)[-1]
    assert before["readings"][-1]["kwh"] != after["readings"][-1]["kwh"] == 9.99
    assert before["created"] == after["created"]
    assert before["updated"] < after["updated"]

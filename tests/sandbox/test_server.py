from __future__ import annotations

import gzip
import json
import threading
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from tap_utility_intervals.sandbox import Fault, Sandbox, tiny_world, truth
from tap_utility_intervals.sandbox.wire import (
    Piece,
    Verbatim,
    encode,
    gzipped,
    plain,
)
from tests.sandbox.conftest import Client, Serve


def control(
    client: Client, path: str, method: str = "GET", body: Any = None
) -> requests.Response:
    url = f"{client.sandbox.url}/_sandbox/{path}"
    return client.session.request(method, url, json=body, timeout=10)


def meters(client: Client) -> requests.Response:
    return client.get(f"{client.sandbox.utilityapi_url}/meters")


def test_numbers_keep_their_digits() -> None:
    shown = encode({"a": [Verbatim("0.10"), None, True, 'é"'], "b": ()})
    assert shown == '{"a":[0.10,null,true,"\\u00e9\\""],"b":[]}'


def test_gzip_is_made_of_pieces() -> None:
    chunks: list[Piece | bytes] = [
        b"[",
        Piece(b"one," * 1_000),
        b"2",
        Piece(b"three" * 9),
        b"]",
    ]
    assert gzip.decompress(gzipped(chunks)) == plain(chunks)


def test_answers_are_compressed_when_the_client_allows(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/intervals"
    squeezed = tiny.get(url, meters="101")
    tiny.session.headers["Accept-Encoding"] = "identity"
    clear = tiny.get(url, meters="101")
    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in clear.headers
    assert squeezed.content == clear.content


def test_connections_are_kept_open(tiny: Client) -> None:
    with tiny.get(f"{tiny.sandbox.nectar_url}/ping") as answer:
        assert answer.raw.version == 11
    assert "close" not in answer.headers.get("Connection", "")


def test_a_cached_answer_still_asks_for_the_credential(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/meters"
    assert tiny.get(url).status_code == tiny.get(url).status_code == 200
    assert tiny.session.get(url, timeout=10).status_code == 401


def test_requests_are_logged_with_their_query(tiny: Client) -> None:
    tiny.walk_ua("bills", meters="101,102")
    tiny.nectar("ping")
    first, second = tiny.sandbox.requests
    assert (first.order, first.method, first.status) == (0, "GET", 200)
    assert (first.path, first.query) == ("/api/v2/bills", {"meters": "101,102"})
    assert (first.provider, second.provider) == ("utilityapi", "nectar")
    shown = control(tiny, "requests").json()
    assert [entry["path"] for entry in shown["requests"]] == [
        "/api/v2/bills",
        "/v2.2/ping",
    ]
    control(tiny, "requests", "DELETE")
    assert tiny.sandbox.requests == []


def test_requests_in_flight_are_counted(serve: Serve) -> None:
    client = serve(tiny_world(), latency=0.05)
    url = f"{client.sandbox.nectar_url}/ping"
    headers = {"X-API-Key": client.sandbox.api_key}
    threads = [
        threading.Thread(
            target=lambda: requests.get(url, headers=headers, timeout=10).close()
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < client.sandbox.max_in_flight["nectar"] <= 4
    assert client.sandbox.max_in_flight["utilityapi"] == 0


def test_the_clock_is_moved_from_outside(tiny: Client) -> None:
    moved = control(tiny, "clock", "POST", {"advance_days": 1}).json()
    assert moved == {"now": "2026-03-21T12:00:00+00:00"}
    moved = control(tiny, "clock", "POST", {"now": "2026-03-25T00:00:00Z"}).json()
    assert control(tiny, "clock").json() == moved
    assert tiny.world.now.isoformat() == moved["now"]
    assert control(tiny, "clock", "POST", {}).status_code == 400


def test_truth_and_summary_are_told(tiny: Client) -> None:
    lines = control(tiny, "truth?provider=utilityapi").text.splitlines()
    readings = list(truth.readings(tiny.world, "utilityapi"))
    assert len(lines) == len(readings)
    first = json.loads(lines[0])
    assert first["start"] == readings[0].start.isoformat()
    assert first["value"] == readings[0].value
    bills = control(tiny, "truth?provider=nectar&what=bills").text.splitlines()
    assert len(bills) == 4
    summary = control(tiny, "summary").json()
    assert summary["utilityapi"]["datapoints"] == len(readings)
    assert summary["nectar"]["by_meter"][0]["account_number"] == "T-1"
    assert control(tiny, "truth?provider=x").status_code == 400
    assert control(tiny, "nothing").status_code == 404


def test_unknown_paths_are_404(tiny: Client) -> None:
    for path in ("", "v3/company", "api/v1/meters"):
        answer = tiny.get(f"{tiny.sandbox.url}/{path}")
        assert answer.status_code == 404


def test_head_sends_no_body(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/meters"
    headers = {"Authorization": f"Bearer {tiny.sandbox.token}"}
    answer = tiny.session.head(url, headers=headers, timeout=10)
    assert (answer.status_code, answer.content) == (405, b"")


def test_faults_strike_once_and_then_it_is_healthy(tiny: Client) -> None:
    rule = tiny.sandbox.faults.add(
        status=429, path="/meters$", headers={"Retry-After": "7"}
    )
    assert meters(tiny).headers["Retry-After"] == "7"
    assert meters(tiny).status_code == 200
    assert (rule.seen, rule.struck) == (2, 1)
    assert [entry.fault for entry in tiny.sandbox.requests] == ["status", None]


def test_faults_skip_and_storm(tiny: Client) -> None:
    tiny.sandbox.faults.add(Fault(status=500, skip=1, times=2, body="<h1>Oops</h1>"))
    answers = [meters(tiny) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 500, 500, 200]
    assert answers[1].headers["Content-Type"] == "text/html"


def test_retry_after_may_be_a_date_of_the_sandboxs_clock(tiny: Client) -> None:
    tiny.sandbox.faults.add(status=503, headers={"Retry-After": "now+30"})
    shown = parsedate_to_datetime(meters(tiny).headers["Retry-After"])
    assert (shown - tiny.world.now).total_seconds() == 30


def test_faults_choose_provider_method_and_query(tiny: Client) -> None:
    tiny.sandbox.faults.add(provider="nectar", times=None)
    tiny.sandbox.faults.add(method="POST", times=None)
    tiny.sandbox.faults.add(query="after=", times=None)
    assert meters(tiny).status_code == 200
    assert tiny.get(f"{tiny.sandbox.nectar_url}/ping").status_code == 503
    tiny.sandbox.faults.clear()
    assert tiny.get(f"{tiny.sandbox.nectar_url}/ping").status_code == 200


@pytest.mark.parametrize("kind", ["reset", "reset_in_body"])
def test_connections_are_reset(tiny: Client, kind: str) -> None:
    tiny.sandbox.faults.add(kind=kind)
    with pytest.raises(requests.RequestException):
        meters(tiny)
    assert meters(tiny).status_code == 200


def test_bodies_are_truncated_garbled_or_flooded(tiny: Client) -> None:
    tiny.sandbox.faults.add(kind="truncate")
    with pytest.raises(requests.JSONDecodeError):
        meters(tiny).json()
    tiny.sandbox.faults.add(kind="garbage")
    with pytest.raises(requests.exceptions.ContentDecodingError):
        meters(tiny)
    tiny.sandbox.faults.add(kind="flood", size=100_000)
    assert len(meters(tiny).content) == 100_000


def test_a_slow_answer_is_slow_but_does_not_hold_up_the_end() -> None:
    with Sandbox(tiny_world()) as sandbox:
        sandbox.faults.add(kind="slow", seconds=30)
        with pytest.raises(requests.Timeout), requests.Session() as session:
            session.get(f"{sandbox.nectar_url}/ping", timeout=0.05)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


def test_the_clock_may_move_under_a_request(tiny: Client) -> None:
    tiny.sandbox.faults.add(kind="advance", seconds=86_400)
    before = tiny.world.now
    assert meters(tiny).status_code == 200
    assert (tiny.world.now - before).days == 1


def test_only_what_is_too_wide_fails(tiny: Client) -> None:
    """Facts §1.4: 504 of UtilityAPI, 502 of Nectar."""
    tiny.sandbox.faults.add(status=504, path="/intervals", min_days=7, times=None)
    tiny.sandbox.faults.add(status=504, path="/intervals", min_meters=1, times=None)
    tiny.sandbox.faults.add(status=502, path="/interval/", min_days=7, times=None)
    url = f"{tiny.sandbox.utilityapi_url}/intervals"
    spans = [{}, {"start": "2026-03-10"}, {"start": "2026-03-15"}]
    seen = [tiny.get(url, meters="101", **span).status_code for span in spans]
    assert seen == [504, 504, 200]
    two = tiny.get(url, meters="101,102", start="2026-03-15")
    assert two.status_code == 504
    connection = tiny.world.nectar[0].connections[0].id
    url = f"{tiny.sandbox.nectar_url}/interval/connection/{connection}"
    dates = {"startDate": "2026-03-01T00:00:00Z", "endDate": "2026-03-02T00:00:00Z"}
    assert [tiny.get(url).status_code, tiny.get(url, **dates).status_code] == [502, 200]


def test_chance_is_seeded() -> None:
    def outcome() -> list[int]:
        with Sandbox(tiny_world()) as sandbox, requests.Session() as session:
            sandbox.faults.add(probability=0.5, times=None)
            headers = {"X-API-Key": sandbox.api_key}
            url = f"{sandbox.nectar_url}/ping"
            return [
                session.get(url, headers=headers, timeout=10).status_code
                for _ in range(12)
            ]

    first = outcome()
    assert first == outcome()
    assert set(first) == {200, 503}


def test_faults_are_set_from_outside(tiny: Client) -> None:
    rule = {"status": 500, "path": "/meters$"}
    shown = control(tiny, "faults", "POST", rule).json()
    assert shown["faults"][0]["status"] == 500
    assert meters(tiny).status_code == 500
    assert control(tiny, "faults").json()["faults"][0]["struck"] == 1
    control(tiny, "faults", "DELETE")
    assert control(tiny, "faults").json() == {"faults": []}
    assert control(tiny, "faults", "POST", {"stauts": 500}).status_code == 400

"""Servers that ignore, cap, withhold, reorder or never end: on demand."""

from __future__ import annotations

import re
import shlex
import socket
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_args

import pytest
import requests

from tap_utility_intervals.sandbox import Sandbox, restated, solar, tiny_world
from tap_utility_intervals.sandbox.__main__ import MORE
from tap_utility_intervals.sandbox.faults import Kind
from tests.sandbox.conftest import Client, Serve
from tests.sandbox.test_server import control

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
SPAN = {"start": "2026-03-18T00:00:00Z", "end": "2026-03-19T00:00:00Z"}


def connection(client: Client) -> str:
    return f"interval/connection/{client.world.nectar[0].connections[0].id}"


def test_what_cannot_be_set_is_refused_in_one_sentence(tiny: Client) -> None:
    before = tiny.world.now
    wrong: dict[str, tuple[Any, ...]] = {
        "faults": (
            *({"kind": "magic"}, {"path": "("}, {"stauts": 500}, {"status": "x"}),
            *({"status": 99}, {"times": "a"}, {"times": -1}, {"every": 0}, 7, "x"),
            *({"headers": 3}, {"headers": {"a": 1}}, {"parameters": "start"}),
            *({"probability": None}, {"min_days": "x"}, {"members": [1]}),
            [{"status": 500}, {"status": True}],
        ),
        "clock": (
            *({"advance_days": "x"}, {"advance_days": 1e12}, {"days": 1}, [], "x"),
            *({"now": "soon"}, {"now": 5}, {"now": "0001-01-01T00:00:00+05:00"}),
        ),
        "options": ([], {"x": {}}, {"nectar": {"y": 1}}, {"nectar": {"page_size": ""}}),
    }
    for name, wishes in wrong.items():
        for wish in wishes:
            refused = control(tiny, name, "POST", wish)
            assert refused.status_code == 400, (name, wish)
            assert "\n" not in refused.json()["error"]
    assert list(tiny.sandbox.faults) == []
    assert tiny.world.now == before
    assert "advance_days" in control(tiny, "clock", "POST", {"days": 1}).json()["error"]


@pytest.mark.parametrize(
    "text", [MORE, COMMANDS.read_text(encoding="utf-8")], ids=["help", "page"]
)
def test_the_commands_shown_move_the_clock_break_and_mend(
    tiny: Client, text: str
) -> None:
    """As a shell would run them, in their order; other ones follow in the page."""
    lines = text.replace("\\\n", " ").splitlines()
    shown = [shlex.split(line) for line in lines if line.strip().startswith("curl ")]
    assert {len(words) for words in shown} == {4}
    clock, fault, mended, *more = shown
    before = tiny.world.now
    run(tiny, clock)
    assert tiny.world.now == before + timedelta(days=1)
    run(tiny, fault)
    url = f"{tiny.sandbox.utilityapi_url}/intervals"
    assert tiny.get(url, meters="101").status_code == 503
    run(tiny, mended)
    assert tiny.get(url, meters="101").status_code == 200
    for words in more:
        run(tiny, words)


def run(client: Client, words: list[str]) -> None:
    """What `curl --json BODY URL` and `curl -X METHOD URL` send."""
    _, option, value, url = words
    body = value if option == "--json" else None
    method = "POST" if body else value
    sent = requests.request(
        method,
        url.replace("http://127.0.0.1:8765", client.sandbox.url),
        data=body,
        headers={"Content-Type": "application/json"} if body else {},
        timeout=10,
    )
    assert sent.status_code == 200, sent.text


@pytest.mark.parametrize(
    ("path", "sent", "unknown"),
    [
        ("intervals", {"meters": "101", "start": "2026-03-19T00:00:00Z"}, "start"),
        ("intervals", {"meters": "101", "end": "2026-03-09T00:00:00Z"}, "end"),
        ("intervals", {"meters": "101"}, "meters"),
        ("intervals", {"authorizations": "nobody"}, "authorizations"),
        ("intervals", {"meters": "101", "order": "earliest_first"}, "order"),
        ("intervals", {"meters": "101", "limit": "1"}, "limit"),
        ("meters", {"uids": "102"}, "uids"),
        ("bills", {"meters": "101", "start": "2026-03-15T00:00:00Z"}, "start"),
    ],
)
def test_utilityapi_ignores_a_filter(
    tiny: Client, path: str, sent: dict[str, str], unknown: str
) -> None:
    """Assumed: nothing says what a server does that does not know a parameter."""
    healthy = tiny.ua(path, **sent)
    tiny.sandbox.faults.add(kind="ignore", parameters=[unknown], times=None)
    ignoring = tiny.ua(path, **sent)
    assert ignoring[path] != healthy[path]
    assert len(ignoring[path]) >= len(healthy[path])
    if ignoring["next"]:
        assert f"{unknown}=" in ignoring["next"]


@pytest.mark.parametrize(
    ("sent", "unknown"),
    [
        ({"startDate": "2026-03-19T00:00:00Z"}, "startDate"),
        ({"endDate": "2026-03-09T00:00:00Z"}, "endDate"),
        ({"datasourceType": "GAS"}, "datasourceType"),
        ({"page": 2}, "page"),
    ],
)
def test_nectar_ignores_a_filter(
    tiny: Client, sent: dict[str, Any], unknown: str
) -> None:
    """Assumed, as above; without `page` the same page comes for ever."""
    healthy = tiny.nectar(connection(tiny), **sent)
    tiny.sandbox.faults.add(kind="ignore", parameters=[unknown], times=None)
    ignoring = tiny.nectar(connection(tiny), **sent)
    assert ignoring == tiny.nectar(connection(tiny))
    assert ignoring != healthy


def test_nectar_ignores_the_kind_of_date(tiny: Client) -> None:
    """Assumed: `dateType` unread means BILL_DATE, its default.

    See nectar.md#filters-of-bills.
    """
    path = f"document/company/{tiny.world.nectar[0].id}"
    sent = {"dateType": "UPDATED_DATE", "startDate": "2026-03-20"}
    before = tiny.nectar(path, **sent)["totalDocuments"]
    tiny.sandbox.faults.add(kind="ignore", parameters=["dateType"])
    unread = tiny.nectar(path, **sent)["totalDocuments"]
    default = tiny.nectar(path, startDate="2026-03-20")["totalDocuments"]
    assert unread == default
    assert before != unread


def test_utilityapi_ignores_mixed_lengths(serve: Serve) -> None:
    """Assumed."""
    world = tiny_world()
    days = ("2026-03-18T04:00:00Z", "2026-03-19T04:00:00Z")
    hourly = solar(0, "hours", *days, zone="America/New_York", minutes=60)
    meter = replace(world.utilityapi[0], mixed=hourly)
    world.utilityapi = [meter]
    client = serve(world)
    whole = client.readings(meters="101", allow_mixed="true")
    client.sandbox.faults.add(kind="ignore", parameters=["allow_mixed"], times=None)
    assert len(client.readings(meters="101", allow_mixed="true")) < len(whole)


def test_a_cursor_that_is_ignored_gives_the_same_blocks_for_ever(tiny: Client) -> None:
    """Assumed."""
    first = tiny.ua("intervals", meters="101", limit=1)
    tiny.sandbox.faults.add(kind="ignore", parameters=["after"], times=None)
    again = tiny.get(first["next"]).json()
    assert again["intervals"] == first["intervals"]
    assert again["next"] == first["next"]


def test_date_bounds_may_be_read_in_another_zone(tiny: Client) -> None:
    """Assumed: the documents say nothing of a zone that is ignored."""
    bounds = {"startDate": SPAN["start"], "endDate": SPAN["end"]}
    both = ["startDate", "endDate"]
    tiny.sandbox.faults.add(kind="shift", parameters=both, seconds=8 * 3_600)
    moved = tiny.nectar(connection(tiny), **bounds)["intervals"]
    assert min(r["start"] for r in moved) == "2026-03-18T08:00:00Z"
    assert max(r["end"] for r in moved) == "2026-03-19T08:00:00Z"


def test_totals_and_pages_are_capped(tiny: Client) -> None:
    """Assumed: search back ends count or serve no further than a limit."""
    whole = tiny.nectar(connection(tiny))
    tiny.world.nectar_options.most_counted = 150
    tiny.world.changed()
    capped = tiny.nectar(connection(tiny))
    assert (capped["totalIntervals"], capped["totalPages"]) == (
        150,
        whole["totalPages"],
    )
    tiny.world.nectar_options.most_pages = 2
    tiny.world.changed()
    rows = tiny.walk_nectar(connection(tiny), "intervals")
    assert len(rows) == 200
    last = tiny.nectar(connection(tiny), page=9)
    assert (last["currentPage"], last["hasNext"]) == (2, False)


@pytest.mark.parametrize("value", [None, 0, "many"])
def test_counts_are_what_one_likes(tiny: Client, value: object) -> None:
    """Assumed; required are they nowhere in the documents."""
    members = {"interval_count": value, "bill_count": value}
    lacking = ["interval_coverage"]
    tiny.sandbox.faults.add(
        kind="change", each="meters", members=members, lacking=lacking
    )
    for meter in tiny.ua("meters")["meters"]:
        assert meter["interval_count"] == meter["bill_count"] == value
        assert "interval_coverage" not in meter


def test_half_of_what_is_promised_is_withheld(tiny: Client) -> None:
    """Assumed."""
    promised = tiny.ua("meters/101")["interval_count"]
    tiny.sandbox.faults.add(kind="thin", each="intervals.readings", times=None)
    assert len(tiny.readings(meters="101")) * 2 == pytest.approx(promised, abs=9)
    tiny.sandbox.faults.clear()
    tiny.sandbox.faults.add(kind="thin", each="bills", every=2)
    assert len(tiny.ua("bills", meters="101")["bills"]) == 1
    tiny.sandbox.faults.add(kind="thin", each="intervals")
    page = tiny.nectar(connection(tiny))
    assert len(page["intervals"]) == 50
    assert page["totalIntervals"] > 50


@pytest.mark.parametrize("by", ["end", "created", "updated"])
def test_blocks_come_in_another_order(serve: Serve, by: str) -> None:
    """Assumed: the documents do not say by what Interval objects are ordered."""
    world = tiny_world()
    meter = world.utilityapi[0]
    first = meter.series.readings[0]
    late = int(datetime(2026, 3, 20, 11, tzinfo=timezone.utc).timestamp())
    series = restated(meter.series, [(first.start, late, first.values)])
    world.utilityapi = [replace(meter, series=series)]
    world.utilityapi_options.block_order = by  # type: ignore[assignment]
    client = serve(world)
    blocks = client.walk_ua("intervals", meters="101", order="earliest_first", limit=2)
    assert len({block["uid"] for block in blocks}) == len(blocks) > 3
    key = {"end": lambda b: b["readings"][0]["end"]}.get(by, lambda b: b[by])
    assert blocks == sorted(blocks, key=key)
    starts = [block["readings"][-1]["start"] for block in blocks]
    assert (starts == sorted(starts)) == (by != "updated")


TIMES = {
    "naive": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000",
    "hours": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d",
    "basic": r"\d{8}T\d{6}Z",
    "comma": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,000000[+-]\d\d:\d\d",
}


@pytest.mark.parametrize("form", TIMES)
def test_times_may_be_spelled_otherwise(tiny: Client, form: str) -> None:
    """Assumed: ISO 8601 is promised, and it allows all of these."""
    tiny.world.utilityapi_options.times = form  # type: ignore[assignment]
    tiny.world.nectar_options.times = form  # type: ignore[assignment]
    for row in (tiny.readings(meters="101")[0], tiny.nectar(connection(tiny))):
        one = row.get("intervals", [row])[0]
        assert re.fullmatch(TIMES[form], one["start"])
        assert re.fullmatch(TIMES[form], one["end"])
    (edge, *_), *_ = tiny.ua("meters/101")["interval_coverage"]
    assert ("+" in edge[10:] or "-" in edge[10:]) == (form != "naive")


def test_midnight_may_be_the_hour_24(tiny: Client) -> None:
    """Assumed: ISO 8601 allows it for the end of a day."""
    tiny.world.utilityapi_options.times = "midnight24"
    ends = [r["end"] for r in tiny.readings(meters="101")]
    starts = [r["start"] for r in tiny.readings(meters="101")]
    assert "2026-03-18T24:00:00-04:00" in ends
    assert not any("T00:00:00" in end for end in ends)
    assert "2026-03-19T00:00:00.000000-04:00" in starts


@pytest.mark.parametrize(
    ("form", "begins"),
    [
        ("scheme", "https://127.0.0.1:"),
        ("host", "http://LOCALHOST:"),
        ("path", "/api/v2/intervals?"),
        ("query", "?"),
    ],
)
def test_next_may_be_spelled_otherwise(tiny: Client, form: str, begins: str) -> None:
    """Assumed: the documents show a complete URL; utilityapi.md#lists."""
    tiny.world.utilityapi_options.next_link = form  # type: ignore[assignment]
    link = tiny.ua("intervals", meters="101", limit=1)["next"]
    assert link.startswith(begins)
    assert "after=" in link


def test_next_may_be_missing_at_the_end(tiny: Client) -> None:
    """Assumed: every real list seen has it; utilityapi.md#lists."""
    tiny.world.utilityapi_options.next_link = "missing"
    assert "next" not in tiny.ua("meters")
    assert tiny.ua("intervals", meters="101", limit=1)["next"]


def test_rows_may_arrive_at_any_request(tiny: Client) -> None:
    tiny.sandbox.faults.add(kind="advance", seconds=3_600, times=None)
    seen = [tiny.nectar(connection(tiny))["totalIntervals"] for _ in range(6)]
    assert seen[-1] > seen[0]


@pytest.mark.parametrize("headers_too", [False, True])
def test_a_body_drips_and_comes_whole(tiny: Client, *, headers_too: bool) -> None:
    healthy = tiny.nectar("company")
    tiny.sandbox.faults.add(
        kind="drip", seconds=0.01, size=100, headers_too=headers_too
    )
    begun = time.monotonic()
    assert tiny.nectar("company") == healthy
    assert time.monotonic() - begun > 0.02


def test_promises_never_end_and_a_mute_server_says_nothing() -> None:
    with Sandbox(tiny_world()) as sandbox:
        for kind in ("continue", "mute"):
            rule = sandbox.faults.add(kind=kind, seconds=0.01)
            with socket.create_connection(("127.0.0.1", sandbox.port)) as client:
                client.sendall(b"GET /v2.2/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                client.settimeout(0.3)
                if kind == "mute":
                    with pytest.raises(TimeoutError):
                        client.recv(1)
                else:
                    said = b"".join(client.recv(25) for _ in range(3))
                    assert said.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100")
            assert rule.struck == 1
        begun = time.monotonic()
    assert time.monotonic() - begun < 5


def test_one_meter_may_be_built_for_ever(tiny: Client) -> None:
    """Assumed of JSON lists, seen of files: 202 with Retry-After.

    See utilityapi.md#statuses.
    """
    tiny.sandbox.faults.add(
        status=202, query="meters=101", headers={"Retry-After": "1"}, times=None
    )
    url = f"{tiny.sandbox.utilityapi_url}/intervals"
    seen = [tiny.get(url, meters=uid).status_code for uid in ("101", "102", "101")]
    assert seen == [202, 200, 202]


def test_options_are_shown_and_set_from_outside(tiny: Client) -> None:
    shown = control(tiny, "options").json()
    assert shown["nectar"]["page_size"] == 100
    wish = {"nectar": {"page_size": 7}, "utilityapi": {"block_order": "updated"}}
    control(tiny, "options", "POST", wish)
    assert len(tiny.nectar(connection(tiny))["intervals"]) == 7
    assert tiny.world.utilityapi_options.block_order == "updated"
    assert control(tiny, "options").json()["nectar"]["page_size"] == 7


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Origin": "https://evil.example"},
        {"Content-Type": "application/json", "Origin": "null"},
        {"Content-Type": "application/json", "Host": "evil.example"},
    ],
)
def test_a_page_in_a_browser_changes_nothing(
    tiny: Client, headers: dict[str, str]
) -> None:
    url = f"{tiny.sandbox.url}/_sandbox/clock"
    before = tiny.world.now
    refused = requests.post(
        url, data='{"advance_days": 1}', headers=headers, timeout=10
    )
    assert (refused.status_code, tiny.world.now) == (403, before)
    assert set(refused.json()) == {"error"}


def test_the_page_of_commands_has_every_kind_of_fault() -> None:
    text = COMMANDS.read_text(encoding="utf-8")
    shown = text.partition("| kind | what happens |")[2].partition("\n\n")[0]
    kinds = {name for row in shown.splitlines() for name in words(row.split("|")[1:2])}
    assert kinds == set(get_args(Kind))


def words(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in re.findall("`([a-z_]+)`", cell)]

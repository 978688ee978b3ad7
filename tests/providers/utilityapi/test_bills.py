"""Bills: all of a meter that changed, whatever the neighbours do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.sandbox import (
    DAY,
    Sandbox,
    UtilityMeter,
    World,
    bills_from,
    epoch,
    synthetic,
    truth,
)
from tests.oracle import Row
from tests.syncing import Run, config, sync

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
UIDS = ("1", "2", "3")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(bill_world(*UIDS)) as up:
        yield up


def bill_world(*uids: str) -> World:
    """Meters with a bill every thirty days."""
    begin = epoch("2025-12-01T05:00:00Z")
    series = synthetic(
        0, "b", "2025-12-01T05:00:00Z", "2026-05-01T00:00:00Z", minutes=1440
    )
    bills = bills_from(series, [begin + n * 30 * DAY for n in range(6)])
    return World(NOW, [UtilityMeter(uid, series, bills=bills) for uid in uids])


def synced(sandbox: Sandbox, state: Row | None = None, **chosen: Any) -> Run:
    return sync(config(sandbox, "utilityapi", max_retries=0, **chosen), state)


def told(run: Run) -> dict[str, Any]:
    found = {row["usage_id"]: Decimal(row["quantity"]) for row in run.rows("usage")}
    assert len(found) == len(run.rows("usage"))
    return found


def offered(sandbox: Sandbox) -> dict[str, Any]:
    bills = truth.bills(sandbox.world, "utilityapi")
    return {bill.usage_id: Decimal(bill.volume or 0) for bill in bills}


def bookmarks(run: Run) -> dict[str, Row]:
    found = run.state["bookmarks"].get("usage", {}).get("partitions", [])
    return {entry["context"]["meter_key"]: entry for entry in found}


def test_every_bill_comes_once_and_again_only_after_a_change(sandbox: Sandbox) -> None:
    first = synced(sandbox)
    assert told(first) == offered(sandbox)
    assert told(synced(sandbox, first.state)) == {}
    sandbox.world.advance(days=30)
    assert told(synced(sandbox, first.state)) == offered(sandbox)


def test_that_there_is_no_bill_is_proof_too() -> None:
    """Of an account whose meters are collected without bills, none is asked for."""
    world = bill_world("1", "2")
    meters = [replace(meter, bills=[]) for meter in world.utilityapi]
    with Sandbox(replace(world, utilityapi=meters)) as sandbox:
        first = synced(sandbox)
        sandbox.forget_requests()
        second = synced(sandbox, first.state)
        assert not [one for one in sandbox.requests if "/bills" in one.path]
        # Counted after all, they are asked for.
        answering(sandbox, None, bill_count=1)
        sandbox.forget_requests()
        synced(sandbox, second.state)
        assert [one for one in sandbox.requests if "/bills" in one.path]


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_group_that_fails_is_asked_again_one_by_one(
    sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.add(path="/bills", min_meters=1, status=status, times=None)
    sandbox.faults.add(path="/bills", query="meters=2(&|$)", status=status, times=None)
    run = synced(sandbox)
    assert {row["meter_key"] for row in run.rows("usage")} == {"1", "3"}
    assert set(bookmarks(run)) == {"1", "3"}
    outcome = run.tap.report.sources("utilityapi")["2"]
    assert outcome is (Outcome.GONE if status == 404 else Outcome.FAILED)


def test_a_meter_whose_bills_are_missing_from_a_good_answer_is_asked_alone(
    sandbox: Sandbox,
) -> None:
    body = '{"bills": [], "next": null}'
    sandbox.faults.add(path="/bills", min_meters=1, status=200, body=body, times=None)
    assert told(synced(sandbox)) == offered(sandbox)


def test_an_incomplete_answer_gives_its_rows_and_keeps_the_bookmark(
    sandbox: Sandbox,
) -> None:
    bill = {"uid": "b1", "meter_uid": 1, "base": {"bill_total_volume": 5}}
    body = json.dumps({"bills": [bill], "next": None, "is_incomplete": True})
    sandbox.faults.add(path="/bills", status=200, body=body, times=None)
    run = synced(sandbox, utilityapi_meters=["1"])
    assert told(run) == {"b1": 5}
    assert bookmarks(run) == {}


def test_a_bill_that_names_no_meter_is_of_the_one_that_was_asked_for(
    sandbox: Sandbox,
) -> None:
    bills = [{"uid": "b1"}, {"uid": "b2", "meter_uid": "9"}]
    body = json.dumps({"bills": bills, "next": None})
    sandbox.faults.add(path="/bills", status=200, body=body, times=None)
    run = synced(sandbox, utilityapi_meters=["1"])
    assert [(r["usage_id"], r["meter_key"]) for r in run.rows("usage")] == [("b1", "1")]
    assert any("not asked for" in what for what in run.tap.report.warnings)


def test_the_bookmark_never_goes_back(sandbox: Sandbox) -> None:
    first = synced(sandbox)
    sandbox.world.advance(days=-20)
    second = synced(sandbox, first.state)
    assert bookmarks(second).keys() == bookmarks(first).keys() != set()
    for uid, entry in bookmarks(second).items():
        before = bookmarks(first)[uid]["replication_key_value"]
        assert entry["replication_key_value"] >= before


def answering(sandbox: Sandbox, number: int | None, **listed: Any) -> None:
    """Serve the first so many bills of meter 1, and list it otherwise from now on."""
    sandbox.faults.clear()
    if listed:
        meters = get(sandbox, "/meters?uids=1")["meters"]
        changed = [{**meter, **listed} for meter in meters]
        members = {"meters": changed}
        sandbox.faults.add(kind="change", path="/meters$", members=members, times=None)
    if number is not None:
        bills = get(sandbox, "/bills?meters=1&order=earliest_first")["bills"]
        body = json.dumps({"bills": bills[:number], "next": None})
        sandbox.faults.add(path="/bills", status=200, body=body, times=None)


def get(sandbox: Sandbox, path: str) -> Any:
    answer = requests.get(
        sandbox.utilityapi_url + path,
        headers={"Authorization": f"Bearer {sandbox.token}"},
        timeout=10,
    )
    return answer.json()


def asked(sandbox: Sandbox) -> int:
    return sum(request.path.endswith("/bills") for request in sandbox.requests)


def test_bills_that_are_promised_and_do_not_come_are_told_and_asked_again(
    sandbox: Sandbox,
) -> None:
    whole = offered(sandbox)
    answering(sandbox, 1)
    run = synced(sandbox, utilityapi_meters=["1"])
    assert len(told(run)) == 1 < len(whole)
    assert "lists 2 more bills than come" in failed(run)
    assert "listed" not in bookmarks(run)["1"]
    # Whoever takes the newest `listed_at` for current would lose those that are late.
    assert [row["listed_at"] for row in run.rows("usage")] == [None]
    again = synced(sandbox, run.state, utilityapi_meters=["1"])
    assert not failed(again)
    assert again.tap.report.notes
    answering(sandbox, None)
    later = synced(sandbox, run.state, utilityapi_meters=["1"])
    assert len(told(later)) == 3
    assert not failed(later)
    assert all(row["listed_at"] for row in later.rows("usage"))
    answering(sandbox, 1, bill_count=3, status_ts="2026-03-21T00:00:00+00:00")
    short = synced(sandbox, later.state, utilityapi_meters=["1"])
    assert [row["listed_at"] for row in short.rows("usage")] == [None]
    sandbox.faults.clear()
    assert told(synced(sandbox, later.state, utilityapi_meters=["1"])) == {}


def failed(run: Run) -> str:
    """Why meter 1 has failed, in a run with exit code 1; empty if it has not."""
    reason = run.tap.report.reasons.get(("utilityapi", "1"), "")
    return reason if run.failed else ""


def warned(run: Run) -> list[str]:
    return list(run.tap.report.warnings)


def test_of_several_meters_the_one_that_lacks_bills_is_asked_alone(
    sandbox: Sandbox,
) -> None:
    bills = get(sandbox, "/bills?meters=1,2,3")["bills"]
    body = json.dumps({"bills": bills[:-1], "next": None})
    sandbox.faults.add(path="/bills", min_meters=1, status=200, body=body, times=None)
    run = synced(sandbox)
    assert told(run) == offered(sandbox)
    assert not warned(run)


def test_coverage_without_its_bills_is_told_too(sandbox: Sandbox) -> None:
    answering(sandbox, 2, bill_count=2)
    run = synced(sandbox, utilityapi_meters=["1"])
    assert "lists 1 more bills" in failed(run)
    assert "listed" not in bookmarks(run)["1"]


def test_a_count_that_is_too_low_proves_nothing(sandbox: Sandbox) -> None:
    said = {
        "bill_count": 1,
        "bill_coverage": [["2025-12-01T00:00:00-05:00", "2026-01-28T00:00:00-05:00"]],
    }
    answering(sandbox, 2, **said)
    first = synced(sandbox, utilityapi_meters=["1"])
    assert not failed(first)
    # Capped, it does not move when a bill is added.
    answering(sandbox, None, **said)
    assert len(told(synced(sandbox, first.state, utilityapi_meters=["1"]))) == 3


ABSENT = [
    {"bill_count": None, "bill_coverage": None},
    {"bill_count": 0, "bill_coverage": []},
    {"bill_count": "many", "bill_coverage": "2026"},
    {"bill_count": None},
    {"bill_coverage": None},
    {"bill_coverage": [["soon", None]]},
    {"bill_count": True},
]


@pytest.mark.parametrize("listed", ABSENT)
def test_a_listing_that_says_nothing_readable_proves_nothing(
    sandbox: Sandbox, listed: dict[str, Any]
) -> None:
    chosen: dict[str, Any] = {"utilityapi_meters": ["1"]}
    answering(sandbox, 2, **listed)
    first = synced(sandbox, **chosen)
    answering(sandbox, None, **listed)
    assert len(told(synced(sandbox, first.state, **chosen))) == 3


def test_a_readable_listing_that_is_unchanged_costs_no_request(
    sandbox: Sandbox,
) -> None:
    first = synced(sandbox)
    before = asked(sandbox)
    synced(sandbox, first.state)
    assert asked(sandbox) == before


def test_a_pending_meter_may_lack_bills_without_a_word(sandbox: Sandbox) -> None:
    answering(sandbox, 1, status="pending")
    run = synced(sandbox, utilityapi_meters=["1"])
    assert not failed(run)
    assert not warned(run)
    assert "listed" not in bookmarks(run)["1"]


DEMO = {
    "uid": "b1",
    "meter_uid": "1",
    "base": {
        "bill_start_date": "2026-02-28T16:00:00.000000-08:00",
        "bill_end_date": "2026-03-31T17:00:00.000000-07:00",
        "bill_total_volume": 5,
        "bill_total_unit": "kwh",
    },
}


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ({"start_date": "2026-02-01", "end_date": "2026-03-01"}, 0),
        ({"start_date": "2026-02-01", "end_date": "2026-03-02"}, 1),
        ({"start_date": "2026-04-02"}, 0),
    ],
)
def test_a_bill_at_utc_midnight_has_the_dates_of_its_paper(
    sandbox: Sandbox, bounds: dict[str, Any], count: int
) -> None:
    body = json.dumps({"bills": [DEMO], "next": None})
    sandbox.faults.add(path="/bills", status=200, body=body, times=None)
    found = synced(sandbox, utilityapi_meters=["1"], **bounds).rows("usage")
    dates = [(row["period_start_date"], row["period_end_date"]) for row in found]
    assert dates == [("2026-03-01", "2026-04-01")] * count


COUNTS: dict[str, Callable[[int], Any]] = {
    "honest": lambda count: count,
    "null": lambda _: None,
    "zero": lambda _: 0,
    "odd": lambda _: "many",
    "low": lambda count: max(count - 1, 0),
    "high": lambda count: count + 2,
}

days = st.fixed_dictionaries(
    {
        "counts": st.sampled_from(sorted(COUNTS)),
        "covered": st.booleans(),
        "withheld": st.integers(0, 3),
        "later": st.integers(0, 35),
    }
)


@settings(derandomize=True, deadline=None, max_examples=12, phases=[Phase.generate])
@given(st.lists(days, min_size=1, max_size=4))
def test_whatever_is_listed_and_withheld_the_truth_comes_or_is_told(
    turns: list[dict[str, Any]],
) -> None:
    known: dict[str, Decimal] = {}
    state: Row | None = None
    with Sandbox(bill_world("1")) as sandbox:
        for turn in [*turns, None]:
            sandbox.faults.clear()
            if turn:
                sandbox.world.advance(days=turn["later"])
                listed = get(sandbox, "/meters")["meters"][0]
                more = {"bill_count": COUNTS[turn["counts"]](listed["bill_count"])}
                more |= {} if turn["covered"] else {"bill_coverage": None}
                answering(sandbox, listed["bill_count"] - turn["withheld"], **more)
            run = synced(sandbox, state)
            state = run.state
            known |= told(run)
            told_of = failed(run) or run.tap.report.notes
            says_all = turn and turn["counts"] in {"honest", "high"}
            assert known == offered(sandbox) or told_of or not says_all
        # A healthy day: a listing that says nothing has hidden nothing for good.
        assert known == offered(sandbox)

"""Servers that behave in ways that should not happen, and must not cost anything."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.providers.nectar.intervals.windows import Walk
from tap_utility_intervals.sandbox import Series, make_uuid
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    Shelf,
    connection,
    expected,
    hourly,
    intervals,
    kwh_meter,
    page_of,
    row_of,
    session,
    usage,
    world_of,
)
from tests.syncing import config, sync

WITHOUT_END = r"^(?!.*endDate)"


@pytest.mark.usefixtures("few_rows")
def test_many_rows_where_no_open_request_is_answered(serve: Serve) -> None:
    meters = [kwh_meter(name, hourly(name, 30)) for name in "abc"]
    world = world_of(connection("a", *meters))
    sandbox = serve(world)
    sandbox.faults.add(path="/interval/", status=502, times=None, min_days=9)
    result = intervals(sandbox, start_date="2026-02-20")
    assert result.values == expected(world, "2026-02-20T00:00:00Z")


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("days", [20, 100, 3000])
def test_the_past_is_found_where_only_requests_with_an_end_are_answered(
    serve: Serve, days: int
) -> None:
    series = Series(hourly("a", days).readings[:: 1 + days // 200])
    world = world_of(connection("a", kwh_meter("a", series)))
    sandbox, shelf = serve(world), Shelf()
    sandbox.faults.add(path="/interval/", query=WITHOUT_END, status=504, times=None)
    result = intervals(sandbox, shelf)
    assert result.values == expected(world)
    assert any("future" in warning for warning in result.report.warnings)
    assert "rows" not in shelf.only
    world.advance(days=1)
    again = intervals(sandbox, shelf, lookback_days=2)
    assert result.values | again.values == expected(world)
    assert len(again.values) <= 4 * 24


@pytest.mark.usefixtures("few_rows")
def test_totals_that_promise_more_than_comes_are_told_and_every_row_comes(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Walk.count

    def count(self: Walk, start: datetime | None) -> int:
        return honest(self, start) + (start is None or start.day % 2)

    monkeypatch.setattr(Walk, "count", count)
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    result = intervals(serve(world))
    assert result.values == expected(world)
    (error,) = result.lost
    assert "more intervals than it gives" in str(error)


def test_an_end_date_before_where_reading_would_begin(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf)
    (key,) = shelf.kept
    bookmark = {**shelf.kept[key], "resume": "2026-03-01T00:00:00Z"}
    for name in ("replication_key_value", "before", "rows"):
        del bookmark[name]
    shelf.kept[key] = dict(bookmark)
    result = intervals(sandbox, shelf, end_date="2026-02-20")
    assert (result.rows, result.finished) == ([], 1)
    assert shelf.kept[key] == bookmark


def test_a_row_without_a_readable_start_fails_its_source(serve: Serve) -> None:
    sandbox, shelf = serve(world_of(connection("a"))), Shelf()
    body = page_of(row_of(1), row_of(2, start='"?"'), row_of(3))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    for _ in range(2):
        result = intervals(sandbox, shelf, lookback_days=1)
        assert [row.source_id for row in result.rows] == ["i1", "i3"]
        (error,) = result.lost
        assert "such as ? to " in str(error)
        assert "replication_key_value" not in shelf.only


def envelope(total: int, *rows: Any) -> str:
    return json.dumps(
        {
            "totalUsageData": total,
            "totalMeters": total,
            "currentPage": 1,
            "hasNext": False,
            "usageData": rows,
            "meters": rows,
        }
    )


def test_usage_that_never_stands_still_is_lost(serve: Serve) -> None:
    sandbox, shelf = serve(world_of(connection("a"))), Shelf()
    body = envelope(9, {"id": "u"})
    sandbox.faults.add(path="/usage/", status=200, body=body, times=None)
    result = usage(sandbox, shelf)
    (error,) = result.lost
    assert isinstance(error, errors.BadAnswer)
    assert make_uuid("company") in str(error)
    assert len(result.rows) == 1
    assert shelf.kept == {}


def test_odd_usage_entries(serve: Serve) -> None:
    sandbox, shelf = serve(world_of(connection("a"))), Shelf()
    body = envelope(3, {"id": "u", "usage": "1,5"}, {"usage": "1"}, 7)
    sandbox.faults.add(path="/usage/", status=200, body=body, times=None)
    result = usage(sandbox, shelf)
    assert [row.usage_id for row in result.rows] == ["u"]
    assert sum(result.report.warnings.values()) == 1
    (error,) = result.lost
    assert "2 entries without an id" in str(error)
    assert shelf.kept == {}


def test_a_key_refused_while_usage_is_read(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    sandbox.faults.add(path="/usage/", status=401)
    with pytest.raises(errors.Unauthorized):
        usage(sandbox)


@pytest.mark.parametrize("path", ["/meter/", "/connection/"])
def test_a_key_refused_while_lists_are_read(serve: Serve, path: str) -> None:
    sandbox = serve(world_of(connection("a")))
    sandbox.faults.add(path=path, status=401)
    with pytest.raises(errors.Unauthorized):
        intervals(sandbox)


@pytest.mark.parametrize("status", [401, 500])
def test_single_meters_that_fail(serve: Serve, status: int) -> None:
    meter = kwh_meter("a", Series([]))
    sandbox = serve(world_of(connection("a", meter), meter_list=False))
    sandbox.faults.add(path=f"/meter/{meter.id}", status=status, times=None)
    opened, _ = session(sandbox)
    try:
        if status == 401:
            with pytest.raises(errors.Unauthorized):
                list(opened.meters())
        else:
            assert list(opened.meters()) == []
            outcomes = opened.run.report.sources("nectar")
            assert set(outcomes.values()) == {Outcome.FAILED}
    finally:
        opened.close()


def test_a_meter_list_that_never_stands_still(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    body = envelope(9, {"id": "m"})
    sandbox.faults.add(path="/meter/", status=200, body=body, times=None)
    opened, clock = session(sandbox)
    try:
        assert list(opened.meters()) == []
        assert clock.slept
        assert opened.run.report.failed
    finally:
        opened.close()


COMPANY = {"id": "co", "name": "Co", "sites": []}


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        ("/company", [{"id": ""}, COMPANY], "1 companies"),
        ("/connection/company/co", [{"id": None}], "1 connections"),
        ("/meter/company/co", [{"id": "m"}, {}, {"id": []}], "2 meters"),
        ("/meter/m-1", {"account": "a-1"}, "1 meters"),
    ],
)
def test_an_object_without_an_id_is_a_told_loss_and_its_neighbours_come(
    serve: Serve, path: str, answer: Any, told: str
) -> None:
    account = {"id": "a-1", "meters": ["m-1"]}
    answers: dict[str, Any] = {
        "/company": [COMPANY],
        "/connection/company/co": [{"id": "c-1", "accounts": [account]}],
        "/interval/connection/c-1": json.loads(page_of()),
        "/usage/company/co": {"totalUsageData": 0, "usageData": []},
    }
    sandbox = serve(world_of(meter_list=False))
    for place, said in {**answers, path: answer}.items():
        body = json.dumps(said)
        if place == "/meter/company/co":
            body = envelope(len(said), *said)
        sandbox.faults.add(path=f"{place}$", status=200, body=body, times=None)
    run = sync(config(sandbox, "nectar"))
    name = told.split()[1]
    source = "nectar", f"{name} without an id ({path})"
    assert f"lists {told} without an id" in run.tap.report.reasons[source]
    assert run.failed
    listed = [row["source_meter_id"] for row in run.rows("meters")]
    assert listed == (["m"] if told == "2 meters" else [])


def test_many_meters_come_in_pages(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tap_utility_intervals.providers.nectar.session.ROWS_AT_ONCE", 2
    )
    names = "abcde"
    world = world_of(connection("a", *(kwh_meter(n, Series([])) for n in names)))
    opened, _ = session(serve(world))
    try:
        assert [len(page) for page in opened.meters()] == [2, 2, 1]
    finally:
        opened.close()


def test_a_server_that_repeats_its_last_page_ends_the_walk(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    body = json.loads(page_of(row_of(1), row_of(2)))
    body |= {"hasNext": True, "totalPages": 2}
    sandbox.faults.add(path="/interval/", status=200, body=json.dumps(body), times=None)
    result = intervals(sandbox)
    assert [row.source_id for row in result.rows] == ["i1", "i2"]
    pages = [r.query["page"] for r in sandbox.requests if "/interval/" in r.path]
    assert pages[:2] == ["1", "2"]
    assert "3" not in pages[:-1]


def test_pages_without_their_number_are_walked_one_by_one(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    for number in (1, 2, 3):
        body = json.loads(page_of(row_of(number)))
        body |= {"hasNext": number < 3, "totalIntervals": 3}
        del body["totalPages"], body["currentPage"]
        text = json.dumps(body)
        sandbox.faults.add(
            path="/interval/", query=f"page={number}", status=200, body=text, times=None
        )
    assert [row.source_id for row in intervals(sandbox).rows] == ["i1", "i2", "i3"]

"""One bad meter, one bad answer: what it costs, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.sandbox import (
    Sandbox,
    UtilityMeter,
    UtilityOptions,
    World,
    delayed,
    epoch,
    synthetic,
)
from tests.oracle import Row, utilityapi_values, values
from tests.syncing import Run, config, sync

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
UIDS = ("1", "2", "3")
FAULTS = {"path": "/intervals", "times": None}


def a_world(days: int = 30, block_days: int = 4, **options: Any) -> World:
    start = datetime.fromtimestamp(NOW.timestamp() - days * 86400, timezone.utc)
    made = [synthetic(0, uid, start, "2026-03-30T00:00:00Z") for uid in UIDS]
    return World(
        NOW,
        [
            UtilityMeter(uid, series, block_days=block_days)
            for uid, series in zip(UIDS, made, strict=True)
        ],
        utilityapi_options=UtilityOptions(**options),
    )


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(a_world()) as running:
        yield running


def synced(sandbox: Sandbox, state: Row | None = None, **settings: Any) -> Run:
    chosen = {"max_retries": 0, "lookback_days": 3, **settings}
    return sync(config(sandbox, "utilityapi", **chosen), state)


def read(run: Run) -> set[str]:
    return {row["meter_key"] for row in run.rows("intervals")}


def bookmarked(run: Run, stream: str = "intervals") -> set[str]:
    found = run.state["bookmarks"].get(stream, {}).get("partitions", [])
    return {entry["context"]["meter_key"] for entry in found}


def reached(run: Run) -> dict[str, str]:
    found = run.state["bookmarks"]["intervals"]["partitions"]
    return {e["context"]["meter_key"]: e["replication_key_value"] for e in found}


def a_day_later(sandbox: Sandbox, **settings: Any) -> tuple[Run, dict[Any, Any]]:
    """A first sync, a day, and what is known of it."""
    first = synced(sandbox, **settings)
    sandbox.world.advance(days=1)
    sandbox.forget_requests()
    return first, values(first.rows("intervals"))


def asked(sandbox: Sandbox) -> list[str]:
    """The meters of each request for Interval objects that was not a next page."""
    return [
        request.query["meters"]
        for request in sandbox.requests
        if request.path.endswith("/intervals") and "after" not in request.query
    ]


@pytest.mark.parametrize("status", [403, 404])
def test_a_meter_that_is_gone_costs_no_other_and_keeps_its_bookmark(
    sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.add(query="meters=2(&|$)", status=status, **FAULTS)
    run = synced(sandbox)
    assert read(run) == bookmarked(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")["2"] is Outcome.GONE
    assert not run.failed


@pytest.mark.parametrize("status", [400, 403, 404, 500, 502, 503, 504])
def test_a_group_that_fails_is_asked_again_one_by_one(
    sandbox: Sandbox, status: int
) -> None:
    first, known = a_day_later(sandbox)
    sandbox.faults.add(min_meters=1, status=status, **FAULTS)
    sandbox.faults.add(query="meters=2(&|$)", status=status, **FAULTS)
    second = synced(sandbox, first.state)
    # Refused with a limit, it is asked without one: that may be why.
    together = ["1,2,3"] * (2 if status == 400 else 1)
    assert asked(sandbox)[: len(together) + 1] == [*together, "1"]
    assert read(second) == {"1", "3"}
    truth = utilityapi_values(sandbox.world)
    got = values(second.rows("intervals"))
    assert {k: v for k, v in (known | got).items() if k[0] != "2"} == {
        k: v for k, v in truth.items() if k[0] != "2"
    }
    assert reached(second)["2"] == reached(first)["2"]
    assert second.failed == (status not in {403, 404})

    sandbox.faults.clear()
    third = synced(sandbox, second.state)
    assert read(third) == {"2"}
    assert known | got | values(third.rows("intervals")) == truth


@pytest.mark.parametrize(
    "body", ["<html>", '{"intervals": 5}', '{"next": null}', "[]", '{"intervals": [']
)
def test_an_answer_for_a_group_that_nobody_can_read_is_asked_for_one_by_one(
    sandbox: Sandbox, body: str
) -> None:
    first, known = a_day_later(sandbox)
    sandbox.faults.add(min_meters=1, status=200, body=body, **FAULTS)
    second = synced(sandbox, first.state)
    assert known | values(second.rows("intervals")) == utilityapi_values(sandbox.world)
    assert not second.failed


def test_a_next_link_that_leads_in_a_circle_costs_its_meter_only(
    sandbox: Sandbox,
) -> None:
    link = f"{sandbox.utilityapi_url}/intervals?meters=2&after=1"
    body = f'{{"intervals": [], "next": "{link}"}}'
    sandbox.faults.add(query="meters=2(&|$)", status=200, body=body, **FAULTS)
    run = synced(sandbox)
    assert read(run) == bookmarked(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")["2"] is Outcome.FAILED
    assert run.failed


def test_a_meter_missing_from_a_good_answer_is_asked_alone(sandbox: Sandbox) -> None:
    first, known = a_day_later(sandbox)
    whole = '{"intervals": [], "next": null}'
    sandbox.faults.add(min_meters=1, status=200, body=whole, **FAULTS)
    second = synced(sandbox, first.state)
    assert asked(sandbox) == ["1,2,3", "1", "2", "3"]
    assert known | values(second.rows("intervals")) == utilityapi_values(sandbox.world)


def test_an_object_without_a_meter_among_several_is_asked_for_again(
    sandbox: Sandbox,
) -> None:
    first, known = a_day_later(sandbox)
    body = '{"intervals": [{"readings": []}], "next": null}'
    sandbox.faults.add(min_meters=1, status=200, body=body, **FAULTS)
    second = synced(sandbox, first.state)
    assert asked(sandbox) == ["1,2,3", "1", "2", "3"]
    assert known | values(second.rows("intervals")) == utilityapi_values(sandbox.world)


def test_a_refused_credential_ends_the_provider_and_keeps_what_was_read(
    sandbox: Sandbox,
) -> None:
    sandbox.faults.add(query="meters=2(&|$)", status=401, **FAULTS)
    run = synced(sandbox, max_concurrency=1)
    assert bookmarked(run) == {"1"}
    assert "utilityapi" in run.tap.report.stopped
    assert run.failed


def test_a_refused_credential_ends_the_provider_while_it_probes() -> None:
    with Sandbox(a_world(days=90, block_days=20)) as sandbox:
        sandbox.faults.add(query="limit=1", status=401, **FAULTS)
        run = synced(sandbox, start_date="2026-03-15")
    assert "utilityapi" in run.tap.report.stopped


def test_an_incomplete_answer_gives_its_rows_and_keeps_the_bookmark(
    sandbox: Sandbox,
) -> None:
    first, known = a_day_later(sandbox)
    sandbox.world.utilityapi_options.incomplete = True
    second = synced(sandbox, first.state)
    assert known | values(second.rows("intervals")) == utilityapi_values(sandbox.world)
    before, after = (run.state["bookmarks"]["intervals"] for run in (first, second))
    assert after["partitions"] == before["partitions"]
    assert any("incomplete" in what for what in second.tap.report.warnings)


@pytest.mark.parametrize("status", [400, 404])
def test_a_cursor_that_dies_begins_the_listing_again(status: int) -> None:
    # The end of the first object is filled while the second is being asked for, so that
    # the uid in the cursor is no longer there.
    made = synthetic(0, "1", "2026-02-01T05:00:00Z", "2026-03-30T00:00:00Z")
    edge = epoch("2026-02-21T05:00:00Z")
    late = delayed(made, edge - 5 * 3600, edge, epoch(NOW) + 60)
    options = UtilityOptions(
        interval_limit=1, cursors_die=True, dead_cursor_status=status
    )
    world = World(NOW, [UtilityMeter("1", late)], utilityapi_options=options)
    with Sandbox(world) as sandbox:
        sandbox.faults.add(kind="advance", path="/intervals", seconds=120, skip=1)
        run = synced(sandbox)
        assert status in {request.status for request in sandbox.requests}
    assert values(run.rows("intervals")) == utilityapi_values(world)


def test_a_cursor_that_always_dies_costs_its_meter_only(sandbox: Sandbox) -> None:
    sandbox.faults.add(query="after=2-", status=404, **FAULTS)
    run = synced(sandbox)
    assert bookmarked(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")["2"] is Outcome.FAILED


def test_a_meter_list_whose_cursor_dies_is_begun_again() -> None:
    with Sandbox(a_world(page_size=1)) as sandbox:
        sandbox.faults.add(path="/meters", query="after=", status=404)
        run = synced(sandbox)
        assert read(run) == set(UIDS)
        assert len(run.rows("meters")) == 3
        sandbox.faults.add(path="/meters", query="after=", status=404, times=None)
        assert synced(sandbox).failed


def test_too_wide_a_group_is_asked_for_one_by_one_and_page_by_page() -> None:
    with Sandbox(a_world()) as sandbox:
        first, known = a_day_later(sandbox)
        sandbox.faults.add(min_meters=1, status=504, **FAULTS)
        sandbox.faults.add(query="^(?!.*limit=1).*meters=2", status=504, **FAULTS)
        second = synced(sandbox, first.state)
        assert not second.failed
        got = values(second.rows("intervals"))
        assert known | got == utilityapi_values(sandbox.world)


@pytest.mark.parametrize("width", [30, 10, 4])
def test_too_wide_a_meter_is_read_in_windows_once_they_are_seen_to_cut(
    width: int,
) -> None:
    with Sandbox(a_world(days=60, block_days=400)) as sandbox:
        sandbox.faults.add(min_days=width, status=504, **FAULTS)
        run = synced(sandbox, utilityapi_meters=["1"])
        assert not run.failed
        truth = utilityapi_values(sandbox.world)
        one = {k: v for k, v in truth.items() if k[0] == "1"}
        assert values(run.rows("intervals")) == one

        sandbox.world.advance(days=1)
        later = synced(sandbox, run.state, utilityapi_meters=["1"])
        truth = utilityapi_values(sandbox.world)
        one |= values(later.rows("intervals"))
        assert one == {k: v for k, v in truth.items() if k[0] == "1"}


@pytest.mark.parametrize("reading", ["contain", "overlap"])
def test_windows_that_do_not_cut_are_not_trusted(reading: str) -> None:
    with Sandbox(a_world(days=60, block_days=400, filter=reading)) as sandbox:
        sandbox.faults.add(min_days=30, status=504, **FAULTS)
        run = synced(sandbox, utilityapi_meters=["1"])
    assert read(run) == set()
    assert run.tap.report.sources("utilityapi")["1"] is Outcome.FAILED


def test_too_large_an_answer_is_asked_for_in_smaller_pages() -> None:
    with Sandbox(a_world(), gzip=False) as sandbox:
        run = synced(sandbox, max_response_mb=0.03)
        assert not run.failed
        assert values(run.rows("intervals")) == utilityapi_values(sandbox.world)


def test_too_wide_for_anything_fails_and_names_the_meter(sandbox: Sandbox) -> None:
    sandbox.faults.add(query="meters=2(&|$)", status=504, **FAULTS)
    run = synced(sandbox)
    assert bookmarked(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")["2"] is Outcome.FAILED
    assert run.failed


def test_a_meter_that_was_named_and_is_not_listed_is_reported(sandbox: Sandbox) -> None:
    run = synced(sandbox, utilityapi_meters=["1", "9"])
    assert read(run) == {"1"}
    assert run.tap.report.sources("utilityapi")["9"] is Outcome.GONE
    assert not run.failed
    assert synced(sandbox, utilityapi_meters=["9"]).failed


def test_a_uid_with_a_comma_asks_for_no_other_meter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = a_world()
    world.utilityapi = [
        replace(meter, uid="1,3" if meter.uid == "2" else meter.uid)
        for meter in world.utilityapi
    ]
    world.__post_init__()
    with Sandbox(world) as sandbox:
        run = synced(sandbox)
        run.tap.report.summarise()
        queries = [r.query.get("meters", "") for r in sandbox.requests]
    assert not any("1,3" in query for query in queries)
    assert read(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")["1,3"] is Outcome.FAILED
    assert "has a uid with a comma" in caplog.text


def test_a_hostile_uid_writes_no_escape_and_no_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hostile = "2\r\nERROR forged\x1b[2J\u202e&meters=3#"
    world = a_world()
    world.utilityapi = [
        replace(meter, uid=hostile if meter.uid == "2" else meter.uid)
        for meter in world.utilityapi
    ]
    world.__post_init__()
    with Sandbox(world) as sandbox:
        sandbox.faults.add(query=r"meters=2", status=403, **FAULTS)
        run = synced(sandbox)
        run.tap.report.summarise()
    assert read(run) == {"1", "3"}
    assert run.tap.report.sources("utilityapi")[hostile] is Outcome.GONE
    ours = [r for r in caplog.records if r.name.startswith("tap-utility-intervals")]
    assert any("forged" in record.getMessage() for record in ours)
    assert all(record.getMessage().isprintable() for record in ours)


def test_a_meter_list_that_may_be_cut_forgets_no_bookmark() -> None:
    with Sandbox(a_world(page_size=2)) as sandbox:
        first = synced(sandbox)
        assert bookmarked(first) == set(UIDS)
        rule = {"kind": "change", "lacking": ["next"], "times": None}
        sandbox.faults.add(path="/meters$", **rule)
        second = synced(sandbox, first.state)
    assert bookmarked(second) == set(UIDS)
    assert any("lacks next" in what for what in second.tap.report.warnings)

"""What the provider streams read again, and what not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from tap_utility_intervals.sandbox import (
    NectarMeter,
    Sandbox,
    World,
    epoch,
    tiny_world,
)
from tests.oracle import Row
from tests.providers.reading import sync_of
from tests.syncing import config

BILLS = ("nectar_documents", "nectar_line_items", "nectar_usage_data")
ENTITIES = (
    *("utilityapi_authorizations", "utilityapi_billing_accounts"),
    *("utilityapi_billing_summaries", "utilityapi_meters"),
    *("nectar_accounts", "nectar_companies", "nectar_connections", "nectar_meters"),
    "nectar_sites",
)


@pytest.fixture
def settings(sandbox: Sandbox) -> Row:
    return config(sandbox)


def asked_for(sandbox: Sandbox, path: str) -> list[dict[str, str]]:
    """The queries of the requests below a path."""
    return [r.query for r in sandbox.requests if path in r.path]


def test_entities_come_whole_in_every_run(settings: Row) -> None:
    first = sync_of(settings, *ENTITIES)
    second = sync_of(settings, *ENTITIES, state=first.state)
    for name in ENTITIES:
        assert first.rows(name)
        assert second.rows(name) == first.rows(name)
        assert not first.state["bookmarks"].get(name, {}).get("partitions")


def test_bills_of_an_unchanged_meter_are_not_asked_for(
    sandbox: Sandbox, settings: Row
) -> None:
    first = sync_of(settings, "utilityapi_bills")
    sandbox.forget_requests()
    second = sync_of(settings, "utilityapi_bills", state=first.state)
    assert len(first.rows("utilityapi_bills")) == 4
    assert not second.rows("utilityapi_bills")
    assert not asked_for(sandbox, "/bills")
    contexts = [
        entry["context"]
        for entry in second.state["bookmarks"]["utilityapi_bills"]["partitions"]
    ]
    assert contexts == [
        {"provider": "utilityapi", "meter_key": uid} for uid in ("101", "102")
    ]


def test_bills_of_a_changed_meter_come_again_with_the_new_one() -> None:
    world = tiny_world(now="2026-03-16T12:00:00Z")
    with Sandbox(world) as sandbox:
        chosen = config(sandbox, "utilityapi")
        first = sync_of(chosen, "utilityapi_bills")
        world.advance(days=5)
        second = sync_of(chosen, "utilityapi_bills", state=first.state)
    old = {row["uid"] for row in first.rows("utilityapi_bills")}
    new = {row["uid"] for row in second.rows("utilityapi_bills")}
    assert old < new
    keys = [
        entry["replication_key_value"]
        for entry in second.state["bookmarks"]["utilityapi_bills"]["partitions"]
    ]
    assert max(keys) == max(r["updated"] for r in second.rows("utilityapi_bills"))


def test_bills_outside_the_dates_are_left_out(settings: Row) -> None:
    dates = {"start_date": "2026-03-12", "end_date": "2026-03-20"}
    names = ("usage", "utilityapi_bills", *BILLS)
    run = sync_of({**settings, **dates}, *names)
    kept = {r["usage_id"] for r in run.rows("usage")}
    ours = {r["uid"] for r in run.rows("utilityapi_bills")}
    theirs = {r["id"] for r in run.rows("nectar_usage_data")}
    assert ours | theirs == kept
    assert len(ours) == len(theirs) == len(run.rows("nectar_documents")) == 2
    documents = {r["id"] for r in run.rows("nectar_documents")}
    assert {r["document_id"] for r in run.rows("nectar_line_items")} == documents


@pytest.mark.parametrize("stream", BILLS)
def test_nectar_is_asked_from_the_day_before_the_bookmark(
    sandbox: Sandbox, settings: Row, stream: str
) -> None:
    path = "/usage/" if stream == "nectar_usage_data" else "/document/"
    first = sync_of(settings, stream)
    assert asked_for(sandbox, path) == [{"dateType": "BILL_DATE", "page": "1"}]
    sandbox.forget_requests()
    second = sync_of(settings, stream, state=first.state)
    (query,) = asked_for(sandbox, path)
    assert query == {
        "dateType": "UPDATED_DATE",
        "startDate": "2026-03-19",
        "page": "1",
    }
    assert first.rows(stream)
    updated = {
        row.get("updated") or row["document_updated"] for row in second.rows(stream)
    }
    assert all(stamp >= "2026-03-19" for stamp in updated)
    (before,), (after,) = (
        run.state["bookmarks"][stream]["partitions"] for run in (first, second)
    )
    assert {**after, "read": None} == {**before, "read": None}


@pytest.mark.parametrize("stream", BILLS)
def test_a_reprocessed_bill_comes_again(stream: str) -> None:
    world = tiny_world()
    # The same bill of the first meter, known anew the day after.
    add_bill(world, available=epoch("2026-03-21T18:00:00Z"))
    with Sandbox(world) as sandbox:
        chosen = config(sandbox, "nectar")
        first = sync_of(chosen, stream)
        world.advance(days=3)
        second = sync_of(chosen, stream, state=first.state)
        third = sync_of(chosen, stream, state=second.state)
    before, after = by_key(first.rows(stream)), by_key(second.rows(stream))
    again = {key for key in after if key in before and after[key] != before[key]}
    assert again
    assert len({after[key].get("document_id", key[0]) for key in again}) == 1
    # A day of overlap: what was updated on the bookmark's day comes once more.
    assert by_key(third.rows(stream)).keys() <= after.keys()


def test_a_stamp_of_the_future_poisons_no_bookmark() -> None:
    world = tiny_world()
    with Sandbox(world) as sandbox:
        body = (
            '{"totalDocuments":1,"perPage":100,"totalPages":1,"currentPage":1,'
            '"hasNext":false,"hasPrevious":false,"documents":[{"id":"d",'
            '"updated":"2099-01-01T00:00:00Z","lineItems":[],"usageData":[]}]}'
        )
        sandbox.faults.add(path="/document/", status=200, body=body)
        run = sync_of(config(sandbox, "nectar"), "nectar_documents")
    assert [row["updated"] for row in run.rows("nectar_documents")] == [
        "2099-01-01T00:00:00.000000Z"
    ]
    (entry,) = run.state["bookmarks"]["nectar_documents"]["partitions"]
    assert "replication_key_value" not in entry


def test_events_stop_at_the_look_back() -> None:
    world = tiny_world()
    world.utilityapi = [
        replace(world.utilityapi[0], uid=str(n), created=86_400 * (20_000 + n))
        for n in range(500)
    ]
    world.__post_init__()
    world.utilityapi_options.page_size = 20
    with Sandbox(world) as sandbox:
        chosen = config(sandbox, "utilityapi", lookback_days=10)
        first = sync_of(chosen, "utilityapi_events")
        pages = len(asked_for(sandbox, "/events"))
        sandbox.forget_requests()
        second = sync_of(chosen, "utilityapi_events", state=first.state)
        stamps = [row["ts"] for row in second.rows("utilityapi_events")]
        newest = max(row["ts"] for row in first.rows("utilityapi_events"))
        assert len(first.rows("utilityapi_events")) == 500
        assert pages == 25
        assert len(asked_for(sandbox, "/events")) == 2
        assert len(stamps) in {10, 11}
        assert max(stamps) == newest
        (entry,) = second.state["bookmarks"]["utilityapi_events"]["partitions"]
        assert entry["replication_key_value"] == newest
        assert entry["context"] == {"provider": "utilityapi"}
        earlier = sync_of({**chosen, "start_date": "2025-12-01"}, "utilityapi_events")
        again = sync_of(chosen, "utilityapi_events", state=earlier.state)
        assert len(earlier.rows("utilityapi_events")) < 500
        assert len(again.rows("utilityapi_events")) == 500


def test_documents_of_a_new_version_of_a_bill_name_it() -> None:
    world = tiny_world()
    add_bill(world, number="corrected", revises="0")
    with Sandbox(world) as sandbox:
        run = sync_of(config(sandbox, "nectar"), "nectar_documents")
    ids = {row["id"] for row in run.rows("nectar_documents")}
    revised = {row["revisedDocumentId"] for row in run.rows("nectar_documents")}
    assert revised & ids


def add_bill(world: World, **changes: Any) -> None:
    """Another word on the first bill of Nectar's first meter."""
    meters = cast(
        "list[NectarMeter]", world.nectar[0].connections[0].accounts[0].meters
    )
    bills = meters[0].bills
    lines = tuple(line._replace(cost="9.99") for line in bills[0].line_items)
    anew = replace(bills[0], cost="99.99", line_items=lines, volume="7", **changes)
    meters[0] = replace(meters[0], bills=(*bills, anew))


def by_key(rows: list[Row]) -> dict[tuple[str, ...], Row]:
    """Rows without the link, which is signed anew at every read."""
    return {
        (row.get("id") or row["document_id"], row.get("line_item_key", "")): {
            **row,
            "url": None,
        }
        for row in rows
    }

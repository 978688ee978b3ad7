"""A sync of all streams delivers every object with every attribute."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tap_utility_intervals.sandbox import Sandbox, default_world, tiny_world
from tests.oracle import Row
from tests.providers.reading import (
    ALL,
    NECTAR,
    OWN,
    UTILITYAPI,
    get,
    holds,
    nectar_objects,
    sync_of,
    utilityapi_objects,
)
from tests.syncing import Run, config

VERSIONS = ("v2", "v2.1", "v2.2")


@pytest.fixture(scope="module")
def server() -> Iterator[Sandbox]:
    world = default_world()
    world.utilityapi_options.page_size = 2
    world.utilityapi_options.bill_limit = 3
    world.nectar_options.page_size = 7
    with Sandbox(world) as running:
        yield running


@pytest.fixture(scope="module")
def synced(server: Sandbox) -> Run:
    return sync_of(config(server), *OWN)


def by_id(rows: list[Row], name: str = "id") -> dict[str, Row]:
    found = {row[name]: row for row in rows}
    assert len(found) == len(rows), "a key comes twice"
    return found


@pytest.mark.parametrize("stream", UTILITYAPI)
def test_every_object_of_utilityapi_comes_with_every_attribute(
    server: Sandbox, synced: Run, stream: str
) -> None:
    path = UTILITYAPI[stream]
    if path == "bills":
        meters = utilityapi_objects(server, "meters")
        uids = [meter["uid"] for meter in meters]
        sent = []
        for uid in uids:
            url = f"{server.utilityapi_url}/bills?meters={uid}&limit=1000"
            sent += get(server, url)["bills"]
    else:
        sent = utilityapi_objects(server, path)
    rows = by_id(synced.rows(stream), "uid")
    assert sent
    assert rows.keys() == {item["uid"] for item in sent}
    for item in sent:
        holds(rows[item["uid"]], item)
        assert rows[item["uid"]]["extra"] is None


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_of_nectar_comes_with_every_attribute(
    server: Sandbox, version: str
) -> None:
    base = server.nectar_url_of(version)
    run = sync_of(config(server, "nectar", nectar_base_url=base), *NECTAR)
    assert not run.failed
    assert all(row["extra"] is None for stream in NECTAR for row in run.rows(stream))
    companies = get(server, f"{base}/company")
    rows = {stream: by_id(run.rows(stream)) for stream in NECTAR[:4]}
    rows |= {stream: by_id(run.rows(stream)) for stream in NECTAR[5:]}
    for company in companies:
        holds(rows["nectar_companies"][company["id"]], company, ("sites",))
        for site in company["sites"]:
            holds(rows["nectar_sites"][site["id"]], site)
            assert rows["nectar_sites"][site["id"]]["company_id"] == company["id"]
    check_connections(server, base, companies, rows)
    check_bills(server, base, companies, run, rows)


def check_connections(
    server: Sandbox, base: str, companies: list[Row], rows: dict[str, dict[str, Row]]
) -> None:
    seen: dict[str, set[str]] = {
        "nectar_connections": set(),
        "nectar_accounts": set(),
        "nectar_meters": set(),
    }
    for company in companies:
        own = f"/company/{company['id']}"
        secret = ("accounts", "connectionMagicLinkSecret")
        for item in nectar_objects(server, base, f"/connection{own}", "connections"):
            row = rows["nectar_connections"][item["id"]]
            seen["nectar_connections"].add(item["id"])
            assert company["id"] in row["company_ids"]
            holds(
                row,
                item,
                (*secret, "company.")
                if row["company"]["id"] != company["id"]
                else secret,
            )
            for account in item["accounts"]:
                holds(rows["nectar_accounts"][account["id"]], account)
                seen["nectar_accounts"].add(account["id"])
                shown = rows["nectar_accounts"][account["id"]]["connection_id"]
                assert shown == item["id"]
        for item in nectar_objects(server, base, f"/meter{own}", "meters"):
            holds(rows["nectar_meters"][item["id"]], item)
            seen["nectar_meters"].add(item["id"])
    assert all(rows[stream].keys() == ids for stream, ids in seen.items())


def check_bills(
    server: Sandbox,
    base: str,
    companies: list[Row],
    run: Run,
    rows: dict[str, dict[str, Row]],
) -> None:
    lines = {
        (r["document_id"], r["line_item_key"]): r for r in run.rows("nectar_line_items")
    }
    assert len(lines) == len(run.rows("nectar_line_items"))
    expected, documents, entries = 0, set(), set()
    for company in companies:
        own = f"/company/{company['id']}"
        for item in nectar_objects(server, base, f"/document{own}", "documents"):
            row = rows["nectar_documents"][item["id"]]
            documents.add(item["id"])
            holds(row, item, ("url", "usageData", "lineItems"))
            assert row["url"].partition("?")[0] == item["url"].partition("?")[0]
            assert row["usage_data_ids"] == [one["id"] for one in item["usageData"]]
            for place, line in enumerate(item["lineItems"]):
                holds(lines[item["id"], str(place)], line)
                expected += 1
        for item in nectar_objects(server, base, f"/usage{own}", "usageData"):
            row = rows["nectar_usage_data"][item["id"]]
            entries.add(item["id"])
            holds(row, item, ("document.url",))
            assert row["document_id"] == item["document"]["id"]
            assert row["site_id"] == (item["site"] or {}).get("id")
            assert "url" not in row["document"]
    assert len(lines) == expected
    assert rows["nectar_documents"].keys() == documents
    assert rows["nectar_usage_data"].keys() == entries


def test_the_versions_differ_where_nectar_says(server: Sandbox) -> None:
    shown = {}
    for version in VERSIONS:
        base = server.nectar_url_of(version)
        run = sync_of(
            config(server, "nectar", nectar_base_url=base),
            *("nectar_documents", "nectar_usage_data"),
        )
        entries = run.rows("nectar_usage_data")
        shown[version] = (
            any(row["timeOfUse"] for row in entries),
            any(row["electricityType"] == "DEMAND" for row in entries),
            any(row["timeOfUseBreakdown"] for row in entries),
            any(row["demandMeters"] for row in run.rows("nectar_documents")),
        )
    assert shown == {
        "v2": (True, False, False, False),
        "v2.1": (True, True, False, False),
        "v2.2": (False, False, True, True),
    }


def test_single_meters_stand_in_for_a_list_that_is_not_there() -> None:
    world = tiny_world()
    with Sandbox(world) as sandbox:
        listed = sync_of(config(sandbox, "nectar"), "nectar_meters").rows(
            "nectar_meters"
        )
    world = tiny_world()
    world.nectar_options = replace(world.nectar_options, meter_list=False)
    with Sandbox(world) as sandbox:
        run = sync_of(config(sandbox, "nectar"), "nectar_meters")
        assert run.rows("nectar_meters") == listed
        assert not run.failed
        assert any(r.path.endswith(listed[0]["id"]) for r in sandbox.requests)


@pytest.mark.parametrize("options", [{"naive_stamps": True}, {"bare_numbers": True}])
def test_the_form_of_a_value_makes_no_difference(options: dict[str, object]) -> None:
    def rows(**changed: object) -> list[str]:
        world = tiny_world()
        world.nectar_options = replace(world.nectar_options, **changed)  # type: ignore[arg-type]
        with Sandbox(world) as sandbox:
            run = sync_of(config(sandbox, "nectar"), *NECTAR)
        found = [json.dumps(run.rows(name), default=str) for name in NECTAR]
        # The sandbox's naive stamps have a fraction, links are signed anew, and the
        # summary of a bill inside a usage row is as sent.
        odd = re.compile(r"(?<=:\d\d)(\.\d+)?Z?(?=\")|SIGNATURE-\d+")
        return sorted(odd.sub("", text) for text in found)

    assert rows(**options) == rows()


def test_only_the_unified_streams_are_selected_by_default(sandbox: Sandbox) -> None:
    run = sync_of(config(sandbox), *ALL)
    tap = run.tap.__class__(config=config(sandbox))
    chosen = {name for name, stream in tap.streams.items() if stream.selected}
    assert chosen == {"meters", "intervals", "usage", "coverage"}
    assert set(tap.streams) == set(ALL)


def test_nothing_is_ever_posted(sandbox: Sandbox) -> None:
    sandbox.faults.add(method="POST", status=500, times=None)
    run = sync_of(config(sandbox), *ALL)
    assert {request.method for request in sandbox.requests} == {"GET"}
    assert not run.failed


def test_a_record_has_every_column_of_its_schema(synced: Run) -> None:
    for name in OWN:
        rows = synced.rows(name)
        columns = synced.tap.streams[name].schema["properties"].keys()
        assert rows
        assert all(row.keys() == columns for row in rows)


def test_digits_stay_as_they_were_sent(server: Sandbox, synced: Run) -> None:
    meter = utilityapi_objects(server, "meters")[0]["uid"]
    bill = get(server, f"{server.utilityapi_url}/bills?meters={meter}")["bills"][0]
    start = '{"type":"RECORD","stream":"utilityapi_bills","record":{"uid":"%s"'
    (line,) = [x for x in synced.lines if x.startswith(start % bill["uid"])]
    assert f'"bill_total_volume":{bill["base"]["bill_total_volume"]},' in line

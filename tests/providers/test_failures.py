"""What fails at one list or source, and what that costs the others."""

from __future__ import annotations

import logging

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tests.oracle import Row
from tests.providers.reading import ALL, NECTAR, OWN, UTILITYAPI, sync_of
from tests.syncing import config


@pytest.fixture
def settings(sandbox: Sandbox) -> Row:
    return config(sandbox, max_retries=0)


@pytest.mark.parametrize("path", ["/events", "/accounting/"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_list_that_is_not_offered_is_empty(
    sandbox: Sandbox, settings: Row, path: str, status: int
) -> None:
    sandbox.faults.add(path=path, status=status, times=None)
    run = sync_of(settings, *UTILITYAPI)
    assert not run.failed
    assert not run.tap.report.stopped
    for name, where in UTILITYAPI.items():
        assert bool(run.rows(name)) is (path.strip("/") not in where), name
    assert any("is not offered" in what for what in run.tap.report.warnings)


@pytest.mark.parametrize("name", sorted(UTILITYAPI.keys() - {"utilityapi_meters"}))
def test_a_list_that_fails_costs_no_other(
    sandbox: Sandbox, settings: Row, name: str
) -> None:
    path = f"/{UTILITYAPI[name]}$"
    sandbox.faults.add(path=path, status=500, times=None)
    run = sync_of(settings, *UTILITYAPI)
    assert run.failed
    assert not run.tap.report.stopped
    for other in UTILITYAPI:
        assert bool(run.rows(other)) is (other != name)


def test_a_refused_token_ends_its_provider_only(
    sandbox: Sandbox, settings: Row
) -> None:
    run = sync_of({**settings, "utilityapi_api_token": "wrong"}, *ALL)
    assert list(run.tap.report.stopped) == ["utilityapi"]
    assert all(run.rows(name) for name in NECTAR)
    assert not any(run.rows(name) for name in UTILITYAPI)
    tried = [r for r in sandbox.requests if r.status == 401]
    assert len(tried) == 1


def test_a_company_that_is_gone_costs_no_other(sandbox: Sandbox, settings: Row) -> None:
    known = sandbox.world.nectar[0].id
    chosen = {**settings, "nectar_companies": ["gone", known]}
    run = sync_of(chosen, *NECTAR)
    assert not run.failed
    assert [row["id"] for row in run.rows("nectar_companies")] == [known]
    assert all(run.rows(name) for name in NECTAR)
    assert run.tap.report.sources("nectar")["gone"].value == "gone"


def test_documents_that_fail_keep_their_bookmark(
    sandbox: Sandbox, settings: Row
) -> None:
    first = sync_of(settings, *NECTAR)
    sandbox.faults.add(path="/document/", status=502, times=None)
    run = sync_of(settings, *NECTAR, state=first.state)
    assert run.failed
    for name in ("nectar_documents", "nectar_line_items"):
        assert not run.rows(name)
        assert run.state["bookmarks"][name] == first.state["bookmarks"][name]
    assert run.rows("nectar_usage_data")


def test_odd_values_cost_only_themselves(sandbox: Sandbox, settings: Row) -> None:
    body = (
        '{"events":[{"uid":"1","ts":"yesterday","new":0.10},{"type":"ping"},'
        '{"uid":2,"ts":"2026-03-01T00:00:00Z","is_delivered":"perhaps"}],"next":null}'
    )
    sandbox.faults.add(path="/events", status=200, body=body)
    run = sync_of(settings, "utilityapi_events")
    first, second = run.rows("utilityapi_events")
    assert (first["uid"], first["ts"]) == ("1", None)
    assert {n: str(v) for n, v in first["extra"].items()} == {
        "new": "0.10",
        "ts": "yesterday",
    }
    assert (second["uid"], second["is_delivered"]) == ("2", None)
    assert second["extra"] == {"is_delivered": "perhaps"}
    assert sum(run.tap.report.warnings.values()) == 3


def test_line_items_have_keys_of_their_own(sandbox: Sandbox, settings: Row) -> None:
    items = (
        '[{"id":"1","quantity":"1.0"},{"quantity":"2.0"},{"id":"1"},{"id":7},'
        '{"id":null,"totalCharge":"412.50"}]'
    )
    body = (
        '{"totalDocuments":1,"perPage":100,"totalPages":1,"currentPage":1,'
        '"hasNext":false,"hasPrevious":false,"documents":[{"id":"d",'
        f'"updated":"2026-03-01T00:00:00Z","lineItems":{items},"usageData":3}}]}}'
    )
    sandbox.faults.add(path="/document/", status=200, body=body)
    run = sync_of(settings, "nectar_documents", "nectar_line_items")
    rows = run.rows("nectar_line_items")
    assert [row["line_item_key"] for row in rows] == ["1", "1#1", "1#2", "7", "4"]
    assert [row["position"] for row in rows] == [0, 1, 2, 3, 4]
    assert {row["document_updated"] for row in rows} == {"2026-03-01T00:00:00.000000Z"}
    assert {row["document_id"] for row in rows} == {"d"}
    (document,) = run.rows("nectar_documents")
    assert document["extra"] == {"usageData": 3}
    assert document["usage_data_ids"] is None


def test_a_meter_under_a_filter_is_the_only_one(settings: Row) -> None:
    run = sync_of({**settings, "utilityapi_meters": ["102"]}, *UTILITYAPI)
    assert {row["uid"] for row in run.rows("utilityapi_meters")} == {"102"}
    assert {row["meter_uid"] for row in run.rows("utilityapi_bills")} == {"102"}


def test_secrets_are_in_no_record_no_state_and_no_log(
    sandbox: Sandbox, settings: Row, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    run = sync_of(settings, *ALL)
    out = "\n".join(run.lines)
    assert "PLANTED-SECRET" in sandbox.world.nectar[0].connections[0].secret
    for secret in ("PLANTED-SECRET", sandbox.token, sandbox.api_key, "MagicLink"):
        assert secret not in out
    for planted in ("PLANTED", "X-Amz", sandbox.token, sandbox.api_key):
        assert planted not in caplog.text
        assert planted not in str(run.state)
    signed = [line for line in run.lines if "X-Amz" in line]
    start = '{"type":"RECORD","stream":"nectar_documents"'
    assert signed
    assert all(line.startswith(start) for line in signed)


def test_an_error_of_a_provider_stream_names_no_query_and_no_value(
    sandbox: Sandbox, settings: Row, caplog: pytest.LogCaptureFixture
) -> None:
    planted = '{"error":"PLANTED","events":[{"uid":"PLANTED"}],"next":"PLANTED"}'
    for status in (200, 400, 500):
        sandbox.faults.clear()
        sandbox.faults.add(path="", status=status, body=planted, times=None)
        sync_of(settings, *OWN).tap.report.summarise()
    assert "PLANTED" not in caplog.text

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Account,
    Bill,
    Company,
    Connection,
    Identifier,
    Lifetime,
    NectarMeter,
    NectarOptions,
    Series,
    Site,
    World,
    epoch,
    identifiers,
    make_uuid,
    restated,
    synthetic,
    tiny_world,
    truth,
)
from tests.sandbox.conftest import Client, Serve

NOW = datetime(2026, 1, 10, 18, tzinfo=timezone.utc)
FIRST = epoch("2026-01-01T05:00:00Z")
SERIES = synthetic(0, "unit", "2026-01-01T05:00:00Z", "2026-01-20T05:00:00Z")
COMPANY, CONNECTION, METER = (make_uuid(name) for name in ("co", "conn", "meter"))
SITE = Site(make_uuid("site"))


def world(
    series: Series = SERIES,
    *,
    bills: Sequence[Bill] = (),
    others: Sequence[NectarMeter] = (),
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> World:
    names = settings.pop("identifiers", identifiers("00-AB 12"))
    meter = NectarMeter(METER, series, names, SITE.id, bills=bills, **settings)
    account = Account(make_uuid("account"), "A-1", [meter, *others])
    connection = Connection(CONNECTION, [account], site_ids=[SITE.id])
    company = Company(COMPANY, "Co", [SITE], [connection])
    return World(NOW, nectar=[company], nectar_options=NectarOptions(**(options or {})))


def bill(number: int, day: int, **settings: Any) -> Bill:
    start = FIRST + day * DAY
    defaults = {"volume": "12.50", "cost": "3.10", "available": start + 2 * DAY}
    return Bill(str(number), start, start + DAY, **{**defaults, **settings})


def intervals(client: Client, **params: Any) -> list[dict[str, Any]]:
    return client.walk_nectar(
        f"interval/connection/{CONNECTION}", "intervals", **params
    )


def documents(client: Client, **params: Any) -> list[dict[str, Any]]:
    return client.walk_nectar(f"document/company/{COMPANY}", "documents", **params)


def test_the_key_is_needed_everywhere_and_ping_tells(tiny: Client) -> None:
    """Facts §1.1 and §1.3."""
    for path in ("ping", "company", "interval/connection/x"):
        answer = tiny.session.get(f"{tiny.sandbox.nectar_url}/{path}", timeout=10)
        assert answer.status_code == 401
        assert set(answer.json()) == {"detail"}
    assert tiny.get(f"{tiny.sandbox.nectar_url}/ping").status_code == 200


def test_companies_are_a_bare_list_with_their_sites(serve: Serve) -> None:
    """Facts §0.8."""
    client = serve(world())
    (company,) = client.nectar("company")
    assert [site["id"] for site in company["sites"]] == [SITE.id]
    assert client.nectar(f"company/{COMPANY}") == company
    assert client.nectar(f"site/{SITE.id}") == company["sites"][0]


@pytest.mark.parametrize(
    "path",
    [
        "company/x",
        "site/x",
        "connection/x/details",
        "connection/company/x",
        "interval/connection/x",
        "document/x",
        "document/site/x",
        "usage/x",
        "usage/document/x",
        "meter/x",
    ],
)
def test_what_is_restricted_or_not_there_is_403(tiny: Client, path: str) -> None:
    """Facts §1.4."""
    answer = tiny.get(f"{tiny.sandbox.nectar_url}/{path}")
    assert (answer.status_code, set(answer.json())) == (403, {"detail"})


@pytest.mark.parametrize("path", ["companies", "interval/site/x", "connection/x"])
def test_paths_that_do_not_exist_are_404(tiny: Client, path: str) -> None:
    """Facts §2.2: wrong paths in circulation."""
    assert tiny.get(f"{tiny.sandbox.nectar_url}/{path}").status_code == 404


def test_writes_are_refused(tiny: Client) -> None:
    answer = tiny.session.post(
        f"{tiny.sandbox.nectar_url}/company",
        headers={"X-API-Key": tiny.sandbox.api_key},
        timeout=10,
    )
    assert answer.status_code == 405


def test_connections_carry_accounts_and_secrets(serve: Serve) -> None:
    """Facts §3.3, §3.4 and §0.9."""
    client = serve(world())
    page = client.nectar(f"connection/company/{COMPANY}")
    (one,) = page["connections"]
    assert page["totalConnections"] == 1
    assert one["accounts"][0]["meters"] == [METER]
    assert one["connectionMagicLinkSecret"].startswith("PLANTED-SECRET")
    assert client.nectar(f"connection/{CONNECTION}/details") == one
    nobody = client.nectar(f"connection/company/{COMPANY}", connectionOwnerEmail="x")
    elsewhere = client.nectar(f"connection/company/{COMPANY}", sites="x")
    assert nobody["connections"] == elsewhere["connections"] == []


def test_connections_may_come_as_a_bare_list(serve: Serve) -> None:
    """Facts §2.1."""
    client = serve(world(options={"connections_as_list": True}))
    assert isinstance(client.nectar(f"connection/company/{COMPANY}"), list)


def test_meters_by_company_and_alone(serve: Serve) -> None:
    """Facts §3.5; the list's path is inferred, so it may be missing."""
    client = serve(world())
    page = client.nectar(f"meter/company/{COMPANY}")
    assert page["totalMeters"] == 1
    assert client.nectar(f"meter/{METER}") == page["meters"][0]
    client.world.nectar_options.meter_list = False
    url = f"{client.sandbox.nectar_url}/meter/company/{COMPANY}"
    assert client.get(url).status_code == 404


def test_the_envelope_and_a_page_past_the_end(serve: Serve) -> None:
    """Facts §2.1: beyond the last page the last one comes again."""
    client = serve(world())
    path = f"interval/connection/{CONNECTION}"
    last = client.nectar(path, page=3)
    total = len(intervals(client))
    assert {key: last[key] for key in last if key != "intervals"} == {
        "totalIntervals": total,
        "perPage": 100,
        "totalPages": 3,
        "currentPage": 3,
        "hasNext": False,
        "hasPrevious": True,
    }
    assert client.nectar(path, page=99) == last


def test_an_interval_has_the_documented_fields_and_usage_as_text(serve: Serve) -> None:
    """Facts §3.10 and §4.4."""
    client = serve(world())
    first = intervals(client)[0]
    assert list(first) == [
        "id",
        "created",
        "identifiers",
        "account",
        "start",
        "end",
        "usage",
        "usageUnits",
        "quality",
        "updated",
    ]
    assert first["start"] == "2026-01-01T05:00:00Z"
    assert first["usage"] == SERIES.readings[0].values[0]
    assert first["identifiers"] == [
        {"rawName": "Meter number", "value": "00-AB 12", "name": "METER"}
    ]


def test_a_reading_across_a_window_edge_matches_neither_window(serve: Serve) -> None:
    """Facts §2.4: start >=, end <=."""
    client = serve(world())
    edge = "2026-01-05T05:30:00Z"
    before = intervals(client, endDate=edge)
    after = intervals(client, startDate=edge)
    whole = intervals(client)
    assert len(before) + len(after) == len(whole) - 1


def test_datasource_type_may_be_repeated_and_identifier_is_canonical(
    serve: Serve,
) -> None:
    """Facts §2.3 and §2.4."""
    gas = NectarMeter(make_uuid("gas"), SERIES, identifiers("G1"), SITE.id, "GAS")
    client = serve(world(others=[gas]))
    whole = len(intervals(client))
    assert len(intervals(client, datasourceType="GAS")) == whole // 2
    assert len(intervals(client, datasourceType=["GAS", "ELECTRICITY"])) == whole
    assert len(intervals(client, identifier="ab/12")) == whole // 2
    assert intervals(client, identifier="zz") == []


@pytest.mark.parametrize(
    "params",
    [
        {"page": "0"},
        {"page": "x"},
        {"identifier": ""},
        {"datasourceType": "STEAM"},
        {"startDate": "soon"},
    ],
)
def test_bad_interval_parameters_are_400(serve: Serve, params: dict[str, Any]) -> None:
    """Facts §1.4."""
    client = serve(world())
    url = f"{client.sandbox.nectar_url}/interval/connection/{CONNECTION}"
    assert client.get(url, **params).status_code == 400


@pytest.mark.parametrize("order", ["start", "created", "shuffled"])
def test_any_order_is_stable_and_complete(serve: Serve, order: str) -> None:
    """Facts §2.1: the order is not documented."""
    client = serve(world(options={"order": order}))
    rows = intervals(client)
    assert rows == intervals(client)
    assert len({row["id"] for row in rows}) == len(rows) == 223
    in_order = sorted(rows, key=lambda row: row["start"])
    assert (rows == in_order) == (order != "shuffled")


def test_a_restated_interval_keeps_its_id_and_moves_updated(serve: Serve) -> None:
    """Facts §4.2."""
    known = epoch("2026-01-11T00:00:00Z")
    client = serve(world(restated(SERIES, [(FIRST, known, ("9.990",))])))
    before = intervals(client)[0]
    client.world.advance(days=1)
    after = intervals(client)[0]
    assert (after["id"], after["created"]) == (before["id"], before["created"])
    assert after["usage"] == "9.990"
    assert before["updated"] == before["created"] < after["updated"]


def test_odd_spellings_of_times_and_numbers(serve: Serve) -> None:
    """Facts §4.3 and §4.4."""
    options = {"naive_stamps": True, "local_times": True, "bare_numbers": True}
    client = serve(world(options=options, without_account=True))
    url = f"{client.sandbox.nectar_url}/interval/connection/{CONNECTION}"
    text = client.get(url).text
    assert f'"usage":{SERIES.readings[0].values[0]},' in text
    assert '"start":"2026-01-01T00:00:00-05:00"' in text
    assert re.search(r'"created":"2026-01-01T12:00:00\.\d{9}"', text)
    assert '"account":null' in text


def test_twins_have_one_key_and_two_ids(serve: Serve) -> None:
    client = serve(world(twin_every=24 * 60))
    rows = intervals(client)
    keys = {(row["start"], row["end"]) for row in rows}
    assert len({row["id"] for row in rows}) == len(rows) == len(keys) + 9
    assert len(list(truth.readings(client.world, "nectar"))) == len(rows)


@pytest.mark.parametrize("counted", [True, False])
def test_an_id_may_come_again_on_a_later_page(serve: Serve, *, counted: bool) -> None:
    client = serve(world(options={"repeat_every": 50, "count_repeats": counted}))
    rows = intervals(client)
    total = client.nectar(f"interval/connection/{CONNECTION}")["totalIntervals"]
    unique = {row["id"] for row in rows}
    assert len(rows) == len(unique) + 5
    assert total == (len(rows) if counted else len(unique))


def test_connections_and_meters_appear_at_their_instant(serve: Serve) -> None:
    later = Lifetime(epoch("2026-01-11T00:00:00Z"))
    other = NectarMeter(make_uuid("late"), SERIES, identifiers("L"), life=later)
    client = serve(world(others=[other]))
    assert len({row["identifiers"][0]["value"] for row in intervals(client)}) == 1
    client.world.advance(days=1)
    assert len({row["identifiers"][0]["value"] for row in intervals(client)}) == 2


def test_updated_date_cuts_days_and_leaves_out_the_end_day(serve: Serve) -> None:
    """Facts §2.3: the end bound is cut to midnight too."""
    client = serve(world(bills=[bill(n, n) for n in range(6)]))
    updated = [doc["updated"][:10] for doc in documents(client)]
    assert updated == [f"2026-01-0{n}" for n in range(3, 9)]

    def between(**params: Any) -> list[str]:
        found = documents(client, dateType="UPDATED_DATE", **params)
        return [doc["updated"][:10] for doc in found]

    assert between(startDate="2026-01-05") == updated[2:]
    assert between(startDate="2026-01-05", endDate="2026-01-06") == updated[2:3]
    assert documents(client, dateType="CREATED_DATE", endDate="2026-01-03") == []


def test_usage_period_matches_any_overlap_and_bill_date_is_the_default(
    serve: Serve,
) -> None:
    """Facts §2.3."""
    client = serve(world(bills=[bill(n, n) for n in range(6)]))
    period = {"dateType": "USAGE_PERIOD", "startDate": "2026-01-02"}
    assert len(documents(client, **period, endDate="2026-01-02")) == 1
    assert len(documents(client, startDate="2026-01-02", endDate="2026-01-02")) == 1
    url = f"{client.sandbox.nectar_url}/document/company/{COMPANY}"
    assert client.get(url, dateType="DAY").status_code == 400
    assert client.get(url, startDate="2026-13-01").status_code == 400


def test_deleted_documents_are_hidden_unless_asked_for(serve: Serve) -> None:
    """Facts §4.2."""
    gone = bill(1, 1, withdrawn=epoch("2026-01-09T00:00:00Z"))
    client = serve(world(bills=[bill(0, 0), gone]))
    assert len(documents(client)) == 1
    assert len(documents(client, isDeleted="true")) == 2
    client.world.nectar_options.deleted_only = True
    assert len(documents(client, isDeleted="true")) == 1


def test_a_revised_document_points_to_its_successor_and_is_updated(
    serve: Serve,
) -> None:
    """Facts §4.2: the old one stays and is marked."""
    new = bill(1, 0, revises="0", volume="13.00", available=FIRST + 8 * DAY)
    client = serve(world(bills=[bill(0, 0), new]))
    old, newer = documents(client)
    assert old["revisedDocumentId"] == newer["id"]
    assert newer["revisedDocumentId"] is None
    assert old["updated"] == newer["updated"] > old["created"]
    offered = {t.bill_id: t.superseded for t in truth.bills(client.world, "nectar")}
    assert offered == {old["id"]: True, newer["id"]: False}


def test_a_reprocessed_bill_keeps_its_id(serve: Serve) -> None:
    """Facts §4.2."""
    fixed = bill(0, 0, volume="13.00", available=epoch("2026-01-11T00:00:00Z"))
    client = serve(world(bills=[bill(0, 0), fixed]))
    (before,) = documents(client)
    client.world.advance(days=1)
    (after,) = documents(client)
    assert (after["id"], after["created"]) == (before["id"], before["created"])
    assert after["usageData"][0]["usage"] == "13.00"
    assert after["updated"] > before["updated"]


def test_usage_and_documents_differ_by_version(serve: Serve) -> None:
    """Facts §1.2."""
    parts = (("PEAK", "5.00"), ("OFF_PEAK", "7.50"))
    client = serve(world(bills=[bill(0, 0, time_of_use=parts, demand="6.5")]))

    def rows(version: str) -> list[dict[str, Any]]:
        page = client.nectar(f"usage/company/{COMPANY}", version)
        return list(page["usageData"])

    def document(version: str) -> dict[str, Any]:
        page = client.nectar(f"document/company/{COMPANY}", version)
        return dict(page["documents"][0])

    assert [r["timeOfUse"] for r in rows("v2")] == ["PEAK", "OFF_PEAK"]
    assert "electricityType" not in rows("v2")[0]
    kinds = [(r["electricityType"], r["usage"], r["usageUnits"]) for r in rows("v2.1")]
    assert kinds == [
        ("USAGE", "5.00", "kWh"),
        ("USAGE", "7.50", "kWh"),
        ("DEMAND", "6.5", "KW"),
    ]
    (whole,) = rows("v2.2")
    assert whole["usage"] == "12.50"
    assert [part["usage"] for part in whole["timeOfUseBreakdown"]] == ["5.00", "7.50"]
    assert document("v2.2")["demandMeters"][0]["usageDataIds"] == [whole["id"]]
    assert "demandMeters" not in document("v2.1")
    assert whole["document"]["id"] == document("v2.1")["id"]
    assert client.nectar(f"usage/{whole['id']}")["id"] == whole["id"]


def test_every_parent_lists_its_bills(serve: Serve) -> None:
    """Facts §2.2."""
    client = serve(world(bills=[bill(0, 0)]))
    (one,) = documents(client)
    parents = (f"company/{COMPANY}", f"site/{SITE.id}", f"connection/{CONNECTION}")
    for parent in parents:
        assert client.nectar(f"document/{parent}")["totalDocuments"] == 1
        assert client.nectar(f"usage/{parent}")["totalUsageData"] == 1
    assert client.nectar(f"usage/document/{one['id']}")["totalUsageData"] == 1
    assert client.nectar(f"document/{one['id']}")["lineItems"] == one["lineItems"]


def test_the_signed_url_is_another_at_every_read(serve: Serve) -> None:
    """Facts §0.9."""
    client = serve(world(bills=[bill(0, 0)]))
    first, second = documents(client)[0], documents(client)[0]
    assert first.pop("url") != second.pop("url")
    first["usageData"] = second["usageData"] = []
    assert first == second


def test_a_connection_of_two_companies_is_one(serve: Serve) -> None:
    """Design §4."""
    first = tiny_world().nectar[0]
    shared = Company(make_uuid("other"), "Other", [], first.connections)
    client = serve(World(NOW, nectar=[first, shared]))
    for company in (first, shared):
        page = client.nectar(f"connection/company/{company.id}")
        assert page["connections"][0]["company"]["id"] == company.id
    assert len(list(truth.meters(client.world, "nectar"))) == 2


def test_identifiers_of_several_kinds_travel(serve: Serve) -> None:
    names = (Identifier("1", "POD", "MPAN"), *identifiers("2"))
    client = serve(world(identifiers=names))
    assert [one["name"] for one in intervals(client)[0]["identifiers"]] == [
        "POD",
        "METER",
    ]
    assert HOUR * 24 == DAY

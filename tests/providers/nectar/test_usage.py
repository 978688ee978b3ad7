from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.nectar.mapping.bills import usage_record
from tap_utility_intervals.providers.nectar.session import NectarSession
from tap_utility_intervals.sandbox import (
    Bill,
    Company,
    Sandbox,
    World,
    bills_from,
    epoch,
    make_uuid,
    truth,
)
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    Shelf,
    connection,
    hourly,
    kwh_meter,
    meters,
    number,
    session,
    usage,
    usage_rows,
    world_of,
)

EDGES = [
    epoch(f"{day}T05:00:00Z") for day in ("2026-01-10", "2026-02-09", "2026-03-11")
]


def billed_world(*more: Bill, **options: Any) -> World:
    series = hourly("a", 90)
    bills = (*bills_from(series, EDGES), *more)
    return world_of(connection("a", kwh_meter("a", series, bills=bills)), **options)


def asked(sandbox: Sandbox) -> list[dict[str, str]]:
    return [r.query for r in sandbox.requests if "/usage/" in r.path]


def test_the_first_sync_brings_every_entry(serve: Serve) -> None:
    world = billed_world()
    sandbox, shelf = serve(world), Shelf()
    rows = usage_rows(usage(sandbox, shelf))
    offered = {t.usage_id: t for t in truth.bills(world, "nectar")}
    assert rows.keys() == offered.keys()
    (key,) = {m.meter_key for m in meters(sandbox)}
    for usage_id, row in rows.items():
        bill = offered[usage_id]
        assert number(row.quantity) == Decimal(bill.volume or "")
        assert row.quantity_normalized == row.quantity
        assert (row.meter_key, row.source_meter_id) == (key, bill.meter_id)
        assert (row.bill_id, row.unit, row.currency) == (bill.bill_id, "kWh", "USD")
        assert row.period_start_date == bill.start.date().isoformat()
        assert row.period_end_date == bill.end.date().isoformat()
        assert (row.is_superseded, row.is_subtracted, row.cost) == (False, False, None)
        assert (row.usage_type, row.commodity, row.flow) == (
            "consumption",
            "electricity",
            None,
        )
    assert asked(sandbox)[0] == {"page": "1", "dateType": "BILL_DATE"}
    newest = max(str(row.source_updated_at) for row in rows.values())
    assert shelf.only["replication_key_value"] == newest


def test_later_only_what_was_updated_since_the_day_before(serve: Serve) -> None:
    sandbox, shelf = serve(billed_world()), Shelf()
    usage(sandbox, shelf)
    sandbox.forget_requests()
    again = usage(sandbox, shelf)
    assert asked(sandbox) == [
        {"page": "1", "dateType": "UPDATED_DATE", "startDate": "2026-03-13"}
    ]
    assert len(again.rows) == 1


def test_a_corrected_bill_and_a_reissued_one_arrive(serve: Serve) -> None:
    first, second = bills_from(hourly("a", 90), EDGES)
    known = epoch("2026-03-21T00:00:00Z")
    corrected = replace(first, volume="1.25", available=known)
    reissued = replace(second, number="9", available=known, revises=second.number)
    world = billed_world(corrected, reissued)
    sandbox, shelf = serve(world), Shelf()
    before = usage_rows(usage(sandbox, shelf))
    world.advance(days=2)
    after = usage_rows(usage(sandbox, shelf))
    offered = {t.usage_id: t for t in truth.bills(world, "nectar")}
    whole = before | after
    assert whole.keys() == offered.keys()
    for usage_id, row in whole.items():
        assert number(row.quantity) == Decimal(offered[usage_id].volume or "")
        assert row.is_superseded == offered[usage_id].superseded
    assert sum(row.is_superseded is True for row in whole.values()) == 1


@pytest.mark.parametrize("version", ["v2", "v2.1", "v2.2"])
def test_all_versions_parse(serve: Serve, version: str) -> None:
    first, second = bills_from(hourly("a", 90), EDGES)
    parted = replace(
        second, time_of_use=(("PEAK", "1.10"), ("OFF_PEAK", "2.20")), demand="7.50"
    )
    series = hourly("a", 90)
    world = world_of(
        connection("a", kwh_meter("a", series, bills=(first, parted))),
        naive_stamps=True,
        bare_numbers=True,
    )
    sandbox = serve(world)
    rows = usage(sandbox, nectar_base_url=sandbox.nectar_url_of(version)).rows
    shown = [
        (r.time_of_use, str(number(r.quantity)), r.unit, r.usage_type) for r in rows
    ]
    if version == "v2.2":
        assert len(rows) == 2
        (parts,) = [r.time_of_use_breakdown for r in rows if r.time_of_use_breakdown]
        assert [part["usage"] for part in parts] == ["1.10", "2.20"]
    else:
        assert ("PEAK", "1.10", "kWh", "consumption") in shown
    demand = (None, "7.50", "kW", "demand")
    assert (demand in shown) == (version == "v2.1")


@pytest.mark.parametrize(
    ("sent", "over"),
    [
        ("2026-02-28", "2026-03-01"),
        ("2026-12-31", "2027-01-01"),
        ("9999-12-31", "9999-12-31"),
        ("soon", None),
        (None, None),
    ],
)
def test_a_period_is_over_the_day_after_its_last(
    sent: str | None, over: str | None
) -> None:
    row = usage_record({"id": "u", "endDate": sent}, None, "2026-03-20T00:00:00Z")
    assert row.period_end_date == over


def test_entries_of_an_earlier_mapping_are_read_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox, shelf = serve(billed_world()), Shelf()
    whole = len(usage(sandbox, shelf).rows)
    usage(sandbox, shelf)
    assert "startDate" in asked(sandbox)[-1]
    monkeypatch.setattr(
        "tap_utility_intervals.providers.nectar.session.BILLS_MAPPED", ["mapping 2"]
    )
    assert len(usage(sandbox, shelf).rows) == whole
    assert "startDate" not in asked(sandbox)[-1]


def test_periods_outside_start_and_end_date_are_left_out(serve: Serve) -> None:
    sandbox, shelf = serve(billed_world()), Shelf()
    late = usage(sandbox, shelf, start_date="2026-02-10")
    assert [row.period_end_date for row in late.rows] == ["2026-03-11"]
    both = usage(sandbox, shelf, start_date="2026-01-01")
    assert len(both.rows) == 2
    early = usage(sandbox, Shelf(), end_date="2026-02-09T00:00:00Z")
    assert [row.period_start_date for row in early.rows] == ["2026-01-10"]


def test_an_end_date_removed_brings_what_it_kept_out(serve: Serve) -> None:
    sandbox, shelf = serve(billed_world()), Shelf()
    assert len(usage(sandbox, shelf, end_date="2026-02-01").rows) == 1
    assert len(usage(sandbox, shelf).rows) == 2


def test_every_page_is_read_even_when_rows_move_between_them(serve: Serve) -> None:
    step = 86_400
    edges = list(range(EDGES[0], EDGES[-1] + 30 * step, step))
    series = hourly("a", 90)
    bills = bills_from(series, edges, lag=step)
    world = world_of(
        connection("a", kwh_meter("a", series, bills=bills)),
        page_size=10,
        order="created",
    )
    sandbox = serve(world)
    sandbox.faults.add(kind="advance", path="/usage/", query="page=3", seconds=step)
    result = usage(sandbox)
    offered = {t.usage_id for t in truth.bills(world, "nectar")}
    assert usage_rows(result).keys() == offered
    assert len(offered) > 60
    assert all(a.usage_id != b.usage_id for a, b in pairwise(result.rows))


def test_a_company_that_is_gone_is_lost_alone(serve: Serve) -> None:
    series = hourly("a", 90)
    own = connection("a", kwh_meter("a", series, bills=bills_from(series, EDGES)))
    world = world_of(
        companies=[Company("company-1", connections=[own]), Company("company-2")]
    )
    sandbox, shelf = serve(world), Shelf()
    sandbox.faults.add(path="/usage/company/company-2", status=403, times=None)
    result = usage(sandbox, shelf)
    assert [type(error) for error in result.lost] == [errors.Gone]
    assert result.finished == 1
    assert len(result.rows) == 2
    assert list(shelf.kept) == [("nectar", "company-1")]


def test_a_full_scan_finds_what_no_update_showed(serve: Serve) -> None:
    world = billed_world()
    sandbox, shelf = serve(world), Shelf()
    usage(sandbox, shelf, full_rescan_days=3)
    counts = []
    for _ in range(4):
        world.advance(days=1)
        counts.append(len(usage(sandbox, shelf, full_rescan_days=3).rows))
    assert 2 in counts
    assert 1 in counts


def test_without_a_meter_list_single_meters_are_asked_for(serve: Serve) -> None:
    world = billed_world(meter_list=False)
    sandbox = serve(world)
    (meter,) = meters(sandbox)
    assert meter.source_meter_id == make_uuid("meter", "a")
    assert {row.meter_key for row in usage(sandbox).rows} == {meter.meter_key}
    paths = [r.path for r in sandbox.requests if "/meter/" in r.path]
    assert paths.count(f"/v2.2/meter/{make_uuid('meter', 'a')}") == 2


def test_without_any_meter_usage_has_its_account_from_the_connection(
    serve: Serve,
) -> None:
    sandbox = serve(billed_world())
    (meter,) = meters(sandbox)
    sandbox.faults.add(path="/meter/", status=404, times=None)
    result = usage(sandbox)
    assert {row.meter_key for row in result.rows} == {meter.meter_key}


def test_a_usage_entry_names_its_meter_by_identifiers_at_last(serve: Serve) -> None:
    sandbox = serve(billed_world())
    opened: NectarSession
    opened, _ = session(sandbox)
    try:
        row = {"identifiers": [{"name": "METER", "value": "0-0a"}], "meter": None}
        assert opened.directory.meter_keys.of_usage(row) == meters(sandbox)[0].meter_key
        assert opened.directory.meter_keys.of_usage({"identifiers": []}) is None
        other = {"identifiers": [{"name": "METER", "value": "other"}]}
        assert opened.directory.meter_keys.of_usage(other) is None
    finally:
        opened.close()


@pytest.mark.parametrize("order", ["start", "created", "shuffled"])
@pytest.mark.parametrize("is_capped", [False, True])
def test_a_list_that_ends_at_some_number_is_told(
    serve: Serve, order: str, *, is_capped: bool
) -> None:
    begin = epoch("2025-09-01T05:00:00Z")
    edges = list(range(begin, begin + 180 * 86_400, 86_400))
    series = hourly("a", 250)
    caps: dict[str, Any] = {"most_counted": 120, "most_pages": 2} if is_capped else {}
    bills = bills_from(series, edges)
    world = world_of(
        connection("a", kwh_meter("a", series, bills=bills)),
        page_size=60,
        order=order,
        **caps,
    )
    sandbox, shelf = serve(world), Shelf()
    result = usage(sandbox, shelf)
    assert len(usage_rows(result)) == (120 if is_capped else 179)
    assert [type(one) for one in result.lost] == [errors.BadAnswer] * is_capped
    assert bool(shelf.kept) is not is_capped

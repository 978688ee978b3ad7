from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.sandbox import (
    Company,
    Identifier,
    NectarMeter,
    Series,
    Site,
    default_world,
    make_uuid,
    truth,
)
from tests.oracle import expected_key
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    connection,
    hourly,
    intervals,
    kwh_meter,
    meters,
    session,
    usage,
    world_of,
)


def test_meters_join_their_intervals_and_usage(serve: Serve) -> None:
    world = default_world()
    sandbox = serve(world)
    rows = {str(row.source_meter_id): row for row in meters(sandbox)}
    offered = {meter.meter_id: meter for meter in truth.meters(world, "nectar")}
    assert rows.keys() == offered.keys()
    for meter_id, row in rows.items():
        meter = offered[meter_id]
        assert row.connection_id == meter.connection_id
        assert row.account_id == meter.account_id
        assert row.account_number == meter.account_number
        assert row.site_id == meter.site_id
        assert row.commodity == meter.commodity.lower()
        assert row.status == meter.status
    keys = {row.meter_key for row in rows.values()}
    readings = intervals(sandbox, start_date="2017-03-01")
    assert {row.meter_key for row in readings.rows} <= keys
    assert {row.meter_key for row in usage(sandbox).rows} <= keys
    known = {row.meter_key: (row.site_id, row.commodity) for row in rows.values()}
    for row in readings.rows:
        assert (row.site_id, row.commodity) == known[row.meter_key]


@pytest.mark.parametrize("as_list", [True, False])
@pytest.mark.parametrize("meter_list", [True, False])
def test_every_shape_of_the_lists_gives_the_same(
    serve: Serve, *, as_list: bool, meter_list: bool
) -> None:
    names = [f"m{n:02d}" for n in range(25)]
    world = world_of(
        *(connection(name, kwh_meter(name, Series([]))) for name in names),
        page_size=7,
        connections_as_list=as_list,
        meter_list=meter_list,
    )
    found = [row.source_meter_id for row in meters(serve(world))]
    assert found == [make_uuid("meter", name) for name in names]


def test_lists_are_read_once_however_many_streams_ask(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a", kwh_meter("a", hourly("a", 2)))))
    opened, _ = session(sandbox)
    try:
        for _ in range(2):
            assert len([row for page in opened.meters() for row in page]) == 1
            assert list(opened.directory.known)
        assert len(opened.directory.connections) == 1
    finally:
        opened.close()
    paths = [r.path for r in sandbox.requests]
    assert len(paths) == len(set(paths)) == 3


def test_one_meter_of_several_companies_is_one_row(serve: Serve) -> None:
    shared = connection("a", kwh_meter("a", Series([])))
    world = world_of(
        companies=[Company(f"company-{n}", connections=[shared]) for n in range(3)]
    )
    (row,) = meters(serve(world))
    assert row.company_id == "company-0"


def test_meters_with_the_same_identifiers_count_as_one(serve: Serve) -> None:
    into, out = (
        kwh_meter(way, Series([]), "M-1", details=(("netMeteringType", way),))
        for way in ("IMPORT", "EXPORT")
    )
    sandbox = serve(world_of(connection("a", into, out)))
    opened, _ = session(sandbox)
    try:
        rows = [row for page in opened.meters() for row in page]
    finally:
        opened.close()
    assert [row.source_meter_id for row in rows] == [into.id]
    assert sum(opened.run.report.warnings.values()) == 1


def test_only_the_types_that_are_wished_for(serve: Serve) -> None:
    gas = kwh_meter("g", Series([]), datasource_type="GAS")
    world = world_of(connection("a", kwh_meter("a", Series([])), gas))
    rows = meters(serve(world), nectar_datasource_types=["GAS"])
    assert [row.source_meter_id for row in rows] == [gas.id]


def test_what_identifies_the_service(serve: Serve) -> None:
    meter = NectarMeter(
        "m",
        Series([]),
        [
            Identifier("007-A", "ACCOUNT"),
            Identifier("00 12/3", "POD"),
            Identifier("77-b", "meter"),
            Identifier("66_c", "METER"),
        ],
    )
    (row,) = meters(serve(world_of(connection("a", meter))))
    assert row.meter_key == f"{make_uuid('account', 'a')}:66C+77B"
    assert row.service_point_key == "Demo Utility:66C+77B"
    assert row.service_identifier == "00 12/3"
    assert row.meter_numbers == ["77-b", "66_c"]


def test_intervals_without_an_account_belong_to_the_only_meter_that_fits(
    serve: Serve,
) -> None:
    meter = kwh_meter("a", hourly("a", 2), without_account=True)
    world = world_of(connection("a", meter))
    result = intervals(serve(world))
    owner = make_uuid("account", "a")
    assert {row.meter_key for row in result.rows} == {f"{owner}:A"}
    assert {row.account_id for row in result.rows} == {None}
    assert not result.report.warnings
    assert result.values.keys() == {
        expected_key(t) for t in truth.readings(world, "nectar")
    }


def test_a_meter_list_that_fails_costs_no_interval(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 2))))
    sandbox = serve(world)
    sandbox.faults.add(path="/meter/", status=500, times=None)
    result = intervals(sandbox)
    assert len(result.rows) == len(list(truth.readings(world, "nectar")))
    assert {row.commodity for row in result.rows} == {None}
    assert sum(result.report.warnings.values()) == 1
    assert not result.report.failed
    opened, _ = session(sandbox)
    try:
        assert not list(opened.meters())
        outcomes = opened.run.report.sources("nectar")
        assert list(outcomes.values()) == [Outcome.FAILED]
    finally:
        opened.close()


def test_a_meter_that_an_account_names_but_is_not_there(serve: Serve) -> None:
    world = world_of(
        connection("a", kwh_meter("a", Series([])), kwh_meter("b", Series([]))),
        meter_list=False,
    )
    sandbox = serve(world)
    sandbox.faults.add(path=f"/meter/{make_uuid('meter', 'a')}", status=403, times=None)
    (row,) = meters(sandbox)
    assert row.source_meter_id == make_uuid("meter", "b")


@pytest.mark.parametrize("path", ["/company$", "/connection/", "/meter/company"])
def test_a_list_that_grows_while_it_is_read_is_read_again(
    serve: Serve, path: str
) -> None:
    world = world_of(
        *(connection(f"{n}", kwh_meter(f"{n}", Series([]))) for n in range(9))
    )
    sandbox = serve(world)
    sandbox.faults.add(
        path=path,
        status=200,
        body='{"totalMeters":9,"meters":[],"hasNext":false,"totalConnections":9,"connections":[],"totalCompanies":1,"companies":[]}',
    )
    assert len(meters(sandbox)) == 9


def test_companies_that_cannot_be_listed_end_everything(serve: Serve) -> None:
    sandbox = serve(world_of())
    sandbox.faults.add(path="/company", status=500, times=None)
    with pytest.raises(errors.Unavailable):
        meters(sandbox)


def test_no_secret_is_kept_or_told(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="tests.nectar")
    site = Site("site-1")
    sandbox = serve(
        world_of(
            companies=[
                Company(
                    "company-1",
                    sites=[site],
                    connections=[connection("a", kwh_meter("a", hourly("a", 2)))],
                )
            ]
        )
    )
    sandbox.faults.add(path="/interval/", status=403, times=None)
    result = intervals(sandbox)
    opened, _ = session(sandbox)
    try:
        kept = [c.row for c in opened.directory.connections]
        rows = [row for page in opened.meters() for row in page]
    finally:
        opened.close()
    assert "connectionMagicLinkSecret" not in kept[0]
    assert "username" in kept[0]
    told: Any = [caplog.text, str(result.lost), result.report.warnings]
    assert "PLANTED" not in str(told)
    assert sandbox.api_key not in str(told)
    assert b"PLANTED" not in msgspec.json.encode(rows)

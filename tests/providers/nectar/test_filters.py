"""A Nectar that does not read `datasourceType` or `dateType`: whole, and told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Bill, Sandbox, World, bills_from, epoch
from tests.oracle import Row
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import connection, hourly, kwh_meter, world_of
from tests.providers.reading import selecting
from tests.syncing import Run, config, sync

DAYS = ("2025-12-11", "2026-01-10", "2026-02-09", "2026-03-11")
EDGES = [epoch(f"{day}T05:00:00Z") for day in DAYS]
STREAMS = ("meters", "intervals", "usage")


def ignore(sandbox: Sandbox, *parameters: str) -> None:
    sandbox.faults.add(
        provider="nectar", kind="ignore", parameters=parameters, times=None
    )


def nectar(sandbox: Sandbox, state: Row | None = None, **settings: Any) -> Run:
    return sync(config(sandbox, "nectar", max_retries=0, **settings), state)


def mixed_world() -> World:
    """Gas and electricity behind one account, told apart by their identifiers."""
    meters = []
    for name, kind in (("g", "GAS"), ("e", "ELECTRICITY"), ("f", "ELECTRICITY")):
        series = hourly(name, 10)
        bills = bills_from(series, EDGES[2:])
        meter = kwh_meter(name, series, datasource_type=kind, bills=bills)
        meters.append(replace(meter, without_account=name == "f"))
    return world_of(connection("a", *meters))


def test_what_is_of_another_type_is_left_out_and_told(serve: Serve) -> None:
    sandbox = serve(mixed_world())
    gas: Any = {"nectar_datasource_types": ["GAS"]}
    healthy = nectar(sandbox, **gas)
    assert all(healthy.rows(stream) for stream in STREAMS)
    assert not healthy.tap.report.warnings
    ignore(sandbox, "datasourceType")
    run = nectar(sandbox, **gas)
    for stream in STREAMS:
        keys = [
            {row["meter_key"] for row in one.rows(stream)} for one in (run, healthy)
        ]
        assert keys[0] == keys[1]
        assert len(run.rows(stream)) == len(healthy.rows(stream))
    assert {row["is_complete"] for row in run.rows("coverage")} == {False}
    told = " ".join(run.tap.report.warnings)
    assert "intervals of another datasource type" in told
    assert "usage entry of another datasource type" in told
    assert not run.failed


def test_all_types_are_read_unless_some_are_named(serve: Serve) -> None:
    run = nectar(serve(mixed_world()))
    for stream in STREAMS:
        assert len({row["meter_key"] for row in run.rows(stream)}) == 3
    assert not run.tap.report.warnings


def billed_world(known_after: int) -> tuple[World, list[Bill]]:
    """Three bills, each known so many seconds after its period; one is corrected."""
    series = hourly("a", 99)
    bills = [
        replace(bill, available=bill.end + known_after)
        for bill in bills_from(series, EDGES)
    ]
    corrected = replace(
        bills[0], volume="77.5", available=epoch("2026-03-20T18:00:00Z")
    )
    meter = kwh_meter("a", series, bills=[*bills, corrected])
    return world_of(connection("a", meter)), bills


@pytest.mark.parametrize("known_after", [0, 3_600, 5 * 86_400])
@pytest.mark.parametrize("stream", ["usage", "nectar_usage_data", "nectar_documents"])
def test_a_changed_bill_comes_though_the_server_asks_for_the_date_of_bills(
    serve: Serve, known_after: int, stream: str
) -> None:
    world, bills = billed_world(known_after)
    sandbox = serve(world)
    first = one_stream(sandbox, stream)
    assert len(first.rows(stream)) == len(bills)
    world.advance(days=1)
    assert len(one_stream(sandbox, stream, first.state).rows(stream)) <= 2
    ignore(sandbox, "dateType")
    run = one_stream(sandbox, stream, first.state)
    assert len(run.rows(stream)) == len(bills), "all of them, each once"
    assert any("may not be filtered by dateType" in w for w in run.tap.report.warnings)
    assert not run.failed


def one_stream(sandbox: Sandbox, stream: str, state: Row | None = None) -> Run:
    settings = config(sandbox, "nectar", max_retries=0)
    return sync(settings, state, selecting(settings, stream))

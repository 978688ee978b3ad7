"""`meltano run` end to end: every row in DuckDB against the sandbox's world."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from scripts.demo.errors import DemoError
from scripts.demo.pipeline import Pipeline
from scripts.demo.warehouse import Warehouse
from tap_utility_intervals.sandbox import Sandbox, default_world, truth
from tests.oracle import channel, meter_key, naive, unit, utc_offset
from tests.packaging.tree import ROOT

HOUR = 3600

pytestmark = pytest.mark.slow


@dataclass
class Project:
    """The Meltano project, its sandbox, and what two runs brought into a warehouse."""

    sandbox: Sandbox
    pipeline: Pipeline
    warehouse: Warehouse


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Synced and modelled once, with a state of its own; the clock stands since."""
    made = [".meltano/.installed", ".venvs/dbt/.installed"]
    subprocess.run(["make", *made], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("project")
    file, log = folder / "warehouse.duckdb", folder / "meltano.log"
    with Sandbox(default_world()) as sandbox:
        settings = {
            "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
            "TARGET_UTILITY_DUCKDB_FILEPATH": str(file),
            "DBT_DUCKDB_PATH": str(file),
        }
        pipeline = Pipeline(ROOT, sandbox.url, log, settings)
        try:
            pipeline.run(then=["dbt-duckdb:build"])
        except DemoError:
            pytest.fail(log.read_text(encoding="utf-8", errors="replace"))
        yield Project(sandbox, pipeline, Warehouse(file))


def expected(sandbox: Sandbox, provider: Any) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            provider,
            meter_key(reading),
            channel(reading),
            naive(reading.start),
            naive(reading.end),
            round((reading.end - reading.start).total_seconds()),
            utc_offset(reading),
            None if reading.value is None else Decimal(reading.value),
            unit(reading),
            reading.unit,
        )
        for reading in truth.readings(sandbox.world, provider)
        if not reading.mixed
    )


def found(warehouse: Warehouse, provider: str) -> Counter[tuple[Any, ...]]:
    return Counter(
        warehouse.query(
            "select provider, meter_key, channel, interval_start::timestamp,"
            " interval_end::timestamp, interval_seconds, utc_offset_seconds, quantity,"
            " unit, unit_raw"
            " from intervals where provider = ?",
            provider,
        )
    )


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_every_row_has_the_key_value_instant_and_unit_of_the_world(
    project: Project, provider: str
) -> None:
    there, here = (
        expected(project.sandbox, provider),
        found(project.warehouse, provider),
    )
    assert here - there == {}
    assert there - here == {}
    assert here


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
@pytest.mark.parametrize(
    ("begin", "end", "hours"),
    [
        pytest.param("2016-11-06 05:00", "2016-11-07 06:00", 25, id="autumn"),
        pytest.param("2017-03-12 06:00", "2017-03-13 05:00", 23, id="spring"),
    ],
)
def test_a_day_of_a_clock_change_has_all_its_hours(
    project: Project, provider: str, begin: str, end: str, hours: int
) -> None:
    """Chicago's midnights; the hourly electricity meter that both providers serve."""
    rows = project.warehouse.query(
        "select interval_start, interval_seconds from intervals"
        " where provider = ? and unit = 'kWh' and interval_start >= ?::timestamp"
        " and interval_start < ?::timestamp"
        " and split_part(channel, '/', 1) in ('net', 'usage')"
        " and (meter_key = '2001001' or meter_key like '%:E1001')"
        " order by 1",
        *(provider, begin, end),
    )
    assert len(rows) == hours
    assert {seconds for _, seconds in rows} == {HOUR}
    assert len({start for start, _ in rows}) == hours


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_every_meter_and_bill_is_there(project: Project, provider: Any) -> None:
    world, query = project.sandbox.world, project.warehouse.query
    meters = query("select count(*) from meters where provider = ?", provider)
    assert meters == [(len(list(truth.meters(world, provider))),)]
    bills = query("select usage_id, quantity from usage where provider = ?", provider)
    assert sorted(bills) == sorted(
        (bill.usage_id, bill.volume and Decimal(bill.volume))
        for bill in truth.bills(world, provider)
    )


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_a_bill_meets_its_meter(project: Project, provider: str) -> None:
    alone = project.warehouse.query(
        "select * from usage anti join meters using (meter_key, provider)"
        " where provider = ?",
        provider,
    )
    assert alone == []


def test_dbt_has_made_hours_of_what_was_loaded(project: Project) -> None:
    """In the same `meltano run`; an hourly meter of Chicago, whose offset is sent."""
    meter, chosen = "2001001", "fwd/kWh"
    wanted: dict[datetime, list[Decimal]] = defaultdict(list)
    for reading in truth.readings(project.sandbox.world, "utilityapi"):
        if (meter_key(reading), channel(reading)) == (meter, chosen) and reading.value:
            since = timedelta(seconds=utc_offset(reading) or 0)
            wanted[naive(reading.start) + since].append(Decimal(reading.value))
    assert {len(values) for values in wanted.values()} == {1, 2}  # twice each autumn
    assert project.warehouse.query(
        "select local_hour, chosen_channel, chosen_kwh, received_seconds"
        " from utility_intervals__hourly where meter_key = ?"
        " and received_seconds > 0 order by local_hour",
        meter,
    ) == [
        (hour, chosen, sum(values), HOUR * len(values))
        for hour, values in sorted(wanted.items())
    ]


def test_the_next_day_brings_what_is_new_and_what_was_restated(
    project: Project,
) -> None:
    """Last in this module: it moves the clock."""
    before = project.warehouse.counts()["intervals"]
    recent = """
        select count(*) from intervals semi join (
            select meter_key, max(interval_start) - interval 31 days as since
            from intervals group by all
        ) latest on intervals.meter_key = latest.meter_key and interval_start >= since
    """
    project.sandbox.world.advance(days=1)
    sent = project.pipeline.run()
    # A quarter of an hour of the solar home is withdrawn: its rows stay, four channels.
    for provider, withdrawn in (("utilityapi", 4), ("nectar", 0)):
        here = found(project.warehouse, provider)
        there = expected(project.sandbox, provider)
        assert not there - here
        assert (here - there).total() == withdrawn
    ((looked_back,),) = project.warehouse.query(recent)
    assert sent["intervals"] <= looked_back < before.total() / 3
    assert project.warehouse.counts()["intervals"].total() > before.total()

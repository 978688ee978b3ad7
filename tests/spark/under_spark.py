"""The source under Spark: here with two threads, and with two workers. `make spark`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyspark
import pytest
from deltalake import DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import udf

from scripts.spark_job import run
from tap_utility_intervals.spark import commit
from tap_utility_intervals.spark.folder import Folder, Unread
from tests import oracle
from tests.oracle import KEYS, Row
from tests.spark.world import Timed, bill_ids, fleet, settings

pytestmark = pytest.mark.filterwarnings("default")

BOTH = ("utilityapi", "nectar")
ROOT = Path(__file__).parents[2]


@contextmanager
def session(master: str, logs: Path, **more: str) -> Iterator[SparkSession]:
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    logs.mkdir()
    builder = SparkSession.builder.master(master).appName("utility-intervals")
    conf = {
        "spark.ui.enabled": "false",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.compress": "false",  # it is searched
        "spark.eventLog.dir": logs.as_uri(),
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        # A busy machine is slow to start processes, and that is no failure.
        "spark.network.timeout": "600s",
        "spark.python.authenticate.socketTimeout": "300s",
        **more,
    }
    for name, value in conf.items():
        builder = builder.config(name, value)
    opened = builder.getOrCreate()
    try:
        yield opened
    finally:
        opened.stop()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def spark(logs: Path) -> Iterator[SparkSession]:
    # Two threads, and a task that fails is tried once more.
    with session("local[2,2]", logs / "local") as opened:
        yield opened


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Timed]:
    with Timed(fleet()) as running:
        yield running


def load(
    spark: SparkSession, stream: str, config: Row | None, **more: Any
) -> DataFrame:
    reader = spark.read.format("utility_intervals").option("stream", stream)
    if config is not None:
        reader = reader.option("config", json.dumps(config))
    return reader.options(**{n: str(v) for n, v in more.items()}).load()


def intervals(frame: DataFrame) -> dict[Any, Decimal | None]:
    """Key to quantity; a key that comes twice is an error."""
    key = KEYS["intervals"]
    found: dict[Any, Decimal | None] = {}
    for row in frame.select(*key, "quantity").collect():
        name = tuple(row[n] if "interval_" not in n else stamp(row[n]) for n in key)
        assert name not in found
        found[name] = row.quantity
    return found


def stamp(moment: Any) -> str:
    return f"{moment.isoformat()}Z"


def check(spark: SparkSession, sandbox: Timed, folder: Path, partitions: int) -> None:
    """All four streams, read once, hold what the world does."""
    config, world = settings(sandbox), sandbox.world
    expected = oracle.readings(world, *BOTH)
    planned = {"plan": folder, "partitions": partitions}
    frame = load(spark, "intervals", config, **planned)
    total = frame.selectExpr("sum(quantity)", "count(*)").first()
    assert total is not None
    assert total[0] == sum(value or 0 for value in expected.values())
    assert total[1] == len(expected)
    parts = Folder(folder).planned("intervals").parts
    assert len(parts) == min(partitions, 9) + min(partitions, 6)
    assert intervals(frame) == expected
    usage = load(spark, "usage", config, **planned)
    ids = [row.usage_id for row in usage.select("usage_id").collect()]
    assert len(ids) == len(set(ids))
    assert set(ids) == bill_ids(world)
    meters = load(spark, "meters", config).select("meter_key").collect()
    assert len({row.meter_key for row in meters}) == len(meters) == 9 + 6
    covered = load(spark, "coverage", None, plan=folder).collect()
    assert {row.source for row in covered} == {
        entry["context"].get("meter_key") or entry["context"]["connection_id"]
        for entry in commit(folder)["bookmarks"]["intervals"]["partitions"]
    }
    assert sum(row.readings for row in covered) == len(expected)
    assert all(row.is_complete for row in covered)


@pytest.mark.parametrize("partitions", [1, 4, 16])
def test_counts_keys_and_sums_are_the_worlds(
    spark: SparkSession, sandbox: Timed, tmp_path: Path, partitions: int
) -> None:
    sandbox.forget_requests()
    check(spark, sandbox, tmp_path / "plan", partitions)
    assert sandbox.max_in_flight["nectar"] <= 10
    assert sandbox.max_in_flight["utilityapi"] <= 16


def test_requests_keep_to_the_credentials_budget(
    spark: SparkSession, sandbox: Timed
) -> None:
    rate, shares = 12, 4
    more = {"utilityapi_requests_per_second": rate, "max_concurrency": shares}
    config = settings(
        sandbox, **more, utilityapi_meters=[str(101 + n) for n in range(9)]
    )
    sandbox.forget_requests()
    before = len(sandbox.times)
    frame = load(spark, "intervals", config, partitions=shares)
    assert frame.filter("provider = 'utilityapi'").count() > 0
    assert max(sandbox.max_in_flight.values()) <= shares
    came = [at for name, at in sandbox.times[before:] if name == "utilityapi"]
    assert len(came) >= 10
    # Whoever waits for each answer sends its third request at least one turn after the
    # first has come, however the machine stutters: so with two to spare for each
    # partition, and for the driver, no span of time may hold more than the rate.
    spare = 2 * (shares + 1)
    for first, begin in enumerate(came):
        for last, end in enumerate(came[first:], 1):
            assert last <= rate * (end - begin) + spare


def test_a_task_that_is_killed_is_tried_again(
    spark: SparkSession, sandbox: Timed, tmp_path: Path
) -> None:
    flag, plan = tmp_path / "killed", tmp_path / "plan"

    def fatal(quantity: Decimal) -> Decimal:
        if not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return quantity

    frame = load(spark, "intervals", settings(sandbox), plan=plan)
    deadly = udf(fatal, "decimal(38, 18)")
    rows = frame.withColumn("quantity", deadly("quantity"))
    assert intervals(rows) == oracle.readings(sandbox.world, *BOTH)
    assert flag.exists()
    assert commit(plan)["bookmarks"]["intervals"]["partitions"]


def test_a_failed_partition_moves_no_bookmark(
    spark: SparkSession, sandbox: Timed, tmp_path: Path
) -> None:
    plan = tmp_path / "plan"
    sandbox.faults.add(provider="nectar", path="/interval", status=401, times=None)
    try:
        with pytest.raises(PySparkException, match="nectar_api_key"):
            load(spark, "intervals", settings(sandbox), plan=plan).count()
    finally:
        sandbox.faults.clear()
    with pytest.raises(Unread, match="none of its bookmarks moves"):
        commit(plan)
    # The same plan, read again, is whole.
    assert load(spark, "intervals", settings(sandbox), plan=plan).count() == len(
        oracle.readings(sandbox.world, *BOTH)
    )
    assert len(commit(plan)["bookmarks"]["intervals"]["partitions"]) == 15


def test_a_source_that_is_lost_is_told_and_keeps_its_bookmark(
    spark: SparkSession, sandbox: Timed, tmp_path: Path
) -> None:
    plan = tmp_path / "plan"
    config = settings(sandbox, max_retries=0)
    sandbox.faults.add(
        provider="utilityapi",
        path="/intervals",
        query="meters=103",
        status=400,
        times=None,
    )
    try:
        with pytest.raises(PySparkException, match="meter 103"):
            load(spark, "intervals", config).count()
        keys = {
            key[0] for key in intervals(load(spark, "intervals", config, plan=plan))
        }
    finally:
        sandbox.faults.clear()
    assert len(keys) == 14
    assert "103" not in keys
    known = commit(plan)["bookmarks"]["intervals"]["partitions"]
    assert len(known) == 14


def test_two_runs_merge_into_what_the_world_has(
    spark: SparkSession, tmp_path: Path
) -> None:
    world = fleet()
    lake = tmp_path / "lake"
    with Timed(world) as sandbox:
        config = tmp_path / "config.json"
        config.write_text(json.dumps(settings(sandbox)))
        first = run(spark, str(config), str(lake))
        held(lake, world)
        world.advance(days=1)
        second = run(spark, str(config), str(lake))
        held(lake, world)
    whole = first["intervals"]
    # Four days of look-back and a new one, of twenty.
    assert 15 * 24 * 4 <= second["intervals"] <= 15 * 24 * 6 < whole


def held(lake: Path, world: Any) -> None:
    """What is current in the lake is what the world has now."""
    table = DeltaTable(str(lake / "intervals")).to_pyarrow_table()
    found = {
        tuple(
            row[n] if "interval_" not in n else utc(row[n]) for n in KEYS["intervals"]
        ): (row["quantity"])
        for row in table.to_pylist()
    }
    assert len(found) == table.num_rows
    assert found == oracle.readings(world, *BOTH)
    usage = DeltaTable(str(lake / "usage")).to_pyarrow_table()
    assert set(usage.column("usage_id").to_pylist()) == bill_ids(world)
    assert DeltaTable(str(lake / "meters")).to_pyarrow_table().num_rows == 15


def utc(moment: Any) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"


def test_options_that_mean_nothing_are_refused(spark: SparkSession) -> None:
    for more, sentence in (
        ({"partition": "4"}, "did you mean partitions"),
        ({"partitions": "4"}, "partitions has no effect on meters"),
        ({"config": "{}"}, "no provider has a credential"),
    ):
        chosen = {"config": '{"nectar_api_key": "secret-word"}', **more}
        reader = spark.read.format("utility_intervals").option("stream", "meters")
        with pytest.raises(PySparkException, match=sentence) as refused:
            reader.options(**chosen).load().collect()
        assert "secret-word" not in str(refused.value)


def test_two_workers_read_the_same(
    spark: SparkSession, sandbox: Timed, logs: Path, tmp_path: Path
) -> None:
    # The last test: one process has one session at a time.
    local = [*(logs / "local").rglob("*")]
    spark.stop()
    with session("local-cluster[2,1,1024]", logs / "cluster") as two:
        sandbox.forget_requests()
        check(two, sandbox, tmp_path / "plan", 4)
        app = two.sparkContext.applicationId
        explained = load(two, "meters", settings(sandbox))._jdf.queryExecution()
        told = [explained.toString(), explained.executedPlan().toString()]
        status = two.sparkContext._jsc.sc().getExecutorMemoryStatus()
        assert status.size() == 3  # the driver is one of them
    secrets = [sandbox.token.encode(), sandbox.api_key.encode()]
    places = [
        *(one for one in local if one.is_file()),
        *(one for one in (logs / "cluster").rglob("*") if one.is_file()),
        *(one for one in (tmp_path / "plan").rglob("*") if one.is_file()),
    ]
    # What each executor said, where a cluster within one machine keeps it.
    work = Path(pyspark.__file__).parent / "work" / app
    said = [one for one in work.rglob("std*") if one.is_file()]
    assert len(said) >= 4
    assert any(b"Starting Python task" in one.read_bytes() for one in said)
    for text in told:
        assert not any(secret.decode() in text for secret in secrets), text
    for place in [*places, *said]:
        content = place.read_bytes()
        assert not any(secret in content for secret in secrets), place
    assert len(places) > 10
    events = [one for one in places if logs in one.parents]
    assert any(b"utility_intervals" in one.read_bytes() for one in events)
    shutil.rmtree(work)

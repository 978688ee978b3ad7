"""Spark beside one process: a count of all intervals, in turns, on one server.

    .venvs/spark/bin/python -m benchmarks.spark

The first count of each is not measured: the server makes its answers then, and Spark
its Python processes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from pyspark.sql import SparkSession

from benchmarks.cases import MANY, utilityapi
from benchmarks.measure import ROOT, server
from tap_utility_intervals import arrow

TURNS = 3
CORES = 2


def main() -> None:
    """Print rows per second of both."""
    os.environ["PYTHONPATH"] = str(ROOT)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = SparkSession.builder.master(f"local[{CORES}]").getOrCreate()
    with server("year") as source:
        config = {**utilityapi(source), "utilityapi_requests_per_second": MANY}
        reader = spark.read.format("utility_intervals").option("stream", "intervals")
        reader = reader.option("config", json.dumps(config)).option("partitions", CORES)

        def one_process() -> int:
            items = arrow.read(config, streams=["intervals"])
            return sum(i.rows.num_rows for i in items if isinstance(i, arrow.Batch))

        def by_spark() -> int:
            return int(reader.load().count())

        ways: dict[str, Callable[[], int]] = {
            "one process": one_process,
            f"Spark, local[{CORES}]": by_spark,
        }
        rows = {name: count() for name, count in ways.items()}
        walls: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, count in ways.items():
                begun = time.perf_counter()
                count()
                walls[name].append(time.perf_counter() - begun)
    spark.stop()
    for name, found in walls.items():
        wall = statistics.median(found)
        print(f"{name:16} {rows[name]:>9,} rows {rows[name] / wall:>9,.0f} rows/s")  # noqa: T201 - it talks to people


if __name__ == "__main__":
    main()

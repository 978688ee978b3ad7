"""An example: bring Delta tables up to date with Spark, again and again.

    spark-submit scripts/spark_job.py CONFIG.json FOLDER

Reads what is new, merges it by key, and remembers how far it came once all rows are
there. Where Delta's own jar is at hand, `MERGE INTO` does the merging on the cluster
(`docs/spark.md`); here it is `deltalake`, which needs none. Both leave the same table.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import datetime, timezone
from pathlib import Path

import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import DataFrame, SparkSession

from tap_utility_intervals.spark import commit

KEYS = {
    "meters": ["meter_key", "provider"],
    "intervals": [
        *("meter_key", "interval_start", "channel", "interval_end", "provider"),
    ],
    "usage": ["usage_id", "provider"],
    "coverage": ["provider", "source", "range_start", "read_at"],
}


def run(spark: SparkSession, config: str, folder: str) -> dict[str, int]:
    """Bring the tables in a folder up to date; gives the rows that came, by stream."""
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    home = Path(folder)
    kept = home / "bookmarks.json"
    plan = home / "plans" / datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%f")
    planned = {"config": config, "plan": str(plan)}
    if kept.exists():
        planned["bookmarks"] = str(kept)
    options = {
        "meters": {"config": config},
        "intervals": planned,
        "usage": planned,
        "coverage": {"plan": str(plan)},  # after the intervals that it speaks of
    }
    rows = {}
    for stream, chosen in options.items():
        source = spark.read.format("utility_intervals").option("stream", stream)
        rows[stream] = merge(source.options(**chosen).load(), home / stream)
    bookmarks = commit(plan)
    beside = home / "bookmarks.json.new"
    beside.write_text(json.dumps(bookmarks))
    beside.replace(kept)
    shutil.rmtree(plan)
    return rows


def merge(frame: DataFrame, table: Path) -> int:
    """Merge rows into a Delta table by the key of its stream; gives how many came."""
    staged = table.with_name(f"{table.name}.staged")
    frame.write.mode("overwrite").parquet(str(staged))
    rows = ds.dataset(staged)
    if DeltaTable.is_deltatable(str(table)):
        same = " and ".join(f"old.{name} = new.{name}" for name in KEYS[table.name])
        (
            DeltaTable(str(table))
            .merge(rows.scanner().to_reader(), same, "new", "old")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )
    else:
        write_deltalake(str(table), rows.scanner().to_reader())
    count: int = rows.count_rows()
    shutil.rmtree(staged)
    return count


if __name__ == "__main__":
    opened = SparkSession.builder.appName("utility-intervals").getOrCreate()
    print(run(opened, *sys.argv[1:3]))

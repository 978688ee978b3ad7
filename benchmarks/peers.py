"""Whole programs for `benchmarks.stores`: record batches, and what dlt makes of them.

    python -m benchmarks.peers batches CONFIG
    python -m benchmarks.peers dlt-over-batches CONFIG WAREHOUSE
    python -m benchmarks.peers dlt-arrow CONFIG WAREHOUSE
    python -m benchmarks.peers dlt-rows CONFIG WAREHOUSE

All run in one environment (`make .venvs/dlt/.installed`). Those of dlt merge by the
key, as a second run needs, into a DuckDB file. `dlt-arrow` and `dlt-rows` read the API
themselves, as dlt's documentation teaches; `dlt-over-batches` takes our batches.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests

from benchmarks.plain_tap import commodity, rows
from tap_utility_intervals import arrow
from tap_utility_intervals.arrow import schemas

STREAM = "intervals"
KEY = ["provider", "meter_key", "interval_start", "channel", "interval_end"]

Config = Mapping[str, Any]


def batches(config: Config) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of `intervals`."""
    for item in arrow.read(config, streams=[STREAM]):
        if isinstance(item, arrow.Batch):
            yield item.rows


def tables(config: Config) -> Iterator[pa.Table]:
    """Yield ours as tables, which is what dlt takes."""
    for batch in batches(config):
        yield pa.Table.from_batches([batch])


def pages(config: Config) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each page of `/intervals`, meter by meter."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {config['utilityapi_api_token']}"
    base = config["utilityapi_base_url"]
    for page in _linked(session, f"{base}/meters"):
        for meter in page["meters"]:
            flows = commodity(meter["base"]["service_class"])
            asked = f"{base}/intervals?meters={meter['uid']}&order=earliest_first"
            for answer in _linked(session, asked):
                read_at = datetime.now(timezone.utc).isoformat()
                yield [
                    {**row, "commodity": flows}
                    for item in answer["intervals"]
                    for row in rows(item, read_at)
                ]


def own_tables(config: Config) -> Iterator[pa.Table]:
    """Yield each page as a table with the types of ours."""
    wanted = schemas.schema(STREAM)
    texts = pa.schema(
        [
            f.with_type(pa.string()) if pa.types.is_timestamp(f.type) else f
            for f in wanted
        ]
    )
    for page in pages(config):
        yield pa.Table.from_pylist(page, schema=texts).cast(wanted)


def _linked(session: requests.Session, link: str | None) -> Iterator[dict[str, Any]]:
    while link:
        answer = session.get(link, timeout=60)
        answer.raise_for_status()
        page = json.loads(answer.content, parse_float=Decimal)
        yield page
        link = page["next"]


def by_dlt(made: Callable[[Config], Iterator[Any]], config: Config, into: str) -> None:
    """Merge what a source yields into a DuckDB file."""
    dlt: Any = importlib.import_module("dlt")  # not in .venv
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=folder,
            destination=dlt.destinations.duckdb(into),
            dataset_name="by_dlt",
        )
        source = dlt.resource(made(config), name=STREAM)
        pipeline.run(
            source,
            write_disposition="merge",
            primary_key=KEY,
            loader_file_format="parquet",
        )


SOURCES: dict[str, Callable[[Config], Iterator[Any]]] = {
    "dlt-over-batches": tables,
    "dlt-arrow": own_tables,
    "dlt-rows": pages,
}


def main() -> None:
    """Run one of them."""
    way, path, *rest = sys.argv[1:]
    config = json.loads(Path(path).read_text("utf-8"))
    if way == "batches":
        print(sum(batch.num_rows for batch in batches(config)))  # noqa: T201
    else:
        by_dlt(SOURCES[way], config, rest[0])


if __name__ == "__main__":
    main()

"""`dbt build` for quarters of an hour of 1,000 meters, and a report of 100."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from benchmarks.measure import Command
from benchmarks.tables import Result, Shown, Verdict

if TYPE_CHECKING:
    from benchmarks.cases import Setting

METERS, DAYS = int(os.environ.get("METERS", "1000")), 730
SECONDS, MEGABYTES, CORES = 300, 8_000, 2
REPORTED, YEAR = 100, 366
REPORT_SECONDS, REPORT_MEGABYTES = 30, 10

TABLES = """
set threads = {cores};
create table intervals as
select
    'utilityapi' as provider, cast(m as varchar) as meter_key, 'fwd/kWh' as channel,
    make_timestamptz(s * 1000000) as interval_start,
    make_timestamptz((s + 900) * 1000000) as interval_end,
    900::integer as interval_seconds,
    -- Chicago's summers of 2024 and 2025
    case when s between 1710057600 and 1730617199 or s between 1741507200 and 1762066799
        then -18000 else -21600 end::integer as utc_offset_seconds,
    (hash(m, s) % 4000 / 1000)::decimal(38, 18) as quantity, 'kWh' as unit,
    quantity as quantity_normalized, 'kWh' as unit_normalized,
    'energy' as measure, 'delivered' as flow, 'electricity' as commodity,
    null::varchar as quality, null::varchar as connection_id,
    -- Each day was read last when it left the look-back of thirty days.
    make_timestamptz((s // 86400 + 30) * 86400000000 + 1) as read_at
from range({meters}) meter(m),
    range(1704088800, 1704088800 + 86400 * {days}, 900) slot(s)
where hash(m, s // 3600) % 5000 > 0;  -- an hour in 5,000 is missing
create table coverage as
select
    'utilityapi' as provider, cast(m as varchar) as source,
    make_timestamptz((19723 + n - 30) * 86400000000) as range_start,
    timestamptz '9999-01-01 00:00:00+00' as range_end,
    make_timestamptz((19723 + n) * 86400000000) as read_at,
    2880::integer as readings, true as is_complete
from range({meters}) meter(m), range({days} + 31) day(n);
create table meters as
select
    'utilityapi' as provider, cast(m as varchar) as meter_key,
    -- one meter in ten was renewed
    'SP' || m % 900 as service_point_key, 'electricity' as commodity,
    false as is_archived, null::varchar as credential_name, 'all' as listing,
    timestamptz '2024-01-01 00:00:00+00' as created_at,
    timestamptz '2026-01-01 00:00:00+00' as listed_at
from range({meters}) meter(m);
create table usage as
select
    'utilityapi' as provider, cast(m as varchar) as meter_key,
    m || '-' || n as usage_id, usage_id as bill_id,
    null::date as period_start_date, null::date as period_end_date,
    timestamptz '2024-01-01 06:00:00+00' + n * interval '30 days' as period_start_at,
    period_start_at + interval '30 days' as period_end_at,
    5757::decimal(38, 18) as quantity, 'kWh' as unit, 'energy' as measure,
    'delivered' as flow, 'electricity' as commodity, 500::decimal(38, 18) as cost,
    'USD' as currency, false as is_estimated, false as is_superseded,
    timestamptz '2026-01-01 00:00:00+00' as listed_at,
    null::timestamptz as source_updated_at
from range({meters}) meter(m), range({days} // 30) bill(n);
"""
"""As `load` makes them, with the columns that models read."""


def tables(file: Path, meters: int, days: int) -> int:
    """Make the tables in a new DuckDB file; how many readings there are."""
    with duckdb.connect(file) as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute(TABLES.format(cores=CORES, meters=meters, days=days))
        (rows,) = db.execute("select count(*) from intervals").fetchall()[0]
    return int(rows)


def build(setting: Setting) -> Result:
    """Make the tables, then build and test every model."""
    file = setting.folder / "warehouse.duckdb"
    rows = tables(file, METERS, DAYS)
    program = (".venvs/dbt/bin/dbt", "--no-use-colors", "build")
    folders = ("--project-dir", "dbt", "--profiles-dir", "dbt")
    kept = ("--target-path", f"{setting.folder}/target", "--log-path")
    where = ("env", f"DBT_DUCKDB_PATH={file}", f"DBT_DUCKDB_THREADS={CORES}")
    limit = "DBT_DUCKDB_MEMORY_LIMIT=6GB"
    command = (*where, limit, *program, *folders, *kept, f"{setting.folder}/logs")
    cost = Command(command, setting.folder).run()
    line = {
        "": "dbt build, with its tests",
        "readings": f"{rows:,}",
        "wall s": f"{cost.wall:.0f}",
        "CPU s": f"{cost.cpu:.0f}",
        "peak MB": f"{cost.peak_mb:,.0f}",
    }
    return Result(
        f"dbt: {METERS:,} meters, {DAYS} days of quarters of an hour, DuckDB,"
        f" {CORES} threads",
        [line, *slowest(setting.folder / "target" / "run_results.json")],
        [
            Verdict("≤ 5 minutes", f"{cost.wall:.0f} s", cost.wall <= SECONDS),
            Verdict("≤ 8 GB", f"{cost.peak_mb:,.0f} MB", cost.peak_mb <= MEGABYTES),
        ],
    )


def slowest(results: Path) -> list[Shown]:
    """Of what dbt ran all that took more than a second, the longest first."""
    ran = json.loads(results.read_text(encoding="utf-8"))["results"]
    ran.sort(key=lambda one: -one["execution_time"])
    return [
        {"": f"  {one['unique_id'].split('.')[2]}", "wall s": f"{seconds:.0f}"}
        for one in ran
        if (seconds := one["execution_time"]) > 1
    ]


def report(setting: Setting) -> Result:
    """Make the tables of a year, then a report of all their meters."""
    file, page = setting.folder / "warehouse.duckdb", setting.folder / "report.html"
    rows = tables(file, REPORTED, YEAR)
    program = (".venv/bin/utility-intervals", "report", "--warehouse", str(file))
    options = ("--out", str(page), "--as-of", "2025-01-01")
    cost = Command((*program, *options), setting.folder).run()
    size = page.stat().st_size / 1e6
    line = {
        "": "utility-intervals report",
        "readings": f"{rows:,}",
        "wall s": f"{cost.wall:.0f}",
        "CPU s": f"{cost.cpu:.0f}",
        "peak MB": f"{cost.peak_mb:,.0f}",
        "page MB": f"{size:.1f}",
    }
    return Result(
        f"report: {REPORTED} meters, a year of quarters of an hour, DuckDB",
        [line],
        [
            Verdict("< 30 s", f"{cost.wall:.0f} s", cost.wall < REPORT_SECONDS),
            Verdict("< 10 MB", f"{size:.1f} MB", size < REPORT_MEGABYTES),
        ],
    )

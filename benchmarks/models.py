"""What `dbt build` takes for 1,000 meters' quarters of an hour of two years."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb

from benchmarks.measure import Command
from benchmarks.tables import Result, Verdict

if TYPE_CHECKING:
    from benchmarks.cases import Setting

METERS, DAYS = int(os.environ.get("METERS", "1000")), 730
SECONDS, MEGABYTES, CORES = 300, 8_000, 2

TABLES = f"""
set threads = {CORES};
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
from range({METERS}) meter(m),
    range(1704088800, 1704088800 + 86400 * {DAYS}, 900) slot(s)
where hash(m, s // 3600) % 5000 > 0;  -- an hour in 5,000 is missing
create table coverage as
select
    'utilityapi' as provider, cast(m as varchar) as source,
    make_timestamptz((19723 + n - 30) * 86400000000) as range_start,
    timestamptz '9999-01-01 00:00:00+00' as range_end,
    make_timestamptz((19723 + n) * 86400000000) as read_at,
    2880::integer as readings, true as is_complete
from range({METERS}) meter(m), range({DAYS} + 31) day(n);
create table meters as
select
    'utilityapi' as provider, cast(m as varchar) as meter_key,
    -- one meter in ten was renewed
    'SP' || m % 900 as service_point_key, 'electricity' as commodity,
    false as is_archived, null::varchar as credential_name, 'all' as listing,
    timestamptz '2024-01-01 00:00:00+00' as created_at,
    timestamptz '2026-01-01 00:00:00+00' as listed_at
from range({METERS}) meter(m);
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
from range({METERS}) meter(m), range(24) bill(n);
"""  # noqa: S608 - numbers of ours
"""As `load` makes them, with the columns that models read."""


def build(setting: Setting) -> Result:
    """Make the tables, then build and test every model."""
    file = setting.folder / "warehouse.duckdb"
    with duckdb.connect(file) as db:
        db.execute("set TimeZone = 'UTC'")
        db.execute(TABLES)
        (rows,) = db.execute("select count(*) from intervals").fetchall()[0]
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
        [line],
        [
            Verdict("≤ 5 minutes", f"{cost.wall:.0f} s", cost.wall <= SECONDS),
            Verdict("≤ 8 GB", f"{cost.peak_mb:,.0f} MB", cost.peak_mb <= MEGABYTES),
        ],
    )

"""What a report says of each meter: rows of the models, and of the loader's tables.

Nothing is worked out here that a model has; `$1` and `$2` are provider and meter, `$3`
is the day from which on things are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from tap_utility_intervals.reporting.database import Database, Row
from tap_utility_intervals.reporting.series import series
from tap_utility_intervals.reporting.warehouse import RESTATEMENTS

SHOWN = 366
"""Days before a meter's newest reading that are shown by default."""

MOST = 200
"""Rows of one kind that are shown of a meter; how many more there are is said."""

OF_METER = "provider = $1 and meter_key = $2"

LISTED = """
    select r.provider, r.meter_key, {columns}, not m.is_listed as has_vanished
    from (
        select *, row_number() over (
            partition by provider, meter_key order by listed_at desc nulls last
        ) as place
        from meters
    ) r
    join stg_utility_intervals__meters m
        on m.provider = r.provider and m.meter_key = r.meter_key
    where r.place = 1
"""
OF_LISTED = (
    *("source_meter_id", "utility", "commodity", "status", "is_active"),
    *("service_address", "account_number"),
)
"""Columns that may have been deselected."""

CHANNELS = "select * from int_utility_intervals__channels order by channel"

HOURLY = f"""
    select local_hour, chosen_kwh, received_kwh, expected_seconds, received_seconds
    from utility_intervals__hourly where {OF_METER} and local_hour >= $3 order by 1
"""  # noqa: S608 - constants
DAILY = HOURLY.replace("local_hour", "local_date").replace("hourly", "daily")
MONTHS = f"""
    select
        c.local_month, c.channel, c.has_local_time, c.expected_seconds,
        c.received_seconds, c.percent, d.kwh, d.received_kwh, p.peak_kw,
        p.peak_local_start, p.load_factor
    from utility_intervals__completeness c
    left join (
        select cast(date_trunc('month', local_date) as date) as local_month,
            sum(chosen_kwh) as kwh, sum(received_kwh) as received_kwh
        from utility_intervals__daily where {OF_METER} and local_date >= $3 group by 1
    ) d on d.local_month = c.local_month
    left join utility_intervals__peak_demand p
        on p.provider = c.provider and p.meter_key = c.meter_key
        and p.local_month = c.local_month
    where c.provider = $1 and c.meter_key = $2 and c.channel = $4
        and c.local_month >= date_trunc('month', cast($3 as date))
    order by 1
"""  # noqa: S608 - constants
BILLS = f"""
    select * from utility_intervals__bill_check
    where {OF_METER}
        and coalesce(period_end_date, cast(period_end as date), cast($3 as date)) >= $3
    order by coalesce(period_start_date, cast(period_start as date)), usage_id
"""  # noqa: S608 - constants
GAPS = f"""
    select
        gap_start, gap_end, string_agg(channel, ', ' order by channel) as channels,
        max(missing_readings) as missing_readings, reason, count(*) over () as of_all,
        cast(sum(max(missing_readings)) over () as bigint) as missing_in_all
    from utility_intervals__gaps where {OF_METER} and gap_end >= $3
    group by gap_start, gap_end, reason
    order by gap_end - gap_start desc, gap_start limit {MOST}
"""  # noqa: S608 - constants
CHECKS = f"""
    select
        check_name, severity, channel, local_date, period_start, observed, limit_value,
        count(*) over () as of_all,
        count(*) over (partition by check_name, severity) as of_kind,
        row_number() over (
            partition by check_name, severity order by period_start desc) as place
    from utility_intervals__checks where {OF_METER} and period_end >= $3
    order by case severity when 'error' then 0 else 1 end, check_name, place
    limit {MOST}
"""  # noqa: S608 - constants
RESTATED = f"""
    select
        channel, cast(interval_start as timestamp) as interval_start, old_quantity,
        quantity, unit, cast(read_at as timestamp) as read_at,
        count(*) over () as of_all
    from {RESTATEMENTS} where {OF_METER} and interval_start >= $3
    order by read_at desc, interval_start, channel limit {MOST}
"""  # noqa: S608 - constants
RESTATED_DAYS = f"""
    select distinct cast(l.local_start as date) as local_date
    from {RESTATEMENTS} r
    join utility_intervals__local l
        on l.provider = r.provider and l.meter_key = r.meter_key
        and l.channel = r.channel and l.local_start is not null
        and l.interval_start = cast(r.interval_start as timestamp)
    where r.provider = $1 and r.meter_key = $2 and r.interval_start >= $3 order by 1
"""  # noqa: S608 - constants
WITHDRAWN = f"""
    select i.channel, i.interval_start, i.interval_end, max(i.quantity) as quantity,
        max(i.unit) as unit, max(i.read_at) as last_seen_at,
        count(*) over () as of_all
    from stg_utility_intervals__intervals i
    left join utility_intervals__current c
        on c.provider = i.provider and c.meter_key = i.meter_key
        and c.channel = i.channel and c.interval_start = i.interval_start
        and c.interval_end = i.interval_end
    where i.provider = $1 and i.meter_key = $2 and i.interval_start >= $3
        and c.meter_key is null
    group by 1, 2, 3 order by 2, 1 limit {MOST}
"""  # noqa: S608 - constants


@dataclass
class Meter:
    """One meter as a report shows it."""

    number: int
    provider: str
    key: str
    listed: Row
    """Its newest row in `meters`; empty if it is in none."""
    channels: list[Row]
    since: date | None = None
    series: str | None = None
    """Its load, for the pictures."""
    has_hours: bool = False
    months: list[Row] = field(default_factory=list)
    bills: list[Row] = field(default_factory=list)
    gaps: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    restated: list[Row] | None = None
    """None where the loader does not record it."""
    withdrawn: list[Row] = field(default_factory=list)

    @property
    def chosen(self) -> Row:
        """The channel that is shown; empty if it has none."""
        return next((one for one in self.channels if one["is_chosen"]), {})

    @property
    def newest(self) -> datetime | None:
        """Where its last reading ends."""
        return max((one["last_end"] for one in self.channels), default=None)

    @property
    def has_vanished(self) -> bool:
        """Whether the provider no longer lists it."""
        return bool(self.listed.get("has_vanished"))

    def total(self, column: str) -> Any:  # noqa: ANN401 - int or Decimal
        """The sum of a column of its months; None if nothing is known."""
        found = [row[column] for row in self.months if row[column] is not None]
        return sum(found) if found else None

    @property
    def completeness(self) -> float | None:
        """Percent of the seconds between the first and the last reading that came."""
        expected = self.total("expected_seconds")
        return 100 * self.total("received_seconds") / expected if expected else None

    @property
    def peak(self) -> Row | None:
        """The month with the highest interval."""
        months = [row for row in self.months if row["peak_kw"] is not None]
        return max(months, key=lambda row: row["peak_kw"], default=None)

    @property
    def disagreeing(self) -> list[Row]:
        """Bills that differ from their intervals."""
        known = (None, "superseded bill", "zone unknown", "other unit")
        return [row for row in self.bills if row["cause"] not in known]

    @property
    def strip(self) -> tuple[datetime, datetime]:
        """From when to when gaps are drawn."""
        starts = [one["first_start"] for one in self.channels]
        ends = [one["last_end"] for one in self.channels]
        first = min([*starts, *(gap["gap_start"] for gap in self.gaps)])
        last = max([*ends, *(gap["gap_end"] for gap in self.gaps)])
        return max(first, datetime.combine(self.since or date.min, time())), last

    def share(self, gap: Row) -> tuple[float, float]:
        """Where a gap begins and how wide it is, in percent of the strip."""
        first, last = self.strip
        begin, end = max(gap["gap_start"], first), gap["gap_end"]
        left, width = (begin - first) / (last - first), (end - begin) / (last - first)
        return round(100 * left, 3), round(100 * width, 3)


def meters(database: Database, only: Sequence[str] = ()) -> list[Meter]:
    """All meters that are listed or have readings, or those keys; without rows."""
    there = database.columns("meters")
    columns = (
        f"r.{name}" if name in there else f"null as {name}" for name in OF_LISTED
    )
    sql = LISTED.format(columns=", ".join(columns))
    listed = {(r["provider"], r["meter_key"]): r for r in database.rows(sql)}
    channels: dict[tuple[str, str], list[Row]] = {}
    for row in database.rows(CHANNELS):
        channels.setdefault((row["provider"], row["meter_key"]), []).append(row)
    known = listed.keys() | channels.keys()
    keys = sorted(key for key in known if not only or key[1] in only)
    return [
        Meter(number, key[0], key[1], listed.get(key, {}), channels.get(key, []))
        for number, key in enumerate(keys, 1)
    ]


def fill(meter: Meter, database: Database, since: date | None) -> None:
    """Ask for the rows of one meter."""
    last = meter.newest
    start = since or (last.date() - timedelta(SHOWN) if last else date.min)
    meter.since = start

    def rows(sql: str, *more: object) -> list[Row]:
        return database.rows(sql, meter.provider, meter.key, start, *more)

    days: list[date] = []
    if database.found(RESTATEMENTS):
        meter.restated = rows(RESTATED)
        days = [row["local_date"] for row in rows(RESTATED_DAYS)]
    hours = rows(HOURLY)
    meter.has_hours = bool(hours)
    meter.series = series(hours, rows(DAILY), days)
    meter.months = rows(MONTHS, meter.chosen["channel"]) if meter.chosen else []
    meter.bills, meter.gaps, meter.checks = rows(BILLS), rows(GAPS), rows(CHECKS)
    meter.withdrawn = rows(WITHDRAWN)

"""The warehouse, and whether it holds exactly what the sandbox offers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from scripts.demo.errors import DemoError
from scripts.demo.world import PROVIDERS, Sandbox

Rows = list[tuple[Any, ...]]
Readings = Counter[tuple[Any, ...]]
"""Whose, from when, to when, of which kind, in which unit, how much."""


@dataclass(frozen=True)
class Warehouse:
    """A DuckDB file that the loader wrote."""

    file: Path

    def query(self, sql: str, *values: object) -> Rows:
        """Ask in SQL."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql, values).fetchall()

    def counts(self) -> dict[str, Counter[str]]:
        """Rows by stream and provider."""
        found: dict[str, Counter[str]] = {}
        for stream in ("meters", "intervals", "usage"):
            sql = f"select provider, count(*) from {stream} group by 1"  # noqa: S608
            found[stream] = Counter(dict(self.query(sql)))
        return found

    def readings(self, provider: str, relation: str = "intervals") -> Readings:
        """Every row of `intervals`, or of those that are current."""
        whose = "source_id" if provider == "nectar" else "meter_key"
        edges = "interval_start::timestamp, interval_end::timestamp"
        columns = f"{edges}, split_part(channel, '/', 1), unit_raw, quantity"
        sql = f"select {whose}, {columns} from {relation} where provider = ?"  # noqa: S608
        return Counter(self.query(sql, provider))

    def meters(self) -> Rows:
        """Each meter with its intervals: how many, the first and the last."""
        return self.query("""
            select m.provider, m.meter_key, m.commodity, count(interval_start),
                   [min(interval_start)::timestamp, max(interval_end)::timestamp]
            from meters m left join intervals using (provider, meter_key)
            group by all order by m.provider desc, m.meter_key
        """)


def offered(source: Sandbox, provider: str) -> Readings:
    """Every reading of every channel that the sandbox offers, as `readings` has it."""
    return Counter(
        (
            reading["interval_id"] or reading["meter_id"],
            utc(reading["start"]),
            utc(reading["end"]),
            reading["type"] or "usage",
            reading["unit"],
            None if reading["value"] is None else Decimal(reading["value"]),
        )
        for reading in source.truth("readings", provider)
        if not reading["mixed"]
    )


def utc(text: str) -> datetime:
    """An instant in UTC, without its zone."""
    return datetime.fromisoformat(text).astimezone(timezone.utc).replace(tzinfo=None)


def check_rows(
    source: Sandbox, warehouse: Warehouse, relation: str = "intervals"
) -> int:
    """Compare each row with the sandbox's; how many rows there are.

    Raises:
        DemoError: when a row is missing, too many, or not as the sandbox has it.
    """
    rows = 0
    for provider in PROVIDERS:
        there, here = offered(source, provider), warehouse.readings(provider, relation)
        missing, extra = there - here, here - there
        if missing or extra or not here:
            msg = (
                f"{provider}: the sandbox offers {there.total():,} readings × channels,"
                f" the warehouse holds {here.total():,}."
                f"\nMissing: {missing.total():,}, such as {next(iter(missing), None)}"
                f"\nToo many: {extra.total():,}, such as {next(iter(extra), None)}"
            )
            raise DemoError(msg)
        rows += here.total()
    return rows

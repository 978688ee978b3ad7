"""The models over what was loaded, and the report that people look at."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from scripts.demo.errors import DemoError
from scripts.demo.warehouse import Rows, Warehouse
from scripts.demo.world import PROVIDERS, Sandbox

ZONES = "meter_zones"
CURRENT = """(
    select i.* from intervals i where exists (
        from utility_intervals__current c
        where c.provider = i.provider and c.meter_key = i.meter_key
            and c.channel = i.channel
            and c.interval_start = i.interval_start::timestamp
            and c.interval_end = i.interval_end::timestamp))"""
"""Rows of `intervals` that the models call current."""


@dataclass(frozen=True)
class Answers:
    """A warehouse with the models of the dbt package in it."""

    warehouse: Warehouse
    now: datetime

    @property
    def variables(self) -> str:
        """What dbt is told, as JSON."""
        now = f"{self.now:%Y-%m-%d %H:%M:%S}"
        told = {"as_of": now, "time_zones": ZONES}
        return json.dumps({f"utility_intervals_{n}": v for n, v in told.items()})

    def tell_zones(self, source: Sandbox) -> None:
        """Tell where meters are."""
        zones = [
            (provider, meter["meter_id"], meter["zone"])
            for provider in PROVIDERS
            for meter in source.truth("meters", provider)
        ]
        with duckdb.connect(str(self.warehouse.file)) as db:
            db.execute("create temp table told (provider text, id text, zone text)")
            db.executemany("insert into told values (?, ?, ?)", zones)
            db.execute(f"""
                create table {ZONES} as
                select m.provider, m.meter_key, told.zone as time_zone
                from meters m
                join told on told.provider = m.provider and told.id = m.source_meter_id
            """)  # noqa: S608 - a constant

    def changed(self) -> tuple[int, int]:
        """How many readings × channels were restated, and how many withdrawn.

        Raises:
            DemoError: none was, and the sandbox does both in its first night.
        """
        sql = "select count(*) from {}"
        ((restated,), (rows,), (current,)) = (
            self.warehouse.query(sql.format(name))[0]
            for name in ("restatements", "intervals", CURRENT)
        )
        withdrawn = rows - current
        if not restated or not withdrawn:
            msg = f"{restated} readings were restated, {withdrawn} withdrawn."
            raise DemoError(msg)
        return restated, withdrawn

    def gaps(self) -> Rows:
        """Each hole, however many channels it is in."""
        return self.warehouse.query("""
            select provider, meter_key, gap_start, max(missing_readings)::bigint, reason
            from utility_intervals__gaps
            group by all order by provider desc, meter_key, gap_start
        """)

    def bills(self) -> Rows:
        """How many bills agree with their intervals, and why others do not."""
        return self.warehouse.query("""
            select coalesce(cause, 'agree'), count(*)
            from utility_intervals__bill_check group by 1 order by 2 desc
        """)

    def checks(self) -> Rows:
        """What did not pass, for how many meters and how often."""
        return self.warehouse.query("""
            select check_name, severity, count(distinct (provider, meter_key)), count(*)
            from utility_intervals__checks group by 1, 2 order by 1, 2
        """)

    def report(self, out: Path) -> None:
        """Write the page.

        Raises:
            DemoError: it could not be written.
        """
        program = str(Path(sys.executable).with_name("utility-intervals"))
        words = ["--warehouse", str(self.warehouse.file), "--out", str(out)]
        words += ["--time-zone", ZONES, "--as-of", f"{self.now:%Y-%m-%d %H:%M:%S}"]
        done = subprocess.run(
            [program, "report", *words], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoError(done.stdout + done.stderr)

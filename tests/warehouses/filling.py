"""Every loader, filled in three runs: one killed, one whole, one a day later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tap_utility_intervals.sandbox import Fault, Sandbox, World, truth
from tests.oracle import channel, meter_key, naive, unit, utc_offset
from tests.packaging.tree import ROOT
from tests.warehouses.loaders import Loader, Row
from tests.warehouses.pipeline import Pipe
from tests.warehouses.worlds import NECTAR_ZONES, warehouse_world

Key = tuple[str, ...]
Table = Mapping[Key, Row]
KEYS = ("provider", "meter_key", "channel", "interval_start", "interval_end")
FOUND = """
    select provider, meter_key, channel,
        cast(cast(interval_start as timestamp) as varchar) as interval_start,
        cast(cast(interval_end as timestamp) as varchar) as interval_end,
        interval_seconds, utc_offset_seconds, quantity, unit, unit_raw
    from intervals
"""


@dataclass
class Filled:
    """A loader's warehouse, and what it held and should have held on the way."""

    loader: Loader
    world: World
    resumed: tuple[Table, Table]
    later: tuple[Table, Table]
    killed_with: bool

    def query(self, sql: str) -> list[Row]:
        """Ask it."""
        return self.loader.query(sql)


def offered(world: World) -> Table:
    """Every reading on offer, as its row must be."""
    found: dict[Key, Row] = {}
    providers: tuple[str, ...] = ("utilityapi", "nectar")
    for provider in providers:
        for r in truth.readings(world, provider):
            row = {
                "provider": provider,
                "meter_key": meter_key(r),
                "channel": channel(r),
                "interval_start": str(naive(r.start)),
                "interval_end": str(naive(r.end)),
                "interval_seconds": round((r.end - r.start).total_seconds()),
                "utc_offset_seconds": utc_offset(r),
                "quantity": None if r.value is None else Decimal(r.value),
                "unit": unit(r),
                "unit_raw": r.unit if r.type or provider == "nectar" else None,
            }
            found[tuple(str(row[name]) for name in KEYS)] = row
    return found


def held(loader: Loader) -> Table:
    """Every row of `intervals`; a key that is there twice is an error."""
    rows = loader.query(FOUND)
    found = {tuple(str(row[name]) for name in KEYS): row for row in rows}
    assert len(found) == len(rows)
    return found


def fill(loader: Loader, folder: Path) -> Filled:
    """Three runs: killed in the middle, to the end, and a day later."""
    with Sandbox(warehouse_world()) as sandbox:
        settings = {
            "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
            "TAP_UTILITY_INTERVALS_STATE_INTERVAL_SECONDS": "0",
            **loader.settings,
        }
        pipe = Pipe(ROOT, sandbox.url, folder / "log", settings, loader.name)
        stalled = sandbox.faults.add(
            Fault("slow", provider="nectar", path="interval", skip=2, seconds=300)
        )
        pipe.kill(when=lambda: stalled.struck > 0 and loader.has_rows())
        sandbox.faults.clear()
        killed_with = loader.has_rows()
        # For five minutes Meltano believes that the killed run goes on.
        pipe.sync("--force")
        resumed = (offered(sandbox.world), held(loader))
        sandbox.world.advance(days=1)
        pipe.sync("--force")
        later = ({**resumed[0], **offered(sandbox.world)}, held(loader))
    loader.prepare()
    for name, zone in NECTAR_ZONES.items():
        add_zone(loader, name, zone)
    loader.model()
    return Filled(loader, sandbox.world, resumed, later, killed_with)


def add_zone(loader: Loader, name: str, zone: str) -> None:
    """Tell where a meter of Nectar is."""
    loader.execute(
        "insert into meter_zones select provider, meter_key,"
        f" '{zone}' from meters where provider = 'nectar'"
        f" and meter_key like '%:{name}'"
    )

"""A world with all that the models tell of, and its tables after two runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tap_utility_intervals.sandbox import Bill, Sandbox, World, epoch, restated
from tests.oracle import Row
from tests.syncing import config, sync
from tests.warehouses.stores import STREAMS
from tests.warehouses.worlds import GONE, NEW, OLD, TONIGHT, warehouse_world

ODD = ("sizes", "twins", "overlaps", "negative", "guessed", "units", "spikes", "broken",
       "zeros", "far", "promised", "old-device", "new-device", "billed", "alike",
       "watts", "long", "minutes", "dailies", "seven", "stale", "touch", "both",
       "nowhere", "packed", "shifted", "midnight", "six", "fives", "swap-a", "swap-b",
       "left-a", "left-b")  # fmt: skip
"""Meters of `odd.py`."""
ZONES = {
    OLD: "America/New_York",
    NEW: "America/New_York",
    "102": "America/Chicago",
    GONE: "America/Chicago",
    "T001": "Europe/London",
    **{name: "America/Chicago" for name in ODD if name != "nowhere"},
}
"""Of T002 (gas) and `nowhere` the zone is not known."""
AS_OF = "2026-03-29 00:00:00"
PROMISED = ("2026-03-21T06:00:00Z", "2026-03-22T06:00:00Z")
"""Of the solar meter: to come after its last reading, and never came."""
SENTINEL = "16777.215"


def models_world() -> World:
    """Holes, restated and withdrawn readings, a wrong bill, a sentinel, zeros."""
    world = warehouse_world()
    old, gas, new, gone = world.utilityapi
    quarter = epoch("2026-03-18T12:00:00Z")
    withdrawn = restated(old.series, [(quarter, TONIGHT, ())])
    night = epoch("2026-03-20T11:00:00Z")
    hours = [r.start for r in gone.series.readings]
    odd = restated(gone.series, [
        *((start, night, ("0.000",)) for start in hours[2:28]),
        (hours[40], night, (SENTINEL,)),
    ])  # fmt: skip
    wrong = Bill(
        "w", epoch("2026-03-17T05:00:00Z"), hours[20], "999", "9.99", hours[20]
    )
    meters = [
        replace(old, series=withdrawn),
        gas,
        new,
        replace(gone, series=odd, bills=(wrong,)),
    ]
    return replace(world, utilityapi=meters)


def tables(world: World) -> dict[str, Sequence[Row]]:
    """All rows that two runs write; a promise beside them that nothing kept."""
    with Sandbox(world) as sandbox:
        first = sync(config(sandbox))
        sandbox.world.advance(days=1)
        second = sync(config(sandbox), first.state)
    found = {name: [*first.rows(name), *second.rows(name)] for name in STREAMS}
    promise = {
        "provider": "utilityapi",
        "source": OLD,
        "range_start": PROMISED[0],
        "range_end": PROMISED[1],
        "read_at": max(row["read_at"] for row in found["coverage"]),
        "readings": 0,
        "is_complete": False,
    }
    return {**found, "coverage": [*found["coverage"], promise]}

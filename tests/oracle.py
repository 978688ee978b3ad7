"""What must come out: the tests' one oracle, worked out without the tap's code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from tap_utility_intervals.sandbox import ReadingTruth, World, truth

Row = dict[str, Any]

CATALOG: Mapping[str, Row] = json.loads(
    (Path(__file__).parent / "catalog.json").read_text()
)
"""What the catalog says of each stream beyond its schema: the contract, by hand."""

KEYS = {name: tuple(entry["key"]) for name, entry in CATALOG.items()}
UNIFIED = sorted(name for name, entry in CATALOG.items() if entry["selected"])

UNIT_NAMES = {
    "kwh": "kWh",
    "kw": "kW",
    "therms": "therm",
    "thm (us)": "therm",
    "gallons": "gal",
    "ccf": "CCF",
    "m3": "m3",
    "cubic m": "m3",
}
"""How the spellings of the test worlds must come out; written down, not computed."""

Key = tuple[str, str, str, str, str]
"""meter_key, interval_start, channel, interval_end, provider."""

Values = dict[Key, Decimal | None]


def instant(moment: datetime) -> str:
    """The form in which readings' times are written."""
    return naive(moment).isoformat(timespec="seconds") + "Z"


def canonical(value: str) -> str:
    """An identifier as Nectar's own search compares it."""
    return re.sub(r"[-\s_,/]", "", value).lstrip("0").upper()


def meter_key(offered: ReadingTruth) -> str:
    """The key that the meter of a reading must get."""
    if offered.provider != "nectar":
        return offered.meter_id
    owner = offered.account_id or offered.connection_id
    named = [(name, canonical(value)) for name, value, _ in offered.identifiers]
    numbers = sorted(value for name, value in named if name == "METER")
    pairs = sorted(f"{name}={value}" for name, value in named)
    return f"{owner}:{'+'.join(numbers or pairs)}"


def channel(offered: ReadingTruth) -> str:
    """The channel that the row of a reading must get."""
    return f"{offered.type or 'usage'}/{unit(offered)}"


def unit(offered: ReadingTruth) -> str:
    """The one spelling of a reading's unit."""
    return UNIT_NAMES[offered.unit.lower()]


def utc_offset(offered: ReadingTruth) -> int | None:
    """UtilityAPI sends local time; Nectar does not."""
    sent = None if offered.provider == "nectar" else offered.start.utcoffset()
    return None if sent is None else round(sent.total_seconds())


def naive(moment: datetime) -> datetime:
    """UTC as warehouses have it whose timestamps know no zone."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def expected_key(offered: ReadingTruth) -> Key:
    """The key that the row of a reading must get."""
    return (
        meter_key(offered),
        instant(offered.start),
        channel(offered),
        instant(offered.end),
        offered.provider,
    )


def readings(world: World, *providers: str) -> Values:
    """What `intervals` must hold now of these providers: key to value."""
    return {
        expected_key(t): None if t.value is None else Decimal(t.value)
        for provider in providers
        for t in truth.readings(world, provider)
        if not t.mixed
    }


def utilityapi_values(world: World) -> Values:
    """What `intervals` must hold now of UtilityAPI."""
    return readings(world, "utilityapi")


def key(row: Row) -> Key:
    """The primary key of an intervals row."""
    return (
        row["meter_key"],
        row["interval_start"],
        row["channel"],
        row["interval_end"],
        row["provider"],
    )


def by_key(rows: Iterable[Row]) -> dict[Key, Row]:
    """Intervals rows by key; a key that comes twice is an error."""
    found: dict[Key, Row] = {}
    for row in rows:
        assert key(row) not in found, f"twice: {key(row)}"
        found[key(row)] = row
    return found


def values(rows: Iterable[Row]) -> Values:
    """Key to quantity of intervals rows, each key once."""
    return {
        k: None if row["quantity"] is None else Decimal(str(row["quantity"]))
        for k, row in by_key(rows).items()
    }

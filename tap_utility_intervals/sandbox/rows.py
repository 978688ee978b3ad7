"""What a sync must deliver, as a test would like to compare it: from data, not HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.readings import local

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

Ranges = tuple[tuple["datetime", "datetime"], ...]


@dataclass(frozen=True)
class ReadingTruth:
    """One reading of one channel; `value` is the number as text, exactly as sent.

    `meter_id` is UtilityAPI's uid or Nectar's id (which no interval shows). `updated`
    is when this value became known: what carries it is never older.
    """

    provider: str
    meter_id: str
    start: datetime
    end: datetime
    type: str | None
    unit: str
    value: str | None
    quality: str | None
    created: datetime
    updated: datetime
    meter_number: str | None = None
    connection_id: str | None = None
    account_id: str | None = None
    identifiers: tuple[tuple[str, str, str], ...] = ()
    interval_id: str | None = None
    mixed: bool = False


@dataclass(frozen=True)
class MeterTruth:
    """One meter and how much it offers; datapoints are readings times channels."""

    provider: str
    meter_id: str
    commodity: str
    zone: str
    readings: int
    datapoints: int
    bills: int
    first_start: datetime | None
    last_end: datetime | None
    coverage: Ranges
    status: str
    authorization_id: str | None = None
    connection_id: str | None = None
    account_id: str | None = None
    account_number: str | None = None
    site_id: str | None = None
    identifiers: tuple[tuple[str, str, str], ...] = ()
    meter_numbers: tuple[str, ...] = ()


@dataclass(frozen=True)
class BillTruth:
    """One bill: UtilityAPI's, or the usage row of a Nectar document (as in v2.2)."""

    provider: str
    bill_id: str
    usage_id: str
    meter_id: str
    start: datetime
    end: datetime
    volume: str | None
    unit: str
    cost: str | None
    created: datetime
    updated: datetime
    superseded: bool = False
    site_id: str | None = None


def local_ranges(ranges: Iterable[tuple[int, int]], zone: str) -> Ranges:
    """Give ranges of epoch seconds as local times."""
    return tuple((local(start, zone), local(end, zone)) for start, end in ranges)

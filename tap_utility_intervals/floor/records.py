"""The unified records: one row of `meters`, `intervals`, `usage` or `coverage`.

The columns, their order and their meaning are the contract of `schemas/*.json`; a test
holds the two together. Quantities are JSON numbers with exactly the digits that the
provider sent: `Decimal` where we computed, `msgspec.Raw` where the text is passed on.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

Number: TypeAlias = Decimal | msgspec.Raw
"""A JSON number, digit for digit as sent or exactly computed."""


class Measure(str, Enum):
    """What kind of quantity a unit measures; quantities convert only inside one."""

    ENERGY = "energy"
    POWER = "power"
    VOLUME = "volume"
    MASS = "mass"
    OTHER = "other"


class Flow(str, Enum):
    """The direction of the flow, as the provider states it; never from a sign."""

    DELIVERED = "delivered"
    RECEIVED = "received"
    NET = "net"


class Commodity(str, Enum):
    """What flows through the meter."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    DISTRICT = "district"
    WASTE = "waste"
    FUEL = "fuel"
    REFRIGERANT = "refrigerant"
    SOLAR = "solar"
    TELECOM = "telecom"
    MISC = "misc"


class Quality(str, Enum):
    """How a reading came to be, where the provider's word can be told.

    The words follow ESPI's `QualityOfReading` (NAESB REQ.21, usage XSD 3.3).
    """

    ACTUAL = "actual"
    ESTIMATED = "estimated"
    EDITED = "edited"
    VALIDATED = "validated"
    PROJECTED = "projected"
    DERIVED = "derived"


class IntervalRecord(Struct, gc=False):
    """One reading of one channel of one meter over `[interval_start, interval_end)`."""

    provider: str
    meter_key: str
    channel: str
    interval_start: datetime
    interval_end: datetime
    interval_seconds: int | None = None
    utc_offset_seconds: int | None = None
    quantity: Number | None = None
    unit: str | None = None
    unit_raw: str | None = None
    quantity_normalized: Number | None = None
    unit_normalized: str | None = None
    measure: Measure | None = None
    flow: Flow | None = None
    commodity: Commodity | None = None
    quality: Quality | None = None
    quality_raw: str | None = None
    meter_number: str | None = None
    authorization_id: str | None = None
    connection_id: str | None = None
    account_id: str | None = None
    site_id: str | None = None
    identifiers: Any = None
    source_type: str | None = None
    source_id: str | None = None
    source_created_at: str | None = None
    source_updated_at: str | None = None
    read_at: str | None = None
    unreadable: dict[str, str] | None = None


class CoverageRecord(Struct):
    """One stretch of one source that a run has read."""

    provider: str
    source: str
    authorization_id: str | None
    range_start: datetime
    range_end: datetime | None
    read_at: str
    readings: int | None
    listed_readings: int | None
    first_interval_start: datetime | None
    last_interval_end: datetime | None
    is_complete: bool | None


class MeterRecord(Struct):
    """One meter as its provider lists it in this run."""

    meter_key: str
    provider: str
    source_meter_id: str | None = None
    service_point_key: str | None = None
    authorization_id: str | None = None
    connection_id: str | None = None
    account_id: str | None = None
    account_number: str | None = None
    site_id: str | None = None
    company_id: str | None = None
    utility: str | None = None
    commodity: Commodity | None = None
    service_identifier: str | None = None
    service_address: str | None = None
    service_class: str | None = None
    service_tariff: str | None = None
    meter_numbers: list[str] | None = None
    identifiers: Any = None
    status: str | None = None
    status_message: str | None = None
    status_at: str | None = None
    is_active: bool | None = None
    is_archived: bool | None = None
    reading_count: int | None = None
    first_interval_start: str | None = None
    last_interval_end: str | None = None
    interval_coverage: list[dict[str, str]] | None = None
    bill_count: int | None = None
    bill_coverage: list[dict[str, str]] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    listed_at: str | None = None
    credential_name: str | None = None
    listing: str | None = None
    unreadable: dict[str, str] | None = None


class UsageRecord(Struct, gc=False):
    """One usage entry of a bill: a quantity over a billing period, with its cost."""

    usage_id: str
    provider: str
    meter_key: str | None = None
    source_meter_id: str | None = None
    bill_id: str | None = None
    site_id: str | None = None
    period_start_date: str | None = None
    period_end_date: str | None = None
    period_start_at: str | None = None
    period_end_at: str | None = None
    quantity: Number | None = None
    unit: str | None = None
    unit_raw: str | None = None
    quantity_normalized: Number | None = None
    unit_normalized: str | None = None
    measure: Measure | None = None
    flow: Flow | None = None
    commodity: Commodity | None = None
    cost: Number | None = None
    currency: str | None = None
    tariff: str | None = None
    is_estimated: bool | None = None
    is_subtracted: bool | None = None
    is_superseded: bool | None = None
    time_of_use: str | None = None
    time_of_use_breakdown: Any = None
    usage_type: str | None = None
    source_created_at: str | None = None
    source_updated_at: str | None = None
    listed_at: str | None = None
    unreadable: dict[str, str] | None = None

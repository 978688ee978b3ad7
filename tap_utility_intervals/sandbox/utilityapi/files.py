"""The CSV files of UtilityAPI, which it calls undocumented; utilityapi.md#files."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.readings import DAY, local
from tap_utility_intervals.sandbox.utilityapi.objects import service, utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_utility_intervals.sandbox.accounts import UtilityMeter
    from tap_utility_intervals.sandbox.world import World

Line = dict[str, object]


def intervals_csv(world: World, meters: Sequence[UtilityMeter]) -> str:
    """One line a reading; times are naive and local: the autumn hour is there twice."""
    names = {c.type for m in meters for c in m.channels if c.unit == "kwh"}
    return _table(
        (
            *("meter_uid", "utility", "utility_service_id", "utility_service_address"),
            *("utility_billing_account", "utility_meter_number", "utility_tariff_name"),
            *("interval_start", "interval_end", "interval_kWh"),
            *(f"{name}_kWh" for name in sorted(names)),
            *("source", "updated", "interval_timezone"),
        ),
        (line for meter in meters for line in _intervals(world, meter)),
    )


def meters_bills_csv(world: World, meters: Sequence[UtilityMeter]) -> str:
    """One line a bill."""
    return _table(
        (
            *("meter_uid", "utility", "utility_service_id", "utility_service_address"),
            *("utility_billing_account", "utility_meter_number", "utility_tariff_name"),
            *("bill_start_date", "bill_end_date", "bill_days", "bill_statement_date"),
            *("bill_total_kWh", "bill_total", "bill_volume", "bill_total_unit"),
            *("source", "updated"),
        ),
        (line for meter in meters for line in _bills(world, meter)),
    )


TABLES: Mapping[str, Callable[[World, Sequence[UtilityMeter]], str]] = {
    "intervals_csv": intervals_csv,
    "meters_bills_csv": meters_bills_csv,
}


def _intervals(world: World, meter: UtilityMeter) -> Iterator[Line]:
    for reading in world.collections.readings(meter, mixed=False).readings:
        values = zip(meter.channels, reading.values, strict=True)
        whole = None if meter.kwh_channel is None else reading.values[meter.kwh_channel]
        yield {
            **_service(meter),
            "interval_start": _naive(reading.start, meter.zone),
            "interval_end": _naive(reading.end, meter.zone),
            "interval_kWh": whole,
            **{f"{c.type}_kWh": value for c, value in values if c.unit == "kwh"},
            "source": meter.source,
            "updated": utc(reading.available),
            "interval_timezone": meter.zone,
        }


def _bills(world: World, meter: UtilityMeter) -> Iterator[Line]:
    for known in world.collections.bills(meter):
        bill = known.bill
        yield {
            **_service(meter),
            "bill_start_date": _naive(bill.start, meter.zone),
            "bill_end_date": _naive(bill.end, meter.zone),
            "bill_days": round((bill.end - bill.start) / DAY),
            "bill_statement_date": _naive(bill.end + DAY, meter.zone),
            "bill_total_kWh": bill.volume if meter.bill_unit == "kwh" else None,
            "bill_total": bill.cost,
            "bill_volume": bill.volume,
            "bill_total_unit": meter.bill_unit,
            "source": "pdf",
            "updated": utc(known.updated),
        }


def _service(meter: UtilityMeter) -> Line:
    base = service(meter)
    return {
        "meter_uid": meter.uid,
        "utility": meter.utility,
        "utility_service_id": base["service_identifier"],
        "utility_service_address": base["service_address"],
        "utility_billing_account": base["billing_account"],
        "utility_meter_number": " ".join(meter.meter_numbers),
        "utility_tariff_name": meter.service_tariff,
    }


def _naive(seconds: int, zone: str) -> str:
    """A local time without its offset: `1/1/2015 0:15`."""
    moment = local(seconds, zone)
    date = f"{moment.month}/{moment.day}/{moment.year}"
    return f"{date} {moment.hour}:{moment.minute:02d}"


def _table(names: Sequence[str], lines: Iterator[Line]) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, names)
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()

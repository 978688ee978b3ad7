"""What UtilityAPI offers now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uid
from tap_utility_intervals.sandbox.readings import local, stamp
from tap_utility_intervals.sandbox.rows import (
    BillTruth,
    MeterTruth,
    ReadingTruth,
    local_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_utility_intervals.sandbox.accounts import UtilityMeter
    from tap_utility_intervals.sandbox.readings import Reading
    from tap_utility_intervals.sandbox.world import World


def readings(world: World) -> Iterator[ReadingTruth]:
    """Every reading and channel on offer."""
    for meter in filter(world.is_there, world.utilityapi):
        yield from _readings(world, meter)


def meters(world: World) -> Iterator[MeterTruth]:
    """Every meter on offer."""
    for meter in filter(world.is_there, world.utilityapi):
        view = world.collections.readings(meter, mixed=False)
        everything = world.collections.readings(meter, mixed=True)
        coverage = local_ranges(view.coverage, meter.zone)
        yield MeterTruth(
            "utilityapi",
            meter.uid,
            meter.service_class,
            meter.zone,
            len(view.readings),
            sum(1 for r in everything.readings for _ in _datapoints(meter, r)),
            len(world.collections.bills(meter)),
            coverage[0][0] if coverage else None,
            coverage[-1][1] if coverage else None,
            coverage,
            world.collections.status(meter)[0],
            authorization_id=meter.authorization_uid,
            meter_numbers=tuple(meter.meter_numbers),
        )


def bills(world: World) -> Iterator[BillTruth]:
    """Every bill on offer."""
    for meter in filter(world.is_there, world.utilityapi):
        for known in world.collections.bills(meter):
            bill, uid = known.bill, make_uid("bill", meter.uid, known.bill.number)
            yield BillTruth(
                "utilityapi",
                uid,
                uid,
                meter.uid,
                local(bill.start, meter.zone),
                local(bill.end, meter.zone),
                bill.volume,
                meter.bill_unit,
                bill.cost,
                stamp(known.created),
                stamp(known.updated),
            )


def _readings(world: World, meter: UtilityMeter) -> Iterator[ReadingTruth]:
    main = world.collections.readings(meter, mixed=False)
    plain = set(main.readings) if meter.mixed is not None else set()
    view = world.collections.readings(meter, mixed=True)
    for reading, created in view.dated():
        mixed = meter.mixed is not None and reading not in plain
        start, end = local(reading.start, meter.zone), local(reading.end, meter.zone)
        for kind, unit, number, value in _datapoints(meter, reading):
            yield ReadingTruth(
                "utilityapi",
                meter.uid,
                start,
                end,
                kind,
                unit,
                None if value == "null" else value,
                ",".join(meter.qualities) or None,
                stamp(created),
                stamp(reading.available),
                meter_number=number,
                mixed=mixed,
            )


def _datapoints(
    meter: UtilityMeter, reading: Reading
) -> Iterator[tuple[str | None, str, str | None, str]]:
    if not meter.with_datapoints:
        if meter.kwh_channel is not None:
            value = reading.values[meter.kwh_channel]
            yield None, "kwh", None, "null" if value is None else value
        return
    for channel, value in zip(meter.channels, reading.values, strict=True):
        if value is not None:
            yield channel.type, channel.unit, channel.meter_number, value

"""What Nectar offers now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uuid
from tap_utility_intervals.sandbox.bills import known_bills
from tap_utility_intervals.sandbox.readings import local, stamp
from tap_utility_intervals.sandbox.rows import (
    BillTruth,
    MeterTruth,
    ReadingTruth,
    local_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tap_utility_intervals.sandbox.accounts import Account, Connection, NectarMeter
    from tap_utility_intervals.sandbox.readings import Reading
    from tap_utility_intervals.sandbox.world import World


def readings(world: World) -> Iterator[ReadingTruth]:
    """Every reading on offer, under each id that it is served with."""
    for place in meters_there(world):
        yield from _readings(world, *place)


def meters(world: World) -> Iterator[MeterTruth]:
    """Every meter on offer."""
    for connection, account, meter in meters_there(world):
        view = meter.series.at(world.seconds)
        coverage = local_ranges(view.coverage, meter.zone)
        yield MeterTruth(
            "nectar",
            meter.id,
            meter.datasource_type,
            meter.zone,
            len(view.readings),
            sum(len(interval_ids(meter, reading)) for reading in view.readings),
            sum(1 for _ in _bills(world, meter)),
            coverage[0][0] if coverage else None,
            coverage[-1][1] if coverage else None,
            coverage,
            connection.status,
            connection_id=connection.id,
            account_id=account.id,
            account_number=account.number,
            site_id=meter.site_id,
            identifiers=_identifiers(meter),
        )


def bills(world: World) -> Iterator[BillTruth]:
    """Every usage row of a document on offer, as v2.2 has it."""
    for *_, meter in meters_there(world):
        yield from _bills(world, meter)


def meters_there(world: World) -> Iterator[tuple[Connection, Account, NectarMeter]]:
    """Every meter that is there, with connection and account."""
    for connection in world.connections.values():
        if not connection.life.holds(world.seconds):
            continue
        for account, meter in connection.meters:
            if meter.life.holds(world.seconds):
                yield connection, account, meter


def interval_ids(meter: NectarMeter, reading: Reading) -> list[str]:
    """The ids under which a reading is served; a twin has the same key, another id."""
    names: list[Sequence[object]] = [("interval", meter.id, reading.start, reading.end)]
    if meter.twin_every and reading.start // 60 % meter.twin_every == 0:
        names.append((*names[0], "twin"))
    return [make_uuid(*name) for name in names]


def _identifiers(meter: NectarMeter) -> tuple[tuple[str, str, str], ...]:
    """(name, value, raw name) of each identifier."""
    return tuple((i.name, i.value, i.raw_name) for i in meter.identifiers)


def _readings(
    world: World, connection: Connection, account: Account, meter: NectarMeter
) -> Iterator[ReadingTruth]:
    names = _identifiers(meter)
    for reading, created in meter.series.at(world.seconds).dated():
        value = reading.values[meter.channel]
        for interval_id in interval_ids(meter, reading):
            yield ReadingTruth(
                "nectar",
                meter.id,
                local(reading.start, meter.zone),
                local(reading.end, meter.zone),
                None,
                meter.unit,
                None if value in (None, "null") else value,
                reading.quality,
                _stamp(world, created),
                _stamp(world, reading.available),
                connection_id=connection.id,
                account_id=account.id,
                identifiers=names,
                interval_id=interval_id,
            )


def _bills(world: World, meter: NectarMeter) -> Iterator[BillTruth]:
    known = [k for k in known_bills(meter.bills, world.seconds) if not k.withdrawn]
    replaced = {k.bill.revises for k in known}
    for item in known:
        bill = item.bill
        yield BillTruth(
            "nectar",
            make_uuid("document", meter.id, bill.number),
            make_uuid("usage", meter.id, bill.number),
            meter.id,
            local(bill.start, meter.zone),
            local(bill.end, meter.zone),
            bill.volume,
            meter.bill_unit,
            bill.cost,
            _stamp(world, item.created),
            _stamp(world, item.updated),
            superseded=bill.number in replaced,
            site_id=meter.site_id,
        )


def _stamp(world: World, seconds: int) -> datetime:
    """A time of Nectar's own as precise as it is sent."""
    whole = stamp(seconds)
    naive = world.nectar_options.naive_stamps
    return whole if naive else whole.replace(microsecond=0)

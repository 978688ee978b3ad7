"""The world as a test would like to compare it: taken from the data, not from HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uid, make_uuid
from tap_utility_intervals.sandbox.bills import known_bills
from tap_utility_intervals.sandbox.readings import local, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tap_utility_intervals.sandbox.accounts import (
        Account,
        Connection,
        NectarMeter,
        UtilityMeter,
    )
    from tap_utility_intervals.sandbox.bills import Known
    from tap_utility_intervals.sandbox.readings import Reading
    from tap_utility_intervals.sandbox.world import Provider, World


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
    coverage: tuple[tuple[datetime, datetime], ...]
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


def readings(world: World, provider: Provider) -> Iterator[ReadingTruth]:
    """Every reading and channel on offer."""
    if provider == "utilityapi":
        for meter in filter(world.is_there, world.utilityapi):
            yield from _utility_readings(world, meter)
    else:
        for place in nectar_meters(world):
            yield from _nectar_readings(world, *place)


def meters(world: World, provider: Provider) -> Iterator[MeterTruth]:
    """Every meter on offer."""
    if provider == "utilityapi":
        for meter in filter(world.is_there, world.utilityapi):
            yield _utility_meter(world, meter)
    else:
        for place in nectar_meters(world):
            yield _nectar_meter(world, *place)


def bills(world: World, provider: Provider) -> Iterator[BillTruth]:
    """Every bill on offer."""
    if provider == "utilityapi":
        for meter in filter(world.is_there, world.utilityapi):
            for known in world.collections.bills(meter):
                uid = make_uid("bill", meter.uid, known.bill.number)
                yield _bill("utilityapi", meter, known, uid, uid, stamp)
    else:
        for *_, item in nectar_meters(world):
            yield from _nectar_bills(world, item)


def nectar_meters(world: World) -> Iterator[tuple[Connection, Account, NectarMeter]]:
    """Every Nectar meter that is there, with connection and account."""
    for connection in world.connections.values():
        if not connection.life.holds(world.seconds):
            continue
        for account, meter in connection.meters:
            if meter.life.holds(world.seconds):
                yield connection, account, meter


def identifiers_of(meter: NectarMeter) -> tuple[tuple[str, str, str], ...]:
    """(name, value, raw name) of each identifier."""
    return tuple((i.name, i.value, i.raw_name) for i in meter.identifiers)


def interval_ids(meter: NectarMeter, reading: Reading) -> list[str]:
    """The ids under which a reading is served; a twin has the same key, another id."""
    names: list[Sequence[object]] = [("interval", meter.id, reading.start, reading.end)]
    if meter.twin_every and reading.start // 60 % meter.twin_every == 0:
        names.append((*names[0], "twin"))
    return [make_uuid(*name) for name in names]


def _utility_readings(world: World, meter: UtilityMeter) -> Iterator[ReadingTruth]:
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


def _nectar_readings(
    world: World, connection: Connection, account: Account, meter: NectarMeter
) -> Iterator[ReadingTruth]:
    view = meter.series.at(world.seconds)
    names = identifiers_of(meter)
    for reading, created in view.dated():
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
                _nectar_stamp(world, created),
                _nectar_stamp(world, reading.available),
                connection_id=connection.id,
                account_id=None if meter.without_account else account.id,
                identifiers=names,
                interval_id=interval_id,
            )


def _utility_meter(world: World, meter: UtilityMeter) -> MeterTruth:
    view = world.collections.readings(meter, mixed=False)
    everything = world.collections.readings(meter, mixed=True)
    coverage = tuple(
        (local(start, meter.zone), local(end, meter.zone))
        for start, end in view.coverage
    )
    return MeterTruth(
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


def _nectar_meter(
    world: World, connection: Connection, account: Account, meter: NectarMeter
) -> MeterTruth:
    view = meter.series.at(world.seconds)
    coverage = tuple(
        (local(start, meter.zone), local(end, meter.zone))
        for start, end in view.coverage
    )
    return MeterTruth(
        "nectar",
        meter.id,
        meter.datasource_type,
        meter.zone,
        len(view.readings),
        sum(len(interval_ids(meter, reading)) for reading in view.readings),
        sum(1 for _ in _nectar_bills(world, meter)),
        coverage[0][0] if coverage else None,
        coverage[-1][1] if coverage else None,
        coverage,
        connection.status,
        connection_id=connection.id,
        account_id=account.id,
        account_number=account.number,
        site_id=meter.site_id,
        identifiers=identifiers_of(meter),
    )


def _nectar_bills(world: World, meter: NectarMeter) -> Iterator[BillTruth]:
    known = [k for k in known_bills(meter.bills, world.seconds) if not k.withdrawn]
    replaced = {k.bill.revises for k in known}
    for item in known:
        document = make_uuid("document", meter.id, item.bill.number)
        usage = make_uuid("usage", meter.id, item.bill.number)
        superseded = item.bill.number in replaced
        told = partial(_nectar_stamp, world)
        yield _bill("nectar", meter, item, document, usage, told, superseded=superseded)


def _nectar_stamp(world: World, seconds: int) -> datetime:
    """A time of Nectar's own as precise as it is sent."""
    whole = stamp(seconds)
    naive = world.nectar_options.naive_stamps
    return whole if naive else whole.replace(microsecond=0)


def _bill(  # noqa: PLR0913, PLR0917 - the parts of a bill's name
    provider: str,
    meter: UtilityMeter | NectarMeter,
    known: Known,
    bill_id: str,
    usage_id: str,
    told: Callable[[int], datetime],
    *,
    superseded: bool = False,
) -> BillTruth:
    bill = known.bill
    return BillTruth(
        provider,
        bill_id,
        usage_id,
        meter.uid if hasattr(meter, "uid") else meter.id,
        local(bill.start, meter.zone),
        local(bill.end, meter.zone),
        bill.volume,
        meter.bill_unit,
        bill.cost,
        told(known.created),
        told(known.updated),
        superseded=superseded,
        site_id=getattr(meter, "site_id", None),
    )

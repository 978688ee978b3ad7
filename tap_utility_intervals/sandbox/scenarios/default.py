"""The default world: real meters of Illinois and London, made-up ones beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from tap_utility_intervals.sandbox.accounts import (
    Account,
    Authorization,
    Channel,
    Company,
    Connection,
    Identifier,
    NectarMeter,
    Site,
    UtilityMeter,
    identifiers,
    make_uuid,
)
from tap_utility_intervals.sandbox.bills import Bill, bills_from
from tap_utility_intervals.sandbox.readings import (
    DAY,
    Series,
    delayed,
    epoch,
    restated,
    without,
)
from tap_utility_intervals.sandbox.scenarios import eemeter
from tap_utility_intervals.sandbox.scenarios.synthetic import solar, synthetic
from tap_utility_intervals.sandbox.world import World

NEW_YORK, CHICAGO, LONDON = "America/New_York", "America/Chicago", "Europe/London"
SOLAR = (Channel("net"), Channel("max", "kw"), Channel("fwd"), Channel("rev"))


def default_world(*, now: str = "2017-04-01T12:00:00Z", seed: int = 0) -> World:
    """The real Illinois and London meters, and some made-up ones beside them.

    The clock stands inside the Illinois series: there are ten months left to come. Its
    bills and readings reconcile to 0.15 kWh or therm for every period up to that day.
    """
    power, power_bills = eemeter.illinois(
        "il-electricity-cdd-hdd",
        "2016-02-23T00:00:00-06:00",
        lambda value: (value, value, value),
    )
    gas, gas_bills = eemeter.illinois(
        "il-gas-hdd-only", "2016-02-24T00:00:00-06:00", lambda value: (value,)
    )
    water = _water(seed)
    return World(
        datetime.fromisoformat(now.replace("Z", "+00:00")),
        _utility_meters(seed, (power, power_bills), (gas, gas_bills), water),
        [_company((power, power_bills), (gas, gas_bills), water)],
        [
            Authorization("1001", "AMEREN"),
            Authorization("1002", "CONED"),
            Authorization("1003", "PG&E", expires=epoch("2017-02-01T00:00:00Z")),
        ],
        seed,
    )


def _utility_meters(
    seed: int,
    power: tuple[Series, tuple[Bill, ...]],
    gas: tuple[Series, tuple[Bill, ...]],
    water: Series,
) -> list[UtilityMeter]:
    sunny = _solar_home(seed)
    edges = midnights(NEW_YORK, 2017)
    return [
        UtilityMeter(
            "2001001",
            power[0],
            "1001",
            CHICAGO,
            (
                Channel("net", "kwh", "E1001"),
                Channel("max", "kw", "E1001"),
                Channel("fwd", "kwh", "E1001"),
            ),
            bills=power[1],
            utility="AMEREN",
            meter_numbers=("E1001",),
        ),
        UtilityMeter(
            "2001002",
            gas[0],
            "1001",
            CHICAGO,
            (Channel("net", "therms", "G1002"),),
            kwh_channel=None,
            bills=gas[1],
            bill_unit="therms",
            utility="AMEREN",
            service_class="res-gas",
            meter_numbers=("G1002",),
        ),
        UtilityMeter(
            "2001003",
            sunny,
            "1002",
            NEW_YORK,
            SOLAR,
            bills=bills_from(sunny, edges[2:]),
            utility="CONED",
            meter_numbers=("N1003",),
            block_days=4,
        ),
        UtilityMeter(
            "2001004",
            water,
            "1002",
            NEW_YORK,
            (Channel("net", "gallons"),),
            kwh_channel=None,
            bills=bills_from(water, edges),
            bill_unit="gallons",
            utility="CONED",
            service_class="res-water",
            qualities=(),
        ),
        UtilityMeter(
            "2001005",
            synthetic(seed, "never", "2016-04-01T00:00:00Z", "2017-07-01T00:00:00Z"),
            "1002",
            NEW_YORK,
            utility="CONED",
            collected=False,
            monitoring="off",
        ),
        UtilityMeter(
            "2001006",
            synthetic(seed, "expired", "2017-01-01T08:00:00Z", "2017-03-01T08:00:00Z"),
            "1003",
            "America/Los_Angeles",
            utility="PG&E",
        ),
    ]


def _solar_home(seed: int) -> Series:
    """Two clock changes, no readings in winter between; one day and a quarter wrong.

    The day is restated and the quarter of an hour withdrawn in the first night.
    """
    whole = solar(
        seed, "solar", "2016-10-30T04:00:00Z", "2018-02-08T05:00:00Z", zone=NEW_YORK
    )
    winter = (epoch("2016-11-13T05:00:00Z"), epoch("2017-03-05T05:00:00Z"))
    kept = without(whole, [winter])
    first, known = epoch("2017-03-20T04:00:00Z"), epoch("2017-04-02T06:00:00Z")
    wrong = ("0.100", "0.400", "0.100", "0.000")
    day = [r for r in kept.readings if first <= r.start < first + DAY]
    guess = [r._replace(values=wrong) for r in day]
    rest = [r for r in kept.readings if not first <= r.start < first + DAY]
    mended = [(r.start, known, r.values) for r in day]
    ghost = (epoch("2017-03-22T16:00:00Z"), known, ())
    return restated(Series([*rest, *guess]), [*mended, ghost])


def _water(seed: int) -> Series:
    """Hourly; half a day is filled in late, on the evening of the first day."""
    whole = synthetic(seed, "water", "2016-12-01T05:00:00Z", "2018-02-08T05:00:00Z")
    first = epoch("2017-03-29T04:00:00Z")
    return delayed(whole, first, first + DAY // 2, epoch("2017-04-01T22:00:00Z"))


def _company(
    power: tuple[Series, tuple[Bill, ...]],
    gas: tuple[Series, tuple[Bill, ...]],
    water: Series,
) -> Company:
    office = Site(make_uuid("site", 1), "Springfield office")
    shop = Site(make_uuid("site", 2), "London shop", "PLANTED-ADDRESS 2 High Street")
    return Company(
        make_uuid("company", 1),
        "Prairie Ltd",
        [office, shop],
        [
            _illinois_connection(office, power, gas),
            _london_connection(shop),
            _water_connection(office, water),
            Connection(
                make_uuid("connection", 4),
                (),
                "PASSWORD_INCORRECT",
                ("Broken Utility", "https://broken.example.com"),
                site_ids=[office.id],
            ),
        ],
    )


def _illinois_connection(
    office: Site,
    power: tuple[Series, tuple[Bill, ...]],
    gas: tuple[Series, tuple[Bill, ...]],
) -> Connection:
    account = Identifier("4471-0098", "ACCOUNT", "Account number")
    meters = [
        NectarMeter(
            make_uuid("meter", 1),
            power[0],
            (*identifiers("00E-1001"), account),
            office.id,
            zone=CHICAGO,
            bills=power[1],
        ),
        NectarMeter(
            make_uuid("meter", 2),
            gas[0],
            (*identifiers("00G-1002"), account),
            office.id,
            "GAS",
            "thm (US)",
            zone=CHICAGO,
            bills=gas[1],
            bill_unit="thm (US)",
            details=(("gasType", "NATURAL_GAS"),),
        ),
    ]
    return Connection(
        make_uuid("connection", 1),
        [Account(make_uuid("account", 1), "4471-0098", meters)],
        datasource=("Ameren Illinois", "https://ameren.example.com"),
        site_ids=[office.id],
    )


def _london_connection(shop: Site) -> Connection:
    series = eemeter.london()
    months = [(2012, m) for m in (11, 12)] + [(2013, m) for m in range(1, 12)]
    edges = [epoch(datetime(y, m, 1, tzinfo=timezone.utc)) for y, m in months]
    bills = tuple(
        replace(bill, time_of_use=_halves(bill.volume or "0"), demand="6.5")
        for bill in bills_from(series, edges)
    )
    meter = NectarMeter(
        make_uuid("meter", 3),
        series,
        (Identifier("1900026354738", "POD", "MPAN"), *identifiers("K 12/3456")),
        shop.id,
        zone=LONDON,
        bills=bills,
    )
    return Connection(
        make_uuid("connection", 2),
        [Account(make_uuid("account", 2), "A-77120", [meter])],
        datasource=("London Energy", "https://london.example.com"),
        country="GB",
        site_ids=[shop.id],
    )


def _water_connection(office: Site, water: Series) -> Connection:
    edges = midnights(CHICAGO, 2017)
    meter = NectarMeter(
        make_uuid("meter", 4),
        water,
        identifiers("W-0042"),
        office.id,
        "WATER",
        "cubic m",
        zone=CHICAGO,
        bills=bills_from(water, edges),
        bill_unit="cubic m",
        details=(("waterType", "POTABLE"),),
    )
    return Connection(
        make_uuid("connection", 3),
        [Account(make_uuid("account", 3), "W-900", [meter])],
        datasource=("City Water", "https://water.example.com"),
        site_ids=[office.id],
    )


def midnights(zone: str, year: int) -> list[int]:
    """The local midnights at which the months of a year begin, in summer, too."""
    tz = ZoneInfo(zone)
    return [epoch(datetime(year, month, 1, tzinfo=tz)) for month in range(1, 13)]


def _halves(volume: str) -> tuple[tuple[str, str], ...]:
    """A volume as peak and off-peak parts that add up exactly."""
    from decimal import Decimal  # noqa: PLC0415

    whole = Decimal(volume)
    peak = (whole * 2 / 5).quantize(Decimal("0.1"))
    return (("PEAK", str(peak)), ("OFF_PEAK", str(whole - peak)))

"""A small world in which what a warehouse is asked about happens within a day."""

from __future__ import annotations

from dataclasses import replace

from tap_utility_intervals.sandbox import (
    Account,
    Bill,
    Company,
    Connection,
    Lifetime,
    Series,
    UtilityMeter,
    World,
    bills_from,
    epoch,
    restated,
    solar,
    synthetic,
    tiny_world,
)
from tap_utility_intervals.sandbox.scenarios.default import CHICAGO, LONDON, NEW_YORK

OLD, NEW, GONE = "101", "103", "104"
"""UtilityAPI meters: before and after a renewal, and one that vanishes overnight."""

SERVICE = "SP-9"
TONIGHT = epoch("2026-03-20T18:00:00Z")
"""After the first sync, before the one a day later."""

NECTAR_ZONES = {"T001": LONDON, "T002": CHICAGO}
MARCH = [epoch(f"2026-03-{day:02d}T00:00:00Z") for day in (7, 10, 17, 19)]
"""Midnights in London."""


def warehouse_world() -> World:
    """The tiny world, with what changes there in a night."""
    tiny = tiny_world()
    old, gas = tiny.utilityapi
    first = next(r.start for r in old.series.readings if r.start >= MARCH[-1])
    changed = restated(
        old.series, [(first, TONIGHT, ("9.125", "36.5", "9.126", "0.001"))]
    )
    meters = [
        replace(old, series=changed, service_identifier=SERVICE),
        gas,
        UtilityMeter(
            NEW,
            _renewed(),
            authorization_uid="1002",
            zone=NEW_YORK,
            channels=old.channels,
            service_identifier=SERVICE,
            created=epoch("2026-03-17T00:00:00Z"),
        ),
        UtilityMeter(
            GONE,
            synthetic(0, "gone", "2026-03-17T05:00:00Z", "2026-03-22T05:00:00Z"),
            zone=CHICAGO,
            with_datapoints=False,
            life=Lifetime(vanishes=TONIGHT),
        ),
    ]
    return World(
        tiny.now,
        meters,
        [_company(tiny.nectar[0])],
        utilityapi_options=tiny.utilityapi_options,
    )


def _renewed() -> Series:
    """From 17 March on, with two hours missing that the old meter has."""
    whole = solar(
        1, "sun", "2026-03-17T04:00:00Z", "2026-03-25T04:00:00Z", zone=NEW_YORK
    )
    hole = range(epoch("2026-03-18T02:00:00Z"), epoch("2026-03-18T04:00:00Z"))
    return Series([r for r in whole.readings if r.start not in hole])


def _company(company: Company) -> Company:
    """With bills from midnight to midnight, one of them reissued tonight."""
    (connection,) = company.connections
    (account,) = connection.accounts
    power, gas = account.meters
    bills = bills_from(power.series, MARCH)
    again: Bill = replace(bills[0], number="again", revises="0", available=TONIGHT)
    meters = [replace(power, bills=(*bills, again)), gas]
    accounts: list[Account] = [replace(account, meters=meters)]
    connections: list[Connection] = [replace(connection, accounts=accounts)]
    return replace(company, connections=connections)

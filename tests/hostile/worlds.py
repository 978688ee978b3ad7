"""A small world with a past: several pages of everything, several sources of a kind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tap_utility_intervals.sandbox import (
    Account,
    Company,
    Connection,
    NectarMeter,
    NectarOptions,
    Sandbox,
    Site,
    UtilityMeter,
    UtilityOptions,
    World,
    bills_from,
    epoch,
    identifiers,
    make_uuid,
    synthetic,
)
from tests.oracle import Row
from tests.syncing import config

BEGINS = "2026-03-10T00:00:00Z"
ENDS = "2026-03-21T00:00:00Z"
NOW = datetime.fromisoformat("2026-03-20T12:00:00+00:00")
EARLIER = NOW - timedelta(days=2)
"""When the sync before this one was."""

METERS = ("101", "102")
COMPANIES = tuple(make_uuid("hostile company", n) for n in range(2))
CONNECTIONS = tuple(make_uuid("hostile connection", n) for n in range(2))


def hostile_world(*, minutes: int = 240) -> World:
    """Two meters and two companies, each with more than one page of readings."""
    edges = [epoch(f"2026-03-{day}T00:00:00Z") for day in (10, 12, 14, 16)]
    meters = []
    for uid in METERS:
        series = synthetic(0, uid, BEGINS, ENDS, minutes=minutes)
        bills = bills_from(series, edges)
        meters.append(UtilityMeter(uid, series, bills=bills, block_days=1))
    companies = []
    for number, company_id in enumerate(COMPANIES):
        site = Site(make_uuid("hostile site", number))
        series = synthetic(1, company_id, BEGINS, ENDS, minutes=minutes)
        meter = NectarMeter(
            make_uuid("hostile meter", number),
            series,
            identifiers(f"H-{number}"),
            site.id,
            bills=bills_from(series, edges),
        )
        account = Account(make_uuid("hostile account", number), f"A-{number}", [meter])
        connection = Connection(CONNECTIONS[number], [account], site_ids=[site.id])
        companies.append(Company(company_id, f"C {number}", [site], [connection]))
    return World(
        NOW,
        meters,
        companies,
        utilityapi_options=UtilityOptions(
            page_size=1, bill_limit=2, interval_limit=2, max_limit=2
        ),
        nectar_options=NectarOptions(page_size=15),
    )


def settings_for(sandbox: Sandbox, *providers: str, **more: Any) -> Row:
    """Little look-back: what a bookmark has wrongly passed does not come again."""
    usual = {"lookback_days": 3, "max_concurrency": 1, "max_retries": 2}
    return config(sandbox, *providers, **{**usual, "max_response_mb": 0.3, **more})

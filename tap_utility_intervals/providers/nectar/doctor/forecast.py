"""How many intervals Nectar's connections have, and what a first sync would take."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import seconds_form
from tap_utility_intervals.providers.checkup import Estimate
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.client import A_PAGE
from tap_utility_intervals.providers.nectar.listing import Connection
from tap_utility_intervals.providers.nectar.objects import entity_page, interval_page
from tap_utility_intervals.providers.nectar.session import NectarSession

USAGE = entity_page("usageData", "totalUsageData")
"""Decodes a page of usage entries: nectar.md#lists."""
SHORTEST = 0.05
"""Seconds that an answer is taken to need at least: a sandbox answers at once."""


@dataclass(frozen=True)
class Counted:
    """How many intervals a connection has; None where it could not be told."""

    total: int | None
    """Between the configured dates."""
    recent: int | None
    seconds: float
    """How long the answer took."""
    error: errors.ProviderError | None = None


def count(session: NectarSession, recent: timedelta, connection: Connection) -> Counted:
    """Ask for first pages only: their totals say how many there are (nectar.md#lists).

    Args:
        session: to ask.
        recent: how far back an interval counts as recent.
        connection: whose intervals to count.

    Raises:
        errors.Unauthorized: the key is refused; any other error is in the result.
    """
    since = seconds_form(session.started - recent)
    begun = time.monotonic()
    try:
        total = _intervals(session, connection, _bounds(session))
        seconds = time.monotonic() - begun
        newest = _intervals(session, connection, [("startDate", since)])
    except errors.SourceError as error:
        return Counted(None, None, time.monotonic() - begun, error)
    return Counted(total, newest, seconds)


def estimate(session: NectarSession, counted: Mapping[str, Counted]) -> Estimate:
    """Reckon up from the counts of connections, and of companies' usage entries.

    Args:
        session: to ask for the usage entries.
        counted: by connection id; at least one.
    """
    totals = [one.total or 0 for one in counted.values()]
    usage = [_usage(session, company) for company in session.directory.company_ids]
    pages = sum(max(1, math.ceil(rows / A_PAGE)) for rows in (*totals, *usage))
    # And the companies; of each its connections and its meters.
    requests = 1 + 2 * len(usage) + pages
    answer = sum(one.seconds for one in counted.values()) / len(counted)
    return Estimate(
        requests,
        {
            "meters": len(session.directory.meters),
            "intervals": sum(totals),
            "usage": sum(usage),
        },
        requests * max(answer, SHORTEST) / session.workers,
        _how(session, counted),
    )


def _how(session: NectarSession, counted: Mapping[str, Counted]) -> list[str]:
    asked = (
        "Nectar was asked how many intervals each connection has, and how many usage "
        f"entries each company; a page holds {A_PAGE}."
    )
    timed = (
        "The time is that of the requests, as long as those answers took, "
        f"{session.workers} at once (max_concurrency)."
    )
    how = [asked, timed]
    if _bounds(session):
        how.append("Only intervals between start_date and end_date.")
    if unknown := sum(one.total is None for one in counted.values()):
        how.append(f"Connections that could not be counted, and are not: {unknown}.")
    return how


def _intervals(
    session: NectarSession, connection: Connection, dates: Params
) -> int | None:
    """Ask how many intervals a connection has; None if the answer does not say."""
    path = f"/interval/connection/{quote(connection.id, safe='')}"
    source = f"connection {connection.id}"
    params = [*session.directory.filters, *dates]
    return session.client.page(path, params, 1, interval_page, source).total


def _usage(session: NectarSession, company: str) -> int:
    """Ask how many usage entries a company has; 0 if it cannot be told."""
    # `dateType` is always sent, also without dates: nectar.md#filters-of-bills.
    path = f"/usage/company/{quote(company, safe='')}"
    params = [*session.directory.filters, ("dateType", "BILL_DATE")]
    try:
        page = session.client.page(path, params, 1, USAGE, f"company {company}")
    except errors.SourceError:
        return 0  # an estimate is not worth an error
    return len(page.items) if page.total is None else page.total


def _bounds(session: NectarSession) -> list[tuple[str, str]]:
    """Return the configured dates as filters: nectar.md#filters-of-intervals."""
    settings = session.run.settings
    bounds = (("startDate", settings.start_date), ("endDate", settings.end_date))
    return [(name, seconds_form(moment)) for name, moment in bounds if moment]

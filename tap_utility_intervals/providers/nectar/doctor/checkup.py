"""Nectar's check-up: companies, connections, accounts.

See nectar.md#connection and nectar.md#account. Words that are unknown are no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.providers.base import Run
from tap_utility_intervals.providers.checkup import Checkup, Finding, Table
from tap_utility_intervals.providers.nectar.doctor.forecast import (
    Counted,
    count,
    estimate,
)
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.listing import Connection
from tap_utility_intervals.providers.nectar.objects import Entity, text
from tap_utility_intervals.providers.nectar.session import NectarSession, connect

HEALTHY = "CONNECTED"
PENDING = "PENDING"
"""Of a new connection, until it is first checked: some days."""
AT_THE_UTILITY = ("WEBSITE_DOWN", "URL_INACCESSIBLE", "UNDER_INVESTIGATION")
"""What Nectar or the utility must mend; most other troubles are the login's owner's."""


def examine(run: Run, stale: timedelta) -> Checkup:
    """Look at everything that the key reaches; see `base.Examine`."""
    session = connect(run)
    checkup = Checkup(session.name, session.client.transport.endpoint.base_url)
    try:
        _examine(session, stale, checkup)
    except errors.ProviderError as error:
        refused = isinstance(error, errors.Unauthorized)
        checkup.fail("credential" if refused else "lists", error)
    finally:
        session.close()
    return checkup


def _examine(session: NectarSession, stale: timedelta, checkup: Checkup) -> None:
    """Ping, list, count.

    Raises:
        errors.ProviderError: when the key is refused or nothing can be listed.
    """
    directory = session.directory
    try:
        session.ping()
    except (errors.Gone, errors.BadRequest):
        directory.companies  # noqa: B018 - asks; an old version without ping
    checkup.is_reachable = True
    connections = directory.connections
    counts = session.client.each(partial(count, session, stale), connections)
    counted = {c.id: one for c, one in zip(connections, counts, strict=True)}
    checkup.tables += _tables(directory, counted, stale)
    checkup.findings += _about_companies(session)
    for connection in connections:
        checkup.findings += _about_connection(connection, counted[connection.id], stale)
    for warning in session.run.report.warnings:
        problem = warning.removeprefix(f"{session.name}: ")
        checkup.findings.append(
            Finding("warning", "Nectar", problem, "", needs_person=False)
        )
    if connections:
        checkup.estimate = estimate(session, counted)
    else:
        checkup.findings.append(
            Finding(
                "no_connections",
                "Nectar",
                "no connection is listed",
                "connect a utility account in Nectar, or check nectar_companies",
                needs_person=False,
            )
        )


def _tables(
    directory: Directory, counted: Mapping[str, Counted], stale: timedelta
) -> list[Table]:
    mine = [name for c in directory.connections for name in c.companies]
    return [
        Table(
            "companies",
            {
                "company": "COMPANY",
                "name": "NAME",
                "sites": "SITES",
                "connections": "CONNECTIONS",
            },
            [
                {
                    "company": str(row["id"]),
                    "name": text(row.get("name")),
                    "sites": len(row.get("sites") or ()),
                    "connections": mine.count(str(row["id"])),
                }
                for row in directory.companies
            ],
        ),
        Table(
            "connections",
            {
                "connection": "CONNECTION",
                "company": "COMPANY",
                "utility": "UTILITY",
                "status": "STATUS",
                "accounts": "ACCOUNTS",
                "meters": "METERS",
                "intervals": "INTERVALS",
                "recent_intervals": f"OF THE LAST {stale.days} DAYS",
            },
            [_connection_row(c, counted[c.id]) for c in directory.connections],
        ),
        Table(
            "meters",
            {
                "meter": "METER",
                "connection": "CONNECTION",
                "commodity": "COMMODITY",
                "is_tracked": "TRACKED",
            },
            [
                {
                    "meter": str(meter.row["id"]),
                    "connection": text(meter.connection.get("id")),
                    "commodity": text(meter.row.get("datasourceType")),
                    "is_tracked": _flag(meter.row.get("isTracked")),
                }
                for meter in directory.meters
            ],
        ),
    ]


def _about_companies(session: NectarSession) -> Iterator[Finding]:
    outcomes = session.run.report.sources(session.name)
    for company, outcome in outcomes.items():
        if outcome in {Outcome.GONE, Outcome.FAILED}:
            yield Finding(
                "company_unreadable",
                f"company {company}",
                "its connections could not be listed",
                "check nectar_companies, and that the key may read it",
            )
    for company, error in session.directory.meter_errors.items():
        yield Finding(
            "meters_unreadable",
            f"company {company}",
            "its meters could not be listed",
            str(error),
        )


def _about_connection(
    connection: Connection, counted: Counted, stale: timedelta
) -> Iterator[Finding]:
    source = f"connection {connection.id}"
    # Anything may be missing (nectar.md#objects): that alone is no trouble.
    status = text(connection.row.get("status")) or HEALTHY
    if status == PENDING:
        yield Finding(
            "connection_pending",
            source,
            "pending: Nectar has not checked it yet",
            "wait some days",
            needs_person=False,
        )
    elif status != HEALTHY:
        problem = f"in error: {status}"
        yield Finding("connection_errored", source, problem, _advice(status))
    if counted.error is not None:
        yield Finding(
            "intervals_unreadable",
            source,
            "its intervals could not be counted",
            str(counted.error),
        )
    for account in connection.accounts:
        if account.get("isCollectingSmartMeterData") is False and _tracked(account):
            yield Finding(
                "no_smart_meter_data",
                f"account {text(account.get('id'))}",
                "no smart meter data are collected: bills, but no intervals",
                "have Nectar switch it on, if you need them",
                needs_person=False,
            )
    if counted.total and counted.recent == 0 and status == HEALTHY:
        yield Finding(
            "intervals_old",
            source,
            f"no interval of the last {stale.days} days",
            "ask Nectar what holds it up, or untrack the account if it is closed",
        )


def _connection_row(
    connection: Connection, counted: Counted
) -> dict[str, str | int | bool | None]:
    source = connection.row.get("datasource")
    return {
        "connection": connection.id,
        "company": connection.companies[0],
        "utility": text(source.get("name")) if isinstance(source, dict) else None,
        "status": text(connection.row.get("status")),
        "accounts": len(connection.accounts),
        "meters": len(connection.meter_ids),
        "intervals": counted.total,
        "recent_intervals": counted.recent,
    }


def _advice(status: str) -> str:
    """Say who must mend a connection; an unknown status is taken for the login's."""
    if status in AT_THE_UTILITY:
        return "Nectar or the utility must mend it; ask Nectar if it stays"
    if status == "COMPANY_INACTIVE":
        return "activate the company at Nectar, or leave it out with nectar_companies"
    return (
        "have the login's owner mend it in Nectar: it cannot log in, or finds nothing"
    )


def _tracked(account: Entity) -> bool:
    """Whether an account's data are wanted, by the newer word and the older."""
    return account.get("trackingStatus") != "DISABLED" and (
        account.get("isTracked") is not False
    )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None

"""Nectar's check-up: companies, connections, accounts."""

from __future__ import annotations

from collections.abc import Sequence
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
from tap_utility_intervals.providers.nectar.entities import Connection
from tap_utility_intervals.providers.nectar.objects import Entity, text
from tap_utility_intervals.providers.nectar.session import NectarSession, connect

HEALTHY = "CONNECTED"
PENDING = "PENDING"
AT_THE_UTILITY = ("WEBSITE_DOWN", "URL_INACCESSIBLE", "UNDER_INVESTIGATION")
"""What Nectar or the utility must mend; all other troubles are the login's owner's."""


def examine(run: Run, stale: timedelta) -> Checkup:
    """Look at everything that the key reaches; see `base.Examine`."""
    session = connect(run)
    transport = session.client.transport
    checkup = Checkup(session.name, transport.endpoint.base_url)
    try:
        _Examination(session, stale, checkup).go()
    except errors.ProviderError as error:
        kind = "credential" if isinstance(error, errors.Unauthorized) else "lists"
        checkup.findings.append(Finding("unreachable", kind, str(error), ""))
    finally:
        session.close()
    return checkup


class _Examination:
    def __init__(
        self, session: NectarSession, stale: timedelta, checkup: Checkup
    ) -> None:
        self.session = session
        self.client = session.client
        self.directory = session.directory
        self.settings = session.run.settings
        self.stale = stale
        self.checkup = checkup

    def go(self) -> None:
        """Ping, list, count.

        Raises:
            errors.ProviderError: when the key is refused or nothing can be listed.
        """
        self._ping()
        connections = self.directory.connections
        counted = dict(
            zip(
                (connection.id for connection in connections),
                self.client.each(partial(count, self.session, self.stale), connections),
                strict=True,
            )
        )
        self._tables(connections, counted)
        self._look_at_companies()
        for connection in connections:
            self._look_at_connection(connection, counted[connection.id])
        for warning in self.session.run.report.warnings:
            problem = warning.removeprefix(f"{self.session.name}: ")
            self._add("warning", "Nectar", problem, "", needs_person=False)
        if connections:
            self.checkup.estimate = estimate(self.session, counted)
        else:
            self._add(
                "no_connections",
                "Nectar",
                "no connection is listed",
                "connect a utility account in Nectar, or check nectar_companies",
                needs_person=False,
            )

    def _ping(self) -> None:
        """The cheapest question that needs the key."""
        try:
            self.client.transport.get("/ping", decode=bytes)
        except (errors.Gone, errors.BadRequest):
            self.directory.companies  # noqa: B018 - asks; an old version without ping
        self.checkup.is_reachable = True

    def _add(
        self,
        kind: str,
        source: str,
        problem: str,
        advice: str,
        *,
        needs_person: bool = True,
    ) -> None:
        self.checkup.findings.append(
            Finding(kind, source, problem, advice, needs_person=needs_person)
        )

    def _tables(
        self, connections: Sequence[Connection], counted: dict[str, Counted]
    ) -> None:
        companies = self.directory.companies
        mine = [name for c in connections for name in c.companies]
        self.checkup.tables += [
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
                    for row in companies
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
                    "recent_intervals": f"OF THE LAST {self.stale.days} DAYS",
                },
                [_connection_row(c, counted[c.id]) for c in connections],
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
                        "connection": text(meter.around.connection.get("id")),
                        "commodity": text(meter.row.get("datasourceType")),
                        "is_tracked": _flag(meter.row.get("isTracked")),
                    }
                    for meter in self.directory.meters
                ],
            ),
        ]

    def _look_at_companies(self) -> None:
        outcomes = self.session.run.report.sources(self.session.name)
        for company, outcome in outcomes.items():
            if outcome in {Outcome.GONE, Outcome.FAILED}:
                self._add(
                    "company_unreadable",
                    f"company {company}",
                    "its connections could not be listed",
                    "check nectar_companies, and that the key may read it",
                )
        for company, error in self.directory.meter_errors.items():
            self._add(
                "meters_unreadable",
                f"company {company}",
                "its meters could not be listed",
                str(error),
            )

    def _look_at_connection(self, connection: Connection, counted: Counted) -> None:
        source = f"connection {connection.id}"
        status = text(connection.row.get("status")) or HEALTHY
        if status == PENDING:
            self._add(
                "connection_pending",
                source,
                "pending: Nectar has not checked it yet",
                "wait some days",
                needs_person=False,
            )
        elif status != HEALTHY:
            self._add(
                "connection_errored", source, f"in error: {status}", _advice(status)
            )
        if counted.error is not None:
            self._add(
                "intervals_unreadable",
                source,
                "its intervals could not be counted",
                str(counted.error),
            )
        self._look_at_accounts(connection)
        if counted.total and counted.recent == 0 and status == HEALTHY:
            self._add(
                "intervals_old",
                source,
                f"no interval of the last {self.stale.days} days",
                "ask Nectar what holds it up, or untrack the account if it is closed",
            )

    def _look_at_accounts(self, connection: Connection) -> None:
        for account in connection.accounts:
            if account.get("isCollectingSmartMeterData") is False and _tracked(account):
                self._add(
                    "no_smart_meter_data",
                    f"account {text(account.get('id'))}",
                    "no smart meter data are collected: bills, but no intervals",
                    "have Nectar switch it on, if you need them",
                    needs_person=False,
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
    if status in AT_THE_UTILITY:
        return "Nectar or the utility must mend it; ask Nectar if it stays"
    if status == "COMPANY_INACTIVE":
        return "activate the company at Nectar, or leave it out with nectar_companies"
    return (
        "have the login's owner mend it in Nectar: it cannot log in, or finds nothing"
    )


def _tracked(account: Entity) -> bool:
    return account.get("trackingStatus") != "DISABLED" and (
        account.get("isTracked") is not False
    )


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None

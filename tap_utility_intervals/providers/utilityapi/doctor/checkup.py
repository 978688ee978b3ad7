"""UtilityAPI's check-up: grants, meters, and what a first sync would take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import micros_form
from tap_utility_intervals.providers.base import Run, earlier_clock
from tap_utility_intervals.providers.checkup import Checkup, Finding, Table
from tap_utility_intervals.providers.utilityapi import entities
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.doctor.forecast import estimate
from tap_utility_intervals.providers.utilityapi.entities import (
    Authorization,
    ListedMeter,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.session import transport_of
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings

SOON = timedelta(days=30)
COLLECT = "`utility-intervals collect plan`"
MONITOR = "`utility-intervals collect monitor`"


def examine(run: Run, stale: timedelta) -> Checkup:
    """Look at everything that the token reaches; see `base.Examine`."""
    settings = UtilityApiSettings.parse(run.config, run.settings)
    transport = transport_of(settings, run.settings)
    checkup = Checkup(PROVIDER, transport.endpoint.base_url)
    try:
        _Examination(UtilityApi(transport), run, settings, stale, checkup).go()
    finally:
        transport.close()
    return checkup


class _Examination:
    def __init__(
        self,
        api: UtilityApi,
        run: Run,
        settings: UtilityApiSettings,
        stale: timedelta,
        checkup: Checkup,
    ) -> None:
        self.api = api
        self.run = run
        self.settings = settings
        self.stale = stale
        self.checkup = checkup

    def go(self) -> None:
        """List authorizations and meters; what fails is a finding."""
        try:
            grants = entities.authorizations(self.api)
            self.checkup.is_reachable = True
        except errors.Unauthorized as error:
            self._failed("credential", error)
            return
        except errors.ProviderError as error:
            self._failed("authorizations", error)
            grants = []
        try:
            meters = self._meters()
            self.checkup.is_reachable = True
        except errors.ProviderError as error:
            self._failed("meters", error)
            meters = []
        self._tables(grants, meters)
        ended = {grant.uid: grant for grant in grants if grant.ended}
        self._look_at_grants(grants)
        for meter in meters:
            self._look_at_meter(meter, ended)
        if meters:
            self.checkup.estimate = estimate(
                self.api, self.run.settings, self.settings, meters
            )
        elif self.checkup.is_reachable:
            self._note(
                "no_meters",
                "UtilityAPI",
                "no meter is listed",
                "authorize an account at UtilityAPI, or check the filters",
            )

    def _meters(self) -> list[ListedMeter]:
        return entities.meters(self.api, micros_form(self.run.started), self.settings)

    @property
    def now(self) -> datetime:
        return earlier_clock(self.run.started, self.api.transport.server_time)

    def _failed(self, what: str, error: errors.ProviderError) -> None:
        self.checkup.findings.append(Finding("unreachable", what, str(error), ""))

    def _warn(self, kind: str, source: str, problem: str, advice: str) -> None:
        self.checkup.findings.append(Finding(kind, source, problem, advice))

    def _note(self, kind: str, source: str, problem: str, advice: str) -> None:
        self.checkup.findings.append(
            Finding(kind, source, problem, advice, needs_person=False)
        )

    def _tables(
        self, grants: Sequence[Authorization], meters: Sequence[ListedMeter]
    ) -> None:
        owned: dict[str | None, int] = {}
        for meter in meters:
            owned[meter.authorization_uid] = owned.get(meter.authorization_uid, 0) + 1
        self.checkup.tables += [
            Table(
                "authorizations",
                AUTHORIZATION_HEADINGS,
                [
                    {
                        "authorization": grant.uid,
                        "utility": grant.utility,
                        "status": grant.status
                        + (", archived" if grant.is_archived else ""),
                        "expires": _expiry(grant),
                        "meters": owned.get(grant.uid, 0),
                    }
                    for grant in grants
                ],
            ),
            Table("meters", METER_HEADINGS, [_row(meter) for meter in meters]),
        ]

    def _look_at_grants(self, grants: Iterable[Authorization]) -> None:
        for grant in grants:
            source = f"authorization {grant.uid}"
            if grant.is_archived:
                continue
            if grant.ended:
                self._warn(
                    f"authorization_{grant.ended}",
                    source,
                    f"{grant.ended}, so nothing new is collected",
                    "ask the customer to authorize again, or archive it",
                )
            elif grant.is_errored:
                self._warn(
                    "authorization_errored",
                    source,
                    "in error: UtilityAPI cannot log in to the utility",
                    "its notes in UtilityAPI's dashboard say why",
                )
            elif grant.expires_before(self.now + SOON):
                self._note(
                    "authorization_expires",
                    source,
                    f"expires within {SOON.days} days",
                    "ask the customer to renew it",
                )

    def _look_at_meter(
        self, meter: ListedMeter, ended: dict[str, Authorization]
    ) -> None:
        source = f"meter {meter.uid}"
        if meter.is_archived:
            return
        if meter.is_pending:
            self._note(
                "meter_pending",
                source,
                "pending: a collection is running",
                "wait for it: `utility-intervals collect status --wait`",
            )
        elif meter.is_errored:
            self._warn(
                "meter_errored",
                source,
                "in error: the last collection failed",
                "its notes in UtilityAPI's dashboard say why",
            )
        elif meter.authorization_uid in ended:
            return  # the authorization is reported
        elif not meter.was_collected:
            self._warn(
                "never_collected",
                source,
                "never collected, so there is nothing to read",
                f"see what a collection would add: {COLLECT}",
            )
        else:
            self._look_at_age(meter)

    def _look_at_age(self, meter: ListedMeter) -> None:
        newest = meter.newest
        if newest is None or self.now - newest <= self.stale:
            return
        source = f"meter {meter.uid}"
        problem = f"no interval of the last {self.stale.days} days"
        if meter.frequency == "off":
            advice = f"nobody collects it: {COLLECT}, or {MONITOR}"
        else:
            advice = (
                f"it is monitored {meter.frequency}, so ask UtilityAPI's dashboard "
                "what holds it up"
            )
        self._warn("intervals_old", source, problem, advice)


AUTHORIZATION_HEADINGS = {
    "authorization": "AUTHORIZATION",
    "utility": "UTILITY",
    "status": "STATUS",
    "expires": "EXPIRES",
    "meters": "METERS",
}

METER_HEADINGS = {
    "meter": "METER",
    "authorization": "AUTHORIZATION",
    "utility": "UTILITY",
    "commodity": "COMMODITY",
    "status": "STATUS",
    "monitoring": "MONITORING",
    "first_day": "INTERVALS FROM",
    "last_day": "TO",
    "holes": "HOLES",
    "readings": "READINGS",
    "bills": "BILLS",
}


def _row(listed: ListedMeter) -> dict[str, str | int | bool | None]:
    meter = listed.meter
    coverage = meter.interval_coverage
    return {
        "meter": listed.uid,
        "authorization": listed.authorization_uid,
        "utility": listed.utility,
        "commodity": meter.commodity.value if meter.commodity else None,
        "status": meter.status if listed.was_collected else "never collected",
        "monitoring": listed.frequency,
        "is_archived": listed.is_archived,
        "first_day": coverage[0][0].date().isoformat() if coverage else None,
        "last_day": coverage[-1][1].date().isoformat() if coverage else None,
        "holes": len(coverage) - 1 if coverage else None,
        "readings": meter.reading_count,
        "bills": meter.bill_count,
    }


def _expiry(grant: Authorization) -> str | None:
    """The day, or the word in plain letters."""
    if grant.expires is None:
        return None
    return (
        grant.expires[:10]
        if grant.expires[:1].isdigit()
        else grant.expires.replace("_", " ")
    )

"""UtilityAPI's check-up: grants, meters, and what a first sync would take.

See utilityapi.md#authorization and utilityapi.md#meter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
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
"""Before a grant ends: time for a customer to renew it (a month is our guess)."""
COLLECT = "`utility-intervals collect plan`"
MONITOR = "`utility-intervals collect monitor`"


def examine(run: Run, stale: timedelta) -> Checkup:
    """Look at everything that the token reaches; see `base.Examine`."""
    settings = UtilityApiSettings.parse(run.config, run.settings)
    transport = transport_of(settings, run.settings)
    checkup = Checkup(PROVIDER, transport.endpoint.base_url)
    try:
        _examine(UtilityApi(transport), run, settings, stale, checkup)
    finally:
        transport.close()
    return checkup


def _examine(
    api: UtilityApi,
    run: Run,
    settings: UtilityApiSettings,
    stale: timedelta,
    checkup: Checkup,
) -> None:
    """List authorizations and meters; what fails is a finding."""
    try:
        grants = entities.authorizations(api)
        checkup.is_reachable = True
    except errors.Unauthorized as error:
        checkup.fail("credential", error)
        return
    except errors.ProviderError as error:
        checkup.fail("authorizations", error)
        grants = []
    try:
        meters = entities.meters(api, micros_form(run.started), settings)
        checkup.is_reachable = True
    except errors.ProviderError as error:
        checkup.fail("meters", error)
        meters = []
    checkup.tables += _tables(grants, meters)
    ended = {grant.uid for grant in grants if grant.ended}
    now = earlier_clock(run.started, api.transport.server_time)
    for grant in grants:
        checkup.findings += _about_grant(grant, now)
    for meter in meters:
        checkup.findings += _about_meter(meter, ended, now, stale)
    if meters:
        checkup.estimate = estimate(api, run.settings, settings, meters)
    elif checkup.is_reachable:
        checkup.findings.append(
            Finding(
                "no_meters",
                "UtilityAPI",
                "no meter is listed",
                "authorize an account at UtilityAPI, or check the filters",
                needs_person=False,
            )
        )


def _tables(
    grants: Sequence[Authorization], meters: Sequence[ListedMeter]
) -> list[Table]:
    owned = Counter(meter.authorization_uid for meter in meters)
    return [
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
                    "meters": owned[grant.uid],
                }
                for grant in grants
            ],
        ),
        Table("meters", METER_HEADINGS, [_row(meter) for meter in meters]),
    ]


def _about_grant(grant: Authorization, now: datetime) -> Iterator[Finding]:
    """Yield at most one thing that is wrong with a grant; none if it is archived."""
    source = f"authorization {grant.uid}"
    if grant.is_archived:
        return
    if grant.ended:
        yield Finding(
            f"authorization_{grant.ended}",
            source,
            f"{grant.ended}, so nothing new is collected",
            "ask the customer to authorize again, or archive it",
        )
    elif grant.is_errored:
        yield Finding(
            "authorization_errored",
            source,
            "in error: UtilityAPI cannot log in to the utility",
            "its notes in UtilityAPI's dashboard say why",
        )
    elif grant.expires_before(now + SOON):
        yield Finding(
            "authorization_expires",
            source,
            f"expires within {SOON.days} days",
            "ask the customer to renew it",
            needs_person=False,
        )


def _about_meter(
    meter: ListedMeter, ended: AbstractSet[str], now: datetime, stale: timedelta
) -> Iterator[Finding]:
    """Yield at most one thing that is wrong with a meter; none if it is archived.

    Without a collection or monitoring nothing new comes: utilityapi.md#collecting.
    """
    source = f"meter {meter.uid}"
    if meter.is_archived:
        return
    if meter.is_pending:
        yield Finding(
            "meter_pending",
            source,
            "pending: a collection is running",
            "wait for it: `utility-intervals collect status --wait`",
            needs_person=False,
        )
    elif meter.is_errored:
        yield Finding(
            "meter_errored",
            source,
            "in error: the last collection failed",
            "its notes in UtilityAPI's dashboard say why",
        )
    elif meter.authorization_uid in ended:
        return  # the authorization is reported
    elif not meter.was_collected:
        yield Finding(
            "never_collected",
            source,
            "never collected, so there is nothing to read",
            f"see what a collection would add: {COLLECT}",
        )
    elif meter.newest and now - meter.newest > stale:
        advice = (
            f"nobody collects it: {COLLECT}, or {MONITOR}"
            if meter.frequency == "off"
            else f"it is monitored {meter.frequency}, so ask UtilityAPI's dashboard "
            "what holds it up"
        )
        problem = f"no interval of the last {stale.days} days"
        yield Finding("intervals_old", source, problem, advice)


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
    """The day, or a word such as `until_revoked` in plain letters; None if not sent."""
    if grant.expires is None:
        return None
    return (
        grant.expires[:10]
        if grant.expires[:1].isdigit()
        else grant.expires.replace("_", " ")
    )

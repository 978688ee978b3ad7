"""Tiny: a whole provider in one folder, to show that no more is needed."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.base import Provider, Run
from tap_utility_intervals.providers.checkup import Checkup, Finding, Table
from tests.providers.tiny.session import TinySession
from tests.providers.tiny.settings import CREDENTIAL, NAME, SETTINGS, TinySettings


def examine(run: Run, _stale: timedelta) -> Checkup:
    """Ask for the meters."""
    found = Checkup(NAME, TinySettings.parse(run.config, run.settings).base_url)
    with closing(TinySession(run)) as session:
        try:
            rows = [{"meter": meter["id"]} for meter in session.listed]
        except errors.ProviderError as error:
            found.findings.append(Finding("refused", "Tiny", str(error), ""))
        else:
            found.is_reachable = True
            found.tables.append(Table("meters", {"meter": "meter"}, rows))
    return found


PROVIDER = Provider(
    name=NAME,
    title="Tiny",
    credential=CREDENTIAL,
    settings=SETTINGS,
    check=TinySettings.parse,
    connect=TinySession,
    examine=examine,
)

"""UtilityAPI v2 (https://utilityapi.com/docs/api)."""

from __future__ import annotations

from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.providers.utilityapi.bookmarks import upgrade
from tap_utility_intervals.providers.utilityapi.doctor.checkup import examine
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER as NAME
from tap_utility_intervals.providers.utilityapi.session import connect
from tap_utility_intervals.providers.utilityapi.settings import (
    CREDENTIAL,
    SETTINGS,
    UtilityApiSettings,
)
from tap_utility_intervals.providers.utilityapi.streams import STREAMS

PROVIDER = Provider(
    name=NAME,
    title="UtilityAPI",
    credential=CREDENTIAL,
    settings=SETTINGS,
    check=UtilityApiSettings.parse,
    connect=connect,
    examine=examine,
    streams=STREAMS,
    narrowing=("utilityapi_meters", "utilityapi_authorizations"),
    upgrade=upgrade,
)

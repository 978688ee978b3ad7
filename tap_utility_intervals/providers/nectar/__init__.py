"""Nectar: companies, their connections to utilities, meters, intervals and usage."""

from __future__ import annotations

from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.providers.nectar.doctor.checkup import examine
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER as NAME
from tap_utility_intervals.providers.nectar.session import connect
from tap_utility_intervals.providers.nectar.settings import (
    CREDENTIAL,
    SETTINGS,
    NectarSettings,
)
from tap_utility_intervals.providers.nectar.streams import STREAMS

PROVIDER = Provider(
    name=NAME,
    title="Nectar",
    credential=CREDENTIAL,
    settings=SETTINGS,
    check=NectarSettings.parse,
    connect=connect,
    examine=examine,
    streams=STREAMS,
    narrowing=("nectar_companies",),
)

"""Nectar: companies, their connections to utilities, meters, intervals and usage."""

from __future__ import annotations

from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.providers.nectar.session import SETTINGS, check, connect
from tap_utility_intervals.providers.nectar.streams import STREAMS

PROVIDER = Provider(
    name="nectar",
    credential="nectar_api_key",
    settings=SETTINGS,
    check=check,
    connect=connect,
    streams=STREAMS,
)

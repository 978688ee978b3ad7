"""Nectar v2, v2.1 and v2.2 over a world."""

from tap_utility_intervals.sandbox.nectar import truth
from tap_utility_intervals.sandbox.nectar.api import VERSIONS, Nectar
from tap_utility_intervals.sandbox.provider import Provider

PROVIDER = Provider(
    "nectar",
    "Nectar",
    prefixes=tuple(f"/{version}" for version in VERSIONS),
    credential="sandbox-nectar-key",
    api=Nectar,
    headers=lambda key: {"x-api-key": key},
    settings=lambda url, key: {"nectar_api_key": key, "nectar_base_url": url},
    readings=truth.readings,
    meters=truth.meters,
    bills=truth.bills,
)

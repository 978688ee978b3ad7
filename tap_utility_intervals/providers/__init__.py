"""The data APIs this tap reads, one folder each."""

from __future__ import annotations

from tap_utility_intervals.providers import nectar, utilityapi
from tap_utility_intervals.providers.base import Provider

PROVIDERS: list[Provider] = [utilityapi.PROVIDER, nectar.PROVIDER]
"""The whole registry, read whenever it is needed: what is added here is everywhere."""

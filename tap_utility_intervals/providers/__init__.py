"""The data APIs this tap reads, one folder each."""

from __future__ import annotations

from tap_utility_intervals.providers import nectar, utilityapi

PROVIDERS = (utilityapi.PROVIDER, nectar.PROVIDER)
"""The whole registry."""

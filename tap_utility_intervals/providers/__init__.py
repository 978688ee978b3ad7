"""The data APIs this tap reads, one folder each."""

from __future__ import annotations

from tap_utility_intervals.providers import utilityapi

PROVIDERS = (utilityapi.PROVIDER,)
"""The whole registry."""

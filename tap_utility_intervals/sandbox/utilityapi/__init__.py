"""UtilityAPI v2 over a world."""

from tap_utility_intervals.sandbox.utilityapi.api import PREFIX, UtilityApi

__all__ = ["PREFIX", "UtilityApi"]

"""Nectar v2, v2.1 and v2.2 over a world."""

from tap_utility_intervals.sandbox.nectar.api import VERSIONS, Nectar

__all__ = ["VERSIONS", "Nectar"]

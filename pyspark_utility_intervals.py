"""Spark imports modules of such a name, and so finds `format("utility_intervals")`."""

from tap_utility_intervals.spark.source import UtilityIntervals as DefaultSource

__all__ = ["DefaultSource"]

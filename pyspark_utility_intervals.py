"""Spark imports modules of such a name, and so finds `format("utility_intervals")`."""

from importlib.util import find_spec

if find_spec("pyarrow"):  # else it is installed without the extra, for something else
    from tap_utility_intervals.spark.source import UtilityIntervals as DefaultSource

    __all__ = ["DefaultSource"]

"""Spark: the same rows, read by many processes. Extra `[spark]`, `docs/spark.md`."""

from tap_utility_intervals.spark.committing import commit

__all__ = ["commit"]

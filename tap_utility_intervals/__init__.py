"""Interval, meter and usage data from UtilityAPI and Nectar, for any warehouse."""

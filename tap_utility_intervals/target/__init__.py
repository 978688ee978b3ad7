"""`target-utility-duckdb`: a Singer target over the stores of `load`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the target; without its extra, say what to install."""
    try:
        from tap_utility_intervals.target.duckdb import TargetUtilityDuckDB  # noqa: PLC0415
    except ImportError as error:
        advice = "pip install 'tap-utility-intervals[duckdb]'"
        sys.exit(f"{error.name} is not installed: {advice}")
    TargetUtilityDuckDB.cli()

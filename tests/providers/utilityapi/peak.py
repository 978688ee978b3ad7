"""Run alone, by `test_peak_memory.py`: how much memory one sync takes at most."""

from __future__ import annotations

import json
import os
import sys
import tracemalloc

from tap_utility_intervals.providers import bodies
from tap_utility_intervals.tap import TapUtilityIntervals


def main() -> None:
    """Sync as standard input says, and tell the peak in bytes on standard error."""
    given = json.load(sys.stdin)
    bodies.LARGE = given["large"]
    sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - ends with the process
    tap = TapUtilityIntervals(config=given["config"], state=given["state"])
    tracemalloc.start()
    tap.sync_all()
    assert not tap.report.failed
    sys.stderr.write(f"\n{tracemalloc.get_traced_memory()[1]}\n")


if __name__ == "__main__":
    main()

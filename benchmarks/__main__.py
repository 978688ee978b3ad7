"""`make bench`: run the cases, one after the other, and print what they found."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks import cases, loading, models, scale, stores
from benchmarks.cases import Setting
from benchmarks.measure import Failed

CASES = {
    **cases.CASES,
    "meltano": loading.into_duckdb,
    "stores": stores.a_year,
    "peers": stores.a_quarter,
    "scale": scale.fifty_thousand_meters,
    "backfill": scale.backfill,
    "models": models.build,
    "report": models.report,
}
"""Name to case, in the order in which they run."""

LONG = ("scale", "backfill", "models", "report", "peers")
"""Only when asked for: they take many minutes."""


def main() -> int:
    """Run; 1 when a case failed or a promise was not kept."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument(
        "--runs", type=int, default=3, help="timed runs of each command (3)"
    )
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    sdk = version("singer-sdk")
    print(f"Python {platform.python_version()}, singer-sdk {sdk}; whole processes")  # noqa: T201
    kept = True
    for name in options.cases or [name for name in CASES if name not in LONG]:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            try:
                result = CASES[name](Setting(Path(folder), options.runs))
            except Failed as failure:
                print(f"\n{name}: {failure}", file=sys.stderr)  # noqa: T201
                kept = False
                continue
        print(f"\n[{name}] {result}", flush=True)  # noqa: T201
        kept = kept and all(verdict.is_kept for verdict in result.verdicts)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

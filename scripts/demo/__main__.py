"""`make demo`: both providers, from a local sandbox into DuckDB, twice.

Runs in the loader's environment, which has DuckDB. Fails when the warehouse does not
hold exactly what the sandbox offers, when a bill and its intervals disagree, or when
README.md shows anything else than what was printed.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NoReturn

from scripts.demo import excerpt, tables
from scripts.demo.bills import bills, check_bills
from scripts.demo.errors import DemoError
from scripts.demo.pipeline import Pipeline
from scripts.demo.warehouse import Warehouse, check_rows
from scripts.demo.world import Sandbox, sandbox

ROOT = Path(__file__).resolve().parents[2]
TAP = ROOT / ".meltano" / "extractors" / "tap-utility-intervals" / "venv" / "bin"
OUTPUT = ROOT / "output"
WAREHOUSE = OUTPUT / "warehouse.duckdb"
LOG = OUTPUT / "demo.log"
TAIL = 60


def demonstrate(source: Sandbox) -> None:
    """Sync, let a day pass, sync again, compare and tell."""
    pipeline, warehouse = Pipeline(ROOT, source.url, LOG), Warehouse(WAREHOUSE)
    since = time.monotonic()

    def step(text: str) -> None:
        print(f"{time.monotonic() - since:6.1f} s  {text}", flush=True)

    step(f"meltano run: both providers from {source.url} into {name(WAREHOUSE)}")
    sent_first = pipeline.run("--full-refresh")
    asked_first, before = source.requests(), warehouse.counts()
    check_rows(source, warehouse)
    step("one day passes in the sandbox")
    source.move_clock(days=1)
    step("meltano run: what is new")
    sent_second = pipeline.run()
    asked_second, after = source.requests(), warehouse.counts()
    step("comparing every row with the sandbox, and every bill with its intervals")
    rows = check_rows(source, warehouse)
    compared = list(bills(source, warehouse))
    furthest = check_bills(compared)
    step("done")

    new = Counter(
        {stream: after[stream].total() - before[stream].total() for stream in after}
    )
    told = {
        f"Rows in {name(WAREHOUSE)}": tables.rows_per_stream(after)
        + f"\n\n  All {rows:,} readings × channels of the sandbox are there, once each,"
        "\n  with their instants, units and values.",
        "Meters and their intervals": tables.meters(warehouse.meters()),
        excerpt.BILLS: tables.bills(compared)
        + f"\n\n  {len(compared)} bills compared; the largest difference is"
        f" {abs(furthest.difference):.2f} {furthest.unit}.",
        "The second run, a day later": tables.second_run(
            (asked_first, asked_second), (sent_first, sent_second), new
        ),
    }
    for heading, text in told.items():
        print(f"\n{heading}\n\n{text}")
    excerpt.compare(ROOT / "README.md", told)


def name(path: Path) -> Path:
    """A path as one types it at the top of the project."""
    return path.relative_to(ROOT)


def stopped(signum: int, _frame: object) -> NoReturn:
    """Leave by the front door, so that the sandbox is stopped, too."""
    sys.exit(128 + signum)


def main() -> int:
    """Run the demo; the exit code."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stopped)
    OUTPUT.mkdir(exist_ok=True)
    for old in (LOG, WAREHOUSE, WAREHOUSE.with_suffix(".duckdb.wal")):
        old.unlink(missing_ok=True)
    try:
        with sandbox(TAP / "utility-intervals", LOG) as source:
            demonstrate(source)
    except DemoError as error:
        lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-TAIL:]), file=sys.stderr)
        print(f"\n{error}\nThe whole log: {name(LOG)}", file=sys.stderr)
        return 1
    print(f"\nLook for yourself: {name(WAREHOUSE)} is a DuckDB file.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

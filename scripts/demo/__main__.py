"""`make demo`: both providers, from a local sandbox into DuckDB, twice, and a report.

Runs in the loader's environment, which has DuckDB and this package. Fails when the
warehouse does not hold exactly what the sandbox offers, when a bill and its intervals
disagree, or when README.md shows anything else than what was printed. The files of its
own that it writes anew are those it names; no other is touched.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from scripts.demo import excerpt, tables
from scripts.demo.answers import CURRENT, Answers
from scripts.demo.bills import bills, check_bills
from scripts.demo.errors import DemoError
from scripts.demo.pipeline import Pipeline
from scripts.demo.warehouse import Warehouse, check_rows
from scripts.demo.world import Sandbox, sandbox

ROOT = Path(__file__).resolve().parents[2]
TAP = ROOT / ".meltano" / "extractors" / "tap-utility-intervals" / "venv" / "bin"
OUTPUT = ROOT / "output"
WAREHOUSE = OUTPUT / "demo.duckdb"
REPORT = OUTPUT / "report.html"
LOG = OUTPUT / "demo.log"
TAIL = 60


def demonstrate(source: Sandbox) -> None:
    """Sync, let a day pass, sync again, compare and tell."""
    file = {
        "TARGET_UTILITY_DUCKDB_FILEPATH": str(WAREHOUSE),
        "DBT_DUCKDB_PATH": str(WAREHOUSE),
    }
    pipeline, warehouse = Pipeline(ROOT, source.url, LOG, file), Warehouse(WAREHOUSE)
    since = time.monotonic()

    def step(text: str) -> None:
        print(f"{time.monotonic() - since:6.1f} s  {text}", flush=True)

    step(f"meltano run: both providers from {source.url} into {name(WAREHOUSE)}")
    sent_first = pipeline.run("--full-refresh")
    asked_first, before = source.requests(), warehouse.counts()
    check_rows(source, warehouse)
    step("one day passes in the sandbox")
    source.move_clock(days=1)
    step(
        "meltano run: what is new, then dbt's models: hours, days, gaps, bills, checks"
    )
    answers = Answers(warehouse, source.now())
    answers.tell_zones(source)
    build = replace(pipeline, settings={**file, "DBT_DUCKDB_VARS": answers.variables})
    sent_second = build.run(then=["dbt-duckdb:build"])
    asked_second, after = source.requests(), warehouse.counts()
    step("comparing every row with the sandbox, and every bill with its intervals")
    rows = check_rows(source, warehouse, CURRENT)
    restated, withdrawn = answers.changed()
    compared = list(bills(source, warehouse))
    furthest = check_bills(compared)
    step("utility-intervals report")
    answers.report(REPORT)
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
        f" {abs(furthest.difference):.2f} {furthest.unit}."
        f"\n  By the models: {tables.causes(answers.bills())}.",
        "Gaps, and why": tables.gaps(answers.gaps()),
        "Checks that did not pass": tables.checks(answers.checks()),
        "Requests": tables.requests(asked_first, asked_second),
        "The second run, a day later": tables.second_run((sent_first, sent_second), new)
        + f"\n\n  {restated:,} readings × channels came with another value than the"
        f" day before,\n  and {withdrawn:,} were withdrawn.",
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
    wal = WAREHOUSE.with_suffix(".duckdb.wal")
    for old in (LOG, WAREHOUSE, wal, REPORT):
        old.unlink(missing_ok=True)
    try:
        with sandbox(TAP / "utility-intervals", LOG) as source:
            demonstrate(source)
    except DemoError as error:
        lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-TAIL:]), file=sys.stderr)
        print(f"\n{error}\nThe whole log: {name(LOG)}", file=sys.stderr)
        return 1
    print(f"\nLook for yourself: open {name(REPORT)} in a browser,")
    print(
        f"or ask {name(WAREHOUSE)}, a DuckDB file: docs/analysis.md has ten questions."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

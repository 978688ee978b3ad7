"""End to end: `meltano run` into DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cases import MANY, selection, utilityapi
from benchmarks.measure import ROOT, TAP, Command, Failed, read, server
from benchmarks.tables import Result, Shown, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.cases import Setting

MELTANO = ROOT / ".venvs" / "meltano" / "bin" / "meltano"
LOADER = ROOT / ".meltano" / "loaders" / "target-utility-duckdb" / "venv" / "bin"
TARGET = LOADER / "target-utility-duckdb"
SHARE = 6
"""With target-duckdb 0.8.0 it was 38: docs/performance.md"""

FOREIGN = ("MELTANO_", "TAP_", "TARGET_", "PYTHON", "VIRTUAL_ENV")


def into_duckdb(setting: Setting) -> Result:
    """The tap alone, the loader alone, and both as Meltano runs them."""
    if not (MELTANO.exists() and TARGET.exists()):
        raise Failed("Meltano and its loader are not installed: make demo")
    warehouse = setting.folder / "warehouse.duckdb"
    with server("year") as source:
        config = {**utilityapi(source), "utilityapi_requests_per_second": MANY}
        catalog = selection(setting.folder, TAP, config)
        tap = Command.of(setting.folder, "tap", TAP, config, catalog=catalog)
        output = setting.folder / "output"
        tap.run(output)  # the server makes its answers now
        rows = read(output).rows["intervals"]
        alone = tap.run(output).wall
        environment = {
            **{n: v for n, v in os.environ.items() if not n.startswith(FOREIGN)},
            "TAP_UTILITY_INTERVALS_UTILITYAPI_BASE_URL": config["utilityapi_base_url"],
            "TAP_UTILITY_INTERVALS_UTILITYAPI_API_TOKEN": "x",
            "TAP_UTILITY_INTERVALS_UTILITYAPI_REQUESTS_PER_SECOND": str(MANY),
            "TARGET_UTILITY_DUCKDB_FILEPATH": str(warehouse),
        }
        settings = setting.folder / "loader.json"
        settings.write_text(json.dumps({"filepath": str(warehouse)}))
        line = [str(TARGET), "--config", str(settings)]
        loading = _timed(line, environment, output)
        warehouse.unlink()
        run = [str(MELTANO), f"--env-file={os.devnull}", "--environment=dev", "run"]
        run += ["--full-refresh", "--no-state-update"]
        run += ["tap-utility-intervals", "target-utility-duckdb"]
        whole = _timed(run, environment, Path(os.devnull))
        counted = _count(warehouse)
        warehouse.unlink()
        folder = setting.folder / "batches"
        batches = {
            "encoding": {"format": "arrow"},
            "storage": {"root": folder.as_uri()},
        }
        environment["TAP_UTILITY_INTERVALS_BATCH_CONFIG"] = json.dumps(batches)
        batch = _timed(run, environment, Path(os.devnull))
    by_batch = _count(warehouse)
    return Result(
        "meltano run into DuckDB: 20 meters × 365 days × 15 min × 2 channels",
        [
            _line("the tap, into a file", rows, alone),
            _line("target-utility-duckdb, from that file", rows, loading),
            _line("meltano run, lines", counted, whole),
            _line("meltano run, BATCH", by_batch, batch),
        ],
        [
            Verdict("every row is loaded", f"{counted:,}", counted == rows),
            Verdict(
                "by BATCH, too, and no file is left",
                f"{by_batch:,}",
                by_batch == rows and not [*folder.iterdir()],
            ),
            Verdict(
                "by BATCH in at most half the seconds of lines",
                f"{batch / whole:.2f} ×",
                2 * batch <= whole,
            ),
            Verdict(
                f"the loader takes at most {SHARE} × the tap's seconds",
                f"{loading / alone:.1f} ×",
                loading <= SHARE * alone,
            ),
        ],
    )


def _timed(command: Sequence[str], env: Mapping[str, str], given: Path) -> float:
    begun = time.perf_counter()
    with given.open("rb") as lines:
        done = subprocess.run(  # noqa: S603 - ours
            command, env=env, cwd=ROOT, stdin=lines, capture_output=True, check=False
        )
    if done.returncode:
        raise Failed(f"{' '.join(command)}\n{done.stderr.decode()[-2000:]}")
    return time.perf_counter() - begun


COUNT = """
import duckdb, sys
warehouse = duckdb.connect(sys.argv[1], read_only=True)
print(warehouse.execute("select count(*) from main.intervals").fetchone()[0])
"""


def _count(warehouse: Path) -> int:
    args = [str(LOADER / "python"), "-c", COUNT, str(warehouse)]
    done = subprocess.run(args, capture_output=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise Failed(f"the warehouse cannot be read: {done.stderr.decode()[-500:]}")
    return int(done.stdout)


def _line(name: str, rows: int, wall: float) -> Shown:
    return {
        "": name,
        "rows": f"{rows:,}",
        "wall s": f"{wall:.2f}",
        "rows/s": f"{rows / wall:,.0f}",
    }

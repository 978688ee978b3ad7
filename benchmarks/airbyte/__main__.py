"""`python -m benchmarks.airbyte`: three ways to read the same meters, in turn.

The declarative connector runs in `.venvs/airbyte-cdk`, made here if need be. It writes
a record for each reading, the others one for each of its two channels: what is compared
is how long the same readings take.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cases import MANY, selection, utilityapi
from benchmarks.measure import RECORD, TAP, Command, Cost, Failed, server
from benchmarks.tables import Result, Verdict
from tests.airbyte.environments import environment

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SOURCE = ("-m", "tap_utility_intervals.airbyte.source", "read")
CHANNELS = 2
SHARE_OF_SINGER = 0.8
TIMES_DECLARATIVE = 5
MODES = {"meters": "full_refresh", "intervals": "incremental"}

SINGER, AIRBYTE, DECLARATIVE = "Singer tap", "Airbyte connector", "declarative manifest"


def main() -> int:
    """Run; 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="benchmarks.airbyte", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each (3)")
    parser.add_argument("--world", default="utilityapi", help="see benchmarks.worlds")
    options = parser.parse_args()
    sdk = version("singer-sdk")
    print(f"Python {platform.python_version()}, singer-sdk {sdk}; whole processes")  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        result = measured(Path(folder), options.world, options.runs)
    print(f"\n{result}")  # noqa: T201
    return 0 if all(verdict.is_kept for verdict in result.verdicts) else 1


def measured(folder: Path, world: str, runs: int) -> Result:
    """Each way once, checked, then as often as wanted, alternating."""
    with server(world) as source:
        ways = commands(folder, utilityapi(source))
        readings = checked(folder, ways)
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, command in ways.items():
                costs[name].append(command.run())
    lines = [
        {
            "": name,
            "readings": f"{readings:,}",
            "wall s": f"{median(c.wall for c in found):.2f}",
            "readings/s": f"{readings / median(c.wall for c in found):,.0f}",
            "CPU s": f"{median(c.cpu for c in found):.2f}",
        }
        for name, found in costs.items()
    ]
    share = ratio(costs[SINGER], costs[AIRBYTE])
    times = ratio(costs[DECLARATIVE], costs[AIRBYTE])
    return Result(
        f"UtilityAPI over local HTTP, world {world}: {CHANNELS} channels a reading",
        lines,
        [
            Verdict(
                f"≥ {SHARE_OF_SINGER} × the Singer tap's rows/s",
                f"{share:.2f} ×",
                share >= SHARE_OF_SINGER,
            ),
            Verdict(
                f"≥ {TIMES_DECLARATIVE} × a declarative manifest's",
                f"{times:.1f} ×",
                times >= TIMES_DECLARATIVE,
            ),
        ],
    )


def ratio(slow: list[Cost], fast: list[Cost]) -> float:
    """How many times faster; pair by pair, for the machine's speed drifts."""
    pairs = zip(slow, fast, strict=True)
    return median(one.wall / other.wall for one, other in pairs)


def commands(folder: Path, config: Mapping[str, Any]) -> dict[str, Command]:
    """The three ways; the limiter is not what is measured."""
    own = {**config, "utilityapi_requests_per_second": MANY}
    singer = selection(folder, TAP, own)
    airbyte = configured()
    python = environment(
        "airbyte-cdk", ROOT / "tests/airbyte/standard/requirements.txt"
    )
    script = [str(HERE / "declarative.py"), "read"]
    theirs = Command.of(folder, "declarative", script, config, catalog=airbyte)
    return {
        SINGER: Command.of(folder, "singer", TAP, own, catalog=singer),
        AIRBYTE: Command.of(folder, "airbyte", SOURCE, own, catalog=airbyte),
        DECLARATIVE: Command([str(python / "python"), *theirs.args[1:]], folder),
    }


def configured() -> dict[str, Any]:
    """A configured catalog that all Airbyte sources take."""
    return {
        "streams": [
            {
                "stream": {
                    "name": name,
                    "json_schema": {},
                    "supported_sync_modes": ["full_refresh", "incremental"],
                },
                "sync_mode": mode,
                "destination_sync_mode": "append",
            }
            for name, mode in MODES.items()
        ]
    }


def checked(folder: Path, ways: Mapping[str, Command]) -> int:
    """How many readings there are; the server makes its answers meanwhile.

    Raises:
        Failed: when the ways do not read the same.
    """
    written = {}
    for name, command in ways.items():
        output = folder / "output"
        command.run(output)
        written[name] = records(output)
        output.unlink()
    if written[SINGER] != written[AIRBYTE]:
        raise Failed("the Singer tap and the Airbyte connector differ in their records")
    readings = written[DECLARATIVE].total()
    if not readings or written[AIRBYTE].total() != CHANNELS * readings:
        counts = {name: rows.total() for name, rows in written.items()}
        raise Failed(f"the numbers of records do not fit: {counts}")
    return readings


def records(output: Path) -> Counter[str]:
    """The records of `intervals`, whichever protocol carries them."""
    found: Counter[str] = Counter()
    with output.open("rb") as lines:
        for line in lines:
            if not line.startswith(RECORD):
                continue
            message = json.loads(line, parse_float=str)
            record = message["record"]
            name = message.get("stream") or record["stream"]
            if name == "intervals":
                found[json.dumps(record.get("data", record), sort_keys=True)] += 1
    return found


if __name__ == "__main__":
    sys.exit(main())

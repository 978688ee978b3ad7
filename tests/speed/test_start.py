"""What a start imports: the SDK's start is most of it, and ours shall stay little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.syncing import config

FOR_OTHERS = {
    *("airbyte", "arrow", "cli", "commands", "reporting", "sandbox", "spark", "store"),
    "target",
}
PROGRAM = """
import sys
import singer_sdk, requests
known = {name.partition(".")[0] for name in sys.modules} | sys.stdlib_module_names
from tap_utility_intervals.tap import TapUtilityIntervals
try:
    TapUtilityIntervals.cli()
finally:
    more = {name.partition(".")[0] for name in sys.modules} - known
    inside = (name for name in sys.modules if name.startswith("tap_utility_intervals."))
    ours = {name.split(".")[1] for name in inside}
    print(*more, "and", *ours, file=sys.stderr)
"""


@pytest.mark.parametrize("asked", [["--version"], ["--discover"], []])
def test_a_run_imports_the_sdk_and_next_to_nothing_else(
    asked: list[str], tmp_path: Path
) -> None:
    with Sandbox(tiny_world()) as sandbox:
        given = tmp_path / "config.json"
        given.write_text(json.dumps(config(sandbox)))
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, "--config", str(given), *asked],
            check=True,
            capture_output=True,
            text=True,
        )
    more, _, ours = ran.stderr.splitlines()[-1].partition(" and ")
    assert set(more.split()) <= {"tap_utility_intervals", "msgspec"}
    assert "providers" in ours.split()
    assert not FOR_OTHERS & set(ours.split())

"""airbyte-cdk's standard tests: `python -m tests.airbyte.standard.run`.

They run in `.venvs/airbyte-cdk`, made here, against a sandbox in this process. Nothing
may be skipped but what `SKIPPED` names, so that no test goes missing unnoticed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.airbyte.environments import CONNECTOR, ROOT, environment, say
from tests.syncing import config

HERE = Path(__file__).parent
NEEDS_ENGINE = (
    "test_docker_image_build_and_check",
    "test_docker_image_build_and_config_matches_spec",
    "test_docker_image_build_and_discover",
    "test_docker_image_build_and_read",
    "test_docker_image_build_and_spec",
    "test_docker_image_spec_backward_compatibility",
)
"""Deselected: they build and run the image."""

PASSED = {
    "test_basic_read": 1,
    "test_check": 3,
    "test_config_matches_spec": 1,
    "test_discover": 1,
    "test_fail_read_with_bad_catalog": 1,
    "test_spec": 1,
}
SKIPPED = {
    "test_basic_read": 2,
    "test_config_matches_spec": 2,
    "test_discover": 2,
    "test_fail_read_with_bad_catalog": 2,
}
"""By the suite itself, for the two configurations that only `check` is for."""

WARNING = "error::airbyte_cdk.test.standard_tests.DiscoveredCatalogWarning"
"""What the suite will only complain of in its next releases is a fault today."""


def main() -> int:
    """Run them; 0 if exactly the expected ones passed."""
    tools = environment("airbyte-cdk", HERE / "requirements.txt")
    with tempfile.TemporaryDirectory() as parent, Sandbox(tiny_world()) as sandbox:
        folder = Path(parent, "source-utility-intervals")
        lay_out(folder, sandbox)
        command = [str(tools / "airbyte-cdk"), "connector", "test", str(folder)]
        by_name = " and ".join(f"not {name}" for name in NEEDS_ENGINE)
        for argument in ("-k", by_name, "-W", WARNING):
            command += ["--pytest-arg", argument]
        code = subprocess.run(
            command,
            cwd=folder,
            env={
                **{n: v for n, v in os.environ.items() if n != "PYTHONPATH"},
                "SOURCE": str(CONNECTOR),
                "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(folder),
                "DO_NOT_TRACK": "1",
            },
            check=False,
        ).returncode
        results = folder / "build" / "test-results" / "standard-tests-junit.xml"
        passed, skipped = outcomes(results)
    if code or (passed, skipped) != (PASSED, SKIPPED):
        say(f"passed: {passed}\nskipped: {skipped}\nexit code: {code}")
        return 1
    say(f"airbyte-cdk: {sum(passed.values())} standard tests passed")
    return 0


def lay_out(folder: Path, sandbox: Sandbox) -> None:
    """The folder of a connector, as the tests want it."""
    (folder / "secrets").mkdir(parents=True)
    shutil.copy(ROOT / "metadata.yaml", folder)
    for name in ("acceptance-test-config.yml", "source_utility_intervals.py"):
        shutil.copy(HERE / name, folder)
    good = config(sandbox)
    configs = {
        "config": good,
        "bad_token": {**good, "utilityapi_api_token": "not-the-token-at-all"},
        "bad_setting": {**good, "lookback_days": -1},
    }
    for name, content in configs.items():
        (folder / "secrets" / f"{name}.json").write_text(json.dumps(content))


def outcomes(results: Path) -> tuple[dict[str, int], dict[str, int]]:
    """How many tests of each name passed, and were skipped."""
    passed: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for case in ET.parse(results).iter("testcase"):
        name = case.attrib["name"].partition("[")[0]
        kinds = {child.tag for child in case}
        if "skipped" in kinds:
            skipped[name] += 1
        elif not kinds & {"failure", "error"}:
            passed[name] += 1
    return dict(passed), dict(skipped)


if __name__ == "__main__":
    sys.exit(main())

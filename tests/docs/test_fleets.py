"""The snippets of docs/fleets.md and docs/operations.md, as far as they run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_utility_intervals import metrics
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.tally import Tally
from tap_utility_intervals.runs import own_settings
from tests.store.fleets import block


def test_the_settings_of_the_configuration_exist() -> None:
    assert json.loads(block("fleets.md", "json")).keys() <= own_settings().keys()


@pytest.mark.parametrize("kind", ["python airflow", "python dagster"])
def test_the_python_compiles(kind: str) -> None:
    compile(block("fleets.md", kind), kind, "exec")


def test_alerts_ask_for_what_a_run_writes() -> None:
    ran: Any = metrics.Ran(
        datetime.now(timezone.utc), 0, None, ["nectar"], Report(None), Tally(), {}, []  # type: ignore[arg-type]
    )  # fmt: skip
    written = metrics.prometheus(metrics.document(ran))
    (group,) = yaml.safe_load(block("operations.md", "yaml alerts"))["groups"]
    assert len(group["rules"]) == 4
    for rule in group["rules"]:
        names = re.findall(r"utility_intervals_\w+", rule["expr"])
        assert names
        assert all(f"{name}{{" in written for name in names)
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_a_log_of_json_is_one_by_the_configuration_of_the_page(tmp_path: Path) -> None:
    file = tmp_path / "logging.yml"
    file.write_text(block("operations.md", "yaml logging"))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("tap-utility-intervals"),
            "--test",
            "--config=ENV",
        ],
        env={**os.environ, "SINGER_SDK_LOG_CONFIG": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert lines
    assert all({"level", "message", "ts"} <= json.loads(line).keys() for line in lines)

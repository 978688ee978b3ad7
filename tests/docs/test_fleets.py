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
from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.tally import Tally
from tap_utility_intervals.providers.utilityapi.settings import TIME_ZONE
from tap_utility_intervals.runs import own_settings
from tap_utility_intervals.sandbox import Sandbox
from tests.packaging.tree import ROOT
from tests.store.fleets import block
from tests.store.loads import small_world
from tests.syncing import config

MARKED = {"python airflow", "python dagster"}
RUN = {
    *("json", "sh load", "yaml meltano", "sh first", "sh daily", "sql large"),
    *("console", "text", "yaml alerts", "yaml logging"),
}
"""Here, in `test_alerts.py` and in `tests/store/test_fleet.py`."""


def test_the_settings_of_the_configuration_exist() -> None:
    assert json.loads(block("fleets.md", "json")).keys() <= own_settings().keys()


@pytest.mark.parametrize("kind", ["python airflow", "python dagster"])
def test_the_python_compiles(kind: str) -> None:
    compile(block("fleets.md", kind), kind, "exec")


def test_every_block_of_both_pages_is_one_that_a_test_knows() -> None:
    """Those in RUN run in a test; what does not is marked on the page."""
    marked = []
    for page in ("fleets.md", "operations.md"):
        text = (ROOT / "docs" / page).read_text("utf-8")
        for before, kind in re.findall(r"([^\n]*\n)\n```(.+)\n", text):
            assert kind in RUN or kind in MARKED
            if kind in MARKED:
                marked.append(kind)
                assert re.search(r"not run (here|in CI)", before, re.IGNORECASE), kind
    assert {*marked} == MARKED


def test_the_commands_of_operations_run_and_log_json_as_the_page_says(
    tmp_path: Path,
) -> None:
    logging = tmp_path / "logging.yml"
    logging.write_text(block("operations.md", "yaml logging"))
    lines = [line[2:] for line in block("operations.md", "console").splitlines()]
    (cron,) = block("operations.md", "text").splitlines()
    script = "\n".join([*lines, cron.split(maxsplit=5)[5]])
    for folder in ("/var/lib/node_exporter", "/srv/utility-intervals"):
        assert folder in script
        script = script.replace(folder, str(tmp_path))
    programs = Path(sys.executable).parent
    with Sandbox(small_world()) as sandbox:
        for name in ("config", "west"):
            (tmp_path / f"{name}.json").write_text(json.dumps(config(sandbox)))
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "SINGER_SDK_LOG_CONFIG": str(logging),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"level", "message", "ts"} <= one.keys() for one in told)
    assert sum("sources: " in one["message"] for one in told) == 2 * 3
    assert json.loads((tmp_path / "metrics.json").read_text())["exit_code"] == 0
    assert "_run_exit_code{" in (tmp_path / "acme-west.prom").read_text()


def test_what_the_log_says_is_what_the_page_has() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = text.partition("\n## After a failure\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line[:2] == "| "]
    ours = [row for row in rows if "Meltano" not in row]
    phrases = [one for row in ours for one in re.findall(r"`([^`]+)`", row)]
    assert len(phrases) > len(rows) - 5
    source = "".join(
        path.read_text("utf-8")
        for path in (ROOT / "tap_utility_intervals").rglob("*.py")
    ).replace("{TIME_ZONE}", TIME_ZONE)
    ids = {"UtilityIntervalsStale", "permission denied"}  # an alert, PostgreSQL's
    assert [one for one in phrases if one not in source] == sorted(ids, reverse=True)
    kinds = [getattr(one, "happened", None) for one in vars(errors).values()]
    assert {kind for kind in kinds if kind} <= {*phrases}


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

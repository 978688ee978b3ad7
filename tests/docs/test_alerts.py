"""Prometheus' own promtool reads what a run writes, and the alerts of the page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_utility_intervals.sandbox import Sandbox
from tests.packaging.tree import ROOT
from tests.store.fleets import block
from tests.store.loads import Warehouse, small_world

Promtool = Callable[..., str]


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    command = ["bash", str(ROOT / "tests" / "docs" / "promtool.sh")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"no promtool: {found.stderr}")

    def run(*words: object, given: str | None = None) -> str:
        """Run it; what it says."""
        done = subprocess.run(
            [found.stdout.strip(), *map(str, words)],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


@pytest.fixture
def told(tmp_path: Path) -> str:
    """What a run says whose UtilityAPI was refused, and whose Nectar had to wait."""
    path = tmp_path / "run.prom"
    settings = {"credential_name": 'the "west" \\', "metrics_file": str(path)}
    warehouse = Warehouse(tmp_path, {**settings, "utilityapi_api_token": "refused"})
    with Sandbox(small_world()) as sandbox:
        wait = {"status": 429, "headers": {"Retry-After": "0"}}
        sandbox.faults.add(path="/interval/", times=1, **wait)
        assert warehouse.load(sandbox, "utilityapi", "nectar") == 1
    return path.read_text()


def test_promtool_has_nothing_to_say_of_what_a_run_writes(
    promtool: Promtool, told: str
) -> None:
    assert 'status="429"' in told
    assert not promtool("check", "metrics", given=told)


def test_each_alert_of_the_page_is_raised_by_what_a_run_writes(
    promtool: Promtool, told: str, tmp_path: Path
) -> None:
    """Two machines write it, unchanged for days, as the collector sends it."""
    rules = tmp_path / "alerts.yml"
    rules.write_text(block("operations.md", "yaml alerts"))
    assert "4 rules found" in promtool("check", "rules", rules)
    samples = re.findall(r"^(\w+\{.*)\} (\S+)$", told, re.MULTILINE)
    began = {"utility_intervals_run_timestamp_seconds": "0"}
    series = [
        {
            "series": f'{name},instance="{host}"}}',
            "values": f"{began.get(name.partition('{')[0], value)}+0x3000",
        }
        for name, value in samples
        for host in ("a", "b")
    ]

    def raised(name: str, summary: str, **labels: str) -> dict[str, Any]:
        west = 'the "west" \\'
        return {
            "eval_time": "49h",
            "alertname": f"UtilityIntervals{name}",
            "exp_alerts": [
                {
                    "exp_labels": {
                        "credential_name": west,
                        "instance": host,
                        **labels,
                    },
                    "exp_annotations": {"summary": f"{west}: {summary}"},
                }
                for host in ("a", "b")
            ],
        }

    alerts = [
        raised("NotRun", "no run has ended for two days"),
        raised("Failed", "exit code 1"),
        raised(
            "Credential",
            "utilityapi was given up; run doctor",
            provider="utilityapi",
        ),
        raised("Stale", "1 meters without a reading for a week", provider="nectar"),
    ]
    tests = {"interval": "1m", "input_series": series, "alert_rule_test": alerts}
    file = tmp_path / "tests.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": [tests]}))
    promtool("test", "rules", file)

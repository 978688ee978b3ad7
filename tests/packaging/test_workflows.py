"""What GitHub runs is what this repository says it supports."""

from __future__ import annotations

import os
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in (ROOT / ".github/workflows").glob("*.yml")
}


def test_every_python_that_is_promised_is_tested() -> None:
    promised = {
        line.rpartition(" ")[2]
        for line in metadata("tap-utility-intervals").get_all("Classifier") or ()
        if line.startswith("Programming Language :: Python :: 3.")
    }
    job = WORKFLOWS["test"]["jobs"]["test"]
    assert set(job["strategy"]["matrix"]["python"]) == promised
    assert {"run": ".ci/run"} in job["steps"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_a_newer_sdk_may_fail_and_a_release_keeps_no_token() -> None:
    assert WORKFLOWS["newer-sdk"]["jobs"]["test"]["continue-on-error"] is True
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    assert WORKFLOWS["release"]["jobs"]["publish"]["permissions"] == {
        "id-token": "write"
    }


def test_a_workflow_may_only_read_unless_a_job_says_more() -> None:
    assert WORKFLOWS
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {"contents": "read"}

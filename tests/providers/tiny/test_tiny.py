"""A third provider is one folder: the doctor, the sandbox and the tap know it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tap_utility_intervals.cli import main
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.oracle import readings, values
from tests.providers.tiny.joining import joined
from tests.syncing import config, sync


@pytest.fixture(autouse=True)
def _third() -> Iterator[None]:
    with joined():
        yield


def doctor(sandbox: Sandbox, folder: Path, *options: str) -> tuple[int, str]:
    file = folder / "config.json"
    file.write_text(json.dumps(config(sandbox)))
    done = CliRunner().invoke(main, ["doctor", "--config", str(file), *options])
    return done.exit_code, done.stdout


def test_all_three_are_synced_side_by_side() -> None:
    world = tiny_world()
    with Sandbox(world) as sandbox:
        run = sync(config(sandbox))
    assert not run.failed
    got = values(run.rows("intervals"))
    assert got == readings(world, "utilityapi", "nectar", "tiny")
    for stream in ("meters", "intervals", "usage"):
        assert {row["provider"] for row in run.rows(stream)} == {
            "utilityapi",
            "nectar",
            "tiny",
        }


def test_the_doctor_examines_it(tmp_path: Path) -> None:
    with Sandbox(tiny_world()) as sandbox:
        _, shown = doctor(sandbox, tmp_path)
        assert f"Tiny ({sandbox.url_of('tiny')})" in shown
        sandbox.faults.add(provider="tiny", status=401, times=None)
        code, told = doctor(sandbox, tmp_path, "--json")
    assert code == 1
    *_, last = json.loads(told)["providers"]
    assert (last["provider"], last["is_reachable"]) == ("tiny", False)
    assert "check the setting tiny_api_key" in last["findings"][0]["problem"]

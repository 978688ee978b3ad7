from __future__ import annotations

import pytest

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.sandbox.__main__ import MORE, banner, main
from tap_utility_intervals.sandbox.scenarios import bench_world


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    return said[-1]


def test_a_port_in_use_is_told_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Sandbox(tiny_world()) as sandbox:
        said = refused(capsys, "--scenario=tiny", f"--port={sandbox.port}")
    assert said.startswith(f"Port {sandbox.port} of 127.0.0.1 cannot be had (")
    assert "--port" in said


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--port=99999", "cannot be had"),
        ("--today=soon", "invalid date value: 'soon'"),
        ("--meters=0", "invalid number from 1 to 100000 value: '0'"),
        ("--scenario=none", "invalid choice: 'none'"),
    ],
)
def test_a_wrong_option_is_told(
    capsys: pytest.CaptureFixture[str], option: str, told: str
) -> None:
    assert told in refused(capsys, "--scenario=tiny", option)


def test_the_help_names_the_command_its_defaults_and_the_controls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: utility-intervals sandbox ")
    assert "8765 by default" in said
    assert MORE.splitlines()[1] in said


def test_many_meters_are_served_at_once() -> None:
    world = bench_world(meters=10_000, days=7, minutes=60, channels=1)
    with Sandbox(world) as sandbox:
        assert "utilityapi: 10000 meters" in banner(sandbox)

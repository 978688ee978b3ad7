from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.stdout import Terminated
from tests.clock import nobody_waits
from tests.tap.running import Inside

# How long an example takes says nothing on a busy machine.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """End the run on SIGTERM, such as of `timeout`: no test has failed.

    A tap in this process makes an exception of that signal, so that it was shown as a
    failure of whichever test was under way.
    """
    try:
        yield
    except Terminated as signal:
        pytest.exit("asked to stop", 128 + signal.signum)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TAP_UTILITY_INTERVALS_") or name.endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tiny_world()) as running:
        yield running


@pytest.fixture
def tap(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Inside:
    """The tap, run in this process."""
    return Inside(tmp_path, capsys, caplog)


@pytest.fixture
def no_waiting() -> Iterator[None]:
    with nobody_waits():
        yield

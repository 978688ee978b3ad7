"""Cut anywhere, resumed from the last STATE that came through: nothing is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import pytest
from typing_extensions import Self

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.oracle import Row
from tests.syncing import config, sync
from tests.tap.resuming import Table, last_state, load, parsed, undated
from tests.tap.running import COMMAND, PATIENCE

SETTINGS = {"state_interval_seconds": 0, "lookback_days": 2, "window_days": 4}


@dataclass
class Phase:
    """One run over a world that stands still, and every way to resume it."""

    settings: Row
    state: Row | None
    held: Table
    """What the target held before."""

    def __post_init__(self) -> None:
        self.resumed: dict[str, list[Row]] = {}
        self.run = sync(self.settings, self.state)
        assert not self.run.failed

    @cached_property
    def messages(self) -> list[Row]:
        return self.run.messages

    @cached_property
    def whole(self) -> Table:
        """What the target holds after the uninterrupted run."""
        return load(self.messages, self.held)

    def resume(self, state: Row | None) -> list[Row]:
        """The messages of a run from `state`; one state is tried once."""
        name = json.dumps(undated(state or {}), sort_keys=True)
        if name not in self.resumed:
            self.resumed[name] = sync(self.settings, state).messages
        return self.resumed[name]


def a_day_later(sandbox: Sandbox, phase: Phase) -> Phase:
    sandbox.world.advance(days=1)
    return Phase(phase.settings, phase.run.state, phase.whole)


def assert_every_cut_heals(phase: Phase) -> int:
    """Cut after every line; the states between two STATEs are one and the same."""
    cuts = 0
    state = phase.state
    table = dict(phase.held)
    for count, message in enumerate(phase.messages):
        if message["type"] == "STATE":
            state = last_state([message])
        is_edge = count + 1 == len(phase.messages) or (
            phase.messages[count + 1]["type"] == "STATE"
        )
        table = load([message], table) if message["type"] == "RECORD" else table
        cuts += 1
        # Rows that came only add to the table: the cut right after a STATE is the
        # hardest of those that resume from it, the one right before the next the last.
        if message["type"] == "STATE" or is_edge or count % 50 == 0:
            assert load(phase.resume(state), table) == phase.whole, count
    return cuts


def test_a_first_sync_may_be_cut_after_every_line() -> None:
    with Sandbox(tiny_world()) as sandbox:
        phase = Phase(config(sandbox, **SETTINGS), None, {})
        assert assert_every_cut_heals(phase) > 200
        assert len(phase.resumed) >= 8


def test_later_syncs_may_be_cut_after_every_line() -> None:
    cuts = 0
    with Sandbox(tiny_world()) as sandbox:
        phase = Phase(config(sandbox, **SETTINGS), None, {})
        for _ in range(3):
            phase = a_day_later(sandbox, phase)
            cuts += assert_every_cut_heals(phase)
    assert cuts > 200


def test_a_cut_run_may_be_cut_again_and_again() -> None:
    dice = random.Random("cut again")
    with Sandbox(tiny_world()) as sandbox:
        phase = Phase(config(sandbox, **SETTINGS), None, {})
        for _ in range(20):
            state: Row | None = None
            table: Table = {}
            for _ in range(dice.randint(1, 4)):
                came = phase.resume(state)
                came = came[: dice.randint(0, len(came))]
                table, state = load(came, table), last_state(came, state)
            assert load(phase.resume(state), table) == phase.whole


def test_a_cut_between_days_loses_nothing_either() -> None:
    """The run that resumes is a day later: the world has moved on meanwhile."""
    dice = random.Random("a day between")
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox, **SETTINGS)
        first = Phase(settings, None, {})
        sandbox.world.advance(days=1)
        uninterrupted = load(sync(settings, first.run.state).messages, first.whole)
        for _ in range(12):
            cut = first.messages[: dice.randint(0, len(first.messages))]
            later = sync(settings, last_state(cut)).messages
            found = load(later, load(cut))
            assert found.keys() == uninterrupted.keys()
            assert readings(found) == readings(uninterrupted)


def readings(table: Table) -> Table:
    """Without what says which Interval object held them: it grows and is renamed."""
    return {
        key: {name: row[name] for name in row if not name.startswith("source_")}
        for key, row in table.items()
        if key[0] == "intervals"
    }


# --- the real process in a real pipe --------------------------------------------------


@dataclass
class Process:
    """`tap-utility-intervals` with its standard output in a pipe."""

    config: Path
    state: Path | None = None

    def __enter__(self) -> Self:
        arguments: list[str | Path] = [COMMAND, "--config", self.config]
        if self.state:
            arguments += ["--state", self.state]
        with Path(os.devnull).open() as nothing:
            self.process = subprocess.Popen(
                arguments,
                stdin=nothing,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,  # `communicate` would pass over what a buffer holds
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for pipe in (self.out, self.process.stderr):
            assert pipe is not None
            pipe.close()

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def read(self, size: int) -> bytes:
        """So many bytes, or all there are."""
        came = b""
        while len(came) < size and (more := self.out.read(size - len(came))):
            came += more
        return came

    def strike(self, signum: int, after: int) -> bytes:
        """Send a signal after so many bytes; all that came before the end."""
        came = self.read(after)
        self.process.send_signal(signum)
        rest, self.log = self.process.communicate(timeout=PATIENCE)
        return came + rest


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_signals_at_any_moment_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: int, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    dice = random.Random(f"signal {signum} {unbuffered}")
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox, **SETTINGS)
        phase = Phase(settings, None, {})
        size = sum(len(line.encode()) + 1 for line in phase.run.lines)
        file = tmp_path / "config.json"
        file.write_text(json.dumps(settings))
        moments = [dice.randrange(1, size - 100_000) for _ in range(6)]
        for moment in moments:
            with Process(file) as tap:
                out = tap.strike(signum, moment)
            whole, _, rest = out.decode().rpartition("\n")
            messages = parsed(whole.splitlines())
            assert len(messages) == whole.count("\n") + 1
            if signum == signal.SIGTERM:
                assert tap.process.returncode == 128 + signal.SIGTERM, tap.log
                assert rest == ""
                # The last STATE, if it is not the one that was sent last.
                assert last_state(messages) is not None
                assert b"Traceback" not in tap.log
            else:
                assert tap.process.returncode == -signal.SIGKILL
            resumed = phase.resume(last_state(messages))
            assert load(resumed, load(messages)) == phase.whole


@pytest.mark.slow
def test_a_target_that_dies_loses_nothing(tmp_path: Path) -> None:
    dice = random.Random("dying target")
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox, **SETTINGS)
        phase = Phase(settings, None, {})
        file = tmp_path / "config.json"
        file.write_text(json.dumps(settings))
        for moment in [0, *(dice.randrange(1, 2_000_000) for _ in range(3))]:
            with Process(file) as tap:
                came = tap.read(moment).decode("utf-8", "replace")
                tap.out.close()
                assert tap.process.stderr is not None
                log = tap.process.stderr.read().decode()
                assert tap.process.wait(PATIENCE) == 1
                tap.process.stdout = open(os.devnull, "rb")  # noqa: PTH123, SIM115
            assert "Nobody reads the output any more" in log
            assert "Traceback" not in log
            assert "Exception ignored" not in log
            messages: list[Any] = parsed(came.split("\n")[:-1])
            resumed = phase.resume(last_state(messages))
            assert load(resumed, load(messages)) == phase.whole

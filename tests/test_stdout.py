"""Whole lines, signals between them, and an output that takes no more."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tap_utility_intervals.stdout import Lines, OutputGone, Terminated


class Interrupting(io.StringIO):
    """Standard output in which something strikes in the midst of a write."""

    def __init__(self, strike: Callable[[], None]) -> None:
        super().__init__()
        self.strike = strike

    def write(self, text: str) -> int:
        half = len(text) // 2
        super().write(text[:half])
        self.strike()
        return super().write(text[half:])


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_a_signal_in_the_midst_of_a_line_waits_for_its_end(lines: Lines) -> None:
    out = Interrupting(lambda: lines.on_signal(signal.SIGTERM))
    with redirect_stdout(out), pytest.raises(Terminated) as caught:
        lines.write([b"one whole line\n"])
    assert out.getvalue() == "one whole line\n"
    assert caught.value.signum == signal.SIGTERM
    assert caught.value.code == 143


def test_a_signal_between_lines_stops_at_once(lines: Lines) -> None:
    with pytest.raises(Terminated):
        lines.on_signal(signal.SIGINT)


def test_blocks_in_each_other_are_one(lines: Lines) -> None:
    done = []

    def outer() -> None:
        with lines.whole():
            with lines.whole():
                lines.on_signal(signal.SIGTERM)
            done.append("the rest of the outer one")

    with pytest.raises(Terminated):
        outer()
    assert done


@pytest.mark.parametrize("in_the_midst", [True, False])
def test_after_the_signal_the_last_lines_can_be_written(
    lines: Lines,
    in_the_midst: bool,  # noqa: FBT001
) -> None:
    def strike() -> None:
        lines.on_signal(signal.SIGTERM)

    if in_the_midst:
        with redirect_stdout(Interrupting(strike)), pytest.raises(Terminated):
            lines.write([b"record\n"])
    else:
        with pytest.raises(Terminated):
            strike()
    with redirect_stdout(io.StringIO()) as out:
        lines.write([b"state\n"])
    assert out.getvalue() == "state\n"


@pytest.mark.parametrize("in_the_midst", [True, False])
def test_a_second_signal_changes_nothing(
    lines: Lines,
    in_the_midst: bool,  # noqa: FBT001
) -> None:
    def strike() -> None:
        lines.on_signal(signal.SIGTERM)
        lines.on_signal(signal.SIGINT)

    def write() -> None:
        lines.write([b"line\n"])
        strike()

    out = Interrupting(strike) if in_the_midst else io.StringIO()
    with redirect_stdout(out), pytest.raises(Terminated) as caught:
        write()
    assert caught.value.signum == signal.SIGTERM
    lines.on_signal(signal.SIGINT)
    with redirect_stdout(out):
        lines.write([b"x\n"])
    assert out.getvalue() == "line\nx\n"


def failing(error: OSError) -> Interrupting:
    def fail() -> None:
        raise error

    return Interrupting(fail)


def test_a_pipe_that_nobody_reads_is_told_at_this_write_and_at_all_later_ones(
    lines: Lines,
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe, redirect_stdout(pipe):
        for _ in range(2):
            with pytest.raises(OutputGone, match="Nobody reads the output any more"):
                lines.write([b"line\n"])


def test_a_full_disk_is_told_with_its_reason(lines: Lines) -> None:
    full = failing(OSError(28, "No space left on device"))
    with redirect_stdout(full), pytest.raises(OutputGone, match="No space left"):
        lines.write([b"line\n"])


def test_an_output_that_was_closed_before_the_start_is_told(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputGone, match="Bad file descriptor"):
        lines.write([b"line\n"])


def test_a_write_that_fails_leaves_the_process_interruptible(lines: Lines) -> None:
    with redirect_stdout(failing(BrokenPipeError(32, "x"))), pytest.raises(OutputGone):
        lines.write([b"line\n"])
    with pytest.raises(Terminated):
        lines.on_signal(signal.SIGTERM)


STUCK = """
import signal, sys
from tap_utility_intervals import stdout
stdout.PATIENCE = 0.2
lines = stdout.Lines()
signal.signal(signal.SIGTERM, lines.on_signal)
sys.stderr.write("ready\\n")
sys.stderr.flush()
try:
    {before}
    lines.write([b"x" * 10_000_000])
except stdout.Terminated:
    lines.write([b"y" * 10_000_000])
"""


@pytest.mark.parametrize("before", ["pass", "signal.pause()"])
@pytest.mark.parametrize("signals", [1, 2])
def test_a_reader_that_does_not_read_keeps_nobody(before: str, signals: int) -> None:
    """In the midst of a write, and in the last one after the signal."""
    with subprocess.Popen(
        [sys.executable, "-c", STUCK.format(before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        os.read(process.stdout.fileno(), 1)  # it writes, and nobody reads on
        if signals > 1:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143, "it would wait for ever"

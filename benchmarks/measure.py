"""Whole processes: what they cost, what they wrote, and whether two wrote the same."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from operator import eq
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
TAP = ("-c", "from tap_utility_intervals.tap import *; TapUtilityIntervals.cli()")
PLAIN = ("-m", "benchmarks.plain_tap")
RECORD = b'{"type":"RECORD"'
STATE = b'{"type":"STATE"'

# Of numbers, their very digits are compared.
_DECODE = msgspec.json.Decoder(float_hook=str).decode


class Failed(Exception):  # noqa: N818 - it says what happened
    """A benchmark that could not be run, or did not give what it must."""


@dataclass(frozen=True)
class Cost:
    """What one process took from its start to its end."""

    wall: float
    cpu: float
    peak_mb: float


@dataclass(frozen=True)
class Written:
    """What a tap wrote."""

    rows: Counter[str]
    """By stream."""
    bytes: int
    state_bytes: int
    last_state_bytes: int
    states: int
    state: dict[str, Any]
    digests: array[int]
    """Of the intervals' records, sorted; without when they were read."""

    @property
    def has_twice(self) -> bool:
        """Whether a row was written twice."""
        return any(map(eq, self.digests, self.digests[1:]))


@dataclass(frozen=True)
class Command:
    """A tap with its configuration, state and catalog as files in a folder."""

    args: Sequence[str]
    folder: Path

    @classmethod
    def of(  # noqa: PLR0913 - what a tap takes
        cls,
        folder: Path,
        name: str,
        program: Sequence[str],
        config: Mapping[str, Any],
        *,
        state: Mapping[str, Any] | None = None,
        catalog: Mapping[str, Any] | None = None,
    ) -> Command:
        """Write the files and name them."""
        args = [sys.executable, *program]
        given = {"config": config, "state": state, "catalog": catalog}
        for option, content in given.items():
            if content is not None:
                path = folder / f"{name}-{option}.json"
                path.write_text(json.dumps(content))
                args += [f"--{option}", str(path)]
        return cls(args, folder)

    def run(self, output: Path | None = None) -> Cost:
        """Run it; what it writes goes to a file, or nowhere.

        Raises:
            Failed: when it does not end with 0.
        """
        log = self.folder / "log"
        with open(output or os.devnull, "wb") as out, log.open("wb") as err:  # noqa: PTH123 - may be the null device
            begun = time.perf_counter()
            process = subprocess.Popen(  # noqa: S603 - ours
                self.args, stdout=out, stderr=err, cwd=ROOT, env=_environment()
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"{' '.join(self.args)}\n{log.read_text()[-2000:]}")
        return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _environment() -> dict[str, str]:
    """Ours, with this folder's package first and without settings for the tap."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith("TAP_UTILITY_")}
    return kept | {"PYTHONPATH": str(ROOT)}


def read(output: Path) -> Written:
    """What is in a tap's output.

    It is read in a process of its own: the system counts what a process held before it
    started another one as memory of the other.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_read, output).result()


def _read(output: Path) -> Written:
    rows: Counter[str] = Counter()
    digests = array("Q")
    states: list[int] = []
    last = b""
    with output.open("rb") as lines:
        for line in lines:
            if line.startswith(RECORD):
                message = _DECODE(line)
                rows[message["stream"]] += 1
                if message["stream"].startswith("intervals"):
                    digests.append(_digest(message["record"]))
            elif line.startswith(STATE):
                states.append(len(line))
                last = line
    return Written(
        rows,
        output.stat().st_size,
        sum(states),
        states[-1] if states else 0,
        len(states),
        json.loads(last)["value"] if last else {},
        array("Q", sorted(digests)),
    )


def _digest(record: dict[str, Any]) -> int:
    record.pop("read_at", None)
    text = msgspec.json.encode(record, order="sorted")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def require_equal(one: Written, other: Written) -> None:
    """Hold two outputs against each other.

    Raises:
        Failed: when the intervals are not the very same, each once.
    """
    if one.has_twice:
        raise Failed("a row was written twice")
    if one.digests != other.digests:
        ours, theirs = Counter(one.digests), Counter(other.digests)
        missing, more = (theirs - ours).total(), (ours - theirs).total()
        raise Failed(f"the rows differ: {missing} are missing, {more} are others")
    if not one.digests:
        raise Failed("there are no rows")


@dataclass(frozen=True)
class Serving:
    """A benchmark server that runs."""

    url: str

    def counts(self) -> dict[str, Any]:
        """What was asked since the last time, by provider."""
        return self._ask("counts")

    def advance(self, days: float) -> None:
        """Let time go by at the providers."""
        self._ask(f"advance?days={days}")

    def _ask(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_bench/{what}") as answer:  # noqa: S310 - ours
            found: dict[str, Any] = json.load(answer)
        return found


@contextmanager
def server(world: str, latency: float = 0.0) -> Iterator[Serving]:
    """Start a server in a process of its own, and end it."""
    args = [sys.executable, "-m", "benchmarks.server", world]
    args += ["--latency", str(latency)]
    process = subprocess.Popen(  # noqa: S603 - ours
        args,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=_environment(),
    )
    assert process.stdout is not None  # noqa: S101 - for mypy
    try:
        port = process.stdout.readline().strip().decode()
        if not port:
            raise Failed("the benchmark server did not start")
        yield Serving(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

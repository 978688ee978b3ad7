"""`meltano run`, and what it moved."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from scripts.demo.errors import DemoError

LOADED = re.compile(r"(\w+): ([\d,]+) rows loaded")
"""How target-utility-duckdb says what it has loaded."""


@dataclass(frozen=True)
class Pipeline:
    """The Meltano project in `root`, reading a sandbox at `url`."""

    root: Path
    url: str
    log: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """More environment variables for Meltano."""
    loader: str = "target-utility-duckdb"

    def run(self, *options: str, then: Sequence[str] = ()) -> Counter[str]:
        """Sync once, and run plugins after it; the rows sent, by stream."""
        command = self.command(options, then)
        with self.alone(), self.log.open("ab") as output:
            begin = output.tell()
            done = subprocess.run(command, **self.surroundings(output), check=False)
        if done.returncode:
            msg = f"meltano run ended with exit code {done.returncode}."
            raise DemoError(msg)
        return loaded(self.log.read_bytes()[begin:].decode(errors="replace"))

    def command(self, options: Sequence[str], then: Sequence[str] = ()) -> list[str]:
        """Return what syncs once."""
        return [
            str(self.root / ".venvs" / "meltano" / "bin" / "meltano"),
            *(f"--env-file={os.devnull}", "--environment=sandbox", "run"),
            *(*options, "tap-utility-intervals", self.loader, *then),
        ]

    def surroundings(self, output: IO[bytes]) -> dict[str, Any]:
        """Return how it is started: here, asking nobody, its words in the log."""
        return {
            "cwd": self.root,
            "env": self.environment(),
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": output,
        }

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for others of ours: two in one project lose each other's files."""
        with (self.root / ".meltano" / "lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def environment(self) -> dict[str, str]:
        """The caller's, without settings of real accounts; pointed at the sandbox."""
        others = ("DBT_", "MELTANO_", "TAP_", "TARGET_", "PYTHON", "VIRTUAL_ENV")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
        return {
            **kept,
            "TAP_UTILITY_INTERVALS_UTILITYAPI_BASE_URL": f"{self.url}/api/v2",
            "TAP_UTILITY_INTERVALS_NECTAR_BASE_URL": f"{self.url}/v2.2",
            **self.settings,
        }


def loaded(log: str) -> Counter[str]:
    """Add up the rows that the loader names in its log."""
    rows: Counter[str] = Counter()
    for stream, count in LOADED.findall(log):
        rows[stream] += int(count.replace(",", ""))
    return rows

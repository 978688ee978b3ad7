"""The installed command: inside this process where that will do, or outside it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.tap import TapUtilityIntervals

COMMAND = Path(sysconfig.get_path("scripts")) / "tap-utility-intervals"
PATIENCE = 60.0
"""An upper bound for what a broken test waits, never a sleep."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    log: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]


def command(*arguments: str | Path) -> Outcome:
    """Run `tap-utility-intervals` as a user would."""
    done = subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass
class Inside:
    """Runs the command in this process: the same code, at a tenth of the time."""

    tmp_path: Path
    capsys: pytest.CaptureFixture[str]
    caplog: pytest.LogCaptureFixture

    def __call__(self, *arguments: str | Path) -> Outcome:
        """Run it with these arguments."""
        self.caplog.clear()
        before = sys.excepthook
        self.caplog.set_level(logging.DEBUG)
        try:
            with warnings.catch_warnings():
                TapUtilityIntervals.get_singer_command().main([*map(str, arguments)])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.excepthook = before
            logging.captureWarnings(capture=False)
        return Outcome(code, self.capsys.readouterr().out, self.caplog.text)

    def with_config(self, settings: Any, *arguments: str | Path) -> Outcome:
        """Run it with a configuration file, given as JSON or as its very text."""
        text = settings if isinstance(settings, str) else json.dumps(settings)
        return self(f"--config={self.file('config.json', text)}", *arguments)

    def file(self, name: str, content: str | Mapping[str, Any]) -> Path:
        """A file with this content."""
        path = self.tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)
        return path

"""The SQL and the shell of `docs/warehouses.md` as they stand there; the models."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from click.testing import CliRunner

from tap_utility_intervals.cli import main
from tests.packaging.tree import ROOT

PAGE = ROOT / "docs" / "warehouses.md"
KINDS = {"", "csv", "jsonl", "prune", "nectar"}
BLOCK = re.compile(r"^```sql ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def documented(*kinds: str) -> str:
    """All blocks of these kinds, in the page's order; "" is what runs everywhere."""
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert {kind for kind, _ in found} == KINDS
    return "\n".join(text for kind, text in found if kind in kinds)


def models(database: str, *options: str) -> str:
    """What `utility-intervals models` prints, with the zones of the page's table."""
    line = ["models", database, "--var", "time_zones=meter_zones", *options]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    return done.stdout


def whole_lines(folder: Path) -> None:
    """Take half lines away from the files in a folder, as the page says."""
    page = PAGE.read_text(encoding="utf-8")
    (script,) = re.findall(r"^```sh files\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = re.sub(r"\boutput\b", str(folder), script)
    subprocess.run(["sh", "-eu", "-c", script], check=True)


def over(folder: Path, script: str) -> str:
    """The same for files in another folder than `output`."""
    return script.replace("'output/", f"'{folder}/")

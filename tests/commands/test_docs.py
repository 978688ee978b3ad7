"""`docs/commands.md` shows what the commands really print.

`UPDATE_DOCS=1 pytest tests/commands/test_docs.py` writes it anew.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from tap_utility_intervals.providers.utilityapi.collecting import refusals
from tap_utility_intervals.sandbox import Sandbox, World
from tests.commands.running import Shell

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
BLOCK = re.compile(r"```console\n\$ utility-intervals (.*)\n((?:.*\n)*?)```")
ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")
TIME = re.compile(r"(about [0-9]+ [a-z]+|less than a minute); rows")


def test_every_command_is_shown_with_its_real_output(
    whole: World, tmp_path: Path
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    with Sandbox(replace(whole)) as sandbox:
        shell = Shell(sandbox, tmp_path)
        shell.configure(utilityapi_requests_per_second=50)
        real = BLOCK.sub(lambda block: shown(shell, block[1]), page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(real, encoding="utf-8")
    assert TIME.sub("TIME", real) == TIME.sub("TIME", page)
    commands = {" ".join(block[1].split()[:2]) for block in BLOCK.finditer(page)}
    assert {"doctor --config"} | {
        f"collect {name}" for name in ("plan", "start", "status", "monitor")
    } == commands


def shown(shell: Shell, line: str) -> str:
    without_waiting = " --interval 0" if "--wait" in line else ""
    done = shell(line + without_waiting, config=None)
    out = ADDRESS.sub("http://127.0.0.1:8765", done.stdout + done.stderr)
    return f"```console\n$ utility-intervals {line}\n{out}```"


def test_every_answer_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for problem, advice in refusals.REFUSALS.values():
        assert f"| {problem} | {advice} |" in page
    for kind, (problem, advice) in refusals.BAD_REQUESTS.items():
        assert f"| 400 `{kind}` | {problem} | {advice} |" in page
    for problem in refusals.BROKEN.values():
        assert f"| {problem} |" in page

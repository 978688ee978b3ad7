"""What README.md shows of the demo: that, and nothing else, is what it prints."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from scripts.demo.errors import DemoError

BILLS = "Bills beside the sum of their intervals: the newest of each meter"
ONLY_PRINTED = ("Meters", "Gaps", "Checks", "Requests")
BLOCK = re.compile(r"(?<=<!-- demo -->\n\n```text\n).*?(?=```\n)", re.DOTALL)


def excerpt(told: Mapping[str, str]) -> str:
    """The rows, of the bills the newest of three meters, and the second run."""
    shown = [
        f"{heading}\n\n{some_bills(text) if heading == BILLS else text}\n"
        for heading, text in told.items()
        if not heading.startswith(ONLY_PRINTED)
    ]
    return "\n".join(shown)


def some_bills(text: str) -> str:
    """The first two meters and the first of another provider."""
    head, *rows = text.partition("\n\n")[0].splitlines()
    newest = {tuple(row.split()[:2]): row for row in rows}
    first = next(iter(newest))[0]
    others = [row for (provider, _), row in newest.items() if provider != first]
    return "\n".join([head, *list(newest.values())[:2], *others[:1], "  …"])


def compare(readme: Path, told: Mapping[str, str]) -> None:
    """Compare with the block in README.md, or renew it if UPDATE_DOCS is set.

    Raises:
        DemoError: when they differ.
    """
    text, shown = readme.read_text("utf-8"), excerpt(told)
    if os.environ.get("UPDATE_DOCS"):
        readme.write_text(BLOCK.sub(lambda _: shown, text), "utf-8")
    elif BLOCK.findall(text) != [shown]:
        problem = "README.md shows another demo than this one. If the change is meant:"
        raise DemoError(f"{problem} UPDATE_DOCS=1 make demo")

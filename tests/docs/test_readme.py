"""What documents repeat, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import readme
from tests.packaging.tree import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?://)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("path", [path for path, _ in readme.fresh()], ids=str)
def test_what_repeats_the_code_is_up_to_date(path: Path) -> None:
    """If not: python -m scripts.readme."""
    assert dict(readme.fresh())[path] == path.read_text("utf-8")


def test_the_settings_are_on_their_page() -> None:
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert "`lookback_days` | `30`" in text


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = readme.README.read_text("utf-8").splitlines()
    assert len(lines) < 150
    commands = [line for line in lines if line.startswith("$ ")]
    assert commands[0].startswith("$ git clone https://github.com/")
    assert commands[1] == "$ make demo"
    assert lines.index(commands[1]) < 12


def links() -> Iterator[tuple[Path, str, str]]:
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        yield from ((page, m[1], m[2] or "") for m in LINK.finditer(text))


def anchors(page: Path) -> set[str]:
    """The headings of a page as its reader names them."""
    heads = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-").lower() for head in heads}


def test_every_link_leads_somewhere() -> None:
    found = list(links())
    assert len(found) > 40
    for page, path, anchor in found:
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {path}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {path}#{anchor}"


def test_the_owner_is_named_once() -> None:
    """Elsewhere it is as `pyproject.toml` has it."""
    files = [*PAGES, *(ROOT / "docs").rglob("*.yml"), ROOT / "pyproject.toml"]
    owners = {
        re.split(r"\.com/|/", found)[1]
        for path in files
        for found in re.findall(
            rf"github(?:usercontent)?\.com/[\w-]+/{readme.PROJECT}",
            path.read_text("utf-8"),
        )
    }
    assert owners == {readme.owner()}

"""What code and pages point to is there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CITED = re.compile(r"\b(utilityapi|nectar)\.md(?:#([\w-]+))?")
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "dbt/*.md")
    for path in ROOT.glob(pattern)
)


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page, as GitHub makes them of its headings."""
    text = FENCED.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in headings
    )


def citations() -> Iterator[tuple[str, str, str | None]]:
    for folder in ("tap_utility_intervals", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for provider, anchor in CITED.findall(path.read_text("utf-8")):
                yield str(path.relative_to(ROOT)), provider, anchor or None


def test_each_citation_of_a_vendor_fact_resolves() -> None:
    found = list(citations())
    assert len(found) > 50
    unresolved = [
        (path, provider, anchor)
        for path, provider, anchor in found
        if anchor and anchor not in anchors(ROOT / "docs/providers" / f"{provider}.md")
    ]
    assert unresolved == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_of_a_page_is_dead(page: Path) -> None:
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target}#{anchor}"


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_each_statement_about_a_vendor_has_a_status(provider: str) -> None:
    text = (ROOT / "docs/providers" / f"{provider}.md").read_text("utf-8")
    body = text.split("## Authentication")[1].split("## Known oddities")[0]
    points = re.findall(r"^- .*(?:\n  .*)*", body, re.MULTILINE)
    assert len(points) > 25
    status = re.compile(r"documented|seen|assumed|not settled")
    assert [point for point in points if not status.search(point)] == []


def test_no_page_that_only_its_authors_have_is_cited() -> None:
    hidden = "fact" + "s §"
    searched = ("tap_utility_intervals", "tests", "docs", "dbt", "schemas", "README.md")
    command = ["grep", "-rlF", "--exclude-dir=__pycache__", hidden, *searched]
    found = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 1, found.stdout + found.stderr


def test_no_number_of_a_decision_is_given_twice() -> None:
    found = sorted((ROOT / "docs/decisions").glob("0*.md"))
    numbers = [path.name[:4] for path in found]
    assert len(set(numbers)) == len(numbers) > 15
    for path in found:
        assert path.read_text("utf-8").startswith(f"# {int(path.name[:4])}. ")


def test_every_page_is_on_the_site() -> None:
    index = (ROOT / "docs/index.md").read_text("utf-8")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= set(index.split())

"""What CONTRIBUTING leads to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tap_utility_intervals.providers import PROVIDERS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tap_utility_intervals"
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")
OURS = ("schemas/", "dbt/", "tests/", "docs/", "meltano.yml")

MAP = re.findall(r"^\| .*? \| (.*) \|$", TEXT + ARCHITECTURE, re.MULTILINE)
NAMED = sorted(
    {
        path
        for row in MAP
        for path in re.findall(r"`([\w.<>/-]+/[\w.<>/-]*|[\w-]+\.(?:py|yml))`", row)
    }
)
ELSEWHERE = sorted(
    {
        path
        for path in re.findall(r"[\w./-]+", TEXT)
        if path.startswith((*OURS, "scripts/", "benchmarks/"))
    }
)


def test_the_map_has_rows() -> None:
    assert len(NAMED) > 20
    assert len(ELSEWHERE) > 5


@pytest.mark.parametrize("path", NAMED)
def test_each_path_on_the_map_exists(path: str) -> None:
    """That of a provider for two at least: a small one may do without."""
    root = ROOT if path.startswith(OURS) else PACKAGE
    named = {path.replace("<provider>", provider.name) for provider in PROVIDERS}
    there = [one for one in named if list(root.glob(re.sub(r"<\w+>", "*", one)))]
    assert len(there) >= min(2, len(named))


@pytest.mark.parametrize("path", ELSEWHERE)
def test_each_path_in_the_text_exists(path: str) -> None:
    assert (ROOT / path.rstrip(".")).exists()

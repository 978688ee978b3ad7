"""The house stays readable: no module is too long to be held in the head."""

from __future__ import annotations

from statistics import median

from tests.packaging.tree import ROOT

LONGEST = 350
MIDDLE = 150


def test_no_module_is_long_and_most_are_short() -> None:
    package = ROOT / "tap_utility_intervals"
    lines = {
        str(path.relative_to(package)): len(path.read_text().splitlines())
        for path in package.rglob("*.py")
    }
    assert len(lines) > 100
    assert {name: n for name, n in lines.items() if n > LONGEST} == {}
    assert median(lines.values()) <= MIDDLE

"""Results as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Shown = Mapping[str, str]


@dataclass
class Verdict:
    """Something that was promised, and what was measured."""

    promise: str
    measured: str
    is_kept: bool

    def __str__(self) -> str:
        word = "kept" if self.is_kept else "NOT KEPT"
        return f"{word}: {self.promise}; measured {self.measured}"


@dataclass
class Result:
    """What a case found: one line for each command, and the promises."""

    title: str
    lines: Sequence[Shown]
    verdicts: Sequence[Verdict] = field(default=())

    def __str__(self) -> str:
        parts = [self.title, "", table(self.lines), ""]
        return "\n".join([*parts, *(f"  {verdict}" for verdict in self.verdicts)])


def table(lines: Sequence[Shown]) -> str:
    """Lines in columns: the first to the left, the others to the right."""
    names = list(dict.fromkeys(name for line in lines for name in line))
    grid = [names, *([line.get(name, "") for name in names] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    shown = []
    for cells in grid:
        first, *rest = zip(cells, widths, strict=True)
        others = (cell.rjust(width) for cell, width in rest)
        shown.append("  " + "  ".join([first[0].ljust(first[1]), *others]))
    return "\n".join(shown)

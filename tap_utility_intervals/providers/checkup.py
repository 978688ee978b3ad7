"""What a provider's check-up tells: what is there, what is wrong, what a sync takes.

Each provider examines itself; `utility-intervals doctor` shows what it found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = str | int | bool | None


@dataclass(frozen=True)
class Finding:
    """Something that deserves a look."""

    kind: str
    """A word for programs: `never_collected`."""
    source: str
    """What it is about: `meter 2061339`."""
    problem: str
    """What is the matter; the same words for all sources of a kind and cause."""
    advice: str
    """What to do about it."""
    needs_person: bool = True
    """Whether data stay away until somebody does something."""


@dataclass(frozen=True)
class Table:
    """Objects of one kind, a row each."""

    name: str
    headings: Mapping[str, str]
    """The heading of each shown column; `rows` may hold more."""
    rows: Sequence[Mapping[str, Value]]


@dataclass(frozen=True)
class Estimate:
    """What a first sync of the unified streams would take."""

    requests: int
    rows: Mapping[str, int]
    """By stream."""
    seconds: float
    how: Sequence[str]
    """How it was estimated, in sentences."""


@dataclass
class Checkup:
    """All that was found at one provider."""

    provider: str
    base_url: str
    is_reachable: bool = False
    """Whether the credential was accepted."""
    tables: list[Table] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    estimate: Estimate | None = None

    def fail(self, what: str, error: Exception) -> None:
        """Note that something could not be asked for, and why."""
        self.findings.append(Finding("unreachable", what, str(error), ""))

    @property
    def needs_person(self) -> bool:
        """Whether anything found does."""
        return any(finding.needs_person for finding in self.findings)

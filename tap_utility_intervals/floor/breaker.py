"""When a provider is given up: after enough losses one careful probe decides. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from tap_utility_intervals.floor import errors

J = TypeVar("J")

ENOUGH = 5
"""So many sources in a row, lost for one reason, call for a probe."""


class Breaker:
    """Counts the sources that were lost in a row for the same reason."""

    def __init__(self) -> None:
        """Nothing was lost yet."""
        self._patience = 1
        self._reason: object = None
        self._count = 0

    def note(self, error: Exception | None, enough: int = ENOUGH) -> bool:
        """Note how a source ended; tell whether a probe is due."""
        reason = reason_of(error)
        self._count = self._count + 1 if reason == self._reason else 1
        self._reason = reason
        return reason is not None and self._count >= enough * self._patience

    def confirm(self) -> None:
        """A probe went well: it takes more to ask for the next one."""
        self._patience *= 2
        self._count = 0


def reason_of(error: Exception | None) -> object:
    """What an error has in common with others like it; None if nothing is wrong.

    A source that is gone says nothing of the others, and costs one answer; who gives
    less than was promised does answer.
    """
    if error is None or isinstance(error, (errors.Gone, errors.FallsShort)):
        return None
    return type(error), getattr(error, "status", None)


class Upcoming(Generic[J]):
    """Jobs in their order, the last of which can be had first."""

    def __init__(self, jobs: Iterator[J]) -> None:
        """Hand over `jobs`, each when it is asked for."""
        self._jobs = jobs
        self._drawn: deque[J] | None = None

    def __iter__(self) -> Iterator[J]:
        """Yield what is left, in order."""
        return self

    def __next__(self) -> J:
        """The next job."""
        if self._drawn is None:
            return next(self._jobs)
        if not self._drawn:
            raise StopIteration
        return self._drawn.popleft()

    def last(self) -> J | None:
        """Take the last job out; None if none is left."""
        if self._drawn is None:
            self._drawn = deque(self._jobs)
        return self._drawn.pop() if self._drawn else None

    def __len__(self) -> int:
        """How many are known to be left."""
        return len(self._drawn or ())

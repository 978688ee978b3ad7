"""Read several slow things side by side: what comes first is handed over first.

Each one's items keep their order; how they interleave is left to chance. What one of
them raises ends that one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

J = TypeVar("J")
T = TypeVar("T")

_JOIN_SECONDS = 5.0  # a producer inside a network read may outlast it: it is a daemon


@dataclass(frozen=True, slots=True)
class End:
    """The end of one job's items, and what it raised."""

    error: BaseException | None = None


def side_by_side(
    produce: Callable[[J], Generator[T, None, None]], jobs: Sequence[J], buffer: int = 2
) -> Generator[tuple[J, T | End], None, None]:
    """Yield `(job, item)` for the items of all jobs as they come, and each one's `End`.

    Each job has a thread, which is at most `buffer` items ahead of the consumer; a
    single job has none. Close the generator (`contextlib.closing`) when leaving it
    early: each producer then stops before its next item, and its thread is joined, for
    up to five seconds in all.
    """
    return _threaded(produce, jobs, buffer) if len(jobs) > 1 else _inline(produce, jobs)


def _inline(
    produce: Callable[[J], Generator[T, None, None]], jobs: Sequence[J]
) -> Generator[tuple[J, T | End], None, None]:
    for job in jobs:
        end = End()
        try:
            with closing(produce(job)) as items:
                for item in items:
                    yield job, item
        except Exception as error:  # noqa: BLE001 - handed to the consumer
            end = End(error)
        yield job, end


def _threaded(
    produce: Callable[[J], Generator[T, None, None]], jobs: Sequence[J], buffer: int
) -> Generator[tuple[J, T | End], None, None]:
    ready: SimpleQueue[tuple[_Line[J, T], T | End]] = SimpleQueue()
    stopping = threading.Event()
    lines = [_Line(job, ready, buffer) for job in jobs]
    threads = [
        threading.Thread(
            target=line.run, args=(produce, stopping), name="side-by-side", daemon=True
        )
        for line in lines
    ]
    for thread in threads:
        thread.start()
    left = len(lines)
    try:
        while left:
            line, item = ready.get()
            line.room.put(None)
            left -= isinstance(item, End)
            yield line.job, item
    finally:
        stopping.set()
        for line in lines:
            line.room.put(None)
        until = monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - monotonic()))


class _Line(Generic[J, T]):
    """One job on its way: where its items go, and how much room is left for more."""

    def __init__(
        self, job: J, ready: SimpleQueue[tuple[_Line[J, T], T | End]], buffer: int
    ) -> None:
        self.job = job
        self.room: SimpleQueue[None] = SimpleQueue()
        self._ready = ready
        for _ in range(buffer):
            self.room.put(None)

    def run(
        self,
        produce: Callable[[J], Generator[T, None, None]],
        stopping: threading.Event,
    ) -> None:
        """Produce every item, each one only when there is room for it."""
        end = End()
        try:
            with closing(produce(self.job)) as items:
                self.room.get()
                while not stopping.is_set() and (item := next(items, end)) is not end:
                    self._ready.put((self, item))
                    self.room.get()
        except BaseException as error:  # noqa: BLE001 - handed to the consumer
            end = End(error)
        self._ready.put((self, end))

"""Read several slow things side by side: what comes first is handed over first.

Each one's items keep their order; how they interleave is left to chance. What one of
them raises ends that one alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from queue import SimpleQueue

from typing_extensions import override

from tap_utility_intervals.floor.producing import End, J, Producing, T, join


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
        join(threads)


class _Line(Producing[J, T]):
    """One job on its way, and where its items go."""

    def __init__(
        self, job: J, ready: SimpleQueue[tuple[_Line[J, T], T | End]], buffer: int
    ) -> None:
        super().__init__(job, buffer)
        self._ready = ready

    @override
    def put(self, item: T | End) -> None:
        self._ready.put((self, item))

"""Fetch concurrently, hand over in order, hold little.

One worker or eight give the same items in the same order; only the waiting overlaps.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import Generic

from typing_extensions import override

from tap_utility_intervals.floor.producing import End, J, Producing, T, close, join


def fetch_ahead(
    produce: Callable[[J], Iterable[T]],
    jobs: Iterable[J],
    workers: int,
    buffer: int = 2,
) -> Generator[tuple[J, T], None, None]:
    """Yield `(job, item)` for every item of every job, strictly in order.

    At most `workers` threads run `produce`; at most `workers` jobs are started ahead of
    the one being consumed; each started job holds at most `buffer` items that nobody
    has taken. `jobs` is pulled as far as that, in the consumer's thread, and may be
    endless. With `workers <= 1` everything runs inline, without a thread.

    An exception of `produce` or of `jobs` is raised at its place in the order, and ends
    the generator: a job that may be skipped must yield that as an item.

    Close the generator (`contextlib.closing`) when leaving it early: each producer then
    stops before its next item, in its own thread, its `finally` blocks run, and the
    threads are joined, for up to five seconds in all.

    Raises:
        ValueError: `buffer` is less than 1.
    """
    if buffer < 1:
        raise ValueError("fetch_ahead needs a buffer of at least 1")
    if workers <= 1:
        return _inline(produce, jobs)
    return _threaded(_Crew(produce, workers), jobs, buffer)


def _inline(
    produce: Callable[[J], Iterable[T]], jobs: Iterable[J]
) -> Generator[tuple[J, T], None, None]:
    for job in jobs:
        items = iter(produce(job))
        try:
            for item in items:
                yield job, item
        finally:
            close(items)


def _threaded(
    crew: _Crew[J, T], jobs: Iterable[J], buffer: int
) -> Generator[tuple[J, T], None, None]:
    started: deque[_Task[J, T]] = deque()
    upcoming: Iterator[_Task[J, T]] = _tasks(jobs, buffer)
    try:
        while True:
            while len(started) <= crew.workers and (task := next(upcoming, None)):
                started.append(task)
                crew.start(task)
            if not started:
                return
            for item in started[0]:
                yield started[0].job, item
            started.popleft()
    finally:
        crew.stop(started)


def _tasks(jobs: Iterable[J], buffer: int) -> Iterator[_Task[J, T]]:
    """Yield a task for every job; a failure of `jobs` becomes the last task."""
    try:
        for job in jobs:
            yield _Task(job, buffer)
    except Exception as error:  # noqa: BLE001 - raised at its place by the consumer
        yield _Failed(error)


class _Task(Producing[J, T]):
    """One job, and the items it has produced."""

    def __init__(self, job: J, buffer: int) -> None:
        super().__init__(job, buffer)
        self.items: SimpleQueue[T | End] = SimpleQueue()

    @override
    def put(self, item: T | End) -> None:
        self.items.put(item)

    def __iter__(self) -> Iterator[T]:
        """Yield the items as they come, then raise what went wrong."""
        while not isinstance(item := self.items.get(), End):
            self.room.put(None)
            yield item
        if item.error is not None:
            raise item.error


class _Failed(_Task[J, T]):
    """Stands where the next job would have stood, had `jobs` not failed."""

    def __init__(self, error: BaseException) -> None:
        self.items = SimpleQueue()
        self.room = SimpleQueue()
        self.put(End(error))

    @override
    def run(
        self, produce: Callable[[J], Iterable[T]], stopping: threading.Event
    ) -> None:
        """Do nothing: the failure waits for the consumer."""


class _Crew(Generic[J, T]):
    """Up to `workers` persistent daemon threads that take tasks in order."""

    def __init__(self, produce: Callable[[J], Iterable[T]], workers: int) -> None:
        self.workers = workers
        self._produce = produce
        self._inbox: SimpleQueue[_Task[J, T] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, task: _Task[J, T]) -> None:
        self._inbox.put(task)
        if len(self._threads) < self.workers:
            name = f"fetch-ahead-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, started: Iterable[_Task[J, T]]) -> None:
        """Let every producer stop before its next item; wait for it, not for long."""
        self._stopping.set()
        for task in started:
            task.room.put(None)
        for _ in self._threads:
            self._inbox.put(None)
        join(self._threads)

    def _work(self) -> None:
        while (task := self._inbox.get()) and not self._stopping.is_set():
            task.run(self._produce, self._stopping)

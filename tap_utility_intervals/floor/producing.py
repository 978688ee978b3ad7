"""A job in a thread of its own, a few items ahead of whoever takes them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

J = TypeVar("J")
T = TypeVar("T")

_JOIN_SECONDS = 5.0  # a producer inside a network read may outlast it: it is a daemon


@dataclass(slots=True)
class End:
    """The end of one job's items, and what it raised."""

    error: BaseException | None = None


class Producing(ABC, Generic[J, T]):
    """One job, and how much room is left for its items.

    `SimpleQueue` is written in C: two of them cost a tenth of one bounded `Queue`.
    """

    def __init__(self, job: J, buffer: int) -> None:
        """Make room for so many items that nobody has taken."""
        self.job = job
        self.room: SimpleQueue[None] = SimpleQueue()
        for _ in range(buffer):
            self.room.put(None)

    @abstractmethod
    def put(self, item: T | End) -> None:
        """Hand over an item, or the end."""

    def run(
        self, produce: Callable[[J], Iterable[T]], stopping: threading.Event
    ) -> None:
        """Produce every item, each one only when there is room for it, and the end."""
        end = End()
        try:
            items = iter(produce(self.job))
            try:
                self.room.get()
                while not stopping.is_set() and (item := next(items, end)) is not end:
                    self.put(item)
                    self.room.get()
            finally:
                close(items)
        except BaseException as error:  # noqa: BLE001 - raised by the consumer
            end.error = error
        self.put(end)


def close(items: Iterator[T]) -> None:
    """Run the `finally` blocks of a generator now, and in this thread."""
    if close_it := getattr(items, "close", None):
        close_it()


def join(threads: Iterable[threading.Thread]) -> None:
    """Wait for threads that were told to stop, for up to five seconds in all."""
    until = monotonic() + _JOIN_SECONDS
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, until - monotonic()))

"""The product, alike for every provider: `meters`, `intervals`, `usage`, `coverage`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, cast

from typing_extensions import override

from tap_utility_intervals.providers.base import Covered, Event, Record, Session, Task
from tap_utility_intervals.providers.streams import (
    PlannedStream,
    RunStream,
    WholeStream,
)

READ_AT = "read_at"
"""Where STATE keeps the newest instant that was used, for the next run's clock."""


class Meters(WholeStream):
    """One row for each meter that a provider lists in this run."""

    name = "meters"
    primary_keys: ClassVar[Sequence[str]] = ("meter_key", "provider")

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        yield from session.meters()


class Intervals(PlannedStream):
    """One row for each reading of each channel."""

    name = "intervals"
    primary_keys: ClassVar[Sequence[str]] = (
        "meter_key",
        "interval_start",
        "channel",
        "interval_end",
        "provider",
    )
    replication_key = "interval_start"

    @override
    def tasks(self, session: Session) -> Iterator[Task]:
        return session.interval_tasks(self.bookmarks)

    @override
    def act_on(self, event: Event, session: Session) -> None:
        self.bookmarks.note(READ_AT, self.run.clock.newest)
        if isinstance(event, Covered):
            self.run.covered += event.rows
        else:
            super().act_on(event, session)


class Usage(PlannedStream):
    """One row for each usage entry of a bill."""

    name = "usage"
    primary_keys: ClassVar[Sequence[str]] = ("usage_id", "provider")
    replication_key = "source_updated_at"

    @override
    def tasks(self, session: Session) -> Iterator[Task]:
        return session.usage_tasks(self.bookmarks)


class Coverage(RunStream):
    """One row for each stretch that this run has read; written after `intervals`."""

    name = "coverage"
    primary_keys: ClassVar[Sequence[str]] = (
        "provider",
        "source",
        "range_start",
        "read_at",
    )
    replication_key = READ_AT

    @override
    def pages(self) -> Iterator[Sequence[Record]]:
        rows, self.run.covered = self.run.covered, []
        if self._is_backed:
            yield rows
            for row in rows:
                self.run.tally.add(row.provider, self.name, [row])
            self.bookmarks.note(
                READ_AT, max((row.read_at for row in rows), default=None)
            )

    @property
    def _is_backed(self) -> bool:
        """Whether every reading that the rows speak of was written.

        Else a row would retire readings of which the new ones never came.
        """
        intervals = self.run.streams[Intervals.name]
        if not intervals.selected:
            why = "the stream `intervals` is not selected"
        elif not cast("Intervals", intervals).keeps_all_rows:
            why = "a stream map may leave rows of `intervals` out"
        else:
            return True
        self.run.report.warn(f"`coverage` is empty, because {why}")
        return False

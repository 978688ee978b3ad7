"""The product: `meters`, `intervals` and `usage`, alike for every provider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from typing_extensions import override

from tap_utility_intervals.providers.base import Event, Job, Record, Session
from tap_utility_intervals.providers.streams import SessionStream, SourceStream

READ_AT = "read_at"
"""Where STATE keeps the newest instant that was used, for the next run's clock."""


class Meters(SessionStream):
    """One row for each meter that a provider lists in this run."""

    name = "meters"
    primary_keys: ClassVar[Sequence[str]] = ("meter_key", "provider")

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        yield from session.meters()


class Intervals(SourceStream):
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
    def jobs(self, session: Session) -> Iterator[Job]:
        return session.interval_jobs(self.bookmarks)

    @override
    def act_on(self, event: Event, session: Session) -> None:
        self.bookmarks.note(READ_AT, self.run.clock.newest)
        super().act_on(event, session)


class Usage(SourceStream):
    """One row for each usage entry of a bill."""

    name = "usage"
    primary_keys: ClassVar[Sequence[str]] = ("usage_id", "provider")
    replication_key = "source_updated_at"

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        return session.usage_jobs(self.bookmarks)

"""The product: `meters`, `intervals` and `usage`, alike for every provider."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar, cast

from typing_extensions import override

from tap_utility_intervals import errors
from tap_utility_intervals.fetch_ahead import fetch_ahead
from tap_utility_intervals.limiter import Stopped
from tap_utility_intervals.progress import Progress
from tap_utility_intervals.providers.base import (
    Event,
    Finished,
    Job,
    Lost,
    Reached,
    Record,
    Rows,
    Session,
)
from tap_utility_intervals.report import Outcome, Report
from tap_utility_intervals.streams import PagedStream

if TYPE_CHECKING:
    from typing import Protocol

    class Sessions(Protocol):
        """What the unified streams need of the tap."""

        report: Report

        @property
        def sessions(self) -> Sequence[Session]:
            """The providers that are on, connected."""


class UnifiedStream(PagedStream):
    """One provider after the other; what fails at one never costs the others."""

    @property
    def run(self) -> Sessions:
        """The tap, as far as it concerns these streams."""
        return cast("Sessions", self._tap)

    @override
    def pages(self) -> Iterator[Sequence[Record]]:
        for session in self.run.sessions:
            if session.name in self.run.report.stopped:
                continue
            try:
                yield from self.read(session)
            except (errors.ProviderError, Stopped) as error:
                self.run.report.stop(session.name, error)
                session.close()

    @abstractmethod
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        """Read one provider.

        Raises:
            errors.ProviderError: when the provider as a whole cannot be read.
        """


class Meters(UnifiedStream):
    """One row for each meter that a provider lists in this run."""

    name = "meters"
    primary_keys: ClassVar[Sequence[str]] = ("meter_key", "provider")

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        yield from session.meters()


class SourceStream(UnifiedStream):
    """A stream with one bookmark for each source."""

    @abstractmethod
    def jobs(self, session: Session) -> Iterator[Job]:
        """The provider's work for this stream, in a fixed order."""

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        report = self.run.report
        report.expected = 0
        progress = Progress(f"{self.name} of {session.name}", self.logger)
        events = fetch_ahead(_perform, self.jobs(session), session.workers)
        with closing(progress), closing(events):
            for _, event in events:
                if isinstance(event, Rows):
                    yield event.rows
                    progress.add(rows=len(event.rows))
                else:
                    self._act_on(event, session)
                    progress.expected = report.expected
                    progress.add(sources=isinstance(event, (Finished, Lost)))

    def _act_on(self, event: Event, session: Session) -> None:
        """Store what was reached and note what became of a source."""
        report = self.run.report
        if isinstance(event, Reached):
            self.bookmarks.put(event.context, event.bookmark)
            self.state_manager.is_flushed = False
            self.offer_state()
        elif isinstance(event, Finished):
            report.add(session.name, source_id(event.context), Outcome.DONE)
        elif isinstance(event, Lost):
            gone = isinstance(event.error, errors.Gone)
            outcome = Outcome.GONE if gone else Outcome.FAILED
            report.add(session.name, source_id(event.context), outcome, event.error)


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


class Usage(SourceStream):
    """One row for each usage entry of a bill."""

    name = "usage"
    primary_keys: ClassVar[Sequence[str]] = ("usage_id", "provider")
    replication_key = "source_updated_at"

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        return session.usage_jobs(self.bookmarks)


def _perform(job: Job) -> Iterator[Event]:
    return job()


def source_id(context: dict[str, str] | object) -> str:
    """How a source is named to people: its context without the provider."""
    values = cast("dict[str, str]", context)
    return " ".join(value for name, value in values.items() if name != "provider")

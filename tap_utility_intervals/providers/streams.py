"""Streams that are read through sessions: what they have in common.

The unified streams ask every provider that is on; a provider-shaped one asks its own.
What fails at one source never costs another, and what fails at one provider never costs
the other one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.breaker import Upcoming, reason_of
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.fetch_ahead import fetch_ahead
from tap_utility_intervals.floor.limiter import Stopped
from tap_utility_intervals.floor.outcomes import Outcome, Report
from tap_utility_intervals.floor.producing import End
from tap_utility_intervals.floor.progress import Progress
from tap_utility_intervals.floor.side_by_side import side_by_side
from tap_utility_intervals.providers.base import (
    Context,
    Event,
    Finished,
    Job,
    Lost,
    Reached,
    Record,
    Rows,
    Session,
    Task,
)
from tap_utility_intervals.providers.own_shape import Shape
from tap_utility_intervals.singer.streams import PagedStream

if TYPE_CHECKING:
    from typing import Protocol

    from singer_sdk import Stream

    from tap_utility_intervals.floor.records import CoverageRecord
    from tap_utility_intervals.floor.tally import Tally

    class Sessions(Protocol):
        """What these streams need of the tap."""

        report: Report
        clock: Clock
        tally: Tally
        covered: list[CoverageRecord]
        """What this run has read so far; `coverage` writes it after `intervals`."""

        @property
        def streams(self) -> Mapping[str, Stream]:
            """All streams by name, selected or not."""

        @property
        def sessions(self) -> Sequence[Session]:
            """The providers that are on, connected."""


class RunStream(PagedStream):
    """A stream of what a run does."""

    @property
    def run(self) -> Sessions:
        """The tap, as far as it concerns these streams."""
        return cast("Sessions", self.tap)


class SessionStream(RunStream):
    """A stream of what providers have; what fails at one never costs the others."""

    provider: ClassVar[str | None] = None
    """The only provider that is asked; None for all that are on."""

    def asked(self) -> Iterator[Session]:
        """The providers to ask: those that were not given up."""
        for session in self.run.sessions:
            is_mine = self.provider in {None, session.name}
            if is_mine and session.name not in self.run.report.stopped:
                yield session

    @abstractmethod
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        """Read one provider.

        Raises:
            errors.ProviderError: when the provider as a whole cannot be read.
        """

    def give_up(self, session: Session, error: BaseException) -> None:
        """Note that a provider as a whole cannot be read; what is no such error, raise.

        Raises:
            BaseException: `error`, where it is no provider's fault.
        """
        if not isinstance(error, (errors.ProviderError, Stopped)):
            raise error
        self.run.report.stop(session.name, error)
        session.close()


class WholeStream(SessionStream):
    """One provider after the other, each read whole."""

    @override
    def pages(self) -> Iterator[Sequence[Record]]:
        for session in self.asked():
            try:
                for page in self.read(session):
                    yield page
                    self.run.tally.add(session.name, self.name, page)
            except (errors.ProviderError, Stopped) as error:
                self.give_up(session, error)


class SourceStream(SessionStream):
    """A stream with one bookmark for each source; providers are read side by side."""

    @abstractmethod
    def jobs(self, session: Session) -> Iterator[Job]:
        """The provider's work for this stream, in a fixed order."""

    @override
    def pages(self) -> Iterator[Sequence[Record]]:
        sessions = list(self.asked())
        self.run.report.expected.clear()
        assert self.bookmarks is not None  # noqa: S101 - made here: threads would make two
        found = side_by_side(lambda one: self._events(self.jobs(one), one), sessions)
        with closing(found):
            yield from self._acted_on(found, sessions, self.give_up)

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        return self.work_off(self.jobs(session), session)

    def work_off(
        self, upcoming: Iterator[Job], session: Session
    ) -> Iterator[Sequence[Record]]:
        """Do jobs of one provider in their order, several at once.

        Raises:
            errors.ProviderError: when the provider as a whole cannot be read.
        """
        found = side_by_side(lambda one: self._events(upcoming, one), [session])
        with closing(found):
            yield from self._acted_on(found, [session], _fail)

    def _acted_on(
        self,
        found: Iterator[tuple[Session, Event | End]],
        sessions: Sequence[Session],
        failed: Callable[[Session, BaseException], object],
    ) -> Iterator[Sequence[Record]]:
        """Do what events ask for, as they come; yields what is to be written."""
        names = " and ".join(session.name for session in sessions)
        progress = Progress(f"{self.name} of {names}", self.logger)
        with closing(progress):
            for session, event in found:
                if not isinstance(event, End):
                    yield from self._taken(event, session, progress)
                elif event.error is not None:
                    failed(session, event.error)

    def _events(
        self, upcoming: Iterator[Job], session: Session
    ) -> Generator[Event, None, None]:
        """What a provider's jobs bring, in order; nothing is acted on here.

        Raises:
            errors.ProviderError: when the provider as a whole cannot be read.
        """
        jobs, done = Upcoming(upcoming), 0
        breaker = self.run.report.breakers[session.name]
        events = fetch_ahead(lambda job: job(), jobs, session.workers)
        with closing(events):
            for _, event in events:
                yield event
                done += _is_end(event)
                if _is_end(event) and breaker.note(_error(event)):
                    done += yield from self._probe(jobs, session, done, _error(event))
                    breaker.confirm()

    def _taken(
        self, event: Event, session: Session, progress: Progress
    ) -> Iterator[Sequence[Record]]:
        """Do what an event asks for; yields what is to be written."""
        if isinstance(event, Rows):
            yield event.rows
            self.run.tally.add(session.name, self.name, event.rows)
            progress.add(rows=len(event.rows))
        else:
            self.act_on(event, session)
            progress.expected = self.run.report.expected.total()
            progress.add(sources=_is_end(event))

    def _probe(
        self,
        jobs: Upcoming[Job],
        session: Session,
        done: int,
        error: Exception | None,
    ) -> Generator[Event, None, int]:
        """Read the last source, far from those that were lost; it speaks for the rest.

        Returns:
            How many sources were read.

        Raises:
            errors.ProviderError: it was lost for the same reason.
        """
        probe = jobs.last()
        if probe is None:
            return 0
        self.logger.warning(
            "%s: several sources in a row were lost for one reason; one more is tried",
            session.name,
        )
        reasons = []
        for event in probe():
            yield event
            if _is_end(event):
                reasons.append(reason_of(_error(event)))
        is_same = {*reasons} == {reason_of(error)}
        if is_same and isinstance(error, errors.ProviderError):
            report = self.run.report
            left = report.expected[session.name] - done - len(reasons)
            report.leave_out(session.name, max(left, len(jobs)))
            raise error
        return len(reasons)

    def act_on(self, event: Event, session: Session) -> None:
        """Store what was reached and note what became of a source."""
        report = self.run.report
        if isinstance(event, Reached):
            self.bookmarks.put(event.context, event.bookmark)
            self.offer_state()
        elif isinstance(event, Finished):
            report.add(session.name, source_id(event.context), Outcome.DONE)
        elif isinstance(event, Lost):
            report.lose(session.name, source_id(event.context), event.error)


class PlannedStream(SourceStream):
    """A stream whose work is planned as data, and may be done in another process."""

    @abstractmethod
    def tasks(self, session: Session) -> Iterator[Task]:
        """What brings the stream up to date, in a fixed order."""

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        return (partial(session.read, task) for task in self.tasks(session))


class OwnStream(SessionStream):
    """A stream in its provider's own shape; not selected unless asked for."""

    selected_by_default = False

    @cached_property
    def shape(self) -> Shape:
        """Makes records of what the provider sends."""
        return Shape(self.schema, f"{self.provider}: {self.name}", self.run.report.warn)


class EntityStream(OwnStream, WholeStream):
    """A list that is read whole in each run."""

    @abstractmethod
    def entities(self, session: Session) -> Iterator[Iterable[Mapping[str, Any]]]:
        """The objects as sent, with the tap's own columns, page by page.

        An object may come twice; its first form counts.

        Raises:
            errors.ProviderError: when the list cannot be read; the others can.
        """

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        """Read one provider; a list that it does not give is one source lost."""
        try:
            yield from self.whole(session)
        except errors.SourceError as error:
            self.lose(session, error)

    def lose(self, session: Session, error: errors.ProviderError) -> None:
        """Note that the list could not be read."""
        self.run.report.lose(session.name, self.name, error)

    def whole(self, session: Session) -> Iterator[Sequence[Record]]:
        """The list as records, each key once.

        Raises:
            errors.BadAnswer: at the end, if there are objects without a key.
        """
        taken: set[str] = set()
        nameless = 0
        for page in self.entities(session):
            rows = []
            for record in map(self.shape, page):
                nameless += record is None
                key = str(record and record[self.primary_keys[0]])
                if record is not None and key not in taken:
                    taken.add(key)
                    rows.append(record)
            if rows:
                yield rows
        if nameless:
            problem = f"lists {nameless} objects without an id"
            raise errors.BadAnswer(session.name, self.name, problem=problem)


class OwnSourceStream(OwnStream, SourceStream):
    """A stream in its provider's own shape, with one bookmark for each source."""


def source_id(context: Context) -> str:
    """How a source is named to people: its context without the provider."""
    return " ".join(value for name, value in context.items() if name != "provider")


def _fail(_: Session, error: BaseException) -> NoReturn:
    raise error


def _is_end(event: Event) -> bool:
    return isinstance(event, (Finished, Lost))


def _error(event: Event) -> Exception | None:
    return event.error if isinstance(event, Lost) else None

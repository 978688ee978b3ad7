"""What a provider is: its settings, its streams, and the sources it reads.

A **source** is the unit with its own bookmark: a UtilityAPI meter, a Nectar connection
or company. A provider's session plans: it turns the old bookmarks into **tasks**, which
are data. Whichever session reads a task, on any thread or in another process, produces
the same **events**, in order. Only the thread that writes acts on events, so a bookmark
is stored after its rows are out, and never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias

from singer_sdk import Stream

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import (
    CoverageRecord,
    IntervalRecord,
    MeterRecord,
    UsageRecord,
)
from tap_utility_intervals.floor.tally import Traffic
from tap_utility_intervals.providers.bookmarks import short_hash
from tap_utility_intervals.providers.checkup import Checkup
from tap_utility_intervals.settings.shared import JSONSchema, Settings

Context: TypeAlias = Mapping[str, str]
"""The columns that name a source, such as `{"provider": …, "meter_key": …}`."""

Bookmark: TypeAlias = dict[str, Any]
"""What is remembered of a source between runs: JSON, small, free of personal data.

`replication_key_value` holds the furthest replication key; the rest is the provider's.
"""

Record: TypeAlias = (
    IntervalRecord | MeterRecord | UsageRecord | CoverageRecord | dict[str, Any]
)
"""A row: a dictionary where the columns are the provider's own."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one source, ready to be written."""

    rows: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Reached:
    """All rows up to here are produced: the source's bookmark from now on."""

    context: Context
    bookmark: Bookmark


@dataclass(frozen=True, slots=True)
class Covered:
    """What was read of a source; its rows are written after all of `intervals`."""

    rows: Sequence[CoverageRecord]


@dataclass(frozen=True, slots=True)
class Finished:
    """A source was read to its end; the last event of the source."""

    context: Context


@dataclass(frozen=True, slots=True)
class Lost:
    """A source could not be read whole; the last event of the source.

    Its bookmark stays; or it has moved before, and holds what is lacking.
    """

    context: Context
    error: Exception


Event: TypeAlias = Rows | Reached | Covered | Finished | Lost

Task: TypeAlias = Any
"""What is to be read of a source, or of a few that are asked for together.

Data, for the session that it was planned by or one like it in another process: small
enough to be sent there, and without credentials or what is personal. How it looks is
its provider's business.
"""

Job: TypeAlias = Callable[[], Iterator[Event]]
"""One piece of independent work: mostly, a session's `read` of a task.

A job never raises for a source that fails: it says `Lost` and goes on with the next.
It raises `errors.Unauthorized` when the credential itself is refused.
"""


def source_events(
    context: Context, events: Iterable[Rows | Reached | Covered]
) -> Iterator[Event]:
    """Yield a source's events and its end: `Finished`, or `Lost` if it failed.

    Raises:
        errors.ProviderError: what ends the whole provider, such as `Unauthorized`.
    """
    try:
        yield from events
    except errors.SourceError as error:
        yield Lost(context, error)
    else:
        yield Finished(context)


def held_back(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events of a source whose bookmark is to stay."""
    return (event for event in events if not isinstance(event, Reached))


def earlier_clock(started: datetime, server: datetime | None) -> datetime:
    """Return the run's start by the earlier of the local clock and the server's."""
    return started if server is None else min(started, server)


class Bookmarks(Protocol):
    """The stored bookmarks of one stream."""

    def get(self, context: Context) -> Bookmark | None:
        """The bookmark of a source, or None for one never read; O(1)."""

    def keep_only(self, provider: str, contexts: Iterable[Context]) -> None:
        """Forget this provider's sources that are not among these."""


class Session(Protocol):
    """One provider during one run: its client, its entity lists, its sources.

    Entity lists are read once per session however many streams ask.
    """

    name: str
    workers: int
    """How many jobs may run at once."""
    readers: int
    """Among how many processes its credential's budget may be shared."""
    traffic: Traffic

    def ping(self) -> None:
        """Ask one cheap question. Raises `errors.ProviderError`."""

    def meters(self) -> Iterator[Sequence[MeterRecord]]:
        """All meters, page by page. Raises `errors.ProviderError`."""

    def interval_tasks(self, bookmarks: Bookmarks) -> Iterator[Task]:
        """What brings `intervals` up to date, in a fixed order."""

    def usage_tasks(self, bookmarks: Bookmarks) -> Iterator[Task]:
        """What brings `usage` up to date, in a fixed order."""

    def read(self, task: Task) -> Iterator[Event]:
        """Read what was planned; see `Job`."""

    def close(self) -> None:
        """Let go of connections; waiting requests end with `limiter.Stopped`."""


@dataclass(frozen=True)
class Run:
    """What a session needs to know of the run it is part of."""

    config: Mapping[str, Any]
    """The whole configuration, checked; each provider reads its own settings of it."""
    settings: Settings
    report: Report
    started: datetime
    """The local clock at the start, UTC."""
    selected: AbstractSet[str] = frozenset()
    """The names of the streams that are synced: what they share is read once."""
    clock: Clock = field(default_factory=Clock)
    """Dates answers (`read_at`); goes on where the runs before have stopped."""
    shares: int = 1
    """Among how many processes each credential's budget is shared."""

    def listed(
        self,
        meters: Sequence[MeterRecord],
        named: Mapping[str, Sequence[str]],
        *,
        is_whole: bool,
    ) -> Sequence[MeterRecord]:
        """Write onto meters whose list they are of, so that others do not vanish.

        Args:
            meters: those of one page or list.
            named: setting to the only ids, or kinds, that were asked for.
            is_whole: False when the list may have fallen short.
        """
        said = {name: sorted({*ids}) for name, ids in named.items() if ids}
        listing = f"{' '.join(said)} {short_hash(said)}" if said else "all"
        for meter in meters:
            meter.credential_name = self.settings.credential_name
            meter.listing = listing if is_whole else None
        return meters


Examine: TypeAlias = Callable[[Run, timedelta], Checkup]
"""Examines a provider; newest intervals older than the given age are reported.

It never raises a `ProviderError`: what cannot be asked is a finding.
"""


@dataclass(frozen=True)
class Provider:
    """One data API: everything the tap needs to know of it."""

    name: str
    """As rows and settings have it: `utilityapi`."""
    title: str
    """As people call it: `UtilityAPI`."""
    credential: str
    """The setting that turns the provider on."""
    settings: Mapping[str, JSONSchema]
    check: Callable[[Mapping[str, Any], Settings], object]
    """Raises `errors.ConfigError` for a setting that cannot be used."""
    connect: Callable[[Run], Session]
    examine: Examine
    """What `utility-intervals doctor` runs."""
    streams: Sequence[type[Stream]] = ()
    """The provider-shaped streams; none is selected unless asked for."""
    narrowing: Sequence[str] = ()
    """Settings that name the only sources to read; of several the first counts."""
    upgrade: Callable[[str, Bookmark], Bookmark] = lambda _, bookmark: bookmark
    """Makes a bookmark of version 2 of one that a stream had in STATE version 1."""

"""What is to be read of a connection, or of a few that share an account."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tap_utility_intervals.providers.base import Context, Event, Run, held_back
from tap_utility_intervals.providers.http import Params
from tap_utility_intervals.providers.nectar.bookmarks import Mark, Terms
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.intervals.job import ConnectionJob, Wish
from tap_utility_intervals.providers.nectar.intervals.shared import merged
from tap_utility_intervals.providers.nectar.intervals.windows import Walk
from tap_utility_intervals.providers.nectar.mapping.intervals import Intervals


@dataclass(frozen=True)
class ConnectionTask:
    """The intervals of one connection; see `providers.base.Task`."""

    context: Context
    old: Mark | None
    terms: Terms
    wish: Wish
    to_record: Intervals
    filters: Params
    """What requests for only some kinds of meters hold."""

    def events(self, client: Client, run: Run) -> Iterator[Event]:
        """Read them."""
        wish = self.wish
        walk = Walk(
            client, self.to_record, self.filters, run.settings.window, wish.started
        )
        events = ConnectionJob(self.context, walk, self.old, self.terms, wish)()
        return events if wish.knows_meters else held_back(events)


@dataclass(frozen=True)
class SharedTask:
    """Connections that share accounts."""

    tasks: tuple[ConnectionTask, ...]
    accounts: AbstractSet[str]
    """Those that more than one of them has."""

    def events(self, client: Client, run: Run) -> Iterator[Event]:
        """Read one after the other; of readings with one key the newest alone."""
        events = (event for task in self.tasks for event in task.events(client, run))
        return merged(events, self.accounts)

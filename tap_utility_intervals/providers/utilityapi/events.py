"""Reading the events since the last run: they come newest first, without a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import (
    EARLIEST,
    earlier,
    micros_form,
    parse_instant,
)
from tap_utility_intervals.providers.base import (
    Bookmark,
    Context,
    Event,
    Reached,
    Rows,
    source_events,
)
from tap_utility_intervals.providers.bookmarks import short_hash
from tap_utility_intervals.providers.own_shape import Shape
from tap_utility_intervals.providers.utilityapi.bookmarks import EventBookmark
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.pages import Page
from tap_utility_intervals.providers.utilityapi.rules import Rules

CONTEXT: Context = {"provider": PROVIDER}
"""All events are one source."""


class EventJob:
    """The events of one run."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a reading is made of
        self,
        api: UtilityApi,
        shape: Shape,
        old: EventBookmark | None,
        rules: Callable[[], Rules],
        warn: Callable[[str], None],
        only: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            api: the API.
            shape: makes rows of events.
            old: the bookmark.
            rules: the rules of the run, known once the server has told its clock.
            warn: counts a warning.
            only: by attribute, the values of events that are wanted; the API has no
                such filter. Empty: of all.
        """
        self.api = api
        self.shape = shape
        self.only = {name: set(uids) for name, uids in only.items() if uids}
        chosen = {name: sorted(uids) for name, uids in self.only.items()}
        self._chosen = short_hash(chosen) if chosen else None
        # Of a list that was sifted otherwise, nothing is known.
        is_same = old is not None and old.only == self._chosen
        self.old = old if old and is_same else EventBookmark()
        self.rules = rules
        self.warn = warn
        self._newest = ""
        self._is_whole = True
        self._nameless = 0

    def events(self) -> Iterator[Event]:
        """The rows, the bookmark, and the end; see `providers.base.Job`."""
        yield from source_events(CONTEXT, self._read())

    def _read(self) -> Iterator[Rows | Reached]:
        try:
            yield from self._rows()
        except errors.Gone:
            self.warn(f"{PROVIDER}: /events is not offered; it is empty")
            return
        if self._nameless:
            problem = f"lists {self._nameless} events without an id"
            raise errors.BadAnswer(PROVIDER, "/events", problem=problem)
        yield Reached(CONTEXT, self._bookmark())

    def _rows(self) -> Iterator[Rows]:
        """Page by page, to the first one that is older than what is wanted."""
        taken: set[str] = set()
        stamps: list[str] = []
        for page in self.api.listing("/events"):
            # A page that does not say whether there is another may hide the rest.
            self._is_whole &= not page.is_open_ended
            rows = self._fresh(page, taken)
            stamps += [row["ts"] for row in rows if row["ts"]]
            start, end = micros_form(self._start), micros_form(self.rules().end)
            # One without a readable time is never too old.
            wanted = [
                row
                for row in rows
                if start <= (row["ts"] or start) < end and self._is_wanted(row)
            ]
            if wanted:
                self._note(wanted)
                yield Rows(wanted)
            is_older = rows and all(row["ts"] and row["ts"] < start for row in rows)
            if is_older and stamps == sorted(stamps, reverse=True):
                return

    def _is_wanted(self, row: Mapping[str, Any]) -> bool:
        return all(row.get(name) in uids for name, uids in self.only.items())

    def _fresh(self, page: Page, taken: set[str]) -> list[dict[str, Any]]:
        """Each event once, although the list may have begun again."""
        shaped = [self.shape(cast("dict[str, Any]", item)) for item in page.items]
        self._nameless += shaped.count(None)
        rows = [row for row in shaped if row and row["uid"] not in taken]
        taken.update(row["uid"] for row in rows)
        return rows

    def _note(self, rows: list[dict[str, Any]]) -> None:
        now = micros_form(self.rules().now)
        stamps = [row["ts"] for row in rows if row["ts"] and row["ts"] <= now]
        self._newest = max([*stamps, self._newest])

    @property
    def _start(self) -> datetime:
        """From when on events are wanted: the look-back, or all if more is asked."""
        wanted, old = self.rules().start_date or EARLIEST, self.old
        if old.newest is None or wanted < (old.since or EARLIEST):
            return wanted
        return max(earlier(old.newest, self.rules().lookback), wanted)

    def _bookmark(self) -> Bookmark:
        is_news = self._is_whole and self._newest
        known = [self.old.newest, parse_instant(self._newest) if is_news else None]
        newest = max(filter(None, known), default=None)
        return EventBookmark(newest, self.rules().start_date, self._chosen).state()

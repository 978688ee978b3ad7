"""Asking Nectar: lists page by page, several pages at once, and whole or not at all.

Nectar promises no order, and a list may change while it is paged through; then a row is
seen twice and another one not at all. A `Census` tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from singer_sdk.pagination import PageNumberPaginator
from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.limiter import Stopped
from tap_utility_intervals.providers.http import Params, Transport
from tap_utility_intervals.providers.nectar.census import Census
from tap_utility_intervals.providers.nectar.objects import (
    Entity,
    Page,
    entity_page,
    one_entity,
    text,
)

if TYPE_CHECKING:
    from tap_utility_intervals.floor.outcomes import Report

T = TypeVar("T")
Result = TypeVar("Result")

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 4.0)
"""Seconds after each attempt to read a list whole: what changes it may be done then."""
BARE = ("companies", "connections")
"""Lists that come without an envelope: the one always, the other in early versions."""
MOST_PAGES = 10_000
"""Of one list; a million rows. Only a list that says nothing of its length gets there.
"""
A_PAGE = 100
"""Rows of a full page, fixed by Nectar: nectar.md#lists."""
PAGES_AHEAD = 16
"""How many pages of one list may be asked for, or wait, beyond the one in hand."""


class PageNumber(PageNumberPaginator):
    """Walks the decoded envelopes (`Page`) of

        {"totalMeters": 123, "perPage": 100, "totalPages": 2, "currentPage": 1,
         "hasNext": true, "hasPrevious": false, "meters": [...]}

    until `hasNext` is false. Beyond its last page Nectar answers with the last one
    again (nectar.md#lists), so a page that is not the one asked for ends the walk, too.
    A bare array, as companies come, is its own last page.
    """  # noqa: D415

    def __init__(self) -> None:
        """Begin at page 1."""
        super().__init__(1)

    @override
    def has_more(self, response: Page[T]) -> bool:  # type: ignore[override]
        return response.has_next and not self.is_repeated(response)

    def is_repeated(self, page: Page[T]) -> bool:
        """Whether the server sent another page than the one asked for."""
        return page.number is not None and page.number != self.current_value


class Client:
    """Everything this provider asks of Nectar; safe to share between threads."""

    def __init__(self, transport: Transport, report: Report, workers: int) -> None:
        """Prepare; nothing is sent yet."""
        self.transport = transport
        self.report = report
        self.workers = workers
        self.reader = ""
        self.is_sure = {"/company": True, "/connection": True}
        """Whether all companies and connections were listed, as far as one can tell."""
        self._pages = ThreadPoolExecutor(workers, "nectar-page")

    def reading_as(self, reader: str) -> Client:
        """The same client, asking for a stream; see `providers.spool`."""
        client = copy(self)
        client.reader = reader
        return client

    def close(self) -> None:
        """Drop what waits, and wake what sleeps."""
        self.transport.close()
        self._pages.shutdown(wait=False, cancel_futures=True)

    def each(
        self, ask: Callable[[T], Result], subjects: Sequence[T]
    ) -> Sequence[Result]:
        """Ask for one thing of each subject; may be called while asking for lists."""
        return list(self._pages.map(ask, subjects))

    def error(
        self, path: str, problem: str, source: str | None = None
    ) -> errors.BadAnswer:
        """The error for what a list or an object is like."""
        provider = self.transport.endpoint.provider
        return errors.BadAnswer(provider, path, source=source, problem=problem)

    def get(self, path: str, source: str | None = None) -> Entity:
        """One object."""
        return self.transport.get(path, decode=one_entity, source=source)

    def page(
        self,
        path: str,
        params: Params,
        number: int,
        decode: Callable[[bytes], Page[T]],
        source: str | None = None,
    ) -> Page[T]:
        """One page of a list."""
        numbered = [*params, ("page", str(number))]
        page = self.transport.get(
            path, numbered, decode=decode, source=source, reader=self.reader
        )
        return replace(page, read_at=self.transport.clock.now())

    def pages(
        self,
        path: str,
        params: Params,
        decode: Callable[[bytes], Page[T]],
        source: str | None = None,
        first: Page[T] | None = None,
    ) -> Generator[Page[T], None, None]:
        """All pages of a list, in order; those after the first are asked for ahead.

        Ends early, without the page, when the server repeats one.
        """
        paginator = PageNumber()
        ahead: deque[Future[Page[T]]] = deque()
        asked = 1
        page = first or self.page(path, params, 1, decode, source)
        if paginator.is_repeated(page):
            problem = "sent another page than the first, which was asked for"
            raise self.error(path, problem, source)
        try:
            while not paginator.is_repeated(page):
                yield page
                paginator.advance(page)  # type: ignore[arg-type]
                if paginator.finished:
                    return
                if paginator.current_value > MOST_PAGES:
                    problem = f"sent {MOST_PAGES} pages of a list, and has more"
                    raise self.error(path, problem, source)
                while asked < (page.pages or 0) and len(ahead) < PAGES_AHEAD:
                    asked += 1
                    ahead.append(self._ask(path, params, asked, decode, source))
                if ahead:
                    page = _answer(ahead.popleft())
                else:
                    asked = paginator.current_value
                    page = self.page(path, params, asked, decode, source)
        finally:
            for future in ahead:
                future.cancel()

    def _ask(
        self,
        path: str,
        params: Params,
        number: int,
        decode: Callable[[bytes], Page[T]],
        source: str | None,
    ) -> Future[Page[T]]:
        """Ask for a page in another thread."""
        ask = partial(self.page, path, params, number, decode, source)
        try:
            return self._pages.submit(ask)
        except RuntimeError:  # closed meanwhile
            raise Stopped from None

    def entities(self, path: str, name: str, params: Params = ()) -> list[Entity]:
        """A whole list of objects, each id once, in the order of the listing.

        Raises:
            errors.BadAnswer: when it never stood still.
        """
        total = f"total{name[0].upper()}{name[1:]}"
        decode = entity_page(name, total, is_bare=name in BARE)
        for census in self.attempts(path):
            found: dict[str, Entity] = {}
            for page, names in self.counted(census, self.pages(path, params, decode)):
                found |= {n: row for n, row in zip(names, page.items, strict=True) if n}
        self._tell_of_odd(path, name, census)
        return list(found.values())

    def attempts(self, path: str, source: str | None = None) -> Iterator[Census]:
        """Yield a census for each attempt to read a list, until one finds it whole.

        Raises:
            errors.BadAnswer: when it never stood still.
        """
        before: Census | None = None
        for pause in PAUSES:
            census = Census()
            yield census
            if census.is_whole(before):
                return
            before = census
            self.transport.limiter.sleep(pause)
        problem = f"kept changing a list while it was read, {len(PAUSES)} times"
        raise self.error(path, problem, source)

    @staticmethod
    def counted(
        census: Census, pages: Generator[Page[Entity], None, None]
    ) -> Iterator[tuple[Page[Entity], list[str]]]:
        """Count pages; each with the ids on it, "" for a row that has none."""
        with closing(pages):
            for page in pages:
                names = [text(row.get("id")) or "" for row in page.items]
                census.count(page.total, names)
                yield page, names
                if census.is_endless:
                    return

    def _tell_of_odd(self, path: str, name: str, census: Census) -> None:
        """Say what is odd about a list, which is then not taken for the whole of it."""
        if census.nameless:
            self.lose_nameless(path, name, census.nameless)
        elif census.rows == 0 and census.total is None:
            # A list of companies, or of connections as an early version sends them.
            self.report.warn(f"nectar: an empty array came for a list ({path})")
        else:
            return
        self.is_sure[f"/{path.split('/')[1]}"] = False

    def lose_nameless(self, path: str, name: str, count: int) -> None:
        """Report objects without an id: nobody could ask for what belongs to them."""
        error = self.error(path, f"lists {count} {name} without an id")
        self.report.lose(error.provider, f"{name} without an id ({path})", error)


def _answer(asked: Future[T]) -> T:
    """What was asked for; the session may have been closed meanwhile."""
    try:
        return asked.result()
    except CancelledError:
        raise Stopped from None

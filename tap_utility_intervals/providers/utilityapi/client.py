"""UtilityAPI v2 over HTTP (https://utilityapi.com/docs/api).

Reads only. Collecting data costs money and is nothing that a tap does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlparse

from singer_sdk.pagination import BaseHATEOASPaginator
from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import seconds_form
from tap_utility_intervals.providers.http import Params, Transport
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.pages import (
    Page,
    intervals_page,
    page_of,
)

T = TypeVar("T")

UIDS_PER_URL = 100
"""How many uids a filter holds at most: servers do not take endless URLs."""

MOST_BARREN_PAGES = 100
"""Pages without an object, one after the other, before a listing is given up."""

MOST_PAGES = 10_000
"""Of one listing, before it is given up: a server may find a further page always."""

MOST_REPEATS = 3
"""Pages with the very blocks of the page before, in turn, before a listing is begun
again: a block may be listed twice, and the meter list tells whether all came."""

NAMED = 5
"""How many meters an error names."""

LISTINGS = 5
"""How often a listing may begin again, its cursor having grown stale."""


class NextLink(BaseHATEOASPaginator):
    """Follows `{"meters": […], "next": "https://…/meters?after=234"}`, null at the end.

    It walks decoded pages rather than responses, so that a body is decoded once. A link
    that leaves the configured origin, or that was followed before, is an error; and so
    is a list without an end.
    """

    def __init__(
        self, transport: Transport, path: str, source: str | None = None
    ) -> None:
        """Begin before the first page of `path`, which is asked about a source."""
        super().__init__()
        self._transport = transport
        self._path = path
        self._source = source
        self._seen: set[str] = set()
        self._barren = 0

    @override
    def get_next_url(self, response: Page) -> str | None:  # type: ignore[override]
        link = response.next
        if not link:
            return None
        try:
            # Two texts may be one URL: a line break in it counts for nothing.
            url = urlparse(link).geturl()
        except ValueError:
            url = ""
        if not url:
            raise self._unsafe("sent a next link that is no link")
        if url in self._seen:
            raise self._unsafe("sent a next link for the second time")
        self._seen.add(url)
        if len(self._seen) >= MOST_PAGES:
            provider, problem = self._transport.endpoint.provider, "goes on without end"
            raise errors.Unavailable(
                provider, self._path, source=self._source, problem=problem
            )
        self._barren = 0 if response.items else self._barren + 1
        if self._barren > MOST_BARREN_PAGES:
            raise self._unsafe("sent one empty page after the other")
        return url

    def _unsafe(self, problem: str) -> errors.UnsafeLink:
        provider = self._transport.endpoint.provider
        return errors.UnsafeLink(
            provider, self._path, source=self._source, problem=problem
        )


class ListingEnded(Exception):  # noqa: N818 - not an error: the cursor grew stale
    """A `next` link is refused: the object it begins after is no longer there.

    Or it leads to the page before it once more.
    """

    def __init__(self, path: str, source: str | None, status: int | None) -> None:
        """Know what to say if it happens again and again."""
        super().__init__(path)
        self._about = path, source, status

    def error(self) -> errors.ProviderError:
        """What it comes to if every attempt ends so."""
        path, source, status = self._about
        problem = "ended the same listing again and again"
        return errors.Unavailable(
            PROVIDER, path, status=status, source=source, problem=problem
        )


class UtilityApi:
    """The lists that the tap reads, page by page."""

    def __init__(
        self,
        transport: Transport,
        reader: str = "",
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Ask through `transport`.

        Args:
            transport: the way to UtilityAPI.
            reader: for whom; see `providers.spool`.
            warn: counts a warning.
        """
        self.transport = transport
        self.reader = reader
        self.warn = warn
        self.open_ended: set[str] = set()
        """Lists that did not say whether they were whole."""
        self.refuses_limits = False
        """Whether a list was given without a `limit`, and refused with one."""

    def meters(
        self, uids: list[str] | None = None, authorizations: list[str] | None = None
    ) -> Iterator[Page]:
        """All meters, or those named, newest first.

        A meter comes again when the list had to begin again.
        """
        filters = [("uids", uids), ("authorizations", authorizations)]
        yield from self.listing("/meters", filters)

    def listing(
        self, path: str, filters: Sequence[tuple[str, list[str] | None]] = ()
    ) -> Iterator[Page]:
        """Every page of a list, such as `/events`, under filters if they are set.

        An object comes again when the list had to begin again.
        """
        plural = path.rpartition("/")[2].replace("-", "_")
        for params in _chunked(list(filters)):
            yield from persistent(partial(self.pages, path, params, page_of(plural)))

    def bills(self, meters: list[str], expected: int | None = None) -> Iterator[Page]:
        """All bills of these meters, oldest first; `expected` as for `intervals`.

        Without dates: the filter takes only bills that lie whole inside it.
        """
        params = [("meters", _joined("meters", meters)), ("order", "earliest_first")]
        decode = page_of("bills")
        yield from self._roomy("/bills", params, decode, _named(meters), expected)

    def intervals(  # noqa: PLR0913 - what the API takes
        self,
        meters: list[str],
        start: datetime | None = None,
        *,
        end: datetime | None = None,
        allow_mixed: bool = False,
        limit: int | None = None,
        expected: int | None = None,
    ) -> Iterator[Page]:
        """The Interval objects of these meters, oldest first, still encoded.

        Args:
            meters: uids; at least one, for the API refuses to list all.
            start: ask for objects or readings from here on; which of the two the API
                means is not documented (see `start_filter`).
            end: and up to here; the same holds.
            allow_mixed: readings of every length, not only the meter's main one.
            limit: Interval objects a page.
            expected: so many if the API takes that; it may send fewer, or refuse.
        """
        params = [("meters", _joined("meters", meters)), ("order", "earliest_first")]
        if start is not None:
            params.append(("start", seconds_form(start)))
        if end is not None:
            params.append(("end", seconds_form(end)))
        if allow_mixed:
            params.append(("allow_mixed", "true"))
        if limit is not None:
            params.append(("limit", str(limit)))
        named = _named(meters)
        yield from self._roomy("/intervals", params, intervals_page, named, expected)

    def _roomy(
        self,
        path: str,
        params: Params,
        decode: Callable[[bytes], Page],
        source: str,
        expected: int | None,
    ) -> Iterator[Page]:
        """Pages as large as is expected, or else as the API makes them by itself."""
        asks = expected is not None and not self.refuses_limits
        if asks:
            limited = [*params, ("limit", str(expected))]
            try:
                yield from self.pages(path, limited, decode, source)
            except errors.BadRequest:
                pass  # of the first page; perhaps it was the limit
            else:
                return
        for page in self.pages(path, params, decode, source):
            self.refuses_limits |= asks
            yield page

    def pages(
        self,
        path: str,
        params: Params,
        decode: Callable[[bytes], Page],
        source: str | None = None,
    ) -> Iterator[Page]:
        """Every page of a list.

        Raises:
            ListingEnded: when a `next` link is refused although the list was not.
            errors.ProviderError: as `Transport.get`.
        """
        paginator, repeats = NextLink(self.transport, path, source), 0
        chosen: Any = {"decode": decode, "source": source, "reader": self.reader}
        page = self._whole(path, partial(self.transport.get, path, params, **chosen))
        while True:
            page.read_at = self.transport.clock.now()
            try:
                yield page
            finally:
                page.close()
            paginator.advance(page)  # type: ignore[arg-type]
            link: Any = paginator.current_value
            if paginator.finished or link is None:
                return
            before = page
            follow = partial(self.transport.follow, link.geturl(), page=path, **chosen)
            try:
                page = self._whole(path, follow)
                if _repeats(page, before) and path == "/intervals":
                    page = self._whole(path, follow)
            except (errors.Gone, errors.BadRequest) as error:
                raise ListingEnded(path, source, error.status) from error
            repeats = repeats + 1 if _repeats(page, before) else 0
            if repeats > (MOST_REPEATS if path == "/intervals" else 0):
                # The one that belongs here did not come, and its successor would.
                raise ListingEnded(path, source, None)

    def _whole(self, path: str, ask: Callable[[], Page]) -> Page:
        """A page that says whether there is another; if it never does, it is the last.

        `next` is documented to be null at the end. Interval objects were seen without;
        of them, the listed coverage tells whether all came.
        """
        page = ask()
        if page.is_open_ended and path != "/intervals":
            page = ask()
            if page.is_open_ended:
                self.open_ended.add(path)
                self.warn(f"a page of {path} lacks next and was taken for the last one")
        return page


def _repeats(page: Page, before: Page) -> bool:
    """Whether a page holds what the one before held, and leads on."""
    is_same = bool(page.items) and page.items == before.items
    return is_same and page.next != before.next


def persistent(
    begin: Callable[[], Iterator[T]], restart: Callable[[], object] = lambda: None
) -> Iterator[T]:
    """Walk a listing, from its beginning again when its cursor dies on the way.

    Args:
        begin: gives the listing's pages, or what is made of them, from the first on.
        restart: forgets what came before, as it comes once more.

    Raises:
        errors.ProviderError: when it does not come to an end in several attempts.
    """
    for attempt in range(LISTINGS):
        try:
            yield from begin()
        except ListingEnded as ended:
            if attempt == LISTINGS - 1:
                raise ended.error() from None
            restart()
        else:
            return


def _named(meters: list[str]) -> str:
    """What errors call a few meters."""
    if len(meters) == 1:
        return f"meter {meters[0]}"
    more = f" and {len(meters) - NAMED} more" if len(meters) > NAMED else ""
    return f"meters {', '.join(meters[:NAMED])}{more}"


def _joined(name: str, uids: Sequence[str]) -> str:
    """A list as the API takes it.

    Raises:
        errors.BadRequest: when a uid holds a comma, and would name others.
    """
    odd = next((uid for uid in uids if "," in uid), None)
    if odd is not None:
        problem = "has a uid with a comma, by which others would be asked for"
        source = f"meter {odd}" if name == "meters" else odd
        raise errors.BadRequest(PROVIDER, f"/{name}", source=source, problem=problem)
    return ",".join(uids)


def _chunked(filters: list[tuple[str, list[str] | None]]) -> Iterator[Params]:
    """Query parameters for filters, the long ones cut to what a URL takes."""
    params: list[tuple[str, str]] = []
    for name, values in filters:
        if not values:
            continue
        if len(values) > UIDS_PER_URL:
            for begin in range(0, len(values), UIDS_PER_URL):
                some = values[begin : begin + UIDS_PER_URL]
                rest = [(n, v) for n, v in filters if n != name]
                yield from _chunked([(name, some), *rest])
            return
        params.append((name, _joined(name, values)))
    yield params

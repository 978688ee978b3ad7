"""Where the matrix strikes, what strikes there, and how a run is judged."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests

from tap_utility_intervals.providers import connections
from tap_utility_intervals.sandbox import Sandbox
from tests.hostile.worlds import COMPANIES, CONNECTIONS
from tests.oracle import KEYS, UNIFIED, Row
from tests.syncing import Run, sync
from tests.tap.resuming import OF_RUNS, undated

REFUSING = 9
"""A port on which nobody listens."""


@dataclass(frozen=True)
class Place:
    """A kind of endpoint, of one source where there are several."""

    name: str
    provider: str
    path: str
    items: str
    """The member that holds the list."""
    query: str = ""
    source: str = ""
    """What an error must name, beside the endpoint."""
    strikes: tuple[str, ...] = ()
    """Sources whose bookmarks need not move; none: all, for lists of all sources."""
    stream: str = ""
    is_later: bool = False
    is_bare: bool = False

    @property
    def rule(self) -> dict[str, Any]:
        """What a fault needs to strike here."""
        return {"provider": self.provider, "path": self.path, "query": self.query}

    @property
    def endpoint(self) -> str:
        """What an error must call it."""
        return re.sub(r"^\^/[^/]+(/v2)?|\$$", "", self.path)


def _utilityapi(name: str, path: str, **more: Any) -> Place:
    path, items = f"^/api/v2{path}$", path[1:]
    return Place(name, "utilityapi", path, items, **more)


def _nectar(name: str, path: str, items: str, **more: Any) -> Place:
    return Place(name, "nectar", f"^/v2.2{path}$", items, **more)


FIRST, LATER = r"^(?!.*after=)", r"after="
PLACES = (
    _utilityapi("meters", "/meters", query=FIRST),
    _utilityapi("meters, next page", "/meters", query=LATER, is_later=True),
    _utilityapi(
        "intervals",
        "/intervals",
        query=FIRST + r".*meters=[^&]*101",
        source="101",
        strikes=("101",),
        stream="intervals",
    ),
    _utilityapi(
        "intervals, next page",
        "/intervals",
        query=r"^(?=.*after=).*meters=[^&]*101",
        source="101",
        strikes=("101",),
        stream="intervals",
        is_later=True,
    ),
    _utilityapi(
        "bills",
        "/bills",
        query=FIRST + r".*meters=[^&]*101",
        source="101",
        strikes=("101",),
        stream="usage",
    ),
    _utilityapi(
        "bills, next page",
        "/bills",
        query=r"^(?=.*after=).*meters=[^&]*101",
        source="101",
        strikes=("101",),
        stream="usage",
        is_later=True,
    ),
    _nectar("companies", "/company", "", is_bare=True),
    _nectar(
        "connections",
        f"/connection/company/{COMPANIES[0]}",
        "connections",
        source=COMPANIES[0],
        strikes=(COMPANIES[0], CONNECTIONS[0]),
    ),
    _nectar(
        "meters",
        f"/meter/company/{COMPANIES[0]}",
        "meters",
        source=COMPANIES[0],
        strikes=(COMPANIES[0], CONNECTIONS[0]),
    ),
    _nectar(
        "intervals, count and first page",
        f"/interval/connection/{CONNECTIONS[0]}",
        "intervals",
        query="(^|&)page=1(&|$)",
        source=CONNECTIONS[0],
        strikes=(CONNECTIONS[0],),
        stream="intervals",
    ),
    _nectar(
        "intervals, later page",
        f"/interval/connection/{CONNECTIONS[0]}",
        "intervals",
        query="(^|&)page=2(&|$)",
        source=CONNECTIONS[0],
        strikes=(CONNECTIONS[0],),
        stream="intervals",
        is_later=True,
    ),
    _nectar(
        "usage",
        f"/usage/company/{COMPANIES[0]}",
        "usageData",
        source=COMPANIES[0],
        strikes=(COMPANIES[0],),
        stream="usage",
    ),
)

Make = Callable[[Place], Mapping[str, Any] | None]
"""What a fault does at a place; None where it makes no sense."""

HTML = "<html><body>Something is wrong</body></html>"
NESTED = "[" * 100_000


def _answer(status: int, body: str = "", **headers: str) -> Make:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: {"status": status, "body": body, "headers": sent}


def _kind(kind: str, **more: Any) -> Make:
    return lambda _: {"kind": kind, **more}


def _wrong_kind(place: Place) -> Mapping[str, Any]:
    return {"status": 200, "body": "{}" if place.is_bare else "[]"}


def _missing(place: Place) -> Mapping[str, Any]:
    if place.is_bare:
        return {"status": 200, "body": '[{"name": "without an id"}]'}
    return {"kind": "change", "lacking": [place.items]}


def _missing_link(place: Place) -> Mapping[str, Any] | None:
    if place.is_bare:
        return None
    return {"kind": "change", "lacking": ["next", "hasNext", "totalPages"]}


def _null(place: Place) -> Mapping[str, Any]:
    if place.is_bare:
        return {"status": 200, "body": "null"}
    return {"kind": "change", "members": {place.items: None}}


def _repeat(place: Place) -> Mapping[str, Any] | None:
    return {"kind": "repeat"} if place.is_later else None


def _repeat_in_disguise(place: Place) -> Mapping[str, Any] | None:
    own = ["next", "currentPage", "totalPages", "hasNext", "hasPrevious"]
    return {"kind": "repeat", "keeping": own} if place.is_later else None


def _loop(place: Place) -> Mapping[str, Any] | None:
    if place.is_bare:
        return None
    back = {"next": "{self}"} if place.provider == "utilityapi" else {"hasNext": True}
    return {"kind": "change", "members": back}


def _total(place: Place) -> Mapping[str, Any] | None:
    if place.is_bare or place.provider == "utilityapi":
        return None
    total = f"total{place.items[0].upper()}{place.items[1:]}"
    return {"kind": "change", "members": {total: "+1"}}


FAULTS: dict[str, Make] = {
    "202 with Retry-After": _answer(202, Retry_After="5"),
    "400": _answer(400, '{"error": "invalid_param", "detail": "no"}'),
    "401": _answer(401, '{"error": "unauthorized"}'),
    "402": _answer(402, '{"error": "payment_required"}'),
    "403": _answer(403, '{"detail": "no"}'),
    "404": _answer(404, '{"detail": "no"}'),
    "429 with seconds": _answer(429, Retry_After="7"),
    "429 with a date": _answer(429, Retry_After="now+7"),
    "429 without a header": _answer(429),
    "429, a storm of 50": lambda _: {"status": 429, "times": 50},
    "500": _answer(500, '{"detail": "no"}'),
    "502 with HTML": _answer(502, HTML),
    "503": _answer(503),
    "504": _answer(504, HTML),
    "connection refused": _kind("refuse"),
    "reset before headers": _kind("reset"),
    "reset in the body": _kind("reset_in_body"),
    "truncated JSON": _kind("truncate"),
    "a list for an object, or the reverse": _wrong_kind,
    "a missing key": _missing,
    "no word of a next page": _missing_link,
    "null for the list": _null,
    "an empty body with 200": _answer(200),
    "200 with HTML": _answer(200, HTML),
    "gzip garbage": _kind("garbage"),
    "JSON nested 100,000 deep": _answer(200, NESTED),
    "slower than the time-out": _kind("slow", seconds=3),
    "a body of 200 MB": _kind("flood"),
    "a page that repeats": _repeat,
    "a page that repeats under the next one's name": _repeat_in_disguise,
    "a next link in a circle": _loop,
    "a total that changes": _total,
}
ONLY_ONCE = {"429, a storm of 50"}


@dataclass
class Told:
    """A run, and what it said."""

    run: Run
    said: list[logging.LogRecord]

    @property
    def complaints(self) -> str:
        """What the log holds beyond information."""
        grave = [r for r in self.said if r.levelno >= logging.WARNING]
        return "\n".join(record.getMessage() for record in grave)

    @cached_property
    def rows(self) -> dict[str, dict[tuple[Any, ...], Row]]:
        """Rows by stream and key; a key that comes twice is an error."""
        found: dict[str, dict[tuple[Any, ...], Row]] = {}
        for stream in {*UNIFIED} - {OF_RUNS}:
            rows = found.setdefault(stream, {})
            for row in self.run.rows(stream):
                key = tuple(row[name] for name in KEYS[stream])
                assert key not in rows, f"twice in one run: {key}"
                rows[key] = undated(row)
        return found

    @property
    def marks(self) -> dict[tuple[Any, ...], Row]:
        """Bookmarks by stream and context."""
        streams = self.run.state.get("bookmarks", {})
        return marks_of(streams)


def marks_of(streams: Mapping[str, Any]) -> dict[tuple[Any, ...], Row]:
    """Bookmarks by stream and context."""
    return {
        (stream, *sorted(mark["context"].items())): mark
        for stream, state in streams.items()
        for mark in state.get("partitions", ())
    }


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record)


def told(settings: Mapping[str, Any], state: Mapping[str, Any] | None = None) -> Told:
    """Sync, and listen."""
    listener = _Listener()
    logger = logging.getLogger("tap-utility-intervals")
    logger.addHandler(listener)
    try:
        run = sync(settings, state)
        run.tap.report.summarise()
    finally:
        logger.removeHandler(listener)
    return Told(run, listener.heard)


@contextmanager
def struck(
    sandbox: Sandbox, place: Place, fault: Mapping[str, Any], times: int | None
) -> Iterator[Callable[[], int]]:
    """The fault at the place, for so many requests; gives how many it struck."""
    if fault.get("kind") == "refuse":
        with asking(place, times, _refused) as count:
            yield count
        return
    rule = sandbox.faults.add(**{"times": times, **place.rule, **fault})
    patience = _impatient if fault.get("kind") == "slow" else _as_it_is
    try:
        with asking(place, times, patience):
            yield lambda: rule.struck
    finally:
        sandbox.faults.clear()


Ask = tuple[str, dict[str, Any]]


def _refused(url: str, options: dict[str, Any]) -> Ask:
    """To a port where nobody listens, so that the system refuses."""
    return url.replace(urlsplit(url).netloc, f"127.0.0.1:{REFUSING}"), options


def _impatient(url: str, options: dict[str, Any]) -> Ask:
    """For less time than the server takes; whom it does not strike has as long as ever.

    A busy machine is slow, too.
    """
    return url, {**options, "timeout": 0.2}


def _as_it_is(url: str, options: dict[str, Any]) -> Ask:
    return url, options


@contextmanager
def asking(
    place: Place, times: int | None, how: Callable[[str, dict[str, Any]], Ask]
) -> Iterator[Callable[[], int]]:
    """Requests at a place are sent otherwise, so many of them; gives their number."""
    healthy, seen = requests.Session.get, 0

    def get(
        self: requests.Session, url: str | bytes, **options: Any
    ) -> requests.Response:
        nonlocal seen
        text = str(url)
        parts = urlsplit(text)
        here = re.search(place.path, parts.path) and re.search(place.query, parts.query)
        if here and (times is None or seen < times):
            seen += 1
            text, options = how(text, options)
        return healthy(self, text, **options)

    connections._Session.get = get  # type: ignore[method-assign]
    try:
        yield lambda: seen
    finally:
        del connections._Session.get

"""A server of one meter or a few that says what a test makes it say.

The sandbox behaves as the vendor's documents allow. This one lists what is not there,
hides what is, and answers in any order.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.oracle import Row, by_key
from tests.providers.reading import selecting
from tests.syncing import Run, sync

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
QUARTER = timedelta(minutes=15)

Block = dict[str, Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def block(
    begin: datetime,
    end: datetime,
    value: float = 1,
    updated: datetime | None = None,
    uid: str = "1",
    step: timedelta = QUARTER,
) -> Block:
    """An Interval object over `[begin, end)`, its readings newest first."""
    readings = []
    while begin < end:
        last, begin = begin, begin + step
        point = {"type": "fwd", "unit": "kwh", "value": value}
        times = {"start": stamp(last), "end": stamp(begin)}
        readings.append({**times, "kwh": value, "datapoints": [point]})
    readings.reverse()
    return {
        "uid": f"{uid}-{readings[0]['end']}-{readings[-1]['start']}",
        "meter_uid": uid,
        "authorization_uid": "9",
        "created": stamp(end),
        "updated": stamp(updated or end),
        "readings": readings,
    }


def days(begin: datetime, end: datetime, length: int = 1, **more: Any) -> list[Block]:
    """Interval objects of so many days each."""
    found = []
    while begin < end:
        until = min(begin + timedelta(days=length), end)
        found.append(block(begin, until, **more))
        begin = until
    return found


def first(one: Block) -> datetime:
    return at(one["readings"][-1]["start"])


def last(one: Block) -> datetime:
    return at(one["readings"][0]["end"])


Filter = Callable[[Sequence[Block], datetime, datetime], list[Block]]


def contain(blocks: Sequence[Block], start: datetime, end: datetime) -> list[Block]:
    """Only objects that lie whole inside."""
    return [one for one in blocks if first(one) >= start and last(one) <= end]


def overlap(blocks: Sequence[Block], start: datetime, end: datetime) -> list[Block]:
    return [one for one in blocks if first(one) < end and last(one) > start]


def cut(blocks: Sequence[Block], start: datetime, end: datetime) -> list[Block]:
    """Objects without the readings that lie outside."""
    return [
        {**one, "readings": kept}
        for one in blocks
        if (kept := [r for r in one["readings"] if start <= at(r["start"]) < end])
    ]


def ignore(blocks: Sequence[Block], start: datetime, end: datetime) -> list[Block]:
    """All, whatever was asked for."""
    del start, end
    return list(blocks)


FILTERS: tuple[Filter, ...] = (contain, overlap, cut)


@dataclass
class Scripted:
    """One meter (or more), what is listed of it, and what is served."""

    blocks: list[Block] = field(default_factory=list)
    listed: dict[str, Any] = field(default_factory=dict)
    """Members of the listed meter that are not derived from `blocks`."""
    uids: Sequence[str] = ("1",)
    filter: Filter = contain
    order: Callable[[Block], Any] = first
    limit: int = 5
    now: datetime = NOW
    date: datetime | None = None
    """What the header `Date` says; `now` unless set."""
    answer: Callable[[str, Mapping[str, str]], Any] | None = None
    """Decides on an answer before all else; None: as usual."""
    asked: list[dict[str, str]] = field(default_factory=list)
    served: int = 0
    """Readings that were served."""
    url: str = ""

    def meter(self, uid: str) -> Row:
        """The listed meter, honest unless `listed` says otherwise."""
        mine = [one for one in self.blocks if one["meter_uid"] == uid]
        spans = sorted({(r["start"], r["end"]) for b in mine for r in b["readings"]})
        coverage: list[list[str]] = []
        for begin, end in spans:
            if coverage and coverage[-1][1] >= begin:
                coverage[-1][1] = max(coverage[-1][1], end)
            else:
                coverage.append([begin, end])
        found = {
            "uid": uid,
            "authorization_uid": "9",
            "status": "updated",
            "status_ts": stamp(max((at(b["updated"]) for b in mine), default=NOW)),
            "interval_count": len(spans),
            "interval_coverage": coverage,
            "bill_count": 0,
            "bill_coverage": [],
            **self.listed,
        }
        return {name: value for name, value in found.items() if value is not ...}

    def respond(self, path: str, query: Mapping[str, str]) -> Any:
        """The body of an answer: a value to encode, or the very bytes."""
        if self.answer and (found := self.answer(path, query)) is not None:
            return found
        if path.endswith("/meters"):
            return {"meters": [self.meter(uid) for uid in self.uids], "next": None}
        if path.endswith("/bills"):
            return {"bills": [], "next": None}
        self.asked.append(dict(query))
        wanted = query["meters"].split(",")
        mine = [one for one in self.blocks if one["meter_uid"] in wanted]
        start = at(query.get("start", "0001-01-02T00:00:00Z"))
        end = at(query.get("end", "9999-12-30T00:00:00Z"))
        found = sorted(self.filter(mine, start, end), key=self.order)
        place = int(query.get("place", 0))
        limit = int(query.get("limit", self.limit))
        page = found[place : place + limit]
        self.served += sum(len(one["readings"]) for one in page)
        follow = None
        if place + limit < len(found):
            rest = {**query, "place": str(place + limit)}
            pairs = "&".join(f"{name}={value}" for name, value in rest.items())
            follow = f"{self.url}/intervals?{pairs}"
        return {"intervals": page, "next": follow}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on loopback; gives the base URL."""
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece: its second would wait for an ACK

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {n: v[0] for n, v in parse_qs(parts.query).items()}
                body = json.dumps(script.respond(parts.path, query)).encode()
                self.send_response_only(200)
                date = script.date or script.now
                self.send_header("Date", format_datetime(date, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self.url
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class Warehouse:
    """Fed by one sync of a scripted server after the other."""

    def __init__(self, script: Scripted, **settings: Any) -> None:
        self.script = script
        self.settings = {
            "utilityapi_api_token": "t",
            "utilityapi_requests_per_second": 100_000,
            "max_retries": 0,
            "max_concurrency": 1,
            "full_rescan_days": 0,
            "lookback_days": 5,
            **settings,
        }
        self.state: Row = {}
        self.known: dict[Any, Row] = {}

    def sync(self, *streams: str, **settings: Any) -> Run:
        """One sync, of these streams if some are named; each key at most once."""
        self.script.asked.clear()
        self.script.served = 0
        with self.script.serving() as url:
            chosen = {**self.settings, "utilityapi_base_url": url, **settings}
            catalog = selecting(chosen, *streams) if streams else None
            run = sync(chosen, self.state, catalog)
        self.got = by_key(run.rows("intervals"))
        self.known |= self.got
        self.state = run.state or self.state
        return run

    def entry(self, uid: str = "1") -> Row:
        """The bookmark of a meter."""
        found = self.state["bookmarks"]["intervals"]["partitions"]
        return next(dict(e) for e in found if e["context"]["meter_key"] == uid)

    @property
    def values(self) -> dict[str, Any]:
        """Value by start."""
        return {row["interval_start"]: row["quantity"] for row in self.known.values()}


def warned(run: Run, words: str) -> int:
    """How often a warning with these words was counted."""
    return sum(n for what, n in run.tap.report.warnings.items() if words in what)

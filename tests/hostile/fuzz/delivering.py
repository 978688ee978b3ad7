"""What the tap makes of one answer, whatever stands in it: decode, normalize, write.

The streams are the tap's own, from the request to the encoded line. Only the network is
left out: a session of `requests` answers from a table of bodies, so that a delivery
takes milliseconds. What may come of it is declared in `errors`; all else is a bug, and
so is a reading that does not end.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.providers.streams import SessionStream
from tap_utility_intervals.singer.state import Bookmarks
from tap_utility_intervals.tap import TapUtilityIntervals

SEEDS = Path(__file__).parents[2] / "fixtures" / "fuzz"
"""Per entry a folder: `valid.json`, and inputs that once went wrong."""

HOST = {
    "utilityapi": "https://utilityapi.com/api/v2",
    "nectar": "https://external.nectarclimate.com/v2.2",
}
ANSWERS = {
    "utilityapi": {
        "/meters": "utilityapi_meters",
        "/intervals": "utilityapi_intervals",
        "/bills": "utilityapi_bills",
        "/authorizations": "utilityapi_authorizations",
    },
    "nectar": {
        "/company": "nectar_companies",
        "/connection/company/": "nectar_connections",
        "/meter/company/": "nectar_meters",
        "/interval/connection/": "nectar_intervals",
        "/usage/company/": "nectar_usage_data",
        "/document/company/": "nectar_documents",
    },
}
"""Per provider: where a path begins, and which entry answers there."""

READ = {
    "utilityapi_meters": ("meters", "intervals", "usage", "utilityapi_meters"),
    "utilityapi_intervals": ("intervals",),
    "utilityapi_bills": ("usage", "utilityapi_bills"),
    "utilityapi_authorizations": ("utilityapi_authorizations",),
    "nectar_companies": ("meters", "intervals", "nectar_companies", "nectar_sites"),
    "nectar_connections": ("meters", "intervals", "nectar_connections"),
    "nectar_meters": ("meters", "intervals", "usage", "nectar_meters"),
    "nectar_intervals": ("intervals",),
    "nectar_usage_data": ("usage", "nectar_usage_data"),
    "nectar_documents": ("nectar_documents", "nectar_line_items"),
}
"""Per entry: the streams that its answers reach."""

ENTRIES = tuple(READ)
MOST_REQUESTS = 300
"""No delivery needs more; one that asks for more would not end."""


class EndlessError(AssertionError):
    """A delivery asked for page after page."""


@dataclass
class Delivery:
    """What came of one answer."""

    rows: dict[str, list[Any]] = field(default_factory=dict)
    """By stream, as a target reads them."""
    report: Report = field(default_factory=lambda: Report(logging.getLogger("fuzz")))
    asked: list[str] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Whether nothing was reported as lost but readings without a readable time."""
        reasons = [one for one in self.report.reasons.values() if one]
        are_known = all("readable times" in one for one in reasons)
        return not self.report.failed or (are_known and not self.report.stopped)


Answer = Callable[[str, str], bytes]
"""The body for an entry and the URL that was asked for."""


def valid(entry: str) -> bytes:
    """The answer in which nothing is wrong."""
    return (SEEDS / entry / "valid.json").read_bytes()


def found(entry: str) -> list[Path]:
    """Inputs that once went wrong."""
    return sorted(p for p in (SEEDS / entry).iterdir() if p.name != "valid.json")


def deliver(entry: str, body: bytes) -> Delivery:
    """What comes of one answer among others that are valid."""
    others = {name: valid(name) for name in ENTRIES}
    return answered(entry, lambda name, _: body if name == entry else others[name])


def answered(entry: str, answer: Answer) -> Delivery:
    """Read the streams that `entry` reaches.

    Raises:
        Exception: whatever the tap does not catch: that is a bug.
    """
    provider = entry.partition("_")[0]
    tap, delivery = _tap(provider), Delivery()
    with _connected(tap, provider, answer, delivery):
        for name in READ[entry]:
            stream = tap.streams[name]
            assert isinstance(stream, SessionStream)
            stream.__dict__.pop("shape", None)  # it warns into an older report
            stream.__dict__["bookmarks"] = kept = Bookmarks({}, "k")
            lines = b"".join(ENCODER.encode_lines(page) for page in stream.pages())
            delivery.rows[name] = [
                json.loads(line, parse_float=Decimal, parse_constant=_refuse)
                for line in lines.splitlines()
            ]
            ENCODER.encode(kept._entries)
    return delivery


@contextmanager
def _connected(
    tap: TapUtilityIntervals, provider: str, answer: Answer, delivery: Delivery
) -> Iterator[None]:
    """The tap with sessions of its own for one delivery."""
    tap.report = delivery.report
    tap.__dict__.pop("sessions", None)
    (session,) = tap.sessions
    held: Any = session
    transport: Transport = (held if provider == "utilityapi" else held.client).transport
    ticks = iter(range(10**9))
    transport.limiter = Limiter(None, 4, clock=ticks.__next__, sleep=lambda _: None)
    wire: Any = _Wire(provider, answer, delivery)
    transport._session = lambda: wire
    try:
        yield
    finally:
        session.close()
    if wire.overrun:
        raise EndlessError(f"{len(delivery.asked)} requests")


class _Wire:
    """Stands in for `requests.Session`: a body for every URL."""

    def __init__(self, provider: str, answer: Answer, delivery: Delivery) -> None:
        self.base = urlsplit(HOST[provider]).path
        self.paths = ANSWERS[provider]
        self.answer = answer
        self.delivery = delivery
        self.overrun = False

    def get(self, url: str, **_: object) -> requests.Response:
        asked = self.delivery.asked
        asked.append(url)
        response = requests.Response()
        path = urlsplit(url).path.removeprefix(self.base)
        entry = next((e for p, e in self.paths.items() if path.startswith(p)), None)
        self.overrun = self.overrun or len(asked) > MOST_REQUESTS
        known = entry is not None and not self.overrun
        response.status_code = 200 if known else 404
        response.headers["Date"] = "Thu, 28 May 2026 12:00:00 GMT"
        body = self.answer(entry, url) if entry and known else b"{}"
        response.raw = io.BytesIO(body)
        return response


@lru_cache
def _tap(provider: str) -> TapUtilityIntervals:
    secret = {"utilityapi": "utilityapi_api_token", "nectar": "nectar_api_key"}
    settings: Mapping[str, Any] = {
        secret[provider]: "token-of-no-one",
        "max_retries": 0,
        "max_concurrency": 2,
        "state_interval_seconds": 300,
    }
    logging.getLogger("fuzz").setLevel(logging.CRITICAL)
    chosen = {k: v for k, v in settings.items() if k.split("_")[0] != _other(provider)}
    tap = TapUtilityIntervals(config=chosen)
    tap.started = datetime(2026, 5, 28, 12, tzinfo=timezone.utc)
    return tap


def _other(provider: str) -> str:
    return "nectar" if provider == "utilityapi" else "utilityapi"


def _refuse(word: str) -> None:
    raise AssertionError(f"a target cannot read {word}")


def page_asked(url: str) -> int:
    """The number of the page that a URL asks for."""
    return int(parse_qs(urlsplit(url).query).get("page", ["1"])[0])

"""One careful GET: what it survives, what it refuses, and what it never lets out."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import msgspec
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.limiter import Limiter, Stopped
from tap_utility_intervals.providers import connections, links, statuses, surroundings
from tap_utility_intervals.providers import http as transport
from tap_utility_intervals.providers.connections import Endpoint
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.settings.shared import Settings
from tests.clock import Clock

SECRET = "s3cret-token-of-the-test"
PATIENCE = 20.0
"""An upper bound for what a broken test waits, never a sleep."""


@dataclass
class Seen:
    """A request as it came over the wire."""

    target: str
    headers: dict[str, str]
    connection: int


def answer(
    status: int = 200, body: bytes = b"{}", *, close: bool = False, **headers: str
) -> bytes:
    """An HTTP answer byte by byte; underscores in header names become dashes."""
    head = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    if close:
        del head["Content-Length"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    whole = f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + body
    return Cut(whole) if close else whole


class Cut(bytes):
    """An answer after which the connection is cut."""

    __slots__ = ()


Reply = bytes | Callable[["Seen"], bytes]


@dataclass
class Server:
    """Speaks just enough HTTP to misbehave: raw bytes out, whatever they are."""

    replies: list[Reply] = field(default_factory=list)
    otherwise: Reply = field(default_factory=answer)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(
                target=self._serve, args=(connection, self.connections), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as reader:
            while (request := _read(reader, number)) is not None:
                with self._lock:
                    self.seen.append(request)
                    reply = self.replies.pop(0) if self.replies else self.otherwise
                content = reply if isinstance(reply, bytes) else reply(request)
                try:
                    connection.sendall(content)
                except OSError:
                    return
                if isinstance(content, Cut):
                    return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # else `accept` goes on
        self._socket.close()
        for connection in self._open:
            connection.close()


def _read(reader: Any, number: int) -> Seen | None:
    try:
        first = reader.readline().decode("latin1").split()
        if len(first) < 2:
            return None
        headers = {}
        while line := reader.readline().decode("latin1").strip():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
    except OSError:
        return None
    return Seen(first[1], headers, number)


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server()) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@contextmanager
def connected(
    base_url: str, clock: Clock | None = None, *, in_flight: int = 1, **settings: Any
) -> Iterator[Transport]:
    time_of = clock or Clock()
    limiter = time_of.limiter(None, in_flight)
    endpoint = Endpoint(
        "acme", base_url, {"Authorization": f"Bearer {SECRET}"}, "acme_token"
    )
    made = Transport(endpoint, Settings.parse(settings), limiter)
    try:
        yield made
    finally:
        made.close()


def get(transport: Transport, path: str = "/things", **options: Any) -> Any:
    return transport.get(path, decode=json.loads, **options)


# --- asking ---------------------------------------------------------------------------


def test_sends_the_credential_and_decodes_the_answer(server: Server) -> None:
    server.otherwise = answer(body=b'{"a": 1}')
    with connected(f"{server.url}/v1", user_agent="acme/1") as acme:
        assert get(acme, "/things", params=[("x", "1")]) == {"a": 1}
    (request,) = server.seen
    assert request.target == "/v1/things?x=1"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["user-agent"] == "acme/1"


@pytest.mark.parametrize("text", ["PG&E", "a b", "a+b", "50%", "a/b", "ü=?#", "1,2:3"])
def test_parameters_and_ids_arrive_as_they_were_meant(
    server: Server, text: str
) -> None:
    with connected(server.url) as acme:
        get(acme, f"/things/{quote(text, safe='')}", params=[("utility", text)])
    parts = urlsplit(server.seen[0].target)
    assert unquote(parts.path) == f"/things/{text}"
    assert parts.path.count("/") == 2
    assert parts.fragment == ""
    name, _, value = parts.query.partition("=")
    assert (name, unquote(value.replace("+", " "))) == ("utility", text)
    assert "&" not in parts.query


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_survives_the_query(text: str) -> None:
    with closing(Server()) as server, connected(server.url) as acme:
        get(acme, params=[("a", text), ("b", "2")])
        query = urlsplit(server.seen[0].target).query
    a, b = query.split("&")
    assert unquote(a[2:].replace("+", " ")) == text
    assert b == "b=2"


def test_lists_stay_readable_in_the_query(server: Server) -> None:
    with connected(server.url) as acme:
        get(acme, params=[("meters", "1,2"), ("start", "2024-01-01T00:00:00Z")])
    assert server.seen[0].target == "/things?meters=1,2&start=2024-01-01T00:00:00Z"


def test_netrc_does_not_replace_the_credential(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password thing\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with connected(server.url) as acme:
        get(acme)
    assert server.seen[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_thread_keeps_its_connection(server: Server) -> None:
    with connected(server.url) as acme:
        for _ in range(5):
            get(acme)
    assert {request.connection for request in server.seen} == {1}


def test_every_thread_has_a_connection_of_its_own(server: Server) -> None:
    together = threading.Barrier(3)
    with connected(server.url, in_flight=3) as acme:

        def work(_: int) -> None:
            together.wait(PATIENCE)
            for _ in range(4):
                get(acme)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
    assert server.connections == 3
    assert len(server.seen) == 12


def test_the_servers_clock_is_noted_at_the_first_answer(server: Server) -> None:
    dates = ["Wed, 27 May 2026 11:45:00 GMT", "Wed, 27 May 2026 12:45:00 GMT"]
    server.replies = [answer(Date=date) for date in dates]
    with connected(server.url) as acme:
        assert acme.server_time is None
        get(acme)
        get(acme)
        assert acme.server_time == datetime(2026, 5, 27, 11, 45, tzinfo=timezone.utc)


def test_a_clock_without_a_zone_is_taken_for_utc(server: Server) -> None:
    server.otherwise = answer(Date="Wed, 27 May 2026 11:45:00 -0000")
    with connected(server.url) as acme:
        get(acme)
        assert acme.server_time == datetime(2026, 5, 27, 11, 45, tzinfo=timezone.utc)


@pytest.mark.parametrize("date", ["", "now", "Wed, 99 May 2026 11:45:00 GMT", "0 0 0"])
def test_an_unreadable_clock_is_left_out(server: Server, date: str) -> None:
    server.replies = [answer(Date=date)]
    with connected(server.url) as acme:
        get(acme)
        assert acme.server_time is None


# --- statuses -------------------------------------------------------------------------

KINDS = {
    204: errors.BadRequest,
    300: errors.BadRequest,
    302: errors.BadRequest,
    400: errors.BadRequest,
    206: errors.BadRequest,
    407: errors.Misconfigured,
    401: errors.Unauthorized,
    402: errors.PaymentRequired,
    403: errors.Gone,
    404: errors.Gone,
    405: errors.BadRequest,
    410: errors.BadRequest,
    422: errors.BadRequest,
    500: errors.Unavailable,
    502: errors.TooWide,
    503: errors.Unavailable,
    504: errors.TooWide,
    599: errors.Unavailable,
}
RETRIED = {500, 502, 503, 504, 599}


@pytest.mark.parametrize("status", KINDS)
def test_every_status_but_200_is_an_error_that_says_where(
    server: Server, status: int
) -> None:
    server.otherwise = answer(status, b'{"error": "body text"}')
    with (
        connected(f"{server.url}/v1", max_retries=2) as acme,
        pytest.raises(errors.ProviderError) as caught,
    ):
        get(acme, "/things/7", params=[("q", "x")], source="thing 7")
    error = caught.value
    assert type(error) is KINDS[status]
    assert error.status == status
    assert error.source == "thing 7"
    text = str(error)
    assert text.startswith("acme ")
    assert f"HTTP {status} on /v1/things/7, thing 7" in text
    assert not {"body text", "q=x", SECRET} & set(text.split()), text
    assert "body text" not in text
    assert len(server.seen) == (3 if status in RETRIED else 1)


def test_a_401_names_the_setting(server: Server) -> None:
    server.otherwise = answer(401)
    with connected(server.url) as acme, pytest.raises(errors.Unauthorized) as caught:
        get(acme)
    assert caught.value.setting == "acme_token"
    assert "acme_token" in str(caught.value)


# --- trying again ---------------------------------------------------------------------


@pytest.fixture
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoff.full_jitter", lambda wait: wait)


@pytest.mark.usefixtures("no_jitter")
def test_the_waits_between_tries_double_up_to_a_minute(
    server: Server, clock: Clock
) -> None:
    server.otherwise = answer(503)
    with (
        connected(server.url, clock, max_retries=9) as acme,
        pytest.raises(errors.Unavailable),
    ):
        get(acme)
    assert clock.slept == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert len(server.seen) == 10


def test_the_waits_are_spread_by_chance(server: Server) -> None:
    clocks = [Clock() for _ in range(4)]
    server.otherwise = answer(503)
    for clock in clocks:
        with (
            connected(server.url, clock, max_retries=4) as acme,
            pytest.raises(errors.Unavailable),
        ):
            get(acme)
    assert len({tuple(clock.slept) for clock in clocks}) == 4
    for clock in clocks:
        bounds = zip(clock.slept, [0.5, 1, 2, 4], strict=True)
        assert all(slept <= most for slept, most in bounds)


TROUBLES: dict[str, bytes] = {
    "reset before an answer": Cut(b""),
    "reset within the headers": Cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no HTTP at all": Cut(b"\x16\x03\x01 hello\r\n\r\n"),
    "body cut short": Cut(b'HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n{"a": '),
    "JSON cut short": answer(body=b'{"a": ', close=True),
    "a chunk cut short": Cut(
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"a": 1'
    ),
    "an odd chunk": Cut(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnothing\r\n"
    ),
    "gzip garbage": answer(body=b"\x1f\x8b not gzip", Content_Encoding="gzip"),
    "gzip cut short": answer(
        body=gzip.compress(b'{"a": 1234567890123456789}')[:-14],
        Content_Encoding="gzip",
    ),
    "HTML with 200": answer(body=b"<html><body>Sorry</body></html>"),
    "an empty body": answer(body=b""),
    "not UTF-8": answer(body=b'{"a": "\xff\xfe"}'),
    "deep nesting": answer(body=b"[" * 200_000 + b"]" * 200_000),
    "500": answer(500, b"<html>"),
    "502": answer(502, b"<html>"),
    "503": answer(503, b""),
    "504": answer(504, b"x" * 100_000),
    "too many headers": Cut(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
    "an endless header": Cut(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 70_000 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("decode", [json.loads, msgspec.json.decode])
def test_what_passes_is_asked_again_and_heals(
    server: Server, trouble: str, decode: Callable[[bytes], Any]
) -> None:
    server.replies = [TROUBLES[trouble], TROUBLES[trouble]]
    server.otherwise = answer(body=b'{"a": 1}')
    with connected(server.url, max_retries=2) as acme:
        assert acme.get("/things", decode=decode) == {"a": 1}
    assert len(server.seen) == 3


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_does_not_pass_ends_in_an_error_that_says_where(
    server: Server, trouble: str
) -> None:
    server.otherwise = TROUBLES[trouble]
    with (
        connected(server.url, max_retries=1) as acme,
        pytest.raises(transport.PASSING) as caught,
    ):
        get(acme, source="thing 7")
    assert "/things, thing 7" in str(caught.value)
    assert "Sorry" not in str(caught.value)
    assert len(server.seen) == 2


def test_a_refused_connection_is_an_error_that_says_where(clock: Clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with (
        connected(url, clock, max_retries=3) as acme,
        pytest.raises(errors.Unavailable, match="could not be reached"),
    ):
        get(acme)
    assert len(clock.slept) == 3


def test_an_answer_slower_than_the_timeout_is_asked_again(server: Server) -> None:
    hurry = threading.Event()

    def slow(_: Seen) -> bytes:
        hurry.wait(PATIENCE)
        return Cut(b"")

    server.replies = [slow]
    with connected(server.url, request_timeout=0.05) as acme:
        assert get(acme) == {}
    hurry.set()


def test_a_body_slower_than_the_timeout_is_asked_again(server: Server) -> None:
    server.replies = [answer(body=b"{").replace(b"Length: 1", b"Length: 2")]
    with connected(server.url, request_timeout=0.05) as acme:
        assert get(acme) == {}


# --- being put off --------------------------------------------------------------------


@pytest.mark.parametrize("status", [202, 429])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0"}, 0),
        ({}, transport.POLITE_WAIT),
        ({"Retry_After": "soon"}, transport.POLITE_WAIT),
        ({"Retry_After": "-3"}, 0),
        ({"Retry_After": "300"}, 300),
        (
            {
                "Retry_After": "Wed, 27 May 2026 11:45:12 GMT",
                "Date": "Wed, 27 May 2026 11:45:00 GMT",
            },
            12,
        ),
    ],
)
def test_waits_as_long_as_the_server_asks(
    server: Server, clock: Clock, status: int, header: dict[str, str], seconds: float
) -> None:
    server.replies = [answer(status, b"{}", close=False, **header)]
    with connected(server.url, clock, max_retries=0) as acme:
        assert get(acme) == {}
    assert sum(clock.slept) == pytest.approx(seconds)


def test_a_date_is_held_against_the_clock_of_that_same_answer(
    server: Server, clock: Clock
) -> None:
    """A run that has lasted for hours must not wait for hours."""
    first = datetime(2026, 5, 27, 9, 0, tzinfo=timezone.utc)
    now = first + timedelta(hours=2)
    until = format_datetime(now + timedelta(seconds=5), usegmt=True)
    server.replies = [
        answer(Date=format_datetime(first, usegmt=True)),
        answer(429, Date=format_datetime(now, usegmt=True), Retry_After=until),
    ]
    with connected(server.url, clock) as acme:
        get(acme)
        get(acme)
    assert sum(clock.slept) == pytest.approx(5)


def test_a_date_is_held_against_our_clock_where_the_server_tells_none(
    server: Server, clock: Clock
) -> None:
    until = datetime.now(timezone.utc) + timedelta(seconds=60)
    server.replies = [answer(429, Retry_After=format_datetime(until, usegmt=True))]
    with connected(server.url, clock) as acme:
        get(acme)
    assert 30 < sum(clock.slept) <= 60


def test_a_storm_of_fifty_refusals_costs_nothing_but_time(
    server: Server, clock: Clock
) -> None:
    server.replies = [answer(429, Retry_After="1") for _ in range(50)]
    with connected(server.url, clock, max_retries=0) as acme:
        assert get(acme) == {}
    assert sum(clock.slept) == pytest.approx(50)


def test_patience_ends_and_is_not_multiplied_by_retries(
    server: Server, clock: Clock
) -> None:
    server.otherwise = answer(429, Retry_After="1")
    with (
        connected(server.url, clock, max_retries=5) as acme,
        pytest.raises(errors.Unavailable, match="HTTP 429"),
    ):
        get(acme)
    assert len(server.seen) == transport.MOST_POLITE_WAITS + 1


def test_one_workers_refusal_holds_all_workers(server: Server, clock: Clock) -> None:
    """Whoever asks after a 429 waits, too, although it never saw the 429."""
    refused, others = threading.Event(), 4

    def refuse(_: Seen) -> bytes:
        refused.set()
        return answer(429, Retry_After="30")

    server.replies = [refuse]
    asked_at: list[float] = []

    def note(_: Seen) -> bytes:
        asked_at.append(clock.now)
        return answer()

    server.otherwise = note
    begun = clock.now
    with (
        connected(server.url, clock, in_flight=1) as acme,
        ThreadPoolExecutor(others + 1) as pool,
    ):
        first = pool.submit(get, acme)
        assert refused.wait(PATIENCE)
        rest = [pool.submit(get, acme) for _ in range(others)]
        for future in (first, *rest):
            future.result(PATIENCE)
    assert len(asked_at) == others + 1
    assert min(asked_at) >= begun + 30


def test_an_answer_that_is_being_built_holds_nobody_else(
    server: Server, clock: Clock
) -> None:
    """A 202 belongs to the one answer; the others ask on meanwhile."""
    asked: list[tuple[str, float]] = []

    def reply(seen: Seen) -> bytes:
        asked.append((seen.target, clock.now))
        return answer(202, Retry_After="30") if "slow" in seen.target else answer()

    server.otherwise = reply
    with connected(server.url, clock, in_flight=1) as acme:
        with pytest.raises(errors.Unavailable, match="HTTP 202"):
            get(acme, "/slow")
        held = acme.limiter._held_until
        assert get(acme, "/quick") == {}
    assert held < 0
    assert clock.now <= statuses.LONGEST_BUILDING
    assert len([at for target, at in asked if target == "/slow"]) == 11


def test_many_answers_that_are_built_for_ever_do_not_starve_the_others(
    server: Server, clock: Clock
) -> None:
    server.otherwise = lambda seen: (
        answer(202, Retry_After="5") if "slow" in seen.target else answer()
    )
    many = 70
    with connected(server.url, clock, in_flight=1) as acme:
        for _ in range(many):
            with pytest.raises(errors.Unavailable, match="HTTP 202"):
                get(acme, "/slow")
        longest, shortest = statuses.LONGEST_BUILDING, statuses.SHORTEST_BUILDING
        assert longest < clock.now < 2 * longest + many * shortest
        # Once one comes that was being built, there is all the time again.
        server.replies = [answer(202, Retry_After="4"), answer()]
        assert get(acme, "/built") == {}
        before = clock.now
        with pytest.raises(errors.Unavailable):
            get(acme, "/slow")
    assert clock.now - before == pytest.approx(longest)


def test_a_wait_that_is_asked_for_is_told_once(
    server: Server, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    server.replies = [answer(429, Retry_After="40"), answer(429, Retry_After="1")]
    with connected(server.url, clock) as acme:
        get(acme)
    assert [r.getMessage() for r in caplog.records] == ["acme asks to wait 40 s (429)"]


def test_no_wait_is_longer_than_an_hour(server: Server, clock: Clock) -> None:
    server.replies = [answer(429, Retry_After="999999")]
    with connected(server.url, clock) as acme:
        assert get(acme) == {}
    assert sum(clock.slept) == statuses.LONGEST_WAIT


def test_patience_for_a_busy_server_has_an_end_in_time_as_well(
    server: Server, clock: Clock
) -> None:
    server.otherwise = answer(429, Retry_After="3000")
    with (
        connected(server.url, clock) as acme,
        pytest.raises(errors.Unavailable, match="HTTP 429"),
    ):
        get(acme)
    assert len(server.seen) == 2
    assert clock.now == 3000


# --- answers without an end -----------------------------------------------------------


def dripping(server: Server, head: bytes, drip: bytes) -> None:
    """Answers everybody with `head`, and then with a drip now and then, for ever."""

    def drop(_: Seen) -> bytes:
        connection = server._open[-1]
        try:
            connection.sendall(head)
            while True:
                connection.sendall(drip)
                time.sleep(0.02)
        except OSError:
            return Cut(b"")

    server.otherwise = drop


@pytest.mark.parametrize(
    ("head", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"x"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
        ),
        (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["body", "body to the end", "chunks", "header", "100 Continue"],
)
def test_an_answer_that_goes_on_for_ever_ends(
    server: Server, monkeypatch: pytest.MonkeyPatch, head: bytes, drip: bytes
) -> None:
    monkeypatch.setattr(transport, "LONGEST_REQUEST", 0.3)
    monkeypatch.setattr(connections, "OFTEN", 0.05)
    dripping(server, head, drip)
    begun = time.monotonic()
    with (
        connected(server.url, max_retries=0, request_timeout=0.15) as acme,
        pytest.raises(errors.Unavailable, match="no whole answer within"),
    ):
        get(acme)
    assert time.monotonic() - begun < 5


def test_a_question_is_not_repeated_for_longer_than_a_few_minutes(
    server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that accepts and never answers costs its time-out twice at most."""

    def mute(*_: Any, timeout: float, **__: Any) -> Any:
        clock.sleep(timeout)
        raise requests.ReadTimeout

    monkeypatch.setattr(connections._Session, "get", mute)
    with connected(server.url, clock) as acme, pytest.raises(errors.Unavailable):
        get(acme)
    assert clock.now <= 2 * acme.timeout + 60


# --- what is around the tap -----------------------------------------------------------


def failed(server_url: str, **settings: Any) -> str:
    with (
        connected(server_url, max_retries=0, request_timeout=5, **settings) as acme,
        pytest.raises(errors.ProviderError) as caught,
    ):
        get(acme)
    assert "Traceback" not in str(caught.value)
    assert "filter or date the request" not in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_wrong_file_of_certificates_is_named_by_its_variable(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    content: str | None,
) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    for other in surroundings.CA_BUNDLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(variable, str(file))
    text = failed(server.url.replace("http:", "https:"))
    assert text.startswith("Misconfigured")
    assert f"check the variable {variable}" in text


@pytest.mark.parametrize(
    "proxy",
    [
        "http://",
        "http://:8080",
        "http://a b:1",
        "http://127.0.0.1:99999",
        "gopher://127.0.0.1:1",
        "socks5://127.0.0.1:1",
        "socks9://127.0.0.1:1",
        "http://[",
        "http://127.0.0.1:1",
        f"http://user:{SECRET}@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_wrong_proxy_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, scheme: str, proxy: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", proxy)
    text = failed(f"{scheme}://acme.example/v1")
    may_pass = proxy.endswith("127.0.0.1:1") and not proxy.startswith(("go", "so"))
    assert text.startswith("Unavailable" if may_pass else "Misconfigured")
    assert f"check the variable {scheme}_proxy" in text
    assert SECRET not in text


def test_a_proxy_that_wants_a_password_is_named(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.otherwise = answer(407)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", server.url)
        text = failed(f"{scheme}://acme.example/v1")
        assert text.startswith("Misconfigured")
        assert f"check the variable {scheme}_proxy" in text


@pytest.mark.parametrize("status", [204, 206, 301, 302, 307, 308, 404])
def test_what_a_wrong_base_url_answers_names_its_setting(
    server: Server, status: int
) -> None:
    server.otherwise = answer(status)
    assert "check the setting acme_base_url" in failed(f"{server.url}/v1")


def test_a_source_that_is_gone_says_nothing_of_the_base_url(server: Server) -> None:
    server.otherwise = answer(404)
    with connected(server.url) as acme, pytest.raises(errors.Gone) as caught:
        get(acme, source="thing 7")
    assert "base_url" not in str(caught.value)


def test_closing_ends_whoever_waits(server: Server) -> None:
    server.otherwise = answer(429, Retry_After="3600")
    endpoint = Endpoint("acme", server.url, {}, "acme_token")
    acme = Transport(endpoint, Settings.parse({}), Limiter(None, 4))
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(get, acme) for _ in range(4)]
        until = time.monotonic() + PATIENCE
        while not server.seen and time.monotonic() < until:
            threading.Event().wait(0.001)
        acme.close()
        for future in waiting:
            with pytest.raises(Stopped):
                future.result(PATIENCE)


# --- how much is read -----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 302])
def test_a_body_beyond_the_limit_is_not_read_to_its_end(
    server: Server, status: int
) -> None:
    body = b"[" + b"1," * 1_000_000 + b"1]"
    server.otherwise = answer(status, body, Location="/elsewhere")
    with (
        connected(server.url, max_response_mb=0.5, max_retries=0) as acme,
        pytest.raises((errors.TooLarge, errors.BadRequest)) as caught,
    ):
        get(acme)
    assert type(caught.value) is {200: errors.TooLarge, 302: errors.BadRequest}[status]
    assert len(server.seen) == 1
    assert "max_response_mb" in str(caught.value) or status == 302


def test_an_endless_redirect_is_not_read(server: Server) -> None:
    """`requests` reads the bodies of redirects even when told not to follow them."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 999999999\r\n\r\n"
    server.otherwise = head + b"x" * 1000
    with (
        connected(server.url, request_timeout=PATIENCE, max_retries=0) as acme,
        pytest.raises(errors.BadRequest),
    ):
        get(acme)


def test_a_gzip_bomb_is_not_unpacked(server: Server) -> None:
    body = gzip.compress(b'{"a": "' + b" " * 50_000_000 + b'"}')
    server.otherwise = answer(body=body, Content_Encoding="gzip")
    with (
        connected(server.url, max_response_mb=1) as acme,
        pytest.raises(errors.TooLarge),
    ):
        get(acme)
    assert len(server.seen) == 1


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip,deflate", "br , gzip"])
def test_what_is_packed_twice_is_not_unpacked_at_all(
    server: Server, encoding: str
) -> None:
    body = gzip.compress(gzip.compress(b" " * 50_000_000))
    server.otherwise = answer(body=body, Content_Encoding=encoding)
    with (
        connected(server.url, max_retries=0) as acme,
        pytest.raises(errors.BadAnswer, match="packed more than once"),
    ):
        get(acme)


def test_a_body_of_just_the_limit_is_read(server: Server) -> None:
    body = b'"' + b"x" * 99_998 + b'"'
    server.otherwise = answer(body=body)
    with connected(server.url, max_response_mb=0.1) as acme:
        assert len(get(acme)) == 99_998


# --- where the credential goes --------------------------------------------------------


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with closing(Server()) as running:
        yield running


LINKS = {
    "another port": "http://127.0.0.1:{other}/things",
    "another host": "http://localhost:{other}/things",
    "another name of this host": "http://localhost:{port}/things",
    "a longer port": "http://127.0.0.1:{port}1/things",
    "a longer host": "http://127.0.0.1.example:{port}/things",
    "a user": "http://127.0.0.1:{port}@127.0.0.1:{other}/things",
    "a user of ours": "http://me:pw@127.0.0.1:{port}/things",
    "an empty user": "http://@127.0.0.1:{port}/things",
    "protocol-relative": "//127.0.0.1:{other}/things",
    "a backslash": "http://127.0.0.1:{port}\\@127.0.0.1:{other}/things",
    "a tab": "http://127.0.0.1:{port}\t@127.0.0.1:{other}/",
    "an odd port": "http://127.0.0.1:{port}x/things",
    "brackets": "http://[127.0.0.1:{port}/things",
    "no link": "javascript:alert(1)",
    "nothing": "",
    "a file": "file:///etc/passwd",
}


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_leads_elsewhere_is_refused_and_nothing_is_sent(
    server: Server, elsewhere: Server, link: str
) -> None:
    url = LINKS[link].format(port=server.port, other=elsewhere.port)
    with connected(server.url) as acme, pytest.raises(errors.UnsafeLink) as caught:
        acme.follow(url, decode=json.loads)
    assert server.connections == 0
    assert elsewhere.connections == 0
    assert str(elsewhere.port) not in str(caught.value)


def test_a_link_on_the_same_origin_is_followed(server: Server) -> None:
    with connected(f"{server.url}/v1") as acme:
        url = f"HTTP://127.0.0.1:{server.port}/v1/things?after=a%26b#part"
        assert acme.follow(url, decode=json.loads) == {}
    assert server.seen[0].target == "/v1/things?after=a%26b"


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:{port}/v1/things?after=1",
        "HTTP://127.0.0.1/v1/things?after=1",
        "https://127.0.0.1./v1/things?after=1",
        "//127.0.0.1:{port}/v1/things?after=1",
        "http:///v1/things?after=1",
        "/v1/things?after=1",
        "things?after=1",
        "./things?after=1",
        "?after=1",
        "http://localhost:{port}/v1/things?after=1",
        "https://internal.example/v1/things?after=1",
        "http://internal.example:80/v1/things?after=1&access_token=x",
    ],
)
def test_a_link_to_our_host_in_any_spelling_is_followed_on_the_configured_origin(
    server: Server, link: str
) -> None:
    with connected(f"{server.url}/v1") as acme:
        url = link.format(port=server.port)
        assert acme.follow(url, page="/things", decode=json.loads) == {}
    assert server.seen[0].target == "/v1/things?after=1"


@pytest.mark.parametrize(
    ("base", "link"),
    [
        ("https://acme.example/v1", "https://ACME.example:443/v1/x"),
        ("https://acme.example/v1", "http://acme.example/v1/x"),
        ("https://acme.example/v1", "https://acme.example./v1/x"),
        ("https://acme.example:443/v1", "https://acme.example/v1/x"),
        ("https://acme.example:8443/v1", "http://acme.example/v1/x"),
        ("http://[::1]:80/v1", "http://[::1]/v1/x"),
    ],
)
def test_the_origin_is_always_the_configured_one(base: str, link: str) -> None:
    found = links.ours(link, "/x", base)
    assert found is not None
    assert found.geturl() == f"{base}/x"


@pytest.mark.parametrize(
    "link",
    [
        "http://internal.example/v1/others?after=1",
        "http://internal.example/things?after=1",
        "http://internal.example/v1/things/../others?after=1",
        "http://internal.example/v1/%74hings?after=1",
        "http://internal.example:8080/v1/things?after=1",
        "http://me@internal.example/v1/things?after=1",
        "ftp://internal.example/v1/things?after=1",
        "http://./v1/things?after=1",
    ],
)
def test_a_link_to_another_host_needs_the_path_of_its_page_and_a_usual_port(
    link: str,
) -> None:
    assert links.ours(link, "/things", "https://acme.example/v1") is None


ECHOED = [
    "/v1/things?access_token={secret}&after=1",
    "/v1/things?after=1&%61ccess_token={secret}",
    "/v1/things?after=1;access_token={secret}",
    "/v1/things?after=1&%2561pi_key={secret}",
    "/v1/things?after=1&whatever={secret}",
    "/v1/things;access_token={secret}?after=1",
    "/v1/things;%61ccess_token=other?after=1",
]


@pytest.mark.parametrize("link", ECHOED)
def test_a_credential_that_a_link_echoes_is_neither_sent_nor_logged(
    server: Server, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(f"{server.url}/v1") as acme:
        acme.follow(link.format(secret=SECRET), decode=json.loads)
    assert server.seen[0].target == "/v1/things?after=1"
    assert SECRET not in caplog.text
    assert "oken=" not in caplog.text


@pytest.mark.parametrize(
    "link", ["/v1/{secret}/things", "/v1/access_token=x/things", "/v1/%73{rest}/things"]
)
def test_a_link_with_a_credential_in_its_path_is_refused(
    server: Server, link: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(f"{server.url}/v1") as acme:
        url = link.format(secret=SECRET, rest=SECRET[1:])
        with pytest.raises(errors.UnsafeLink) as caught:
            acme.follow(url, page="/things", decode=json.loads)
    assert not server.seen
    assert SECRET not in caplog.text + str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["elsewhere", "here"])
def test_redirects_are_not_followed(
    server: Server, elsewhere: Server, status: int, to: str
) -> None:
    target = {"elsewhere": elsewhere, "here": server}[to]
    server.otherwise = answer(status, Location=f"{target.url}/other")
    with connected(server.url) as acme, pytest.raises(errors.BadRequest) as caught:
        get(acme)
    assert caught.value.status == status
    assert len(server.seen) == 1
    assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["http://[", "\xff\xfe", "http://a b\\", ""])
def test_an_odd_redirect_is_an_error_like_any_other(
    server: Server, location: str
) -> None:
    raw = answer(302).replace(b"\r\n\r\n", b"\r\nLocation: ?\r\n\r\n")
    server.otherwise = raw.replace(b"?", location.encode("latin1"))
    with connected(server.url) as acme, pytest.raises(errors.BadRequest):
        get(acme)


def test_no_cookie_leads_the_credential_away(server: Server) -> None:
    server.replies = [answer(Set_Cookie="a=b; Domain=example.com")]
    with connected(server.url) as acme:
        get(acme)
        get(acme)
    assert "cookie" not in server.seen[1].headers


HOSTILE = (
    *TROUBLES.values(),
    *(answer(status, b'{"error": "no"}') for status in KINDS),
    answer(302, Location=f"https://example.com/?token={SECRET}"),
    answer(429, Retry_After="0"),
)


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_the_credential_is_in_no_error_and_in_no_log(
    server: Server, caplog: pytest.LogCaptureFixture, hostile: bytes
) -> None:
    """At any level, urllib3's own lines included."""
    caplog.set_level(logging.DEBUG)
    server.otherwise = hostile
    with (
        connected(server.url, max_retries=1) as acme,
        pytest.raises(errors.ProviderError) as caught,
    ):
        get(acme, params=[("q", "1")])
    error: BaseException | None = caught.value
    assert error is not None
    assert SECRET not in str(error)
    assert SECRET not in repr(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert SECRET not in caplog.text

"""HTTP itself: one handler per connection, healthy answers and broken ones."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import traceback
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from tap_utility_intervals.sandbox import control
from tap_utility_intervals.sandbox.altered import object_of, request_of
from tap_utility_intervals.sandbox.wire import (
    Answer,
    Request,
    Verbatim,
    answer,
    encode,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_utility_intervals.sandbox.faults import Fault
    from tap_utility_intervals.sandbox.service import Service

GZIP = {"Content-Encoding": "gzip"}
FLOOD = 200_000_000
NO_LINGER = struct.pack("ii", 1, 0)
RUBBISH = b"\x1f\x8b\x08\x00this is not what it says it is" * 8
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Server(ThreadingHTTPServer):
    """A threading server that closes the connections that clients keep open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], sandbox: Service) -> None:
        self.sandbox = sandbox
        self._open: set[object] = set()
        super().__init__(address, Handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Remember the connection, and serve it in a thread."""
        self._open.add(request)
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        """Forget the connection."""
        self._open.discard(request)
        super().shutdown_request(request)  # type: ignore[arg-type]

    def server_close(self) -> None:
        """End every connection, wait for its thread, stop listening."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
        super().server_close()

    def handle_error(self, *_args: object) -> None:
        """Clients may go away; anything else is a defect of the sandbox."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc()


def nothing(_status: int, _size: int) -> None:
    """Control requests are not counted."""


class Handler(BaseHTTPRequestHandler):
    """One connection and the requests that come over it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Begin without a request."""
        super().setup()
        self.leave: Callable[[int, int], None] = nothing

    def log_message(self, *_args: object) -> None:
        """Nothing goes to stderr; the log is in `Sandbox.requests`."""

    def do_GET(self) -> None:
        """Answer a request of any method."""
        sandbox = self.server.sandbox
        request = self._request()
        if request.path.startswith(control.PREFIX):
            with sandbox.world.lock:
                reply = control.control(sandbox, request)
            self._send(reply, plain(reply.chunks))
            return
        provider = sandbox.provider_of(request.path)
        if provider is None:
            known = [p for one in sandbox.providers.values() for p in one.prefixes]
            text = {"error": f"Try {', '.join(known)} or /_sandbox/summary."}
            reply = answer(text, 404)
            self._send(reply, plain(reply.chunks))
            return
        fault = sandbox.faults.strike(provider, request, sandbox.world.seconds)
        kind = fault.kind if fault else None
        self.leave = sandbox.enter(provider, request, kind)
        self._reply(provider, request, fault)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _request(self) -> Request:
        target = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        host = self.headers.get("Host") or f"127.0.0.1:{self.server.server_address[1]}"
        return Request(
            self.command,
            unquote(target.path),
            parse_qs(target.query, keep_blank_values=True),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length) if length else b"",
            f"http://{host}",
        )

    def _reply(self, provider: str, request: Request, fault: Fault | None) -> None:
        """Answer in good health or as the rule says."""
        sandbox = self.server.sandbox
        if sandbox.latency:
            sandbox.stopping.wait(sandbox.latency)
        if fault is None:
            self._healthy(provider, request)
            return
        if fault.kind == "slow":
            sandbox.stopping.wait(fault.seconds)
        if fault.kind == "advance":
            sandbox.world.advance(seconds=fault.seconds)
        healthy = partial(self._healthy, provider, request)
        struck: dict[str, Callable[[], None]] = {
            "slow": healthy,
            "advance": healthy,
            "status": lambda: self._faulty(fault),
            "flood": lambda: self._flood(fault.size or FLOOD),
            "reset": self._abort,
            "garbage": lambda: self._send(Answer(200), RUBBISH, GZIP),
            "truncate": lambda: self._halved(provider, request),
            "reset_in_body": lambda: self._cut(provider, request),
            "change": lambda: self._changed(provider, request, fault),
            "thin": lambda: self._changed(provider, request, fault),
            "ignore": lambda: self._misread(provider, request_of(fault, request)),
            "shift": lambda: self._misread(provider, request_of(fault, request)),
            "drip": lambda: self._dripped(provider, request, fault),
            "continue": lambda: self._endless(fault),
            "mute": self._mute,
            "repeat": lambda: self._repeated(provider, request, fault),
        }
        struck[fault.kind]()

    def _healthy(self, provider: str, request: Request) -> None:
        self.server.sandbox.latest[request.path] = request
        body = self.server.sandbox.body(self.path, provider, request)
        self._send(body.answer, body.content, GZIP if body.squeezed else None)

    def _changed(self, provider: str, request: Request, fault: Fault) -> None:
        """The healthy answer with other members, or without some."""
        whole = self._object(provider, request)
        shown = object_of(fault, whole, f"{request.origin}{self.path}")
        self._send(Answer(200), encode(shown).encode())

    def _misread(self, provider: str, request: Request) -> None:
        """The answer to a request that the provider does not read as it was sent."""
        reply = self.server.sandbox.answer(provider, request)
        self._send(reply, plain(reply.chunks))

    def _dripped(self, provider: str, request: Request, fault: Fault) -> None:
        """The healthy answer in small pieces, slowly."""
        reply = self.server.sandbox.answer(provider, request)
        body = plain(reply.chunks)
        head = self._head(reply, len(body))
        self.leave(reply.status, len(body))
        if not fault.headers_too:
            self._write(head)
            head = b""
        whole, size = head + body, fault.size or 1
        for first in range(0, len(whole), size):
            if self.server.sandbox.stopping.wait(fault.seconds):
                return
            self._write(whole[first : first + size])

    def _endless(self, fault: Fault) -> None:
        """Promises of an answer that never comes."""
        self.close_connection = True
        try:
            while not self.server.sandbox.stopping.wait(fault.seconds):
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        finally:
            self.leave(0, 0)

    def _mute(self) -> None:
        """Nothing, until the sandbox ends or the client has gone."""
        self.close_connection = True
        self.connection.settimeout(0.05)
        while not self.server.sandbox.stopping.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1):
                    break
        self.leave(0, 0)

    def _repeated(self, provider: str, request: Request, fault: Fault) -> None:
        """The page before this one once more, as itself or under this one's name."""
        before = self.server.sandbox.latest.get(request.path)
        page = self._object(provider, before or request)
        own = self._object(provider, request) if fault.keeping else {}
        page |= {name: own[name] for name in fault.keeping if name in own}
        self._send(Answer(200), encode(page).encode())

    def _object(self, provider: str, request: Request) -> dict[str, object]:
        """A healthy answer's members, numbers digit for digit."""
        body = plain(self.server.sandbox.answer(provider, request).chunks)
        found = json.loads(body, parse_float=Verbatim, parse_int=Verbatim)
        return found if isinstance(found, dict) else {"": found}

    def _halved(self, provider: str, request: Request) -> None:
        """Half a body as if it were the whole."""
        whole = plain(self.server.sandbox.answer(provider, request).chunks)
        self._send(Answer(200), whole[: len(whole) // 2])

    def _cut(self, provider: str, request: Request) -> None:
        """Half a body, then a reset."""
        whole = plain(self.server.sandbox.answer(provider, request).chunks)
        self.leave(HTTPStatus.OK, len(whole) // 2)
        self._write(self._head(Answer(200), len(whole)) + whole[: len(whole) // 2])
        self._abort()

    def _faulty(self, fault: Fault) -> None:
        """The status, headers and body of the rule; `now+5` becomes an HTTP date."""
        headers = {
            name: self._date(float(value[4:])) if value.startswith("now+") else value
            for name, value in fault.headers.items()
        }
        html = fault.body.lstrip().startswith("<")
        kind = "text/html" if html else "application/json"
        reply = Answer(fault.status, content_type=kind)
        self._send(reply, fault.body.encode(), headers)

    def _flood(self, size: int) -> None:
        """A body of valid JSON that is far too long."""
        self.leave(HTTPStatus.OK, size)
        self._write(self._head(Answer(200), size) + b'["')
        padding, left = b"x" * 65_536, size - 4
        while left > 0:
            self._write(padding[:left])
            left -= len(padding)
        self._write(b'"]')

    def _abort(self) -> None:
        """Cut the connection with a reset."""
        self.leave(0, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        os.close(self.connection.detach())
        self.close_connection = True

    def _send(
        self, reply: Answer, body: bytes, extra: Mapping[str, str] | None = None
    ) -> None:
        """Write status, headers and body at once."""
        head = self._head(reply, len(body), extra)
        self.leave(reply.status, len(body))
        self._write(head if self.command == "HEAD" else head + body)

    def _head(
        self, reply: Answer, size: int, extra: Mapping[str, str] | None = None
    ) -> bytes:
        headers = {
            "Date": self._date(),
            "Content-Type": reply.content_type,
            "Content-Length": str(size),
            **reply.headers,
            **(extra or {}),
        }
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _date(self, later: float = 0) -> str:
        """The world's time as an HTTP date."""
        now = self.server.sandbox.world.now + timedelta(seconds=later)
        return format_datetime(now, usegmt=True)

    def _write(self, content: bytes) -> None:
        self.wfile.write(content)

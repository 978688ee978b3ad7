"""A server that is not what is measured: every answer is made once, then copied.

It serves the sandbox's answers for a benchmark world. An answer is kept, head and body,
compressed; asked for again it costs a look-up and a `send`. Requests, bytes and the
most requests in flight are counted for each provider. The world's clock stands still,
so the same run asks the same questions again.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from benchmarks.worlds import WORLDS
from tap_utility_intervals.sandbox import PROVIDERS, Answer, Request
from tap_utility_intervals.sandbox.wire import gzipped

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox import World

CONTROL = "/_bench"
KEPT_BYTES = 600_000_000
HEADERS = {
    name: value
    for one in PROVIDERS
    for name, value in one.headers(one.credential).items()
}
END_OF_HEAD = b"\r\n\r\n"


@dataclass
class Counts:
    """What was asked of one provider."""

    requests: int = 0
    bytes: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    paths: Counter[str] = field(default_factory=Counter)

    def shown(self) -> dict[str, object]:
        """As JSON."""
        return {
            "requests": self.requests,
            "bytes": self.bytes,
            "most_in_flight": self.most_in_flight,
            "paths": dict(self.paths),
        }


class BenchServer:
    """Both APIs over one world; one thread for each connection."""

    def __init__(self, world: World, port: int = 0, latency: float = 0.0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        self.world = world
        self.latency = latency
        self.counts = {one.name: Counts() for one in PROVIDERS}
        self._apis = {one.name: one.api(world, one.credential) for one in PROVIDERS}
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = int(self._socket.getsockname()[1])

    def serve(self) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = self._socket.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(
                target=self._serve_one, args=(connection,), daemon=True
            ).start()

    def _serve_one(self, connection: socket.socket) -> None:
        buffer = b""
        with connection:
            while True:
                while END_OF_HEAD not in buffer:
                    try:
                        received = connection.recv(65_536)
                    except OSError:
                        return
                    if not received:
                        return
                    buffer += received
                head, _, buffer = buffer.partition(END_OF_HEAD)
                target = head.split(b" ", 2)[1].decode()
                try:
                    connection.sendall(self._answer(target))
                except OSError:
                    return

    def _answer(self, target: str) -> bytes:
        if target.startswith(CONTROL):
            return self._control(urlsplit(target))
        provider = _provider_of(target)
        counts = self.counts[provider]
        with self._lock:
            counts.requests += 1
            counts.paths[_shape(target)] += 1
            counts.in_flight += 1
            counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        if self.latency:
            time.sleep(self.latency)
        try:
            answer = self._kept.get(target) or self._make(provider, target)
        finally:
            with self._lock:
                counts.in_flight -= 1
        counts.bytes += len(answer)
        return answer

    def _make(self, provider: str, target: str) -> bytes:
        parts = urlsplit(target)
        request = Request(
            "GET",
            unquote(parts.path),
            parse_qs(parts.query, keep_blank_values=True),
            HEADERS,
            b"",
            f"http://127.0.0.1:{self.port}",
        )
        with self.world.lock:
            found = self._apis[provider].handle(request)
        made = _encoded(found, self.world)
        with self._lock:
            if self._kept_bytes + len(made) < KEPT_BYTES:
                self._kept[target] = made
                self._kept_bytes += len(made)
        return made

    def _control(self, parts: object) -> bytes:
        """`/_bench/counts` tells and forgets them; `/_bench/advance?days=1` ages."""
        path, query = parts.path, parse_qs(parts.query)  # type: ignore[attr-defined]
        if path == f"{CONTROL}/advance":
            self.world.advance(days=float(query["days"][0]))
            with self._lock:
                self._kept.clear()
                self._kept_bytes = 0
        shown = {name: counts.shown() for name, counts in self.counts.items()}
        for name in self.counts:
            self.counts[name] = Counts()
        body = json.dumps(shown).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _provider_of(target: str) -> str:
    path = urlsplit(target).path
    return next(one.name for one in PROVIDERS if one.serves(path))


def _shape(target: str) -> str:
    """What kind of question it is: the path without ids."""
    parts = urlsplit(target).path.split("/")
    return "/".join("…" if len(part) > 30 else part for part in parts)  # noqa: PLR2004


def _encoded(answer: Answer, world: World) -> bytes:
    body = gzipped(answer.chunks)
    head = (
        f"HTTP/1.1 {answer.status} OK\r\n"
        f"Date: {format_datetime(world.now, usegmt=True)}\r\n"
        "Content-Type: application/json\r\n"
        "Content-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Print the port on a line of its own, then serve until the parent goes away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", choices=WORLDS)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds an answer")
    options = parser.parse_args()
    server = BenchServer(WORLDS[options.world](), options.port, options.latency)
    print(server.port, flush=True)  # noqa: T201
    threading.Thread(target=_end_with_parent, daemon=True).start()
    server.serve()


def _end_with_parent() -> None:
    """End when standard input closes: the parent is gone, however it went."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()

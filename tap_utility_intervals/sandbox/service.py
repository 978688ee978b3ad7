"""What is served, without a socket: providers over a world, log, faults, cache."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.faults import Faults
from tap_utility_intervals.sandbox.wire import Refusal, gzipped, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_utility_intervals.sandbox.provider import Provider
    from tap_utility_intervals.sandbox.wire import Answer, Request
    from tap_utility_intervals.sandbox.world import World

CACHE_BYTES = 128_000_000
SMALL = 400


@dataclass(frozen=True)
class Logged:
    """One answered request; several values of one parameter are joined by commas."""

    order: int
    method: str
    path: str
    query: dict[str, str]
    status: int
    provider: str
    now: str
    bytes: int = 0
    fault: str | None = None
    body: str = ""


@dataclass(frozen=True)
class Body:
    """An answer with its body as it goes out, compressed or not."""

    answer: Answer
    content: bytes
    squeezed: bool


class Service:
    """Every provider of a table over one world; it answers requests one by one."""

    def __init__(
        self,
        world: World,
        providers: Sequence[Provider],
        credentials: Mapping[str, str],
        *,
        latency: float = 0,
        gzip: bool = True,
    ) -> None:
        self.world = world
        self.providers = {provider.name: provider for provider in providers}
        usual = {name: one.credential for name, one in self.providers.items()}
        self.credentials = usual | dict(credentials)
        self.latency = latency
        self.gzip = gzip
        self.faults = Faults(world.seed)
        self.requests: list[Logged] = []
        self.max_in_flight = dict.fromkeys(self.providers, 0)
        self.latest: dict[str, Request] = {}
        """The request that was last answered in good health, by path; for faults."""
        self.stopping = threading.Event()
        self._in_flight = dict.fromkeys(self.providers, 0)
        self._counting = threading.Lock()
        self._apis = {
            name: one.api(world, self.credentials[name])
            for name, one in self.providers.items()
        }
        self._cache: dict[object, Body] = {}
        self._cached = (0, 0)

    def forget_requests(self) -> None:
        """Empty the request log and its highest counts."""
        with self._counting:
            self.requests.clear()
            self.max_in_flight = dict.fromkeys(self.max_in_flight, 0)

    def provider_of(self, path: str) -> str | None:
        """Name the provider whose path this is."""
        found = (one.name for one in self.providers.values() if one.serves(path))
        return next(found, None)

    def answer(self, provider: str, request: Request) -> Answer:
        """Give the healthy answer of a provider."""
        with self.world.lock:
            try:
                return self._apis[provider].handle(request)
            except Refusal as refusal:
                return refusal.reply

    def body(self, target: str, provider: str, request: Request) -> Body:
        """Give the healthy answer, encoded; it is kept while the world stands still."""
        squeezed = self.gzip and "gzip" in request.headers.get("accept-encoding", "")
        names = ("host", *self.providers[provider].headers(""))
        who = tuple(request.headers.get(name, "") for name in names)
        key, version = (request.method, target, squeezed, who), self.world.version
        if self._cached[0] != version:
            self._cache, self._cached = {}, (version, 0)
        if key in self._cache:
            return self._cache[key]
        fresh = self.answer(provider, request)
        whole = plain(fresh.chunks)
        if squeezed and len(whole) > SMALL:
            body = Body(fresh, gzipped(fresh.chunks), squeezed=True)
        else:
            body = Body(fresh, whole, squeezed=False)
        room = self._cached[1] + len(body.content) < CACHE_BYTES
        if fresh.cacheable and room and self.world.version == version:
            self._cache[key] = body
            self._cached = (version, self._cached[1] + len(body.content))
        return body

    def enter(
        self, provider: str, request: Request, fault: str | None
    ) -> Callable[[int, int], None]:
        """Count a request in; what is returned counts it out, with status and size.

        That is done before the answer is written: a client that waits for each answer
        must never be seen with one request too many.
        """
        with self._counting:
            self._in_flight[provider] += 1
            most = max(self.max_in_flight[provider], self._in_flight[provider])
            self.max_in_flight[provider] = most
        left = False

        def leave(status: int, size: int) -> None:
            nonlocal left
            with self._counting:
                if not left:
                    left = True
                    self._in_flight[provider] -= 1
                    self._log(provider, request, status, size, fault)

        return leave

    def _log(
        self, provider: str, request: Request, status: int, size: int, fault: str | None
    ) -> None:
        query = {name: ",".join(values) for name, values in request.query.items()}
        self.requests.append(
            Logged(
                len(self.requests),
                request.method,
                request.path,
                query,
                status,
                provider,
                self.world.now.isoformat(),
                size,
                fault,
                request.body.decode("utf-8", "replace"),
            )
        )

"""The sandbox: both vendor APIs in one thread, their log, their faults, their cache."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox import nectar, utilityapi
from tap_utility_intervals.sandbox.faults import Faults
from tap_utility_intervals.sandbox.handler import Server
from tap_utility_intervals.sandbox.wire import Refusal, gzipped, plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

    from tap_utility_intervals.sandbox.wire import Answer, Request
    from tap_utility_intervals.sandbox.world import World

TOKEN = "sandbox-utilityapi-token"  # noqa: S105 - there is nothing to protect
API_KEY = "sandbox-nectar-key"
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


class Sandbox:
    """Both vendor APIs on loopback, over one world; a context manager.

    Port 0 takes a free one. `latency` seconds are added to every answer; without `gzip`
    nothing is compressed, whatever the client accepts.
    """

    def __init__(  # noqa: PLR0913 - what a user may want to set
        self,
        world: World,
        *,
        port: int = 0,
        token: str = TOKEN,
        api_key: str = API_KEY,
        latency: float = 0,
        gzip: bool = True,
    ) -> None:
        self.world = world
        self.token = token
        self.api_key = api_key
        self.latency = latency
        self.gzip = gzip
        self.faults = Faults(world.seed)
        self.requests: list[Logged] = []
        self.max_in_flight = {"utilityapi": 0, "nectar": 0}
        self._in_flight = {"utilityapi": 0, "nectar": 0}
        self._counting = threading.Lock()
        self._utilityapi = utilityapi.UtilityApi(world, token)
        self._nectar = nectar.Nectar(world, api_key)
        self._cache: dict[object, Body] = {}
        self._cached = (0, 0)
        self.latest: dict[str, Request] = {}
        """The request that was last answered in good health, by path; for faults."""
        self._server = Server(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def utilityapi_url(self) -> str:
        """The base URL of UtilityAPI."""
        return f"{self.url}{utilityapi.PREFIX}"

    @property
    def nectar_url(self) -> str:
        """The base URL of Nectar v2.2."""
        return self.nectar_url_of("v2.2")

    def nectar_url_of(self, version: str) -> str:
        """The base URL of Nectar `v2.2`, `v2.1` or `v2`."""
        return f"{self.url}/{version}"

    def start(self) -> Self:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and close every connection."""
        if self._thread is not None:
            self.stopping.set()
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def forget_requests(self) -> None:
        """Empty the request log and its highest counts."""
        with self._counting:
            self.requests.clear()
            self.max_in_flight = dict.fromkeys(self.max_in_flight, 0)

    def provider_of(self, path: str) -> str | None:
        """Whose path this is."""
        if f"{path}/".startswith(f"{utilityapi.PREFIX}/"):
            return "utilityapi"
        return (
            "nectar" if path.split("/")[1:2] in [[v] for v in nectar.VERSIONS] else None
        )

    def answer(self, provider: str, request: Request) -> Answer:
        """The healthy answer of a provider."""
        api = self._utilityapi if provider == "utilityapi" else self._nectar
        with self.world.lock:
            try:
                return api.handle(request)
            except Refusal as refusal:
                return refusal.reply

    def body(self, target: str, provider: str, request: Request) -> Body:
        """The healthy answer, encoded; kept while the world stands still."""
        squeezed = self.gzip and "gzip" in request.headers.get("accept-encoding", "")
        names = ("host", "authorization", "x-api-key")
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

"""The sandbox: both vendor APIs on loopback, in threads of this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.http import Server
from tap_utility_intervals.sandbox.providers import PROVIDERS
from tap_utility_intervals.sandbox.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tap_utility_intervals.sandbox.provider import Provider
    from tap_utility_intervals.sandbox.world import World


class Sandbox(Service):
    """The providers' APIs on loopback, over one world; a context manager.

    Port 0 takes a free one. `credentials` are by provider, where the usual ones will
    not do. `latency` seconds are added to every answer; without `gzip` nothing is
    compressed, whatever the client accepts.
    """

    def __init__(  # noqa: PLR0913 - what a user may want to set
        self,
        world: World,
        *,
        port: int = 0,
        providers: Sequence[Provider] = PROVIDERS,
        credentials: Mapping[str, str] | None = None,
        latency: float = 0,
        gzip: bool = True,
    ) -> None:
        super().__init__(
            world, providers, credentials or {}, latency=latency, gzip=gzip
        )
        self._server = Server(("127.0.0.1", port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"

    def url_of(self, provider: str) -> str:
        """Give the base URL of a provider, in its newest version."""
        return f"{self.url}{self.providers[provider].prefixes[0]}"

    def settings(self, *providers: str) -> dict[str, object]:
        """Give the tap's settings for these providers; without any, for all."""
        found: dict[str, object] = {}
        for name in providers or self.providers:
            settings = self.providers[name].settings
            found |= settings(self.url_of(name), self.credentials[name])
        return found

    @property
    def token(self) -> str:
        """The token of UtilityAPI."""
        return self.credentials["utilityapi"]

    @property
    def api_key(self) -> str:
        """The key of Nectar."""
        return self.credentials["nectar"]

    @property
    def utilityapi_url(self) -> str:
        """The base URL of UtilityAPI."""
        return self.url_of("utilityapi")

    @property
    def nectar_url(self) -> str:
        """The base URL of Nectar v2.2."""
        return self.url_of("nectar")

    def nectar_url_of(self, version: str) -> str:
        """Give the base URL of Nectar `v2.2`, `v2.1` or `v2`."""
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

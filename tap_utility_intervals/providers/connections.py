"""Connections, one session a thread, and an end for answers that go on for ever.

A time-out of a socket begins anew with every byte, so that drip-fed headers or bodies,
or one "100 Continue" after the other, never run into it.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tap_utility_intervals.providers import surroundings

OFTEN = 0.5
"""Seconds between two looks at what is under way."""


@dataclass(frozen=True)
class Endpoint:
    """Where a provider lives and how it is asked."""

    provider: str
    base_url: str
    headers: Mapping[str, str]
    """Holds the credential; never logged."""
    credential: str
    """The setting that holds the credential, named when it is refused."""
    title: str = ""
    """As people call the provider."""

    @property
    def setting(self) -> str:
        """The setting that holds the base URL."""
        return f"{self.provider}_base_url"


class TookTooLong(OSError):  # noqa: N818 - it says what happened
    """The answer was not whole when its time was over; its connection was cut."""


@dataclass
class _Request:
    until: float
    socket: socket.socket | None = None
    is_cut: bool = False

    def cut(self) -> None:
        self.is_cut = True
        if self.socket is not None:
            with suppress(OSError):  # it may have ended by itself
                # Not that of an SSLSocket, which is not made for a second thread.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


class Watch:
    """Cuts connections whose time is over; one thread, once there is a request."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._requests: dict[int, _Request] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @contextmanager
    def watched(self, seconds: float) -> Iterator[None]:
        """Let the request of this thread take no longer.

        Raises:
            TookTooLong: it did.
        """
        request = _Request(time.monotonic() + seconds)
        self._requests[threading.get_ident()] = request
        self._start()
        try:
            yield
        except Exception as error:
            if request.is_cut:
                raise TookTooLong from error
            raise
        finally:
            del self._requests[threading.get_ident()]
        if request.is_cut:  # what was there looks like the end of a body
            raise TookTooLong

    def note(self, opened: socket.socket | None) -> None:
        """Know the socket that this thread's answer comes from."""
        request = self._requests.get(threading.get_ident())
        if request is not None:
            request.socket = opened

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, daemon=True)
                self._thread.start()

    def _look(self) -> None:
        while not self._closed.wait(OFTEN):
            now = time.monotonic()
            for request in list(self._requests.values()):
                if now > request.until:
                    request.cut()


class WatchedAdapter(HTTPAdapter):
    """Tells a watch which socket each answer comes from."""

    def __init__(self, watch: Watch) -> None:
        """Tell `watch`."""
        self._pools = _pools(watch)
        super().__init__()

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    @override
    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # has connections of its own
            manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(watch: Watch) -> Mapping[str, type]:
    class Plain(HTTPConnection):
        def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own answer
            watch.note(self.sock)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own answer
            watch.note(self.sock)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Session(requests.Session):
    """Takes a redirect for an answer like any other.

    Asked not to follow them, `requests` still looks where they lead, and reads their
    bodies whole.
    """

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Connections:
    """Sessions of one endpoint; safe to share between threads."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        """Open nothing yet.

        Args:
            base_url: decides which proxy of the environment is meant.
            headers: go with every request.
        """
        self.watch = Watch()
        self._base_url = base_url
        self._headers = headers
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def session(self) -> requests.Session:
        """One session a thread: `requests` does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._opened()
            with self._lock:
                self._sessions.append(session)
        return session

    def close(self) -> None:
        """Close all of them."""
        self.watch.close()
        with self._lock:
            for session in self._sessions:
                session.close()

    def _opened(self) -> requests.Session:
        session = _Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, WatchedAdapter(self.watch))
        # The environment is read once (it costs as much as a request) and without
        # .netrc, an entry of which would replace our credential.
        session.trust_env = False
        session.proxies = get_environ_proxies(self._base_url)
        session.verify = surroundings.ca_bundle() or True
        session.headers.update(self._headers)
        return session

"""HTTP for all providers: one careful GET.

It keeps the credential on the configured origin, honours `Retry-After`, bounds what it
reads, and turns every way to fail into one of `errors`, whose texts hold no body, no
query string and no credential.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import backoff
import msgspec
import requests
from requests.utils import get_environ_proxies
from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.limiter import Limiter, retry_after
from tap_utility_intervals.providers.spool import Spool
from tap_utility_intervals.settings.shared import Settings

T = TypeVar("T")

Params = Sequence[tuple[str, str]]

CHUNK = 1 << 16
_TOKEN = re.compile(r"(?i)(access[_-]?token|api[_-]?key|token)=")
CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
POLITE_WAIT = 5.0
"""Seconds to wait after a 202 or 429 that does not say how long."""
LONGEST_WAIT = 3600.0
MOST_POLITE_WAITS = 100
"""How often one request may be put off by 202 or 429 before it counts as failed."""
SLOWEST_BACKOFF = 60.0
PASSING = (errors.Unavailable, errors.TooWide, errors.BadAnswer)
"""What may be gone at the next try."""


class _PutOff(Exception):  # noqa: N818 - not an error: the server asks for patience
    """The server answered 202 or 429: the same request again, later."""

    def __init__(self, error: errors.ProviderError) -> None:
        super().__init__(str(error))
        self.error = error


class _Session(requests.Session):
    """Takes a redirect for an answer like any other.

    Asked not to follow them, `requests` still looks where they lead, and reads their
    bodies whole.
    """

    @override
    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


@dataclass(frozen=True)
class Endpoint:
    """Where a provider lives and how it is asked."""

    provider: str
    base_url: str
    headers: Mapping[str, str]
    """Holds the credential; never logged."""
    credential: str
    """The setting that holds the credential, named when it is refused."""


class Transport:
    """One credential's way to its provider; safe to share between threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        settings: Settings,
        limiter: Limiter,
        clock: Clock | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            endpoint: where the provider lives.
            settings: those that all providers share.
            limiter: the credential's.
            clock: the run's; it dates answers once they have arrived.
        """
        self.endpoint = endpoint
        self.limiter = limiter
        self.clock = clock or Clock()
        self.timeout = settings.request_timeout
        self.max_retries = settings.max_retries
        self.max_bytes = settings.max_response_bytes
        self.server_time: datetime | None = None
        self.spool = Spool()
        self._headers = {
            "Accept": "application/json",
            "User-Agent": settings.user_agent or "tap-utility-intervals",
            **endpoint.headers,
        }
        self._base_path = urlsplit(endpoint.base_url).path
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        decode: Callable[[bytes], T],
        source: str | None = None,
        reader: str = "",
    ) -> T:
        """Ask for `path` below the base URL and decode the answer's body.

        Args:
            path: begins with a slash; ids in it are percent-encoded by the caller.
            params: query parameters, encoded here; commas stay readable.
            decode: turns the body into a value; a `msgspec.DecodeError` or
                `ValueError` counts as an answer that may be whole next time.
            source: the id that an error should name.
            reader: who asks; see `Spool`.

        Raises:
            errors.ProviderError: one of its kinds, after all patience.
        """
        query = urlencode(params, safe=",:")
        url = f"{self.endpoint.base_url}{path}" + (f"?{query}" if query else "")
        return self.follow(url, decode=decode, source=source, reader=reader)

    def follow(
        self,
        url: str,
        *,
        decode: Callable[[bytes], T],
        source: str | None = None,
        reader: str = "",
    ) -> T:
        """Ask for a whole URL, such as a `next` link, on the configured origin only.

        Raises:
            errors.UnsafeLink: when the URL leads elsewhere; nothing is sent.
            errors.ProviderError: as `get`.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if not self.is_ours(parts):
            raise self._error(errors.UnsafeLink, parts, None, source)
        parts = without_token(parts)
        if not self.spool.shares(parts.path[len(self._base_path) :]):
            return self._persist(parts, decode, source)
        return self._persist_shared(parts, decode, source, reader)

    def is_ours(self, url: SplitResult) -> bool:
        """Whether a URL has the configured scheme, host and port, and no user."""
        return "@" not in url.netloc and origin(url) == origin(
            urlsplit(self.endpoint.base_url)
        )

    def close(self) -> None:
        """Close all connections; threads that wait for their turn are woken."""
        self.limiter.stop()
        self.spool.close()
        with self._lock:
            for session in self._sessions:
                session.close()

    def _persist_shared(
        self,
        url: SplitResult,
        decode: Callable[[bytes], T],
        source: str | None,
        reader: str,
    ) -> T:
        """What another reader was answered, or an answer that is kept for it."""
        body = self.spool.take(url.geturl(), reader)
        if body is not None:
            return decode(body)

        def decode_and_keep(body: bytes) -> T:
            found = decode(body)
            self.spool.keep(url.geturl(), reader, body)
            return found

        return self._persist(url, decode_and_keep, source)

    def _persist(
        self, url: SplitResult, decode: Callable[[bytes], T], source: str | None
    ) -> T:
        """Ask again after a failure that may pass, later each time.

        A server that puts us off has not failed; the limiter does that waiting, for it
        belongs to the credential, so that all workers wait.
        """
        waits = backoff.expo(base=2, factor=0.5, max_value=SLOWEST_BACKOFF)
        next(waits)  # backoff's generators begin with an empty step
        failures = put_off = 0
        while True:
            try:
                return self._once(url, decode, source)
            except _PutOff as patience:
                put_off += 1
                if put_off > MOST_POLITE_WAITS:
                    raise patience.error from None
            except PASSING:
                failures += 1
                if failures > self.max_retries:
                    raise
                self.limiter.sleep(backoff.full_jitter(next(waits)))

    def _once(
        self, url: SplitResult, decode: Callable[[bytes], T], source: str | None
    ) -> T:
        with self.limiter:
            try:
                response = self._session().get(
                    url.geturl(),
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    now = self._note_time(response)
                    self._judge(response, url, source, now)
                    body = self._read(response, url, source)
            except requests.RequestException as failure:
                problem = f"could not be reached ({type(failure).__name__})"
                raise self._error(
                    errors.Unavailable, url, None, source, problem
                ) from None
        return self._decode(body, decode, url, source)

    def _judge(
        self,
        response: requests.Response,
        url: SplitResult,
        source: str | None,
        now: datetime,
    ) -> None:
        """Raise for every status but 200."""
        status = response.status_code
        if status == HTTPStatus.OK:
            return
        kind = _kind(status)
        error = self._error(kind, url, status, source)
        if status in {HTTPStatus.ACCEPTED, HTTPStatus.TOO_MANY_REQUESTS}:
            wait = retry_after(response.headers.get("Retry-After"), now)
            self.limiter.hold(min(POLITE_WAIT if wait is None else wait, LONGEST_WAIT))
            raise _PutOff(error)
        raise error

    def _read(
        self, response: requests.Response, url: SplitResult, source: str | None
    ) -> bytes:
        """Read the body, never more than allowed."""
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > self.max_bytes:
                raise self._error(errors.TooLarge, url, response.status_code, source)
            chunks.append(chunk)
        return b"".join(chunks)

    def _decode(
        self,
        body: bytes,
        decode: Callable[[bytes], T],
        url: SplitResult,
        source: str | None,
    ) -> T:
        try:
            return decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError):
            # The decoder's own text could quote the body.
            raise self._error(errors.BadAnswer, url, HTTPStatus.OK, source) from None

    def _error(
        self,
        kind: type[errors.ProviderError],
        url: SplitResult,
        status: int | None,
        source: str | None,
        problem: str | None = None,
    ) -> errors.ProviderError:
        provider = self.endpoint.provider
        path = url.path if self.is_ours(url) else "a link to another origin"
        if kind is errors.Unauthorized:
            setting = self.endpoint.credential
            return errors.Unauthorized(provider, path, setting=setting, source=source)
        return kind(provider, path, status=status, source=source, problem=problem)

    def _note_time(self, response: requests.Response) -> datetime:
        """The server's clock, if it tells one; the first answer's is remembered."""
        try:
            now = parsedate_to_datetime(response.headers.get("Date", ""))
        except (ValueError, TypeError, IndexError, OverflowError):
            return datetime.now(timezone.utc)
        # "-0000" comes naive and means UTC.
        now = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
        self.server_time = self.server_time or now
        return now

    def _session(self) -> requests.Session:
        """One session a thread: `requests` does not promise that one can be shared."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = _Session()
            # The environment is read once (it costs as much as a request) and without
            # .netrc, an entry of which would replace our credential.
            session.trust_env = False
            session.proxies = get_environ_proxies(self.endpoint.base_url)
            session.verify = next(
                (os.environ[name] for name in CA_BUNDLES if os.environ.get(name)), True
            )
            session.headers.update(self._headers)
            self._local.session = session
            with self._lock:
                self._sessions.append(session)
        return session


def without_token(url: SplitResult) -> SplitResult:
    """A link without a credential in its query: the header holds it, and is not logged.

    `urllib3` logs queries at its DEBUG level.
    """
    kept = [one for one in url.query.split("&") if not _TOKEN.match(one)]
    return url._replace(query="&".join(kept))


def origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, with the scheme's own port filled in."""
    try:
        port = url.port
    except ValueError:
        port = -1
    return url.scheme, url.hostname, port or {"http": 80, "https": 443}.get(url.scheme)


_KINDS: dict[int, type[errors.ProviderError]] = {
    HTTPStatus.ACCEPTED: errors.Unavailable,
    HTTPStatus.UNAUTHORIZED: errors.Unauthorized,
    HTTPStatus.PAYMENT_REQUIRED: errors.PaymentRequired,
    HTTPStatus.FORBIDDEN: errors.Gone,
    HTTPStatus.NOT_FOUND: errors.Gone,
    HTTPStatus.TOO_MANY_REQUESTS: errors.Unavailable,
    # Both vendors answer these two when a question took them too long.
    HTTPStatus.BAD_GATEWAY: errors.TooWide,
    HTTPStatus.GATEWAY_TIMEOUT: errors.TooWide,
}


def _kind(status: int) -> type[errors.ProviderError]:
    """What a status means to the tap, whatever the endpoint."""
    server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    other = errors.Unavailable if server_error else errors.BadRequest
    return _KINDS.get(status, other)

"""HTTP for all providers: one careful GET.

It keeps the credential on the configured origin, honours `Retry-After`, bounds what it
reads, and turns every way to fail into one of `errors`, whose texts hold no body, no
query string and no credential.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

import backoff
import msgspec
import requests
import urllib3

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.limiter import Limiter, http_date, retry_after
from tap_utility_intervals.floor.progress import duration
from tap_utility_intervals.floor.tally import Traffic
from tap_utility_intervals.providers import links, statuses, surroundings
from tap_utility_intervals.providers.bodies import (
    CHUNK,
    Bodies,
    TooMuch,
    is_packed_twice,
)
from tap_utility_intervals.providers.connections import (
    Connections,
    Endpoint,
    TookTooLong,
)
from tap_utility_intervals.providers.spool import Spool
from tap_utility_intervals.settings.shared import Settings

LOGGER = logging.getLogger("tap-utility-intervals.requests")

T = TypeVar("T")

Params = Sequence[tuple[str, str]]

POLITE_WAIT = 5.0
"""Seconds to wait after a 202 or 429 that does not say how long."""
MOST_POLITE_WAITS = 100
"""How often one request may be put off by 202 or 429 before it counts as failed."""
LONGEST_REQUEST = 600.0
"""Seconds that one request may take at least, from its first byte to the last."""
LONGEST_TRYING = 120.0
"""Seconds of fruitless tries, without the rests between them, that are enough."""
WORTH_TELLING = 5.0
"""Seconds; at the polite rate of one a second, shorter waits are the rule."""
SLOWEST_BACKOFF = 60.0
"""Seconds between two tries at most, where the server names none."""
FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
)
"""What `requests` raises for what the network, a proxy or a wrong file does."""
PASSING = (errors.Unavailable, errors.TooWide, errors.BadAnswer)
"""What may be gone at the next try."""


class _PutOff(Exception):  # noqa: N818 - not an error: the server asks for patience
    """The server answered 202 or 429: the same request again, later."""

    def __init__(self, error: errors.ProviderError, seconds: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.seconds = seconds


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
        self.deadline = max(LONGEST_REQUEST, 2 * self.timeout)
        self.max_retries = settings.max_retries
        self.server_time: datetime | None = None
        self.bodies = Bodies(settings.max_response_bytes)
        self.spool = Spool()
        self._patience = statuses.Patience()
        self.traffic = Traffic()
        headers = {
            "Accept": "application/json",
            "User-Agent": settings.user_agent or "tap-utility-intervals",
            **endpoint.headers,
        }
        self._connections = Connections(endpoint.base_url, headers)
        self._session = self._connections.session
        self._base_path = urlsplit(endpoint.base_url).path
        self._secrets = {value.split()[-1] for value in endpoint.headers.values()}

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
        return self._ask(urlsplit(url), decode, source, reader)

    def follow(
        self,
        link: str,
        *,
        decode: Callable[[bytes], T],
        page: str = "",
        source: str | None = None,
        reader: str = "",
    ) -> T:
        """Ask for what a `next` link of `page` leads to, on the configured origin.

        Raises:
            errors.UnsafeLink: when the link leads elsewhere; nothing is sent.
            errors.ProviderError: as `get`.
        """
        url = links.ours(link, page, self.endpoint.base_url, self._secrets)
        if url is None:
            raise errors.UnsafeLink(
                self.endpoint.provider, page or "a link", source=source
            )
        return self._ask(url, decode, source, reader)

    def _ask(
        self,
        url: SplitResult,
        decode: Callable[[bytes], T],
        source: str | None,
        reader: str,
    ) -> T:
        """What another reader was answered, or an answer; kept where it is shared."""
        if not self.spool.shares(url.path[len(self._base_path) :]):
            return self._persist(url, decode, source)
        body = self.spool.take(url.geturl(), reader)
        if body is not None:
            return decode(body)

        def decode_and_keep(body: bytes) -> T:
            found = decode(body)
            self.spool.keep(url.geturl(), reader, body)
            return found

        return self._persist(url, decode_and_keep, source)

    def close(self) -> None:
        """Close all connections; threads that wait for their turn are woken."""
        self.limiter.stop()
        self.spool.close()
        self._connections.close()

    def _persist(
        self, url: SplitResult, decode: Callable[[bytes], T], source: str | None
    ) -> T:
        """Ask again after a failure that may pass, later each time.

        A server that puts us off has not failed. A 429 belongs to the credential, so
        that all workers wait; a 202 to the one answer that is being built.
        """
        waits = backoff.expo(base=2, factor=0.5, max_value=SLOWEST_BACKOFF)
        next(waits)  # backoff's generators begin with an empty step
        status, failures, put_off = None, 0, 0
        tried = waited = 0.0
        while True:
            begun = self.limiter.now()
            try:
                found = self._once(url, decode, source)
            except _PutOff as asked:
                put_off += 1
                waited += asked.seconds
                status = asked.error.status
                self.traffic.put_off(status or 0, asked.seconds)
                is_over = waited > self._patience.with_a(status)
                if put_off > MOST_POLITE_WAITS or is_over:
                    self._patience.note(status, came=False)
                    raise asked.error from None
                self._be_patient(asked)
            except PASSING:
                failures += 1
                tried += self.limiter.now() - begun
                if failures > self.max_retries or tried >= LONGEST_TRYING:
                    raise
                self.traffic.failed()
                self.limiter.sleep(backoff.full_jitter(next(waits)))
            else:
                self._patience.note(status, came=True)
                return found

    def _be_patient(self, asked: _PutOff) -> None:
        """Wait as the server asks, and tell it once, however many workers wait."""
        seconds, status = asked.seconds, asked.error.status
        if status == HTTPStatus.ACCEPTED:
            LOGGER.debug("%s is building an answer (202)", self.endpoint.provider)
            self.limiter.sleep(seconds)
        elif self.limiter.hold(seconds) and seconds >= WORTH_TELLING:
            name = self.endpoint.title or self.endpoint.provider
            LOGGER.info("%s asks to wait %s (%s)", name, duration(seconds), status)

    def _once(
        self, url: SplitResult, decode: Callable[[bytes], T], source: str | None
    ) -> T:
        with self.bodies.room() as room:
            self._receive(url, room, source)
            try:
                return self.bodies.decoded(room, decode)
            except (msgspec.DecodeError, ValueError, RecursionError):
                # The decoder's own text could quote the body.
                kind, status = errors.BadAnswer, HTTPStatus.OK
                raise self._error(kind, url, status, source) from None

    def _receive(
        self, url: SplitResult, room: SpooledTemporaryFile[bytes], source: str | None
    ) -> None:
        """Send the request, and read the body of an answer that is one."""
        try:
            with self.limiter, self._connections.watch.watched(self.deadline):
                self.traffic.sent()
                response = self._session().get(
                    url.geturl(),
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    now = self._note_time(response)
                    self._judge(response, url, source, now)
                    try:
                        self.bodies.fill(room, response.iter_content(CHUNK))
                    finally:
                        self.traffic.received(response.raw.tell())
        except TooMuch:
            raise self._error(errors.TooLarge, url, HTTPStatus.OK, source) from None
        except FAILURES as failure:
            raise self._unreached(failure, url, source) from None

    def _unreached(
        self, failure: Exception, url: SplitResult, source: str | None
    ) -> errors.ProviderError:
        """What it means that no whole answer came."""
        wrong = surroundings.what_is_wrong(failure, self.endpoint)
        if wrong is not None:
            kind = errors.Unavailable if wrong.may_pass else errors.Misconfigured
            return kind(
                *(self.endpoint.provider, url.path),
                source=source,
                problem=wrong.problem,
                hint=wrong.hint,
            )
        happened = type(failure).__name__
        if isinstance(failure, TookTooLong):
            happened = f"no whole answer within {duration(self.deadline)}"
        problem = f"could not be reached ({happened})"
        return self._error(errors.Unavailable, url, None, source, problem)

    def _judge(
        self,
        response: requests.Response,
        url: SplitResult,
        source: str | None,
        now: datetime,
    ) -> None:
        """Raise for every status but 200, and for what no honest server does."""
        status = response.status_code
        if status == HTTPStatus.OK and is_packed_twice(response.headers):
            problem = "sent an answer that is packed more than once"
            raise self._error(errors.BadAnswer, url, status, source, problem)
        if status == HTTPStatus.OK:
            return
        kind = statuses.kind_of(status)
        error = self._error(kind, url, status, source)
        if status in {HTTPStatus.ACCEPTED, HTTPStatus.TOO_MANY_REQUESTS}:
            raise _PutOff(error, polite_wait(response, now))
        raise error

    def _error(
        self,
        kind: type[errors.ProviderError],
        url: SplitResult,
        status: int | None,
        source: str | None,
        problem: str | None = None,
    ) -> errors.ProviderError:
        provider, path = self.endpoint.provider, url.path
        if kind is errors.Unauthorized:
            setting = self.endpoint.credential
            return errors.Unauthorized(provider, path, setting=setting, source=source)
        problem, hint = statuses.explained(status, source, self.endpoint, problem)
        return kind(
            provider, path, status=status, source=source, problem=problem, hint=hint
        )

    def _note_time(self, response: requests.Response) -> datetime:
        """The server's clock, if it tells one; the first answer's is remembered."""
        now = http_date(response.headers.get("Date"))
        self.server_time = self.server_time or now
        return now or datetime.now(timezone.utc)


def polite_wait(response: requests.Response, now: datetime) -> float:
    """Seconds to wait after a 202 or 429, as it says."""
    wait = retry_after(response.headers.get("Retry-After"), now)
    return min(POLITE_WAIT if wait is None else wait, statuses.LONGEST_WAIT)

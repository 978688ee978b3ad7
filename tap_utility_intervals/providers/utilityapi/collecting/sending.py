"""The two requests to UtilityAPI that cost money; only people send them.

https://utilityapi.com/docs/api/meters/historical-collection and …/ongoing-monitoring

A POST is never repeated unless UtilityAPI said, with a 429, that it did not take it,
and the meters still look as if it had not: one that broke off may have been accepted,
and a second one would cost again. See utilityapi.md#collecting and utilityapi.md#rate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeAlias

import requests
from requests.exceptions import InvalidURL, ProxyError
from urllib3.exceptions import NewConnectionError

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.bodies import CHUNK, TooMuch
from tap_utility_intervals.providers.http import Transport, polite_wait
from tap_utility_intervals.providers.utilityapi.collecting.refusals import (
    MaybeStarted,
    Refused,
    document_in,
    refusal,
)
from tap_utility_intervals.settings.shared import Settings

COLLECTION = "/meters/historical-collection"
MONITORING = "/meters/ongoing-monitoring"
MOST_WAITS = 20
"""How often a request may be put off by a 429 before it counts as refused."""

StillDue: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""Looks again which of these meters are still to be sent."""


@dataclass(frozen=True)
class Answer:
    """What UtilityAPI said it does, by the uids of meters."""

    meters: Sequence[str]
    """The meters that it took; others are left out without a word."""
    dropped: Sequence[str]
    """Those that were sent and not taken."""
    overtaken: Sequence[str] = ()
    """Those that need it no longer, seen after a 429: they were not sent again."""
    is_free: bool = False
    """Whether UtilityAPI says that it costs nothing (`created_free_collection`)."""


class Collector:
    """Sends what costs money, once."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Send through the same limiter as `transport`; long waits go to `tell`."""
        self._posts = _Posts(transport.endpoint, settings, transport.limiter)
        self._tell = tell

    def collect(
        self, meters: Sequence[str], months: int, still_due: StillDue
    ) -> Answer:
        """Start a historical collection of the last so many months of these meters.

        Raises:
            errors.ProviderError: `Refused`, `MaybeStarted`, `errors.Unauthorized`.
        """
        return self._send(
            COLLECTION, meters, {"collection_duration": months}, still_due
        )

    def monitor(
        self,
        meters: Sequence[str],
        frequency: str,
        day: int | None,
        still_due: StillDue,
    ) -> Answer:
        """Set the ongoing monitoring of meters.

        Args:
            meters: their uids.
            frequency: one of `prospects.FREQUENCIES`.
            day: of the month, for `monthly`; None leaves it to UtilityAPI.
            still_due: as for `collect`.

        Raises:
            errors.ProviderError: as `collect`.
        """
        body: dict[str, Any] = {"frequency": frequency}
        if day is not None:
            body["fixed_refresh_day"] = day
        return self._send(MONITORING, meters, body, still_due)

    def _send(
        self,
        path: str,
        meters: Sequence[str],
        body: Mapping[str, Any],
        still_due: StillDue,
    ) -> Answer:
        """Send once; again only after a 429, as late as it says, what is still due."""
        due = list(meters)
        reply = self._posts.post(path, {"meters": due, **body})
        for _ in range(MOST_WAITS - 1):
            if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
                break
            self._tell(f"UtilityAPI asks to wait {reply.wait:.0f} seconds.")
            self._posts.limiter.hold(reply.wait)
            due = _look_again(path, due, still_due)
            if not due:
                return Answer((), (), overtaken=list(meters))
            reply = self._posts.post(path, {"meters": due, **body})
        taken = self._taken(path, reply)
        return Answer(
            taken,
            dropped=[uid for uid in due if uid not in taken],
            overtaken=[uid for uid in meters if uid not in due],
            is_free=document_in(reply.body).get("created_free_collection") is True,
        )

    def _taken(self, path: str, reply: _Reply) -> Sequence[str]:
        """Return the meters that a success names.

        Raises:
            errors.ProviderError: as `collect`.
        """
        if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            setting = self._posts.endpoint.credential
            raise refusal(path, reply.status, reply.body, setting)
        taken = _meters_in(reply)
        if taken is None:
            problem = "took the request without saying readably for which meters"
            raise MaybeStarted(path, reply.status, problem)
        return taken


def _look_again(path: str, meters: Sequence[str], still_due: StillDue) -> list[str]:
    """Return the meters that are still due; without knowing, nothing is sent again.

    Raises:
        MaybeStarted: when the meters cannot be looked at.
    """
    try:
        return list(still_due(meters))
    except errors.SourceError as error:
        problem = "asked to wait, and the meters could not be looked at before"
        raise MaybeStarted(path, error.status, problem) from error


@dataclass(frozen=True)
class _Reply:
    status: int
    body: bytes
    wait: float
    """Seconds until it may be sent again, should it not have been taken."""


class _Posts(Transport):
    """A transport that can POST: the only one, and for this module alone."""

    def post(self, path: str, body: Mapping[str, Any]) -> _Reply:
        """Send once; a redirect is an answer, and not followed.

        Raises:
            Refused: when nothing can have been accepted.
            MaybeStarted: when something may have been.
        """
        # An interrupt while the limiter waits is none of these: nothing has left.
        with self.limiter:
            try:
                with self._session().post(
                    f"{self.endpoint.base_url}{path}",
                    data=json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"},
                    timeout=self.timeout,
                    allow_redirects=False,
                    stream=True,
                ) as response:
                    return self._reply(response, self._note_time(response))
            except KeyboardInterrupt:
                raise MaybeStarted(path, None, "was interrupted") from None
            except requests.RequestException as failure:
                problem = f"could not be reached ({type(failure).__name__})"
                if _never_left(failure):
                    advice = "nothing was sent; check the network and the base URL"
                    raise Refused(path, None, problem, advice) from None
                problem = f"broke off ({type(failure).__name__})"
                raise MaybeStarted(path, None, problem) from None

    def _reply(self, response: requests.Response, now: datetime) -> _Reply:
        """The whole reply; a body that cannot be read counts as empty."""
        try:
            with self.bodies.room() as room:
                self.bodies.fill(room, response.iter_content(CHUNK))
                body = self.bodies.decoded(room, bytes)
        except (requests.RequestException, TooMuch):
            body = b""
        return _Reply(response.status_code, body, polite_wait(response, now))


def _never_left(failure: requests.RequestException) -> bool:
    """Whether not even a connection was made; what else fails may have left."""
    if isinstance(failure, (requests.ConnectTimeout, ProxyError, InvalidURL)):
        return True
    cause = failure.args[0] if failure.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _meters_in(reply: _Reply) -> list[str] | None:
    """The meters of a success, `{"success": true, "meters": ["123"], …}`.

    None if it does not say, or says `false`.
    """
    document = document_in(reply.body)
    meters = document.get("meters")
    if document.get("success") is False or not isinstance(meters, list):
        return None
    return [str(uid) for uid in meters]

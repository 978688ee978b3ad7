"""What it means when a request that costs money is not taken, and what to do. Pure.

https://utilityapi.com/docs/api/meters/historical-collection lists the status codes and
the error types of a 400; more types may come. See utilityapi.md#statuses and
utilityapi.md#error-body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tap_utility_intervals.floor import errors

STATUS = "`utility-intervals collect status`"
PLAN = "`utility-intervals collect plan`"
"""The commands that people are sent to."""


class Refused(errors.ProviderError):
    """UtilityAPI did not take the request, or nobody knows whether it did."""

    def __init__(
        self, endpoint: str, status: int | None, problem: str, advice: str
    ) -> None:
        """Say what happened and what to do."""
        super().__init__(
            "utilityapi", endpoint, status=status, problem=problem, hint=advice
        )


class MaybeStarted(Refused):
    """The request left, and no readable answer came: it may have been accepted."""

    def __init__(self, endpoint: str, status: int | None, problem: str) -> None:
        """Say what happened; what to do is always the same."""
        advice = (
            "it may have been accepted all the same, so it was not repeated, for that "
            f"could cost twice; look with {STATUS} before you send it again"
        )
        super().__init__(endpoint, status, problem, advice)


PREPAY = (
    "nothing was started; choose a pre-pay for data collections in UtilityAPI's "
    "settings, as it cannot be paid through the API, then send it again"
)

BAD_REQUESTS = {
    "required_param_missing": (
        "says that a value is missing from the request",
        "nothing was started; name meters with --meters, and report this if you did",
    ),
    "invalid_param": (
        "does not accept a value of the request",
        f"nothing was started; compare the meters' uids with {PLAN}",
    ),
    "expired_or_revoked": (
        "says that the authorizations of all these meters are expired or revoked",
        "nothing was started; ask the customers to authorize again, then send it again",
    ),
}
"""The documented types of a 400: what they mean, and what to do."""

REFUSALS: dict[int, tuple[str, str]] = {
    HTTPStatus.PAYMENT_REQUIRED: (
        "asks for payment: the balance of the account is used up",
        PREPAY,
    ),
    # Not documented here; what a 403 means anywhere.
    HTTPStatus.FORBIDDEN: (
        "does not let this token do that",
        "nothing was started; check the token's account at UtilityAPI",
    ),
    HTTPStatus.NOT_FOUND: (
        "does not know any of these meters, or this token may not see them",
        f"nothing was started; compare their uids with {PLAN}",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "kept asking to wait",
        "nothing was started; send it again later",
    ),
}
"""Other statuses that leave no doubt, by status: what they mean, and what to do."""

NEVER_TAKEN = frozenset(
    {405, 406, 407, 410, 411, 413, 414, 415, 417, 421, 422, 426, 428, 431, 451}
)
"""Further ones, by RFC 9110, 6585 and 7725: it was not acted upon."""

BROKEN: dict[int, str] = {
    HTTPStatus.SERVICE_UNAVAILABLE: "is down for maintenance",
    HTTPStatus.GATEWAY_TIMEOUT: "took too long to answer",
}
"""What statuses mean after which it may have been accepted all the same."""


def refusal(path: str, status: int, body: bytes, setting: str) -> errors.ProviderError:
    """Return what a reply other than success means.

    Args:
        path: that was sent to.
        status: of the reply.
        body: of the reply.
        setting: that holds the credential.

    Returns:
        `errors.Unauthorized`; `Refused` where nothing was started; else `MaybeStarted`.
    """
    if status == HTTPStatus.UNAUTHORIZED:
        return errors.Unauthorized("utilityapi", path, setting=setting)
    if status == HTTPStatus.BAD_REQUEST:
        return Refused(path, status, *_bad_request(document_in(body)))
    if status in REFUSALS:
        return Refused(path, status, *REFUSALS[status])
    if status in NEVER_TAKEN:
        advice = "nothing was started; check utilityapi_base_url, else report it"
        return Refused(path, status, "refused the request", advice)
    is_broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    other = "failed on its side" if is_broken else "gave an answer that leaves it open"
    return MaybeStarted(path, status, BROKEN.get(status, other))


def _bad_request(document: Mapping[str, Any]) -> tuple[str, str]:
    """A 400 by its type; more types may come, and the body's text is not repeated."""
    kind = document.get("error")
    if isinstance(kind, str) and kind in BAD_REQUESTS:
        return BAD_REQUESTS[kind]
    advice = (
        "nothing was started; look it up at https://utilityapi.com/docs/api, or ask "
        "UtilityAPI's support"
    )
    if isinstance(kind, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", kind):
        return (
            f"refused with error type {kind}, which this version does not know",
            advice,
        )
    return "refused the request without a readable error type", advice


def document_in(body: bytes) -> Mapping[str, Any]:
    """The JSON object in a body; empty when there is none, such as HTML."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}

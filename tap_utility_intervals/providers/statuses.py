"""What an HTTP status means to the tap, whatever the endpoint. Pure."""

from __future__ import annotations

from http import HTTPStatus

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.surroundings import Where, proxy_variable

_KINDS: dict[int, type[errors.ProviderError]] = {
    HTTPStatus.ACCEPTED: errors.Unavailable,
    HTTPStatus.UNAUTHORIZED: errors.Unauthorized,
    HTTPStatus.PAYMENT_REQUIRED: errors.PaymentRequired,
    HTTPStatus.FORBIDDEN: errors.Gone,
    HTTPStatus.NOT_FOUND: errors.Gone,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: errors.Misconfigured,
    HTTPStatus.TOO_MANY_REQUESTS: errors.Unavailable,
    # Each vendor has one of these for what took it too long, see its page in
    # docs/providers (utilityapi.md#statuses and nectar.md#errors).
    HTTPStatus.BAD_GATEWAY: errors.TooWide,
    HTTPStatus.GATEWAY_TIMEOUT: errors.TooWide,
}


def kind_of(status: int) -> type[errors.ProviderError]:
    """What a status means to the tap, whatever the endpoint."""
    server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    other = errors.Unavailable if server_error else errors.BadRequest
    return _KINDS.get(status, other)


def explained(
    status: int | None, source: str | None, where: Where, problem: str | None
) -> tuple[str | None, str | None]:
    """What a status says of the base URL or the proxy: problem and advice, if any."""
    base = f"check the setting {where.setting}"
    if status is None:
        return problem, None
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        named = proxy_variable(where)
        advice = f"check the variable {named}" if named else base
        return "could not be reached through the proxy", advice
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return "sends on to another address, which is not followed", base
    if HTTPStatus.OK < status < HTTPStatus.MULTIPLE_CHOICES:
        is_built = status == HTTPStatus.ACCEPTED
        return (problem, None) if is_built else ("sent no whole answer", base)
    if status == HTTPStatus.NOT_FOUND and source is None:
        return problem, f"{base}, or the credential may not read it"
    return problem, None


LONGEST_WAIT = 3600.0
"""Seconds that one question may be put off in all."""
LONGEST_BUILDING = 300.0
"""Seconds that one answer may be under way (202): the sources after it wait for it."""
SHORTEST_BUILDING = 5.0
"""The least of it that is left after answers that never came."""


class Patience:
    """For how many seconds a question may be put off in all.

    After each answer that was waited for in vain the next one gets half the time, until
    one comes: so many sources that never come cost no more than twice the first, and
    few seconds each, before those after them are read.
    """

    def __init__(self) -> None:
        """Nothing was waited for yet."""
        self._building = LONGEST_BUILDING

    def with_a(self, status: int | None) -> float:
        """Seconds for a question that is put off with a status."""
        return self._building if status == HTTPStatus.ACCEPTED else LONGEST_WAIT

    def note(self, status: int | None, *, came: bool) -> None:
        """Note whether an answer came that had been put off with a status, if any."""
        if status == HTTPStatus.ACCEPTED:
            less = max(self._building / 2, SHORTEST_BUILDING)
            self._building = LONGEST_BUILDING if came else less

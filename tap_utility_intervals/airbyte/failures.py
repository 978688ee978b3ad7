"""What went wrong, as the platform wants to know it: whose business is it?

A `config_error` waits for the user, a `transient_error` is tried again later, and a
`system_error` is ours.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass

from singer_sdk.exceptions import ConfigValidationError

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import End, Outcome

CONFIG, TRANSIENT, SYSTEM = "config_error", "transient_error", "system_error"

USERS = (
    ConfigValidationError,
    errors.ConfigError,
    errors.Unauthorized,
    errors.PaymentRequired,
    errors.Gone,
    errors.TooLarge,
)
"""What no further attempt mends, but a setting or a grant does."""

PASSING = (errors.Unavailable, errors.TooWide, errors.FallsShort)

NAMED = 20
"""How many lost sources a message names."""


@dataclass(frozen=True)
class Failure:
    """One thing that went wrong.

    Attributes:
        kind: `config_error`, `transient_error` or `system_error`.
        message: What the user reads.
        internal: What a developer wants to know besides.
        stack: Where it happened, for what nobody foresaw.
    """

    kind: str
    message: str
    internal: str
    stack: str | None = None


def kind_of(error: Exception | str) -> str:
    """Whose business an error is."""
    if isinstance(error, USERS):
        return CONFIG
    return TRANSIENT if isinstance(error, PASSING) else SYSTEM


def failure_of(error: Exception) -> Failure:
    """An error as the platform wants it."""
    kind, name = kind_of(error), type(error).__name__
    if isinstance(error, ConfigValidationError):
        return Failure(kind, " ".join(error.errors) or str(error), name)
    if isinstance(error, errors.TapError):
        return Failure(kind, str(error), name)
    stack = "".join(traceback.format_exception(error))
    message = "Something happened that the connector does not foresee; please report it"
    return Failure(kind, f"{message} ({name}).", f"{name}: {error}", stack)


def failures_of(losses: Iterable[End]) -> list[Failure]:
    """Losses as one failure for each kind, in the order of their first ones."""
    kinds: dict[str, list[End]] = {}
    for loss in losses:
        is_gone = loss.outcome is Outcome.GONE
        kind = CONFIG if is_gone else kind_of(loss.reason)
        kinds.setdefault(kind, []).append(loss)
    return [_together(kind, lost) for kind, lost in kinds.items()]


def _together(kind: str, lost: list[End]) -> Failure:
    first = lost[0]
    message = str(first.reason)
    if isinstance(first.reason, str):  # an error names its source by itself
        message = f"{first.source}: {message}."
    if len(lost) > 1:
        message += f" Likewise for {len(lost) - 1} more."
    named = "; ".join(f"{loss.source}: {loss.reason}" for loss in lost[:NAMED])
    more = "" if len(lost) <= NAMED else f"; and {len(lost) - NAMED} more"
    return Failure(kind, message, named + more)

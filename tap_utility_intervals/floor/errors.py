"""What can go wrong, and what the user should do about it.

    TapError                everything this package raises on purpose
    ├── ConfigError         a setting is wrong: correct the one it names
    └── ProviderError       a provider did not give what was asked
        ├── Unauthorized    401: renew the credential in the setting it names
        ├── Misconfigured   a proxy, certificates or the base URL: what it names
        └── SourceError     one question failed: the other sources go on
            ├── PaymentRequired 402: top up the provider's balance
            ├── Gone            403, 404: nothing, or renew the grant
            ├── BadRequest      400 and other 4xx: check filters and dates
            ├── TooWide         502, 504 that persisted: a smaller `window_days`
            ├── Unavailable     429, 5xx, time-outs that persisted: run again later
            ├── BadAnswer       unreadable JSON or shape: run again, else report it
            ├── FallsShort      less than was promised: it is asked for again
            ├── UnsafeLink      `next` leads elsewhere or in a circle
            └── TooLarge        beyond `max_response_mb`: smaller windows, or raise it

`Unauthorized` is no `SourceError`: whoever goes on with the next source after a failure
cannot forget that no credential is left to go on with.

`str(error)` is safe to paste in public: it holds the provider, the path, the status and
the source's id, and never a body, a token, a query string or personal data. Arguments
named `problem` are our own words, never a piece of an answer.
"""
# ruff: noqa: N818 - the names say what happened, as in httpx

from __future__ import annotations

import re
from typing import ClassVar

from tap_utility_intervals.floor.printable import printable

_MAX_TEXT = 200
"""Characters of a server's own words: enough to know it, too few to flood a log."""


class TapError(Exception):
    """Everything that this package raises on purpose."""


class ConfigError(TapError):
    """A setting is missing or wrong.

    Attributes:
        setting: Its name, such as `window_days`.
        problem: What is wrong, in our words: `must be at least 1`; never a secret.
        example: A value that would do, as it is written in JSON: `30`, `"2024-01-01"`.
    """

    def __init__(self, setting: str, problem: str, example: str | None = None) -> None:
        """Say it in one sentence."""
        self.setting = setting
        self.problem = problem
        self.example = example
        such_as = f', for example: "{setting}": {example}' if example else ""
        end = "" if problem.endswith("?") else "."
        super().__init__(f"Setting {setting} {problem}{such_as}{end}")


class ProviderError(TapError):
    """A provider did not give what was asked.

    Attributes:
        provider: `utilityapi` or `nectar`.
        endpoint: The path, with ids and without query: `/meters/123`.
        status: The HTTP status, if an answer came.
        source: Which meter or connection it was about: `meter 123`.
        problem: What happened, where there is more to say than the class does; it
            follows the provider's name: `could not be reached (ReadTimeout)`.

    What to do is `hint`, or else the class's `advice`.
    """

    happened: ClassVar[str] = "did not give what was asked"
    advice: ClassVar[str] = "run it again, and report it if it persists"

    def __init__(  # noqa: PLR0913 - all that there is to say
        self,
        provider: str,
        endpoint: str,
        *,
        status: int | None = None,
        source: str | None = None,
        problem: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Say it in one sentence: who, what, where, and what to do."""
        self.provider = provider
        self.endpoint = _path(endpoint)
        self.status = None if status is None else int(status)
        self.source = _clean(source) if source else None
        self.problem = _clean(problem) if problem else None
        what = f"{provider} {self.problem or self.happened}"
        super().__init__(f"{what} ({self._where()}): {hint or self.advice}.")

    def _where(self) -> str:
        status = "" if self.status is None else f"HTTP {self.status} on "
        source = "" if self.source is None else f", {self.source}"
        return f"{status}{self.endpoint}{source}"


class Unauthorized(ProviderError):
    """401: the credential is missing, wrong or withdrawn; no retry helps."""

    happened = "refused the credential"

    def __init__(
        self,
        provider: str,
        endpoint: str,
        *,
        setting: str,
        status: int | None = 401,
        source: str | None = None,
    ) -> None:
        """Name the setting to fix."""
        self.setting = setting
        hint = f"check the setting {setting}, or renew it at the provider"
        super().__init__(provider, endpoint, status=status, source=source, hint=hint)


class Misconfigured(ProviderError):
    """What is around the tap is wrong, for every question alike; no retry helps."""

    happened = "could not be reached from this machine"


class SourceError(ProviderError):
    """One question failed, and with it at most one source; the others go on."""


class PaymentRequired(SourceError):
    """402: collecting costs money and the balance is used up; reading stays free."""

    happened = "asks for payment before it collects"
    advice = "top up the balance in the provider's dashboard, then start it again"


class Gone(SourceError):
    """403 or 404: the source is gone or not permitted; its bookmark stays."""

    happened = "does not show this source"
    advice = "it was removed, or the credential may not read it; its bookmark stays"


class BadRequest(SourceError):
    """400 and other 4xx: the request itself was refused; no retry helps."""

    happened = "refused the request"
    advice = "check the settings that filter or date the request, else report it"


class TooWide(SourceError):
    """502 or 504 that persisted: the answer takes the provider too long to build."""

    happened = "could not build so large an answer in time"
    advice = "ask for less at once with a smaller window_days"


class Unavailable(SourceError):
    """429, 5xx, time-outs or resets that outlasted every retry."""

    happened = "stayed unavailable through all retries"
    advice = "run it again later"


class BadAnswer(SourceError):
    """The JSON could not be read, or lacks what it must have."""

    happened = "sent an answer that cannot be read"


class FallsShort(SourceError):
    """Less came than was promised, and that is new; the rest of the source is read.

    The bookmark remembers what is lacking, so that the next runs ask for it.
    """

    happened = "gives less than it promises"
    advice = "what came is stored, and the rest is asked for again in each run"


class UnsafeLink(SourceError):
    """A `next` link leaves the configured origin, or repeats; it was not followed."""

    happened = "sent a next link that leads elsewhere or in a circle"
    advice = "check the base URL setting of this provider, else report it"


class TooLarge(SourceError):
    """An answer is larger than `max_response_mb` allows; reading it was stopped."""

    happened = "sent an answer larger than max_response_mb"
    advice = "ask for less at once with a smaller window_days, or raise max_response_mb"


def _path(endpoint: str) -> str:
    """Keep the path alone: a whole URL may hold a token in its query or user part."""
    path = re.sub(r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*", "", endpoint)
    return _clean(re.split(r"[?#]", path, maxsplit=1)[0]) or "/"


def _clean(text: str) -> str:
    """Keep it on one line, without control characters, and short."""
    line = " ".join(printable(text).split())
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"

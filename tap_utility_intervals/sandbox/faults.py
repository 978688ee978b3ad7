"""Faults on demand: rules that make an answer go wrong; the first one decides."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_utility_intervals.sandbox.wire import Request

Kind = Literal[
    "status",
    "reset",
    "reset_in_body",
    "truncate",
    "slow",
    "garbage",
    "flood",
    "advance",
    "change",
    "thin",
    "repeat",
    "ignore",
    "shift",
    "drip",
    "continue",
    "mute",
]
DAY = 86_400


@dataclass
class Fault:
    """One rule: which requests it strikes, and how.

    It strikes a request whose provider, method, path and query (regular expressions,
    searched) match, after letting `skip` matches pass, `times` times (None: for ever).
    `min_days` and `min_meters` strike only what asks for much: an open span is endless.

    Kinds: `status` answers `status` with `headers` and `body` (200 with a wrong shape
    is one, too; a header `now+5` becomes the HTTP date five seconds from now); `reset`
    cuts the connection at once, `reset_in_body` in the middle of the body; `truncate`
    sends half a body as if it were whole; `slow` waits `seconds` and then answers;
    `garbage` claims gzip and sends rubbish; `flood` sends `size` bytes of JSON (200 M);
    `advance` moves the clock by `seconds` before an answer that is healthy; `change`
    answers with `members` in place of the object's own and without those that `lacking`
    names (`{self}` stands for the URL of the request, `+1` adds to a number), in every
    object of the list `each` if that is set (`meters`, `intervals.readings`); `thin`
    keeps one in `every` of the list `each`; `repeat` answers with what was answered
    before on this path, but for the members that `keeping` names, which are the page's
    own; `ignore` answers as if `parameters` had not been sent, `shift` as if those that
    are instants were `seconds` later; `drip` sends `size` bytes (1) at a time,
    `seconds` apart (`headers_too`: the head as well); `continue` sends `100 Continue`
    every `seconds`, for ever; `mute` never answers.
    """

    kind: Kind = "status"
    status: int = 503
    provider: str | None = None
    method: str | None = None
    path: str = ""
    query: str = ""
    skip: int = 0
    times: int | None = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 0
    size: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    lacking: Sequence[str] = ()
    keeping: Sequence[str] = ()
    parameters: Sequence[str] = ()
    each: str = ""
    every: int = 2
    headers_too: bool = False
    min_days: float | None = None
    min_meters: int | None = None
    probability: float = 1
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            text = f"kind {self.kind!r}: one of {', '.join(get_args(Kind))}"
            raise ValueError(text)
        lowest, highest = 100, 999
        if not lowest <= self.status <= highest:
            text = f"status {self.status}: from {lowest} to {highest}"
            raise ValueError(text)
        for name, least in (("skip", 0), ("every", 1), ("size", 0), ("times", 0)):
            number = getattr(self, name)
            if number is not None and number < least:
                text = f"{name} {number}: at least {least}"
                raise ValueError(text)
        for name in ("path", "query"):
            try:
                re.compile(getattr(self, name))
            except (re.error, TypeError) as error:
                text = f"{name} {getattr(self, name)!r}: {error}"
                raise ValueError(text) from error

    def matches(self, provider: str, request: Request, now: int) -> bool:
        """Whether the request is of the kind that this rule is for."""
        query = "&".join(f"{n}={v}" for n, vs in request.query.items() for v in vs)
        return (
            self.provider in (None, provider)
            and self.method in (None, request.method)
            and re.search(self.path, request.path) is not None
            and re.search(self.query, query) is not None
            and (self.min_days is None or days_asked(request, now) > self.min_days)
            and (self.min_meters is None or meters_asked(request) > self.min_meters)
        )


class Faults:
    """The rules of a sandbox; the first one that strikes decides."""

    def __init__(self, seed: int = 0) -> None:
        self._rules: list[Fault] = []
        self._dice = random.Random(f"{seed}/faults")  # noqa: S311 - not for secrets
        self._lock = threading.Lock()

    def add(self, fault: Fault | None = None, /, **settings: object) -> Fault:
        """Add a rule, given whole or as its settings; returns it, with its counts."""
        rule = fault or Fault(**settings)  # type: ignore[arg-type]
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Drop all rules."""
        with self._lock:
            self._rules.clear()

    def __iter__(self) -> Iterator[Fault]:
        """The rules."""
        return iter(list(self._rules))

    def strike(self, provider: str, request: Request, now: int) -> Fault | None:
        """The rule that strikes this request, which is then counted."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(provider, request, now):
                    continue
                rule.seen += 1
                spent = rule.times is not None and rule.struck >= rule.times
                if rule.seen <= rule.skip or spent:
                    continue
                if rule.probability < 1 and self._dice.random() >= rule.probability:
                    continue
                rule.struck += 1
                return rule
        return None

    def shown(self) -> list[dict[str, object]]:
        """The rules as JSON values, with their counts."""
        return [asdict(rule) for rule in self]


def days_asked(request: Request, now: int) -> float:
    """How many days of data a request asks for; endless without a beginning."""
    start = _moment(request.get("start") or request.get("startDate"))
    end = _moment(request.get("end") or request.get("endDate"))
    if start is None:
        return float("inf")
    return ((now if end is None else end) - start) / DAY


def meters_asked(request: Request) -> int:
    """How many meters a request names; endless by authorization."""
    names = request.names("meters")
    return 10**9 if names is None else len(names)


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    except ValueError:
        return None
    return (
        moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    ).timestamp()

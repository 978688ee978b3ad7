"""The sandbox's side of one provider: what an entry of its table holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_utility_intervals.sandbox.rows import BillTruth, MeterTruth, ReadingTruth
    from tap_utility_intervals.sandbox.wire import Answer, Request
    from tap_utility_intervals.sandbox.world import World


class Api(Protocol):
    """A vendor's API over a world; it is asked with the world's lock held."""

    def handle(self, request: Request) -> Answer:
        """Answer a request below one of the provider's prefixes, or raise `Refusal`."""
        ...


@dataclass(frozen=True)
class Provider:
    """One provider: where it is served, by what, and what is true of it.

    `prefixes` are the paths below which it answers; the first is its base URL's.
    `credential` is what it accepts unless the sandbox is given another one, `headers`
    makes the headers (lower case) that carry a credential, and `settings` makes the
    tap's settings out of a base URL and a credential. `readings`, `meters` and `bills`
    say what a sync must deliver now.
    """

    name: str
    title: str
    prefixes: tuple[str, ...]
    credential: str
    api: Callable[[World, str], Api]
    headers: Callable[[str], Mapping[str, str]]
    settings: Callable[[str, str], Mapping[str, object]]
    readings: Callable[[World], Iterator[ReadingTruth]]
    meters: Callable[[World], Iterator[MeterTruth]]
    bills: Callable[[World], Iterator[BillTruth]]

    def serves(self, path: str) -> bool:
        """Tell whether a path is this provider's."""
        return any(f"{path}/".startswith(f"{prefix}/") for prefix in self.prefixes)

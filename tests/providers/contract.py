"""What every provider is tried with: the same worlds in each one's own words.

A provider's folder of tests brings a `subject.py` with `SUBJECT`, which says how the
provider words a world (`Subject`). What must come of it is asserted once for all, in
`test_contract.py`; the model is fsspec's abstract tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.sandbox import Bill, Sandbox, Series, World
from tests.oracle import Row, Values, readings
from tests.syncing import Run, config, sync

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)


@dataclass(frozen=True)
class House:
    """A customer: one meter, which is read through a source of its own."""

    name: str
    series: Series = field(default_factory=lambda: Series([]))
    bills: Sequence[Bill] = ()
    zone: str = "America/New_York"
    service_point: str = "1"
    """What names the physical service."""
    gas: Series | None = None
    """The readings of a gas meter beside it."""


@dataclass(frozen=True)
class Said:
    """A reading as a provider words it: instants and JSON texts."""

    start: str
    end: str
    value: str = "1.5"
    unit: str | None = '"kwh"'
    """None: the word is not there at all."""


@dataclass(frozen=True)
class Billed:
    """A bill of 5 kWh as a provider words it: its first and last day, or None."""

    first: str | None
    last: str | None
    name: str = ""
    """Its id, if it is to be a certain one."""


class Subject(ABC):
    """A provider, as the contract tries it."""

    name: str
    """The provider's."""

    def settings(self, sandbox: Sandbox, **more: Any) -> Row:
        """A configuration that turns this provider on, and no other."""
        return config(sandbox, self.name, max_retries=0, **more)

    def sync(self, sandbox: Sandbox, state: Row | None = None, **more: Any) -> Run:
        """One sync of this provider."""
        return sync(self.settings(sandbox, **more), state)

    def truth(self, world: World) -> Values:
        """What `intervals` must hold now."""
        return readings(world, self.name)

    @abstractmethod
    def world(self, *houses: House, now: datetime = NOW) -> World:
        """A world of these houses."""

    @abstractmethod
    def source(self, house: House, stream: str = "intervals") -> str:
        """The id of the source through which a stream reads a house."""

    def power_alone(self, *_: House) -> Row:
        """Settings that ask for no gas meter, where there can be one."""
        return {}

    def gas_key(self, house: House) -> str:
        """The `meter_key` of a house's gas meter."""
        return f"{house.name}9"

    @abstractmethod
    def strike(self, sandbox: Sandbox, house: House, **fault: Any) -> None:
        """Let every request for a house's readings and bills go wrong."""

    @abstractmethod
    def say(self, sandbox: Sandbox, house: House, *said: Said) -> None:
        """Answer every request for a house's readings with these, word for word."""

    @abstractmethod
    def bill(self, sandbox: Sandbox, house: House, *billed: Billed) -> None:
        """Answer every request for a house's bills with these, word for word."""


def subject_of(provider: str) -> Subject:
    """The subject of a provider, from its folder of tests."""
    found: Subject = import_module(f"tests.providers.{provider}.subject").SUBJECT
    return found


NAMES = [provider.name for provider in PROVIDERS]

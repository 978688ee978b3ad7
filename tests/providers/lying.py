"""Servers that lie, and a warehouse that believes only what `coverage` lets it.

A liar stands between the sandbox and the tap: it drops parts of a question, changes the
counts of an answer, or keeps readings to itself. What it lies about is constant.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tap_utility_intervals.sandbox import HOUR, World, epoch
from tap_utility_intervals.sandbox.provider import Api, Provider
from tap_utility_intervals.sandbox.providers import PROVIDERS
from tap_utility_intervals.sandbox.wire import (
    Answer,
    Request,
    Verbatim,
    encode,
    plain,
)
from tests.current import current
from tests.oracle import Key, Row, Values, values

Lie = Callable[[Any], Any]
"""What becomes of a count."""

COUNTS: Mapping[str, Lie] = {
    "true": lambda count: count,
    "null": lambda _: None,
    "zero": lambda _: 0,
    "a word": lambda _: "many",
    "one more": lambda count: (count or 0) + 1,
    "half": lambda count: (count or 0) // 2,
    "capped": lambda count: min(count or 0, 40),
}
COVERAGE: Mapping[str, Lie] = {
    "true": lambda ranges: ranges,
    "null": lambda _: None,
    "empty": lambda _: [],
    "dates only": lambda ranges: [[day[:10] for day in pair] for pair in ranges],
    "one range": lambda ranges: [[ranges[0][0], ranges[-1][1]]] if ranges else [],
    "a word": lambda _: "2026",
}
IGNORED = {
    "utilityapi": ("start", "end", "order", "limit", "meters", "uids"),
    "nectar": ("startDate", "endDate", "dateType", "datasourceType"),
}
"""The parameters that a provider might not look at."""


RENAMED_FROM = epoch("2026-03-18T12:00:00Z")
RENAMED_AT = epoch("2026-03-22T00:00:00Z")


@dataclass(frozen=True)
class Lies:
    """What a server does wrongly, all the time."""

    ignored: frozenset[str] = frozenset()
    count: str = "true"
    coverage: str = "true"
    withheld: int = 0
    """Every so many-th reading is not served; 0: all are."""
    no_next: bool = False
    """Whether the last page lacks the word that says so."""

    lag: int = 0
    """So many newest hours are listed and counted, and served a day later."""
    backwards: bool = False
    """Whether pages have their objects in another order than was asked for."""
    renamed: bool = False
    """Whether from `RENAMED_AT` on readings since `RENAMED_FROM` are told otherwise."""

    def withholds(self, start: str, now: int) -> bool:
        """Whether a reading with this start is not served."""
        hour = epoch(start)
        is_kept = self.withheld > 0 and hour // HOUR % self.withheld == 0
        return is_kept or (self.lag > 0 and hour >= now - self.lag * HOUR)

    def renames(self, start: str, now: int) -> bool:
        """Whether a reading with this start has another key than it had."""
        return self.renamed and now >= RENAMED_AT and epoch(start) >= RENAMED_FROM

    def served(self, world: World, truth: Values) -> Values:
        """What the server lets be known of the world."""
        now = world.seconds
        return dict(
            _renamed(key, value) if self.renames(key[1], now) else (key, value)
            for key, value in truth.items()
            if not self.withholds(key[1], now)
        )


def _renamed(key: Key, value: Decimal | None) -> tuple[Key, Decimal | None]:
    """What is told of a reading from `RENAMED_AT` on."""
    meter, start, channel, end, provider = key
    if channel == "net/kWh":
        return (meter, start, "fwd/kWh", end, provider), value
    return (meter, start, "usage/Wh", end, provider), value and value * 1000


@dataclass
class Liar:
    """An API that is asked and answers through a liar."""

    api: Api
    lies: Lies
    world: World

    def handle(self, request: Request) -> Answer:
        ignored = self.lies.ignored
        heard = {k: v for k, v in request.query.items() if k not in ignored}
        reply = self.api.handle(replace(request, query=heard))
        body = json.loads(plain(reply.chunks), parse_float=Verbatim)
        return replace(reply, chunks=[encode(self.told(body)).encode()])

    def told(self, body: Any) -> Any:
        """The answer as it goes out."""
        if not isinstance(body, dict):
            return body
        for name in {"totalIntervals", "totalUsageData"} & body.keys():
            body[name] = COUNTS[self.lies.count](body[name])
        for meter in body.get("meters", ()):
            self._about(meter)
        for block in (body, *body.get("intervals", ())):
            self._read(block)
        if self.lies.backwards:
            body.get("intervals", []).reverse()
        if self.lies.no_next and body.get("next", "") is None:
            del body["next"]
        return body

    def _read(self, block: Row) -> None:
        for name in {"readings", "intervals"} & block.keys():
            if block[name] and "start" in block[name][0]:
                block[name] = self._kept(block[name])

    def _about(self, meter: Row) -> None:
        for name in ("interval_count", "bill_count"):
            if name in meter:
                meter[name] = COUNTS[self.lies.count](meter[name])
        for name in ("interval_coverage", "bill_coverage"):
            if meter.get(name) is not None:
                meter[name] = COVERAGE[self.lies.coverage](meter[name])

    def _kept(self, readings: list[Row]) -> list[Row]:
        now = self.world.seconds
        kept = [one for one in readings if not self.lies.withholds(one["start"], now)]
        for one in kept:
            if self.lies.renames(one["start"], now):
                _tell_otherwise(one)
        return kept


def _tell_otherwise(reading: Row) -> None:
    for point in reading.get("datapoints", ()):
        point["type"] = "fwd"
    if "usage" in reading:
        reading["usage"] = str(Decimal(reading["usage"]) * 1000)
        reading["usageUnits"] = "Wh"


def through(provider: str, liar: Callable[[Api], Api]) -> list[Provider]:
    """The sandbox's table, with one provider that is asked through a liar."""

    def made(make: Callable[[World, str], Api]) -> Callable[[World, str], Api]:
        return lambda world, credential: liar(make(world, credential))

    return [
        replace(one, api=made(one.api)) if one.name == provider else one
        for one in PROVIDERS
    ]


@dataclass
class Warehouse:
    """An append-only target: every row that came through, and the last STATE."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    state: Row | None = None

    def load(self, messages: Iterable[Row]) -> None:
        """Take what a run wrote, or as much of it as came through."""
        for message in messages:
            if message["type"] == "STATE":
                self.state = message["value"]
            elif message["type"] == "RECORD":
                self.rows[message["stream"]].append(message["record"])

    def current(self) -> Values:
        """What the current rows hold."""
        return values(current(self.rows["intervals"], self.rows["coverage"]).values())

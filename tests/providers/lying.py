"""Servers that lie, and a warehouse that believes only what `coverage` lets it.

A liar stands between the sandbox and the tap: it drops parts of a question, changes the
counts of an answer, or keeps readings to itself. What it lies about is constant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from typing_extensions import Self

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
from tests.oracle import Key, Row, Values, key
from tests.syncing import Run

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
    "utilityapi": ("start", "end", "order", "limit", "meters"),
    "nectar": ("startDate", "endDate", "dateType"),
}
"""The parameters that a provider might not look at."""


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

    def withholds(self, start: str) -> bool:
        """Whether a reading with this start is not served."""
        return self.withheld > 0 and epoch(start) // HOUR % self.withheld == 0


@dataclass
class Liar:
    """An API that is asked and answers through a liar."""

    api: Api
    lies: Lies

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
            for name in ("readings", "intervals"):
                rows = block.get(name, ())
                if rows and "start" in rows[0]:
                    block[name] = self._kept(rows)
        if self.lies.no_next and body.get("next", "") is None:
            del body["next"]
        return body

    def _about(self, meter: Row) -> None:
        for name in ("interval_count", "bill_count"):
            if name in meter:
                meter[name] = COUNTS[self.lies.count](meter[name])
        for name in ("interval_coverage", "bill_coverage"):
            if meter.get(name) is not None:
                meter[name] = COVERAGE[self.lies.coverage](meter[name])

    def _kept(self, readings: list[Row]) -> list[Row]:
        return [one for one in readings if not self.lies.withholds(one["start"])]


def lying(provider: str, lies: Lies) -> list[Provider]:
    """The sandbox's table, with one provider that lies."""

    def through(make: Callable[[World, str], Api]) -> Callable[[World, str], Api]:
        return lambda world, credential: Liar(make(world, credential), lies)

    return [
        replace(one, api=through(one.api)) if one.name == provider else one
        for one in PROVIDERS
    ]


@dataclass
class Warehouse:
    """Keeps the newest row of each key, and says by `coverage` which are current."""

    rows: dict[Key, Row] = field(default_factory=dict)
    covered: dict[tuple[Any, ...], Row] = field(default_factory=dict)

    def load(self, run: Run) -> Self:
        """Take what a run wrote."""
        for row in run.rows("intervals"):
            self.rows[key(row)] = row
        for row in run.rows("coverage"):
            names = ("provider", "source", "range_start", "read_at")
            self.covered[tuple(row[name] for name in names)] = row
        return self

    def current(self) -> Values:
        """The rows that no later complete coverage of their source has retired."""
        return {
            place: None if row["quantity"] is None else Decimal(str(row["quantity"]))
            for place, row in self.rows.items()
            if not any(self._retires(one, row) for one in self._of(row))
        }

    def _of(self, row: Row) -> Iterator[Row]:
        source = row["connection_id"] or row["meter_key"]
        for one in self.covered.values():
            if (one["provider"], one["source"]) == (row["provider"], source):
                yield one

    @staticmethod
    def _retires(coverage: Row, row: Row) -> bool:
        start: str = row["interval_start"]
        inside: bool = coverage["range_start"] <= start < coverage["range_end"]
        later: bool = coverage["read_at"] > row["read_at"]
        return inside and later and coverage["is_complete"] is True

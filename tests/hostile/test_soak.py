"""Thirty days of daily syncs over a world that changes in every way at once.

Meters appear and vanish, an authorization expires, data are restated (announced or in
silence, inside the look-back and far behind it), holes are filled late and history is
collected later; any request may fail, and any run may be cut. A model of a warehouse is
fed with what came through.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Account,
    Authorization,
    Channel,
    Company,
    Connection,
    Lifetime,
    NectarMeter,
    NectarOptions,
    Reading,
    Sandbox,
    Series,
    Site,
    UtilityMeter,
    UtilityOptions,
    World,
    delayed,
    epoch,
    identifiers,
    make_uuid,
    restated,
    synthetic,
    without,
)
from tests.clock import nobody_waits
from tests.current import current
from tests.oracle import Key, Row, Values, key, readings
from tests.syncing import config, sync

DAYS = 30
RESCAN = 7
LOOKBACK = 4
NOON = epoch("2026-03-02T06:00:00Z")
"""The clocks change in America and in Europe within the thirty days."""
HISTORY = 50
QUIET = 20
"""From this day on nothing changes any more but that time passes."""

KINDS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500, "body": "oops"},
    {"kind": "status", "status": 503, "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 502, "body": "<html>"},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 202, "headers": {"Retry-After": "0"}},
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 404},
    {"kind": "status", "status": 200, "body": "[]"},
    {"kind": "status", "status": 200, "body": '{"intervals": null}'},
    {"kind": "reset"},
    {"kind": "reset_in_body"},
    {"kind": "truncate"},
    {"kind": "garbage"},
]


def changing(dice: random.Random, name: str, channels: int) -> Series:
    """A series with holes, late fills, restatements and history that comes later."""
    start, end = NOON - dice.randint(5, HISTORY) * DAY, NOON + (DAYS + 9) * DAY
    made = synthetic(
        name,
        name,
        at(start),
        at(end),
        minutes=dice.choice((60, 180, 360)),
        channels=channels,
        lag=dice.choice((HOUR, 6 * HOUR, 2 * DAY)),
    )
    for _ in range(dice.randint(0, 2)):
        hole = dice.randrange(start, end)
        made = without(made, [(hole, hole + dice.randint(HOUR, 3 * DAY))])
    for _ in range(dice.randint(0, 3)):
        low = dice.randrange(start, NOON + QUIET * DAY)
        span = dice.choice((5 * HOUR, DAY, 20 * DAY))
        made = delayed(made, low, low + span, someday(dice))
    if dice.random() < 0.4:
        made = delayed(made, 0, start + dice.randint(1, 30) * DAY, someday(dice))
    changes = {}
    for _ in range(dice.randint(0, 12)):
        reading: Reading = dice.choice(made.readings)
        known = max(someday(dice), reading.available + 1)
        if known < NOON + QUIET * DAY:
            value = f"{dice.randint(1, 99)}.50"
            changes[reading.start, known] = (value,) * channels
    for _ in range(12):
        # And what is hardly there is corrected soon.
        known = someday(dice)
        recent = [r for r in made.readings if known - 3 * DAY < r.available < known]
        if recent:
            value = f"{dice.randint(1, 99)}.25"
            changes[dice.choice(recent).start, known] = (value,) * channels
    made = restated(made, [(begin, known, v) for (begin, known), v in changes.items()])
    return halved(dice, made)


def halved(dice: random.Random, made: Series) -> Series:
    """The same, with a few readings that are replaced by two halves one day."""
    found = list(made.readings)
    for _ in range(dice.randint(0, 6)):
        one: Reading = dice.choice(made.readings)
        last = max(r.available for r in made.readings if r.start == one.start)
        known = max(someday(dice), last + 1)
        if known >= NOON + QUIET * DAY or any(
            r[:2] == one[:2] and not r.values for r in found
        ):
            continue
        middle = (one.start + one.end) // 2
        found.append(one._replace(values=(), available=known))
        found.append(one._replace(end=middle, available=known))
        found.append(one._replace(start=middle, available=known))
    return Series(found)


def someday(dice: random.Random) -> int:
    return NOON + dice.randint(0, QUIET * 24 - 1) * HOUR


def at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds - seconds % DAY, timezone.utc).isoformat()


def life(dice: random.Random) -> Lifetime:
    appears = someday(dice) if dice.random() < 0.3 else 0
    if dice.random() < 0.25:
        return Lifetime(appears, max(appears, someday(dice)) + DAY)
    return Lifetime(appears)


def world_of(seed: int) -> World:
    dice = random.Random(f"soak {seed}")
    utility = []
    for number in range(10):
        channels = dice.randint(1, 3)
        utility.append(
            UtilityMeter(
                str(1_000 + number),
                changing(dice, f"u{number}", channels),
                str(dice.choice((1, 1, 2, 3))),
                zone=dice.choice(("America/New_York", "Europe/London")),
                channels=(Channel("net"), Channel("max", "kw"), Channel("fwd"))[
                    :channels
                ],
                block_days=dice.choice((1, 4, 20, 400, "random")),
                life=life(dice),
            )
        )
    connections = []
    for name in "abcd":
        meters = [
            NectarMeter(
                make_uuid("meter", name, n),
                changing(dice, f"{name}{n}", 1),
                identifiers(f"{name}{n}"),
                life=life(dice),
            )
            for n in range(dice.randint(1, 3))
        ]
        account = Account(make_uuid("account", name), f"A-{name}", meters)
        gone = Lifetime(0, someday(dice)) if name == "d" else Lifetime()
        connections.append(
            Connection(make_uuid("connection", name), [account], life=gone)
        )
    company = Company(make_uuid("company"), "One", [Site("site-1")], connections)
    return World(
        datetime.fromtimestamp(NOON, timezone.utc),
        utility,
        [company],
        [
            Authorization("1"),
            Authorization("2", expires=someday(dice)),
            Authorization("3", revoked=someday(dice)),
        ],
        seed=seed,
        utilityapi_options=UtilityOptions(
            page_size=4,
            interval_limit=dice.choice((2, 5)),
            filter=dice.choice(("cut", "contain", "overlap")),
            status_moves=dice.choice(("data", "growth", "never")),
            cursors_die=True,
        ),
        nectar_options=NectarOptions(
            page_size=60, order=dice.choice(("start", "created", "shuffled"))
        ),
    )


@dataclass
class Warehouse:
    """What a target holds, and what it saw last of the state."""

    sandbox: Sandbox
    dice: random.Random
    rows: Values = field(default_factory=dict)
    state: Row | None = None
    since: dict[str, datetime] = field(default_factory=dict)
    """Per source: when it was last read to its end in a run that came through."""
    held: dict[Key, Row] = field(default_factory=dict)
    """What an upserting target holds of `intervals`."""
    coverage: list[Row] = field(default_factory=list)
    cuts: int = 0
    failures: int = 0

    @property
    def world(self) -> World:
        return self.sandbox.world

    def truth(self) -> Values:
        return readings(self.world, "utilityapi", "nectar")

    def run(self, *, faults: bool, cut: bool) -> None:
        """One sync; of one that is cut, only the first lines come through."""
        for _ in range(4 if faults else 0):
            rule = self.dice.choice(KINDS)
            chance = self.dice.choice((0.02, 0.1, 0.3))
            self.sandbox.faults.add(**rule, times=None, probability=chance)
        chosen = config(
            self.sandbox,
            lookback_days=LOOKBACK,
            full_rescan_days=RESCAN,
            max_retries=2,
            state_interval_seconds=0,
            window_days=20,
            max_concurrency=1,
        )
        done = sync(chosen, self.state)
        self.sandbox.faults.clear()
        messages = done.messages
        if cut:
            messages = messages[: self.dice.randrange(len(messages))]
            self.cuts += 1
        self.failures += done.failed
        truth = self.truth()
        seen = set()
        for message in messages:
            if message["type"] == "STATE":
                self.state = message["value"]
            elif message["type"] == "RECORD" and message["stream"] == "intervals":
                row = message["record"]
                place, value = key(row), row["quantity"]
                assert place not in seen, f"twice: {place}"
                seen.add(place)
                self.rows[place] = None if value is None else Decimal(str(value))
                self.held[place] = row
                assert self.rows[place] == truth[place], f"altered: {place}"
            elif message["type"] == "RECORD" and message["stream"] == "coverage":
                self.coverage.append(message["record"])
        current_rows = current(self.held.values(), self.coverage)
        retired = self.held.keys() - current_rows.keys()
        assert not retired & truth.keys(), "retired, though it is there"
        if not cut:
            self.note(done.tap.report)

    def note(self, report: Any) -> None:
        """Remember which sources are healthy."""
        for provider in ("utilityapi", "nectar"):
            for source, outcome in report.sources(provider).items():
                if outcome.value in {"done", "unchanged"}:
                    self.since[source] = self.world.now

    def replaced(self) -> dict[Key, Row]:
        """Rows that are current, though their source no longer has such a reading."""
        offered = self.truth()
        there = {self.source(place) for place in offered}
        return {
            place: row
            for place, row in current(self.held.values(), self.coverage).items()
            if place not in offered and self.source(place) in there
        }

    def differing(self) -> dict[Key, tuple[Any, Any]]:
        """What the world offers and the warehouse has not."""
        return {
            place: (value, self.rows.get(place, "absent"))
            for place, value in self.truth().items()
            if self.rows.get(place, "absent") != value
        }

    def source(self, place: Key) -> str:
        """The source whose bookmark covers a reading."""
        if place[4] == "utilityapi":
            return place[0]
        account = place[0].partition(":")[0]
        return next(
            connection.id
            for connection in self.world.connections.values()
            if any(one.id == account for one in connection.accounts)
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_days(seed: int) -> None:
    dice = random.Random(f"days {seed}")
    world = world_of(seed)
    with Sandbox(world) as sandbox, nobody_waits():
        warehouse = Warehouse(sandbox, dice)
        for day in range(DAYS):
            quiet = day >= QUIET
            warehouse.run(
                faults=not quiet and dice.random() < 0.7,
                cut=not quiet and dice.random() < 0.25,
            )
            fresh = (world.now - timedelta(days=LOOKBACK)).strftime("%Y-%m-%dT%H")
            for place, both in warehouse.differing().items():
                healthy = warehouse.since.get(warehouse.source(place)) == world.now
                assert not (healthy and place[1] >= fresh), (day, place, both)
            world.advance(days=1)
        world.advance(days=-1)
        assert warehouse.differing() == {}
        assert warehouse.replaced() == {}
        assert len(warehouse.held) > len(
            current(warehouse.held.values(), warehouse.coverage)
        )
        assert warehouse.cuts > 1
        assert warehouse.failures > 3

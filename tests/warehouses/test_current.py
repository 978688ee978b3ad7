"""`utility_intervals__current` joins steps; it must say what the plain rule says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import Row
from tests.warehouses.server import Server, postgres
from tests.warehouses.sql import documented
from tests.warehouses.stores import InDuckDB, InPostgreSQL, Store

STORES = ["by key", "appended to", pytest.param("postgres", marks=pytest.mark.slow)]
EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
KEY = "provider, meter_key, channel, interval_start, interval_end"
RULE = f"""
    select {KEY}, cast(quantity as integer) as quantity from (
        select *, row_number() over (
            partition by {KEY} order by read_at desc nulls last
        ) as place
        from intervals
    ) n
    where place = 1 and not exists (
        select 1 from coverage c
        where c.is_complete and c.provider = n.provider
            and c.source = coalesce(n.connection_id, n.meter_key)
            and c.range_start <= n.interval_start and n.interval_start < c.range_end
            and c.read_at > n.read_at
    )
"""
"""As `docs/incremental.md` says it in words."""
CURRENT = (
    f"select {KEY}, cast(quantity as integer) as quantity"
    " from utility_intervals__current"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "postgres":
        return InPostgreSQL(request.getfixturevalue("server"))
    return InDuckDB(tmp_path, appends=request.param == "appended to")


def hour(number: int) -> str:
    return (EPOCH + timedelta(hours=number)).isoformat().replace("+00:00", "Z")


def moment(number: int) -> str:
    later = EPOCH + timedelta(days=100, microseconds=number)
    return later.isoformat(timespec="microseconds").replace("+00:00", "Z")


def reading(source: str, start: int, read_at: int | None, **more: Any) -> Row:
    is_nectar = source.startswith("c")
    return {
        "provider": "nectar" if is_nectar else "utilityapi",
        "meter_key": f"{source}:1" if is_nectar else source,
        "connection_id": source if is_nectar else None,
        "channel": "fwd/kWh",
        "interval_start": hour(start),
        "interval_end": hour(start + 1),
        "read_at": None if read_at is None else moment(read_at),
        **more,
    }


def covered(
    source: str, start: int, end: int, read_at: int, *, whole: bool = True
) -> Row:
    return {
        "provider": "nectar" if source.startswith("c") else "utilityapi",
        "source": source,
        "range_start": hour(start) if start >= 0 else "1900-01-01T00:00:00Z",
        "range_end": hour(end) if end <= 50 else "9999-01-01T00:00:00Z",
        "read_at": moment(read_at),
        "is_complete": whole,
    }


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(map(str, row.values())) for row in store.query(sql))


SOURCES = ("101", "102", "c1", "c2")


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_rule(store: Store, seed: int) -> None:
    dice = random.Random(seed)
    readings = {}
    for number in range(800):
        source, start = dice.choice(SOURCES), dice.randrange(50)
        read_at = None if dice.random() < 0.02 else dice.randrange(60)
        channel = dice.choice(("fwd/kWh", "net/kWh", "usage/kWh"))
        row = reading(source, start, read_at, channel=channel, quantity=number)
        # Where rows are appended, the same key comes again, read at another instant.
        readings[source, start, channel, read_at] = row
    if not (isinstance(store, InDuckDB) and store.appends):
        readings = {key[:3]: row for key, row in readings.items()}  # type: ignore[misc]
    coverage = {}
    for _ in range(200):
        source, start = dice.choice(SOURCES), dice.randrange(-1, 45)
        read_at, end = dice.randrange(60), start + dice.choice((1, 2, 4, 30))
        is_whole = dice.random() < 0.7
        coverage[source, start, read_at] = covered(
            source, start, end, read_at, whole=is_whole
        )
    store.load("intervals", list(readings.values()))
    store.load("coverage", list(coverage.values()))
    expected = rows(store, RULE)
    assert 0 < len(expected) < len(readings)
    assert rows(store, CURRENT) == expected
    # And what may be deleted changes nothing.
    before = store.query("select count(*) as n from coverage")[0]["n"]
    store.execute(documented("prune"))
    assert store.query("select count(*) as n from coverage")[0]["n"] < before
    assert rows(store, CURRENT) == expected
    assert rows(store, RULE) == expected


# --- runs that overlap in time --------------------------------------------------------


@dataclass
class Slot:
    """One hour of the world: which channel its reading has, since when."""

    since: list[tuple[int, str | None]] = field(default_factory=list)

    def at(self, instant: int) -> str | None:
        known = [channel for moment, channel in self.since if moment <= instant]
        return known[-1] if known else None

    def constant_since(self, instant: int) -> bool:
        return all(moment <= instant for moment, _ in self.since)


HOURS, LONG = 24, 1_000


def world(dice: random.Random) -> list[Slot]:
    """Readings that come, change their channel and go."""
    slots = []
    for _ in range(HOURS):
        times = sorted(dice.sample(range(LONG), dice.randrange(1, 4)))
        words = [dice.choice(("net/kWh", "fwd/kWh", None)) for _ in times]
        slots.append(Slot(list(zip(times, words, strict=True))))
    return slots


@dataclass
class Read:
    """One run: its rows, each with when it was asked for, and its coverage."""

    rows: list[tuple[Row, int]]
    covers: Row
    ends: int


def run(
    dice: random.Random, slots: list[Slot], begins: int, first: int, last: int
) -> Read:
    """Read hours `first` to `last`, a few at a time, each answer as the world was."""
    now, at, found = begins, first, []
    while at < last:
        asked = now + dice.randrange(1, 40)
        answered = asked + dice.randrange(0, 40)
        now = answered + dice.randrange(1, 40)
        upto = min(at + dice.randrange(1, 8), last)
        for place in range(at, upto):
            channel = slots[place].at(answered)
            if channel:
                found.append((reading("101", place, now, channel=channel), asked))
        at = upto
    return Read(found, covered("101", first, last, begins), now)


@pytest.mark.parametrize("seed", range(12))
def test_runs_that_overlap_retire_no_reading_that_is_still_true(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(f"overlap {seed}")
    slots = world(dice)
    spans = [sorted(dice.sample(range(HOURS + 1), 2)) for _ in range(8)]
    reads = [run(dice, slots, dice.randrange(LONG), *span) for span in spans]
    store = InDuckDB(tmp_path, appends=True)
    true: set[tuple[str, str]] = set()
    for one in sorted(reads, key=lambda read: read.ends):
        store.load("intervals", [row for row, _ in one.rows])
        store.load("coverage", [one.covers])
        for row, asked in one.rows:
            start = row["interval_start"]
            place = next(n for n in range(HOURS) if hour(n) == start)
            if slots[place].constant_since(asked):
                true.add((start, row["channel"]))
        held = current(store)
        assert true <= held
    last = run(dice, slots, 2 * LONG, 0, HOURS)
    store.load("intervals", [row for row, _ in last.rows])
    store.load("coverage", [last.covers])
    assert current(store) == {
        (hour(place), channel)
        for place, slot in enumerate(slots)
        if (channel := slot.at(2 * LONG))
    }


def current(store: Store) -> set[tuple[str, str]]:
    found = store.query(CURRENT)
    return {(r["interval_start"].isoformat() + "Z", r["channel"]) for r in found}

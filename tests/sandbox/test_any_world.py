"""Whatever the world: what a patient reader gets over HTTP is what the world says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import Any

import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Account,
    Channel,
    Company,
    Connection,
    NectarMeter,
    NectarOptions,
    Sandbox,
    Series,
    UtilityMeter,
    UtilityOptions,
    World,
    delayed,
    epoch,
    identifiers,
    make_uuid,
    restated,
    synthetic,
    truth,
    without,
)
from tests.sandbox.conftest import Client

ZONES = ["America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]
SPANS: list[int | str] = [1, 4, 20, 400, "random"]
NOW = datetime(2025, 11, 5, 12, tzinfo=timezone.utc)
FIRST = epoch("2025-10-24T00:00:00Z")
DAYS = 16


@st.composite
def series(draw: st.DrawFn) -> Series:
    """Readings with holes, late arrivals and restatements."""
    minutes = draw(st.sampled_from([30, 60, 1_440]))
    end = datetime.fromtimestamp(FIRST + DAYS * DAY, timezone.utc)
    start = datetime.fromtimestamp(FIRST, timezone.utc)
    name = str(draw(st.integers(0, 99)))
    whole = synthetic(0, name, start, end, minutes=minutes, channels=2)
    at = st.integers(0, DAYS * 24).map(lambda hours: FIRST + hours * HOUR)
    for low, hours in draw(st.lists(st.tuples(at, st.integers(1, 40)), max_size=2)):
        whole = without(whole, [(low, low + hours * HOUR)])
    for low, known in draw(st.lists(st.tuples(at, at), max_size=2)):
        whole = delayed(whole, low, low + 2 * DAY, known)
    if whole.readings:
        picks = st.lists(st.sampled_from(list(whole.readings)), max_size=5)
        values = st.sampled_from([("1.50", "0.00"), ("7.0", "-2"), ()])
        changes = [
            (reading.start, reading.available + draw(st.integers(1, 9 * DAY)), value)
            for reading, value in ((pick, draw(values)) for pick in draw(picks))
        ]
        whole = restated(whole, changes)
    return whole


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to three meters of each provider."""
    several = st.lists(series(), min_size=1, max_size=3)
    utility = [
        UtilityMeter(
            str(number),
            one,
            zone=draw(st.sampled_from(ZONES)),
            channels=(Channel("net"), Channel("rev")),
            block_days=draw(st.sampled_from(SPANS)),
            overlap=draw(st.integers(0, 3)),
        )
        for number, one in enumerate(draw(several))
    ]
    meters = [
        NectarMeter(make_uuid(number), one, identifiers(f"N{number}"))
        for number, one in enumerate(draw(several))
    ]
    connection = Connection(make_uuid("c"), [Account(make_uuid("a"), "1", meters)])
    return World(
        NOW,
        utility,
        [Company(make_uuid("co"), connections=[connection])],
        utilityapi_options=UtilityOptions(interval_limit=draw(st.integers(1, 6))),
        nectar_options=NectarOptions(
            page_size=draw(st.sampled_from([7, 100])),
            order=draw(st.sampled_from(["start", "created", "shuffled"])),
        ),
    )


def newest(client: Client) -> Counter[Any]:
    """UtilityAPI's datapoints, where the newest object has the say for each reading."""
    found: dict[Any, tuple[datetime, list[dict[str, Any]]]] = {}
    for reading in client.readings(authorizations="1001"):
        key = (reading["object"]["meter_uid"], reading["start"], reading["end"])
        updated = datetime.fromisoformat(reading["object"]["updated"])
        if key not in found or found[key][0] <= updated:
            found[key] = (updated, reading["datapoints"])
    return Counter(
        (meter, start, end, point["type"], float(point["value"]))
        for (meter, start, end), (_, points) in found.items()
        for point in points
    )


def rows(client: Client) -> Counter[Any]:
    """Nectar's intervals."""
    path = f"interval/connection/{make_uuid('c')}"
    return Counter(
        (row["id"], row["start"], row["end"], row["usage"], row["updated"])
        for row in client.walk_nectar(path, "intervals")
    )


@settings(max_examples=8, deadline=None, derandomize=True)
@given(worlds())
def test_what_is_served_is_what_the_world_says(world: World) -> None:
    with Sandbox(world) as sandbox, requests.Session() as session:
        client = Client(sandbox, session)
        for days in (0, 2, 9):
            world.advance(days=days)
            assert newest(client) == Counter(
                (
                    offered.meter_id,
                    offered.start.isoformat(timespec="microseconds"),
                    offered.end.isoformat(timespec="microseconds"),
                    offered.type,
                    float(offered.value or 0),
                )
                for offered in truth.readings(world, "utilityapi")
            )
            assert rows(client) == Counter(
                (
                    offered.interval_id,
                    zulu(offered.start),
                    zulu(offered.end),
                    offered.value,
                    zulu(offered.updated),
                )
                for offered in truth.readings(world, "nectar")
            )


def zulu(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

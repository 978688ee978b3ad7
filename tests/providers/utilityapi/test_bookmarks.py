"""Bookmarks: what is written is read again, and what is odd is refused whole."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from msgspec import structs

from tap_utility_intervals.providers.utilityapi.bookmarks import (
    BillBookmark,
    Edge,
    EventBookmark,
    IntervalBookmark,
    upgrade,
)
from tests.providers.utilityapi.scripted import Scripted, Warehouse, days, warned


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


JANUARY, FEBRUARY, MARCH = utc("2026-01-01"), utc("2026-02-01"), utc("2026-03-01")
NOON = utc("2026-03-20T12:00:00")

YES: Any = True

FULL = IntervalBookmark(
    rules="1m",
    newest=NOON,
    listed="d3e77cb764cf",
    seen="d3e77cb764d0",
    since=JANUARY,
    until=MARCH,
    covered=((JANUARY, FEBRUARY), (MARCH, NOON)),
    edge=Edge(MARCH, FEBRUARY, 1757),
    scanned=20532,
    read=NOON,
    updated=NOON.replace(microsecond=250_000),
    absent=((JANUARY, FEBRUARY),),
    holes=5,
    lacking=3,
    mixed=True,
)

BARE = IntervalBookmark(rules="1", scanned=0)

BOOKMARKS = [
    FULL,
    BARE,
    structs.replace(FULL, covered="eb63b6fd5202"),
    structs.replace(FULL, edge=Edge(MARCH, None, None), holes=0, lacking=0),
    BillBookmark(NOON, "d3e77cb764cf", 20532),
    BillBookmark(scanned=20532),
    EventBookmark(NOON, JANUARY),
    EventBookmark(NOON),
]


@pytest.mark.parametrize("bookmark", BOOKMARKS)
def test_a_bookmark_is_read_as_it_was_written(bookmark: Any) -> None:
    state = json.loads(json.dumps(bookmark.state()))
    assert type(bookmark).parse(state) == bookmark
    assert type(bookmark).parse({**state, "of another version": [{}]}) == bookmark


def test_instants_stand_in_state_as_text_in_their_one_form() -> None:
    state = FULL.state()
    assert state["since"] == "2026-01-01T00:00:00Z"
    assert state["edge"] == ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", 1757]
    assert state["covered"][:2] == ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]


@pytest.mark.parametrize("kind", [IntervalBookmark, BillBookmark, EventBookmark])
def test_no_bookmark_is_none(kind: Any) -> None:
    assert kind.parse(None) is None
    assert kind.parse({}) is None


def each(name: str, *values: Any) -> list[dict[str, Any]]:
    """Entries that hold one of these values each."""
    return [{name: value} for value in values]


ODD = [
    *each("since", "2024-01-01", 1704067200, [], {}, YES, "", "soon"),
    *each("until", "2024-01-01T00:00:00", 5),
    *each("scanned", None, "20532", 1.5, YES, [1], 10**15),
    *each("edge", [1], [1, 2, 3], "x", {}, [None, None, None], 0),
    *each("edge", *(["2026-03-01T00:00:00Z", None, odd] for odd in ("3", YES, 1e99))),
    *each("covered", [1], [1, 2], {}, 5, ["2026-03-01T00:00:00Z"]),
    *each("covered", ["2026-03-01T00:00:00Z", None]),
    *each("covered", ["2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"]),
    *each("absent", "x", [[]], ["2026-03-01T00:00:00Z"]),
    *each("listed", 1, [], {}, YES),
    *each("seen", 1, [], {}, YES),
    *each("rules", None, 1, []),
    *each("lacking", None, "1", []),
    *each("holes", None, "1", []),
    *each("read", 1, "soon", []),
    *each("updated", 1, "soon", []),
    *each("replication_key_value", 1, "", "2026-99-01T00:00:00Z", []),
    *each("mixed", "yes"),
]


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_thing_makes_the_whole_bookmark_unreadable(odd: dict[str, Any]) -> None:
    assert IntervalBookmark.parse({**FULL.state(), **odd}) is None


@pytest.mark.parametrize(
    "odd",
    [
        *each("scanned", None, "1", [], YES),
        {"scanned": 1, "listed": 5},
        {"scanned": 1, "replication_key_value": "soon"},
        {"replication_key_value": "2026-03-01T00:00:00Z"},
    ],
)
def test_so_it_is_for_bills(odd: dict[str, Any]) -> None:
    assert BillBookmark.parse(odd) is None


@pytest.mark.parametrize(
    "odd", [*each("since", 1, "2024-01-01", [], {}), *each("replication_key_value", 5)]
)
def test_so_it_is_for_events(odd: dict[str, Any]) -> None:
    assert EventBookmark.parse(odd) is None


@pytest.mark.parametrize(
    "odd",
    [{"since": "2024-01-01"}, {"scanned": None}, {"edge": [1]}, {"covered": [1]}],
)
def test_a_source_with_an_odd_bookmark_is_read_anew_with_a_warning(
    odd: dict[str, Any],
) -> None:
    script = Scripted(days(JANUARY, FEBRUARY))
    warehouse = Warehouse(script)
    warehouse.sync()
    whole = dict(warehouse.got)
    for stream in ("intervals", "usage"):
        (entry,) = warehouse.state["bookmarks"][stream]["partitions"]
        entry |= odd
    run = warehouse.sync()
    assert warehouse.got.keys() == whole.keys()
    assert not run.failed
    assert warned(run, "a bookmark cannot be read; its source is read anew") >= 1


VERSION_1: list[dict[str, Any]] = [
    {
        "replication_key_value": "2026-03-20T10:00:00Z",
        "listed": "d3e77cb764cf",
        "rules": "1",
        "covered": [29454060, 29566740],
        "edge": [1773568800, 1772427600, 1757],
        "scanned": 20532,
    },
    {
        "replication_key_value": "2026-03-18T23:00:00Z",
        "listed": "bf8861e1c426",
        "rules": "1",
        "since": 1768003200,
        "until": 1773878400,
        "covered": "6aa449fae248",
        "edge": [1773442800, None, None],
        "scanned": 20532,
        "short": "0123456789ab",
    },
]
"""As the tap wrote them with STATE version 1."""


def test_bookmarks_of_version_1_become_those_of_version_2() -> None:
    one, two = (upgrade("intervals", entry) for entry in VERSION_1)
    assert IntervalBookmark.parse(one) == IntervalBookmark(
        rules="1",
        newest=utc("2026-03-20T10:00:00"),
        listed="d3e77cb764cf",
        covered=((utc("2026-01-01T05:00:00"), utc("2026-03-20T11:00:00")),),
        edge=Edge(utc("2026-03-15T10:00:00"), utc("2026-03-02T05:00:00"), 1757),
        scanned=20532,
    )
    assert IntervalBookmark.parse(two) == IntervalBookmark(
        rules="1",
        newest=utc("2026-03-18T23:00:00"),
        listed="bf8861e1c426",
        since=utc("2026-01-10"),
        until=utc("2026-03-19"),
        covered="6aa449fae248",
        edge=Edge(utc("2026-03-13T23:00:00"), None, None),
        scanned=20532,
    )


def test_bookmarks_of_the_other_streams_held_text_already() -> None:
    bill = {"replication_key_value": "2026-03-05T05:00:00.769200Z", "scanned": 20532}
    assert upgrade("usage", bill) == bill
    event = {"since": "2026-01-01T00:00:00Z"}
    assert upgrade("utilityapi_events", event) == event


@pytest.mark.parametrize(
    "odd",
    [
        {"since": "2024-01-01"},
        {"since": 10**30},
        {"edge": [1]},
        {"edge": None},
        {"covered": [None]},
        {"covered": ["x"]},
    ],
)
def test_what_was_odd_in_version_1_is_refused_in_version_2(odd: dict[str, Any]) -> None:
    for entry in VERSION_1:
        assert IntervalBookmark.parse(upgrade("intervals", {**entry, **odd})) is None

"""What a read has covered: complete only where nothing can have been withheld."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.coverage import (
    BEGINNING,
    END,
    Asked,
    Promise,
    Stretch,
    covered,
)
from tap_utility_intervals.floor.ranges import Range, Window

DAY = datetime(2026, 5, 27, tzinfo=timezone.utc)
READ_AT = "2026-05-28T06:00:00.000000Z"


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def span(start: float, end: float) -> Range:
    return at(start), at(end)


def hourly(start: int, end: int) -> list[Stretch]:
    """One reading an hour."""
    return [Stretch(at(hour), at(hour + 1)) for hour in range(start, end)]


def asked(*windows: tuple[float, float]) -> Asked:
    cut = [Window(at(start), at(end)) for start, end in windows]
    return Asked("utilityapi", "101", READ_AT, cut, "a1")


def rows(*found: Any) -> list[tuple[float, float, int, bool]]:
    """Start and end in hours, readings, whether it is complete."""

    def hours(instant: datetime) -> float:
        return (instant - DAY) / timedelta(hours=1)

    return [
        (hours(r.range_start), hours(r.range_end), r.readings, r.is_complete)
        for r in found
    ]


WHOLE = [(0, 24, 24, True)]
INCOMPLETE = [(0, 24, 24, False)]


@pytest.mark.parametrize(
    ("arrived", "promise", "expected"),
    [
        pytest.param(hourly(0, 24), Promise(), WHOLE, id="nothing is promised"),
        pytest.param([], Promise(), [(0, 24, 0, True)], id="nothing is there"),
        pytest.param(
            [*hourly(12, 24), *hourly(0, 12)],
            Promise([span(0, 24)], 24),
            WHOLE,
            id="all that was promised, in any order",
        ),
        pytest.param(
            [Stretch(at(0), at(12), 12), Stretch(at(12), at(24), 12)],
            Promise([span(0, 24)], 24),
            WHOLE,
            id="stretches of many readings",
        ),
        pytest.param(
            hourly(0, 4),
            Promise([span(0, 24)]),
            [(0, 4, 4, True), (4, 24, 0, False)],
            id="twenty hours at the end are withheld",
        ),
        pytest.param(
            [*hourly(0, 10), *hourly(11, 24)],
            Promise([span(0, 24)], 24),
            [(0, 10, 10, True), (10, 11, 0, False), (11, 24, 13, True)],
            id="one hour inside, which explains the count",
        ),
        pytest.param(
            [*hourly(0, 10), *hourly(11, 24)],
            Promise([span(0, 10), span(11, 24)], 23),
            [(0, 24, 23, True)],
            id="a hole that nobody promised to fill",
        ),
        pytest.param(
            [],
            Promise([span(6, 12)], 6),
            [(0, 6, 0, True), (6, 12, 0, False), (12, 24, 0, True)],
            id="none of what was promised",
        ),
        pytest.param(
            hourly(0, 24), Promise([], 25), INCOMPLETE, id="only the count falls short"
        ),
        pytest.param(
            hourly(0, 24),
            Promise([span(-5, 30)], None),
            WHOLE,
            id="promises beyond what was asked for count for nothing",
        ),
        pytest.param(
            hourly(0, 24), Promise([span(0, 24)], 10), WHOLE, id="more than was counted"
        ),
        pytest.param(
            [*hourly(0, 10), *hourly(11, 24)],
            Promise([span(0, 24)], 40),
            [(0, 24, 23, False)],
            id="more is absent than the hole can hold",
        ),
        pytest.param(
            [Stretch(at(h), at(h + 1) - timedelta(minutes=1)) for h in range(24)],
            Promise([span(0, 24)], 24),
            WHOLE,
            id="readings that end a minute early",
        ),
        pytest.param(
            [Stretch(at(h), at(h + 1) - timedelta(seconds=61)) for h in range(2)],
            Promise([span(0, 1)]),
            [
                (0, 1 - 61 / 3600, 1, True),
                (1 - 61 / 3600, 1, 0, False),
                (1, 24, 1, True),
            ],
            id="a hole of more than a minute",
        ),
    ],
)
def test_what_is_complete(
    arrived: list[Stretch], promise: Promise, expected: list[Any]
) -> None:
    assert rows(*covered(asked((0, 24)), arrived, promise)) == expected


def test_a_filtered_read_is_never_complete() -> None:
    promise = Promise([span(0, 24)], 24)
    found = covered(asked((0, 24)), hourly(0, 24), promise, is_whole=False)
    assert rows(*found) == INCOMPLETE


def test_what_a_row_says() -> None:
    (row,) = covered(asked((0, 24)), hourly(3, 24), Promise([], 21))
    assert (row.provider, row.source, row.authorization_id) == (
        "utilityapi",
        "101",
        "a1",
    )
    assert row.read_at == READ_AT
    assert (row.readings, row.listed_readings) == (21, 21)
    assert (row.first_interval_start, row.last_interval_end) == span(3, 24)


def test_without_bounds_it_is_all_of_history() -> None:
    everything = Window(None, datetime.max.replace(tzinfo=timezone.utc))
    (row,) = covered(Asked("nectar", "c1", READ_AT, [everything]), [])
    assert (row.range_start, row.range_end) == (BEGINNING, END)
    assert (row.first_interval_start, row.last_interval_end) == (None, None)


def test_each_window_is_a_row_and_windows_that_touch_are_one() -> None:
    found = covered(asked((12, 18), (0, 6), (6, 8)), hourly(0, 20), Promise([], 14))
    assert rows(*found) == [(0, 8, 8, True), (12, 18, 6, True)]
    assert [row.listed_readings for row in found] == [None, None]


hours = st.integers(0, 24)
spans = st.lists(st.tuples(hours, hours).filter(lambda s: s[0] < s[1]), max_size=5)


@given(spans, spans, spans.filter(bool))
def test_no_promised_hour_without_a_reading_is_ever_complete(
    promised: list[tuple[int, int]],
    arrived: list[tuple[int, int]],
    windows: list[tuple[int, int]],
) -> None:
    came = {hour for start, end in arrived for hour in range(start, end)}
    found = covered(
        asked(*windows),
        [Stretch(at(hour), at(hour + 1)) for hour in came],
        Promise([span(*one) for one in promised]),
    )
    complete = {
        hour
        for start, end, _, is_complete in rows(*found)
        for hour in range(int(start), int(end))
        if is_complete
    }
    owed = {hour for start, end in promised for hour in range(start, end)} - came
    wanted = {hour for start, end in windows for hour in range(start, end)}
    assert complete == wanted - owed
    assert sum(row.readings or 0 for row in found) == len(came & wanted)
    keys = [(row.range_start, row.read_at) for row in found]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)

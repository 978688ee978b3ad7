"""Ranges behave as sets of instants."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.ranges import (
    Range,
    Window,
    clip,
    merge,
    missing,
)

UTC = timezone.utc
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return EPOCH + hours * HOUR


hours = st.integers(0, 40)
ranges = st.lists(st.tuples(hours, hours), max_size=8).map(
    lambda pairs: [(at(a), at(b)) for a, b in pairs]
)


def instants(of: list[Range]) -> set[datetime]:
    """A set of ranges on whole hours, as the hours it holds: the oracle."""
    return {at(hour) for hour in range(41) for a, b in of if a <= at(hour) < b}


def test_window_is_aware_and_forward() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point of this test
    for start, end in ((naive, at(0)), (at(0), naive), (None, naive)):
        with pytest.raises(ValueError, match="time zone"):
            Window(start, end)
    with pytest.raises(ValueError, match="after its end"):
        Window(at(1), at(0))


@given(ranges)
def test_merging_keeps_the_set_and_separates_its_parts(given: list[Range]) -> None:
    merged = merge(given)
    assert instants(merged) == instants(given)
    assert all(start < end for start, end in merged)
    assert all(one[1] < two[0] for one, two in pairwise(merged))


@given(ranges, hours)
def test_merging_bridges_small_gaps_only(given: list[Range], gap: int) -> None:
    merged = merge(given, gap * HOUR)
    assert all(two[0] - one[1] > gap * HOUR for one, two in pairwise(merged))
    assert instants(given) <= instants(merged)
    added = missing(merged, given)
    assert all(end - start <= gap * HOUR for start, end in added)


@given(ranges, hours, hours)
def test_clipping_keeps_what_is_inside(given: list[Range], one: int, two: int) -> None:
    low, high = at(min(one, two)), at(max(one, two))
    window = Window(low, high)
    inside = {hour for hour in instants(given) if low <= hour < high}
    assert instants(clip(given, window)) == inside
    below = {hour for hour in instants(given) if hour < window.end}
    assert instants(clip(given, Window(None, window.end))) == below


@given(ranges, ranges)
def test_missing_is_set_difference(covered: list[Range], arrived: list[Range]) -> None:
    holes = missing(covered, arrived)
    assert instants(holes) == instants(covered) - instants(arrived)
    assert holes == merge(holes)


def test_a_hole_within_tolerance_is_not_reported() -> None:
    covered = [(at(0), at(10))]
    arrived = [(at(0), at(4)), (at(5), at(8))]
    assert missing(covered, arrived) == [(at(4), at(5)), (at(8), at(10))]
    assert missing(covered, arrived, HOUR) == [(at(8), at(10))]
    assert missing(covered, arrived, 2 * HOUR) == []
    assert missing(covered, []) == covered
    assert missing([], arrived) == []

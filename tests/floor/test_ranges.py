"""Windows cover exactly and never overlap; ranges behave as sets of instants."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.ranges import (
    Range,
    Window,
    clip,
    merge,
    missing,
    windows,
)

UTC = timezone.utc
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return EPOCH + hours * HOUR


offsets = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.builds(
    lambda seconds, zone: (EPOCH + timedelta(seconds=seconds)).astimezone(zone),
    st.integers(-(10**7), 10**7),
    offsets,
)
sizes = st.timedeltas(min_value=timedelta(hours=3), max_value=400 * DAY)
hours = st.integers(0, 40)
ranges = st.lists(st.tuples(hours, hours), max_size=8).map(
    lambda pairs: [(at(a), at(b)) for a, b in pairs]
)


def instants(of: list[Range]) -> set[datetime]:
    """A set of ranges on whole hours, as the hours it holds: the oracle."""
    return {at(hour) for hour in range(41) for a, b in of if a <= at(hour) < b}


@given(moments, moments, sizes)
def test_windows_cover_exactly_and_never_overlap(
    start: datetime, end: datetime, size: timedelta
) -> None:
    found = list(windows(start, end, size))
    if start >= end:
        assert found == []
        return
    assert (found[0].start, found[-1].end) == (start, end)
    assert all(one.end == two.start for one, two in pairwise(found))
    for window in found:
        assert window.start is not None
        assert timedelta(0) < window.end - window.start <= size
        assert window.end.tzinfo is window.start.tzinfo is UTC


def test_windows_are_absolute_when_the_clock_changes() -> None:
    zone = ZoneInfo("America/New_York")
    start = datetime(2025, 11, 1, tzinfo=zone)
    found = list(windows(start, datetime(2025, 11, 4, tzinfo=zone), DAY))
    assert [w.end - w.start for w in found if w.start] == [DAY, DAY, DAY, HOUR]


def test_the_last_instants_of_time_can_be_covered() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert list(windows(last - HOUR, last, timedelta.max)) == [
        Window(last - HOUR, last)
    ]


@pytest.mark.parametrize("size", [timedelta(0), -DAY])
def test_window_size_must_be_positive(size: timedelta) -> None:
    with pytest.raises(ValueError, match="positive"):
        list(windows(at(0), at(1), size))


def test_window_is_aware_and_forward() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point of this test
    for start, end in ((naive, at(0)), (at(0), naive), (None, naive)):
        with pytest.raises(ValueError, match="time zone"):
            Window(start, end)
    with pytest.raises(ValueError, match="after its end"):
        Window(at(1), at(0))


def test_window_is_half_open() -> None:
    window = Window(at(0), at(2))
    held = [window.contains(at(hour)) for hour in (-1, 0, 1, 2, 3)]
    assert held == [False, True, True, False, False]
    assert Window(None, at(2)).contains(datetime.min.replace(tzinfo=UTC))
    assert not Window(at(0), at(0)).contains(at(0))


def test_padding_is_on_both_sides_and_stays_in_time() -> None:
    assert Window(at(0), at(2)).padded(HOUR) == Window(at(-1), at(3))
    assert Window(None, at(2)).padded(HOUR) == Window(None, at(3))
    first = datetime.min.replace(tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    assert Window(first, last).padded(DAY) == Window(first, last)


@given(moments, st.timedeltas(min_value=timedelta(0), max_value=90 * DAY), sizes)
def test_halves_are_adjacent_and_each_long_enough(
    start: datetime, length: timedelta, least: timedelta
) -> None:
    window = Window(start, start + length)
    halves = window.halves(least)
    if halves is None:
        assert length < 2 * least + timedelta(seconds=2)
        return
    one, two = halves
    assert window.start is not None
    assert (one.start, one.end, two.end) == (window.start, two.start, window.end)
    assert min(one.end - window.start, two.end - one.end) >= least
    assert (one.end - window.start).microseconds == 0


def test_two_days_split_into_days_and_a_day_does_not() -> None:
    days = Window(at(0), at(48))
    assert days.halves(DAY) == (Window(at(0), at(24)), Window(at(24), at(48)))
    assert Window(at(0), at(24)).halves(DAY) is None
    assert Window(None, at(24)).halves(DAY) is None
    assert Window(at(0), at(0)).halves(timedelta(0)) is None


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
    window = Window(at(min(one, two)), at(max(one, two)))
    inside = {hour for hour in instants(given) if window.contains(hour)}
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

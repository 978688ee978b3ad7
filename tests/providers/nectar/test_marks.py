from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.providers.bookmarks import Rescan, is_earlier
from tap_utility_intervals.providers.nectar.bookmarks import (
    Mark,
    Terms,
    begin,
    fingerprint,
)
from tap_utility_intervals.providers.nectar.intervals.job import RowsBefore

moments = st.integers(946_684_800, 1_893_456_000).map(
    lambda n: datetime.fromtimestamp(n, timezone.utc)
)
marks = st.builds(
    Mark,
    seen=st.none() | moments,
    since=st.none() | moments,
    of=st.sampled_from(["1", "2"]),
    scanned=st.integers(0, 30_000),
    before=moments,
    rows=st.integers(0, 10**9),
    read=st.none() | moments,
    resume=st.none() | moments,
)


@given(marks)
def test_a_bookmark_says_all_of_a_mark(mark: Mark) -> None:
    assert Mark.parse(mark.state()) == mark


@pytest.mark.parametrize(
    "bookmark",
    [
        None,
        {},
        {"replication_key_value": "2024-01-01T00:00:00Z"},
        {"since": None, "of": "1", "scanned": "x"},
        {"since": None, "of": "1", "scanned": None},
        {"since": "never", "of": "1", "scanned": 1},
        {"since": None, "of": "1", "scanned": 1, "rows": []},
        {"since": None, "of": "1", "scanned": True},
        {"since": None, "of": "1", "scanned": 10**30},
        {"since": None, "of": ["1"], "scanned": 1},
        {"since": None, "of": "1", "scanned": 1, "resume": [1]},
        {"since": "2024-01-01", "of": "1", "scanned": 1},
        {"since": None, "of": "1", "scanned": 1, "read": {"a": 1}},
    ],
)
def test_what_is_no_bookmark_is_none(bookmark: dict[str, Any] | None) -> None:
    assert Mark.parse(bookmark) is None


@given(marks, st.none() | moments)
def test_a_mark_never_goes_back(mark: Mark, seen: datetime | None) -> None:
    moved = mark.at(seen)
    assert not is_earlier(moved.seen, mark.seen) or mark.seen is None


@given(marks, st.none() | moments, st.timedeltas(timedelta(0), timedelta(3650)))
def test_reading_begins_no_later_than_what_may_be_missing(
    mark: Mark, since: datetime | None, lookback: timedelta
) -> None:
    start = begin(mark, since, lookback)
    assert since is None or start >= since
    for moment in (mark.resume, mark.before):
        assert moment is None or start <= max(moment, since or moment)
    if mark.seen is not None:
        assert start <= max(mark.seen - lookback, since or start)


def test_each_source_has_its_day_for_a_full_scan() -> None:
    days = set()
    for name in map(str, range(100)):
        now = datetime.now(timezone.utc)
        terms = Terms(name, None, "1", Rescan(7, 1000), now, now)
        mark = terms.begun(None)
        assert 1000 - 7 < mark.scanned <= 1000
        days.add(mark.scanned)
    assert len(days) == 7


def test_a_fingerprint_knows_sets_not_orders() -> None:
    assert fingerprint(["a", "b"], ["c"]) == fingerprint(["b", "a", "a"], ["c"])
    assert fingerprint(["a", "b"], ["c"]) != fingerprint(["a"], ["b", "c"])
    assert len(fingerprint([])) == 12


@given(st.lists(moments), st.lists(moments, min_size=1))
def test_a_tally_counts_what_lies_before(
    starts: list[datetime], limits: list[datetime]
) -> None:
    tally = RowsBefore(5)
    half = len(starts) // 2
    tally.add(starts[:half])
    tally.add(starts[half:])
    for limit in sorted(limits):
        assert tally.settle(limit) == 5 + sum(start < limit for start in starts)
    tally.forget()
    assert tally.settle(max(limits)) is None

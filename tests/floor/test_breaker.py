"""When a probe is due, and which job it is."""

from __future__ import annotations

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.breaker import ENOUGH, Breaker, Upcoming

DOWN = errors.Unavailable("acme", "/x", status=503)
MUTE = errors.Unavailable("acme", "/x")
WIDE = errors.TooWide("acme", "/x", status=504)
GONE = errors.Gone("acme", "/x", status=404)


def test_a_few_in_a_row_for_one_reason_are_enough() -> None:
    breaker = Breaker()
    assert [breaker.note(DOWN) for _ in range(ENOUGH)] == [False] * (ENOUGH - 1) + [
        True
    ]


@pytest.mark.parametrize("between", [None, GONE, WIDE, MUTE])
def test_another_end_between_them_begins_the_count_again(
    between: Exception | None,
) -> None:
    breaker = Breaker()
    for _ in range(3):
        assert not any(breaker.note(DOWN) for _ in range(ENOUGH - 1))
        assert not breaker.note(between)


@pytest.mark.parametrize("end", [None, GONE])
def test_what_is_well_or_gone_is_never_enough(end: Exception | None) -> None:
    breaker = Breaker()
    assert not any(breaker.note(end) for _ in range(100))


def test_after_a_probe_that_went_well_it_takes_twice_as_many() -> None:
    breaker = Breaker()
    assert [breaker.note(DOWN) for _ in range(ENOUGH)][-1]
    breaker.confirm()
    assert not any(breaker.note(DOWN) for _ in range(2 * ENOUGH - 1))
    assert breaker.note(DOWN)


def test_jobs_come_in_their_order_without_the_one_that_was_taken() -> None:
    jobs = Upcoming(iter("abcd"))
    assert next(jobs) == "a"
    assert jobs.last() == "d"
    assert len(jobs) == 2
    assert [*jobs] == ["b", "c"]
    assert jobs.last() is None

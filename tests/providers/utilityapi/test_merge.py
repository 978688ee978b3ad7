"""Objects in any order and in any number: each reading once, memory for a few."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi.intervals import held as holding
from tap_utility_intervals.providers.utilityapi.intervals import merge
from tests.providers.utilityapi.serving import Synced, day_of, held, synced


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "HELD_READINGS", 5)
    monkeypatch.setattr(holding, "IN_MEMORY", 100)
    monkeypatch.setattr(merge, "CHUNK_READINGS", 3)


def part(low: int, high: int, value: Any, day: int) -> Any:
    updated = f"2026-05-{day:02d}T00:00:00+00:00"
    return held(*day_of(range(low, high), value), uid=str(value), updated=updated)


def told(result: Synced) -> list[int]:
    return [row["quantity"] for row in result.rows]


def test_the_newest_word_counts_whatever_the_order_of_the_objects() -> None:
    parts = [part(8 * n, 8 * n + 10, n, 20 + n) for n in range(4)]
    for order in itertools.permutations(parts):
        result = synced(*order)
        assert told(result) == [0] * 8 + [1] * 8 + [2] * 8 + [3] * 10
        starts = [row["interval_start"] for row in result.rows]
        assert len(starts) == len(set(starts))
        assert not result.warnings


def test_an_object_that_comes_late_and_is_newer_has_the_last_word() -> None:
    result = synced(
        part(0, 8, 0, 20), part(10, 18, 1, 20), part(18, 26, 2, 20), part(4, 12, 3, 27)
    )
    assert told(result) == [0] * 4 + [3] * 8 + [1] * 6 + [2] * 8


def test_an_object_that_is_listed_twice_is_held_once() -> None:
    result = synced(part(0, 8, 0, 20), part(10, 18, 1, 20), part(0, 8, 0, 20))
    assert told(result) == [0] * 8 + [1] * 8


def test_a_wide_object_under_many_small_ones_is_merged_with_all_of_them() -> None:
    small = [part(4 * n, 4 * n + 4, n + 1, 20) for n in range(5)]
    result = synced(part(0, 24, 9, 27), *small)
    assert told(result) == [9] * 24
    result = synced(part(0, 24, 9, 19), *small)
    assert told(result) == [n // 4 + 1 for n in range(20)] + [9] * 4

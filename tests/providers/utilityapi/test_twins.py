"""Readings that share a stretch of time: one row, or two if they are two readings."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tests.oracle import Row
from tests.providers.utilityapi.serving import held, page, synced, synced_text

PDT, PST = timezone(timedelta(hours=-7)), timezone(timedelta(hours=-8))
MIDNIGHT = datetime(2025, 11, 2, tzinfo=PDT)


def autumn_day(minutes: int = 15, day: datetime = MIDNIGHT) -> list[datetime]:
    """The local starts of a day of 25 hours, as they should be."""
    steps = range(25 * 60 // minutes)
    starts = [day + timedelta(minutes=minutes * n) for n in steps]
    change = day + timedelta(hours=2)
    return [s if s < change else s.astimezone(PST) for s in starts]


def as_one(start: datetime) -> datetime:
    """The second one o'clock with the offset of the first."""
    return start.replace(tzinfo=PDT) if start.hour == 1 else start


def row(value: Any, start: datetime, minutes: int = 15) -> Row:
    point = {"type": "fwd", "unit": "kwh", "value": value}
    end = start + timedelta(minutes=minutes)
    times = {"start": start.isoformat(), "end": end.isoformat()}
    return {**times, "kwh": value, "datapoints": [point]}


def day(values: list[Any], minutes: int = 15, **more: Any) -> Any:
    starts = map(as_one, autumn_day(minutes))
    readings = [row(v, s, minutes) for v, s in zip(values, starts, strict=True)]
    return held(*reversed(readings), **more)


def channels(result: Any) -> Counter[str]:
    return Counter(found["channel"] for found in result.rows)


def test_both_hours_of_an_autumn_night_are_kept_whatever_their_offset() -> None:
    result = synced(day([n + 1.0 for n in range(100)]))
    assert channels(result) == {"fwd/kWh": 96, "fwd/kWh#2": 4}
    assert sum(found["quantity"] for found in result.rows) == 5050
    second = [r["quantity"] for r in result.rows if r["channel"] == "fwd/kWh#2"]
    assert second == [9, 10, 11, 12]


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_they_are_kept_with_equal_values_too(minutes: int) -> None:
    count = 25 * 60 // minutes
    result = synced(day([0.5] * count, minutes))
    second = 60 // minutes
    assert channels(result) == {"fwd/kWh": count - second, "fwd/kWh#2": second}
    assert result.warned("second got #2") == second


def test_they_are_kept_in_a_day_that_has_one_offset_only() -> None:
    starts = [s.replace(tzinfo=PDT) for s in autumn_day()]
    result = synced(held(*[row(0, start) for start in starts]))
    assert channels(result) == {"fwd/kWh": 96, "fwd/kWh#2": 4}


def test_they_are_kept_if_a_later_object_repeats_the_night() -> None:
    old = day([0.25] * 100, updated="2025-11-03T00:00:00+00:00")
    new = day([0.5] * 100, updated="2025-11-04T00:00:00+00:00", uid="58-3-1")
    result = synced(old, new)
    assert channels(result) == {"fwd/kWh": 96, "fwd/kWh#2": 4}
    assert {found["quantity"] for found in result.rows} == {Decimal("0.5")}


def test_pairs_beside_a_second_hour_that_is_told_are_duplicates() -> None:
    starts = [*autumn_day(), *autumn_day()[4:8]]
    result = synced(held(*[row(0.5, start) for start in starts]))
    assert channels(result) == {"fwd/kWh": 100}


@pytest.mark.parametrize("hours", [(0, 1), (1, 2), (2, 3)])
def test_pairs_on_any_other_day_are_duplicates(hours: tuple[int, int]) -> None:
    ordinary = MIDNIGHT + timedelta(days=7)
    starts = [ordinary + timedelta(minutes=15 * n) for n in range(96)]
    starts += starts[4 * hours[0] : 4 * hours[1]]
    result = synced(held(*[row(0.5, start) for start in starts]))
    assert channels(result) == {"fwd/kWh": 96}
    assert result.warned("listed twice") == 4


def test_a_night_listed_twice_as_a_whole_is_one_night() -> None:
    starts = [MIDNIGHT + timedelta(minutes=15 * n) for n in range(16)]
    result = synced(held(*[row(0.5, start) for start in starts * 2]))
    assert channels(result) == {"fwd/kWh": 16}


@pytest.mark.parametrize(("one", "other"), [("0.5", "0.50"), ("1", "1.0"), ("0", "-0")])
def test_equal_numbers_are_equal_however_they_are_written(one: str, other: str) -> None:
    text = page(held(row(111, MIDNIGHT), row(222, MIDNIGHT)))
    result = synced_text(text.replace("111", one).replace("222", other))
    assert [found["channel"] for found in result.rows] == ["fwd/kWh"]


def test_ten_thousand_values_for_one_stretch_take_linear_time() -> None:
    begun = time.process_time()
    result = synced(held(*[row(n, MIDNIGHT) for n in range(10_000)]))
    assert len({found["channel"] for found in result.rows}) == 10_000
    assert time.process_time() - begun < 10

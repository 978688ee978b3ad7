"""The speed of the tap, held by counting calls, bytes and requests.

A bound here is what was measured (`docs/decisions/0010-where-the-time-goes.md`) and a
little more. A change that meets one does not fail because a machine was busy: it makes
more calls for a row, holds more, or asks more often than before.
"""

from __future__ import annotations

import pytest

from tests.speed.counting import count, nectar, utilityapi

MB = 1_000_000
MAP = {"stream_maps": {"intervals": {"wh": "float(quantity or 0) * 1000"}}}


@pytest.fixture(autouse=True, scope="module")
def what_is_made_once() -> None:
    """Sync once before anything is counted: what a process makes once is no row's."""
    for world in (utilityapi(2, 30), nectar(1, 30)):
        count(world)


def test_a_row_of_utilityapi_takes_few_calls() -> None:
    little, more = (count(utilityapi(2, days), calls=True) for days in (10, 30))
    python, every = little.each(more)
    assert python <= 0.13
    assert every <= 0.28


def test_a_row_of_nectar_takes_few_calls() -> None:
    little, more = (count(nectar(1, days), calls=True) for days in (10, 30))
    python, every = little.each(more)
    assert python <= 2.2
    assert every <= 17


def test_a_deselected_column_adds_next_to_nothing() -> None:
    worlds = [utilityapi(2, days) for days in (10, 30)]
    every = [count(world, calls=True) for world in worlds]
    fewer = [count(world, "unit_raw", "source_type", calls=True) for world in worlds]
    assert fewer[0].each(fewer[1])[1] <= every[0].each(every[1])[1] + 0.2


def test_a_stream_map_costs_the_maps_own_work_and_one_message() -> None:
    little, more = (
        count(utilityapi(1, days), calls=True, settings=MAP) for days in (5, 15)
    )
    python, every = little.each(more)
    assert python <= 32
    assert every <= 45


def test_a_meter_costs_the_same_among_many() -> None:
    few, some, many = (
        count(utilityapi(n, 1, minutes=60, channels=1), calls=True)
        for n in (20, 120, 420)
    )
    assert some.each(many)[1] <= few.each(some)[1] * 1.05


def test_a_page_is_one_write() -> None:
    work = count(utilityapi(4, 60))
    assert work.writes <= 10 + work.rows / 1_000


def test_memory_does_not_grow_with_history() -> None:
    little, more = (
        count(utilityapi(1, days, minutes=60), memory=True) for days in (600, 1_800)
    )
    assert more.peak <= 1.3 * little.peak  # three times the history
    assert more.peak <= 4 * MB


def test_a_first_sync_asks_for_each_page_once() -> None:
    # 20 meters of five objects each, five to a page, and the list of meters.
    assert count(utilityapi(20, 90, minutes=60)).requests == 21
    # 58 pages each, and the company, its connections and its meters.
    # Four of them prove that the two lists went on to their ends.
    assert count(nectar(2, 60)).requests <= 2 * 58 + 4 + 4

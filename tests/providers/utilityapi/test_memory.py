"""What is remembered between runs: small, true, and changed when the settings are."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    DAY,
    Sandbox,
    Series,
    UtilityMeter,
    UtilityOptions,
    World,
    bills_from,
    delayed,
    epoch,
    restated,
    synthetic,
    without,
)
from tests.oracle import Key, Row, utilityapi_values, values
from tests.syncing import Run, config, sync

NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
BEGIN = "2026-01-01T05:00:00Z"
Known = dict[Key, Decimal | None]


def hourly(begin: str = BEGIN, lag: int = 3600) -> Series:
    return synthetic(0, "m", begin, "2026-04-20T00:00:00Z", lag=lag)


def a_world(series: Series, *, uid: str = "2061339", **options: Any) -> World:
    block_days = options.pop("block_days", 20)
    meter = UtilityMeter(uid, series, block_days=block_days)
    return World(NOW, [meter], utilityapi_options=UtilityOptions(**options))


class Daily:
    """A warehouse that is fed by one sync after the other."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.settings = {"max_retries": 0, "lookback_days": 5, **settings}
        self.known: Known = {}
        self.state: Row = {}

    def sync(self, **settings: Any) -> Run:
        with Sandbox(self.world) as sandbox:
            chosen = {**self.settings, **settings}
            run = sync(config(sandbox, "utilityapi", **chosen), self.state)
            self.asked = [r.query for r in sandbox.requests if "intervals" in r.path]
        self.got = values(run.rows("intervals"))
        self.known |= self.got
        self.state = run.state
        assert not run.failed
        return run

    @property
    def bookmark(self) -> Row:
        (found,) = self.state["bookmarks"]["intervals"]["partitions"]
        return dict(found)

    @property
    def first(self) -> str:
        """The earliest start of the last sync."""
        return min(key[1] for key in self.got)

    def truth(self, begin: str = "", end: str = "9") -> Known:
        found = utilityapi_values(self.world)
        return {k: v for k, v in found.items() if begin <= k[1] < end}


def test_state_is_small() -> None:
    hole = (epoch("2026-02-01T00:00:00Z"), epoch("2026-02-03T00:00:00Z"))
    series = without(hourly(), [hole])
    edges = [epoch(BEGIN) + n * 30 * DAY for n in range(3)]
    bills = bills_from(series, edges)
    meters = [
        UtilityMeter(str(2_061_339 + n), series, bills=bills, block_days=20)
        for n in range(20)
    ]
    with Sandbox(World(NOW, meters)) as sandbox:
        run = sync(config(sandbox, "utilityapi", start_date="2026-01-10"))
    entries = run.state["bookmarks"]
    assert all(
        len(entries[name]["partitions"]) == 20 for name in ("intervals", "usage")
    )
    assert len(entries["intervals"]["partitions"][0]["covered"]) == 4
    size = len(json.dumps(run.state, separators=(",", ":")))
    assert size / 20 <= 660


def test_a_run_over_unchanged_meters_asks_for_their_list_only() -> None:
    daily = Daily(a_world(hourly()))
    daily.sync()
    before = daily.state
    daily.sync()
    assert daily.asked == []
    assert daily.got == {}
    assert daily.state == before


def test_a_start_date_set_earlier_reads_the_difference() -> None:
    daily = Daily(a_world(hourly()))
    daily.sync(start_date="2026-03-01")
    assert daily.known == daily.truth("2026-03-01")
    daily.sync(start_date="2026-02-01")
    assert daily.known == daily.truth("2026-02-01")
    daily.sync()
    assert daily.known == daily.truth()


def test_a_start_date_set_later_and_back_loses_nothing_that_came_between() -> None:
    fill = (epoch("2026-01-10T00:00:00Z"), epoch("2026-01-12T00:00:00Z"))
    daily = Daily(a_world(delayed(hourly(), *fill, epoch(NOW) + DAY)))
    daily.sync()
    daily.world.advance(days=2)
    daily.sync(start_date="2026-03-01")
    assert daily.first >= "2026-03-01"
    daily.sync()
    assert daily.known == daily.truth()


def test_an_end_date_bounds_what_is_read_and_removing_it_brings_the_rest() -> None:
    daily = Daily(a_world(hourly()))
    daily.sync(end_date="2026-02-01")
    assert daily.known == daily.truth(end="2026-02-01")
    daily.sync(end_date="2026-02-10")
    assert daily.known == daily.truth(end="2026-02-10")
    daily.sync()
    assert daily.known == daily.truth()


def test_what_is_filled_while_an_end_date_is_set_comes_when_it_is_gone() -> None:
    fill = (epoch("2026-02-20T00:00:00Z"), epoch("2026-02-22T00:00:00Z"))
    daily = Daily(a_world(delayed(hourly(), *fill, epoch(NOW) + DAY)))
    daily.sync()
    daily.world.advance(days=2)
    daily.sync(end_date="2026-02-10")
    daily.world.advance(days=1)
    daily.sync(end_date="2026-02-10")
    daily.sync()
    assert daily.known == daily.truth()


def test_history_collected_later_is_read_from_where_it_was_added() -> None:
    world = a_world(
        delayed(hourly(), 0, epoch("2026-02-10T05:00:00Z"), epoch(NOW) + 60)
    )
    daily = Daily(world)
    daily.sync()
    assert daily.first == "2026-02-10T05:00:00Z"
    world.advance(days=1)
    daily.sync()
    assert daily.known == daily.truth()
    starts = {key[1] for key in daily.got}
    assert not [s for s in starts if "2026-02-12" < s < "2026-03-14"]


@pytest.mark.parametrize("holes", [1, 2, 5])
@pytest.mark.parametrize("filter_", ["cut", "contain", "overlap"])
def test_a_hole_that_is_filled_beyond_the_lookback_is_found(
    holes: int, filter_: str
) -> None:
    series = hourly()
    for number in range(holes):
        low = epoch(BEGIN) + (5 + 9 * number) * DAY
        known = epoch(NOW) + (60 if number == 0 else 30 * DAY)
        series = delayed(series, low, low + 5 * 3600, known)
    daily = Daily(a_world(series, filter=filter_))
    daily.sync()
    daily.world.advance(days=1)
    daily.sync()
    assert daily.known == daily.truth()


@pytest.mark.parametrize("filter_", ["cut", "contain", "overlap"])
@pytest.mark.parametrize("block_days", [1, 4, 20])
def test_what_is_restated_inside_the_lookback_comes_again(
    filter_: str, block_days: int
) -> None:
    days = (0.5, 3, 7, 9.8)
    changes = [
        (epoch(NOW) - int(day * 24) * 3600, epoch(NOW) + 60, (f"{day}",))
        for day in days
    ]
    series = restated(hourly(), changes)
    daily = Daily(
        a_world(series, filter=filter_, block_days=block_days), lookback_days=10
    )
    daily.sync()
    daily.world.advance(days=1)
    daily.sync()
    assert daily.known == daily.truth()
    assert daily.first >= "2026-03-10"


def test_a_shorter_lookback_forgets_nothing_that_changed_in_the_longer_one() -> None:
    change = (epoch("2026-03-08T10:00:00Z"), epoch(NOW) + 60, ("7.5",))
    daily = Daily(a_world(restated(hourly(), [change])), lookback_days=20)
    daily.sync()
    daily.world.advance(days=1)
    daily.sync(lookback_days=2)
    assert daily.known == daily.truth()
    daily.world.advance(days=1)
    daily.sync(lookback_days=2)
    assert daily.first >= "2026-03-18"


@pytest.mark.parametrize("filter_", ["cut", "contain", "overlap"])
def test_a_longer_lookback_reads_more(filter_: str) -> None:
    change = (epoch("2026-02-25T10:00:00Z"), epoch(NOW) + 60, ("7.5",))
    daily = Daily(
        a_world(restated(hourly(), [change]), filter=filter_), lookback_days=2
    )
    daily.sync()
    daily.world.advance(days=1)
    daily.sync(lookback_days=30)
    assert daily.known == daily.truth()


def test_allow_mixed_reads_everything_again() -> None:
    daily = Daily(a_world(hourly()))
    daily.sync()
    daily.sync(utilityapi_allow_mixed=True)
    assert daily.got == daily.truth()
    assert all(query["allow_mixed"] == "true" for query in daily.asked)


def test_a_pending_meter_is_read_in_every_run() -> None:
    daily = Daily(a_world(hourly()))
    daily.world.collections.start(daily.world.utilityapi[0], 1)
    daily.sync()
    assert "listed" not in daily.bookmark
    daily.sync()
    assert daily.asked


@pytest.mark.parametrize("filter_", ["contain", "overlap", "cut"])
def test_the_remembered_beginning_moves_on_with_the_lookback(filter_: str) -> None:
    daily = Daily(a_world(hourly(), filter=filter_, block_days=4), lookback_days=1)
    daily.sync()
    first = daily.bookmark["edge"][1]
    for _ in range(12):
        daily.world.advance(days=1)
        daily.sync()
    begins = datetime.fromisoformat(daily.bookmark["edge"][1].replace("Z", "+00:00"))
    moved = begins - datetime.fromisoformat(first.replace("Z", "+00:00"))
    assert moved.days >= 8
    assert daily.known == daily.truth()


@pytest.mark.parametrize("filter_", ["cut", "overlap", "contain"])
def test_what_start_does_is_learnt_when_it_pays_and_changes_no_row(
    filter_: str,
) -> None:
    world = a_world(hourly("2025-06-01T05:00:00Z"), filter=filter_, block_days=20)
    daily = Daily(world)
    daily.sync(start_date="2026-03-10")
    assert daily.known == daily.truth("2026-03-10")
    assert [q.get("limit") for q in daily.asked[:2]] == ["1", "1"]
    asked_openly = "start" not in daily.asked[2]
    assert asked_openly == (filter_ == "contain")


def test_coverage_that_does_not_come_is_asked_for_once_more_and_told() -> None:
    # Only the listing knows of what lies in the hole.
    daily = Daily(a_world(hourly()))
    daily.sync()
    world = daily.world
    world.advance(days=9)
    empty = '{"intervals": [], "next": null}'
    with Sandbox(world) as sandbox:
        sandbox.faults.add(path="/intervals", status=200, body=empty, times=None)
        chosen = config(sandbox, "utilityapi", max_retries=0, lookback_days=5)
        run = sync(chosen, daily.state)
        openly = [r.query for r in sandbox.requests if "intervals" in r.path]
        assert ["start" in query for query in openly] == [True, False]
        assert run.failed
        assert "no readings come" in "".join(run.tap.report.reasons.values())
        bookmark = run.state["bookmarks"]["intervals"]["partitions"][0]
        assert "listed" not in bookmark
        assert (
            bookmark["replication_key_value"] == daily.bookmark["replication_key_value"]
        )

        run = sync(chosen, run.state)
        sandbox.forget_requests()
        run = sync(chosen, run.state)
        again = [r.query for r in sandbox.requests if "intervals" in r.path]
        assert len(again) == 1
    daily.state = run.state
    daily.sync()
    assert daily.known == daily.truth()


@pytest.mark.parametrize("moved", ["back", "forth"])
def test_the_bookmark_stays_between_what_it_was_and_the_clock(moved: str) -> None:
    daily = Daily(a_world(hourly()))
    daily.sync()
    before = daily.bookmark["replication_key_value"]
    daily.world.advance(days=-3 if moved == "back" else 3)
    daily.sync()
    after = daily.bookmark["replication_key_value"]
    assert before <= after <= max(before, daily.world.now.isoformat())

"""Where a meter promises nothing: the end of its list is proved by asking on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.providers.utilityapi.scripted import (
    FILTERS,
    NOW,
    QUARTER,
    Block,
    Filter,
    Scripted,
    Warehouse,
    block,
    contain,
    days,
    first,
    ignore,
    overlap,
    stamp,
    warned,
)
from tests.providers.utilityapi.test_promises import every_start

DAY = timedelta(days=1)
BEGIN = NOW - 20 * DAY
MUTE: dict[str, Any] = {"interval_count": None, "interval_coverage": None}


class Cutting(Scripted):
    """Each list of intervals ends after its first page, and `next` is null."""

    def respond(self, path: str, query: Any) -> Any:
        body = super().respond(path, query)
        return {**body, "next": None} if path.endswith("/intervals") else body


def latest_first(one: Block) -> float:
    """The order that is the API's own, whatever was asked for."""
    return -first(one).timestamp()


@pytest.mark.parametrize("order", [first, latest_first])
@pytest.mark.parametrize("filter_", FILTERS)
def test_a_list_that_was_cut_heals_itself(
    filter_: Filter, order: Callable[[Block], Any]
) -> None:
    script = Cutting(days(BEGIN, NOW), MUTE, filter=filter_, order=order)
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert not run.failed
    assert set(warehouse.values) == every_start(script.blocks)
    assert len(script.asked) == 4 + 3 + 1, "five blocks each, three seams, the proof"
    assert warned(run, "ended too early") == 3

    script.now = NOW + 12 * DAY
    script.blocks += days(NOW, NOW + 12 * DAY)
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks), "the look-back, too"


def test_blocks_that_overlap_where_a_list_was_cut_come() -> None:
    begins = [BEGIN + n * 2 * DAY for n in range(9)]
    blocks = [block(begin, begin + 2 * DAY + 8 * QUARTER) for begin in begins]
    warehouse = Warehouse(Cutting(blocks, MUTE))
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(blocks)


@pytest.mark.parametrize("filter_", FILTERS)
def test_an_early_block_that_ends_last_hides_no_cut(filter_: Filter) -> None:
    """Of an older collection, beside those of a newer one."""
    long = block(BEGIN, NOW, step=4 * QUARTER)
    script = Cutting([long, *days(BEGIN, NOW)], MUTE, filter=filter_)
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert not run.failed
    assert set(warehouse.values) == every_start(script.blocks)
    assert warned(run, "ended too early")


class Growing(Scripted):
    """One block, a day longer in every answer."""

    def respond(self, path: str, query: Any) -> Any:
        if path.endswith("/intervals"):
            self.blocks = [block(BEGIN, BEGIN + (len(self.asked) + 1) * DAY)]
        return super().respond(path, query)


def test_a_block_that_always_grows_is_not_asked_for_without_end() -> None:
    script = Growing(days(BEGIN, BEGIN + DAY), MUTE, filter=overlap)
    run = Warehouse(script).sync()
    assert run.failed
    assert len(script.asked) < 12


def test_a_servers_clock_that_stands_still_hides_no_cut() -> None:
    script = Cutting(days(BEGIN, NOW), MUTE, date=NOW - 10 * DAY)
    warehouse = Warehouse(script)
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks)


@pytest.mark.parametrize("order", [first, latest_first])
def test_lists_that_are_cut_after_one_block_heal_themselves(
    order: Callable[[Block], Any],
) -> None:
    script = Cutting(days(BEGIN, NOW), MUTE, order=order, limit=1)
    warehouse = Warehouse(script)
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks)


@pytest.mark.parametrize(("factor", "is_seen"), [(7, True), (13, False)])
def test_lists_in_no_order_of_time_are_told_of(factor: int, *, is_seen: bool) -> None:
    """Nobody can tell what lacks between; whether the newest lacks shows the cut."""

    def order(one: Block) -> int:
        return first(one).day * factor % 20

    script = Cutting(days(BEGIN, NOW), MUTE, order=order)
    run = Warehouse(script).sync()
    assert run.failed is is_seen
    assert is_seen or warned(run, "in no order")
    whole = Scripted(script.blocks, MUTE, order=order)
    assert not Warehouse(whole).sync().failed


@pytest.mark.parametrize("filter_", FILTERS)
def test_a_last_reading_that_ends_before_it_starts_fails_nothing(
    filter_: Filter,
) -> None:
    blocks = days(BEGIN, NOW)
    blocks[-1]["readings"][0]["end"] = stamp(BEGIN)
    script = Scripted(blocks, MUTE, filter=filter_, limit=100)
    assert not Warehouse(script).sync().failed
    assert len(script.asked) <= 4, "and little is read again"


@pytest.mark.parametrize("filter_", [contain, ignore])
@pytest.mark.parametrize("order", [first, latest_first])
def test_a_server_that_does_not_go_on_fails_its_meter(
    filter_: Filter, order: Callable[[Block], Any]
) -> None:
    script = Cutting(days(BEGIN, NOW), MUTE, filter=filter_, order=order)
    if filter_ is contain:  # it answers anything with its beginning

        def answer(path: str, _: Any) -> Any:
            page = sorted(script.blocks, key=order)[:5]
            is_it = path.endswith("/intervals")
            return {"intervals": page, "next": None} if is_it else None

        script.answer = answer
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert run.failed
    assert "nothing proves" in run.tap.report.reasons["utilityapi", "1"]
    assert len(warehouse.known) == 5 * 96, "what came is out"
    assert "partitions" not in run.state["bookmarks"].get("intervals", {})


@pytest.mark.parametrize(
    ("listed", "requests"),
    [
        (MUTE, 2),
        ({"interval_count": ..., "interval_coverage": ...}, 2),
        ({"interval_count": "many", "interval_coverage": "2026"}, 2),
        ({"interval_count": None}, 1),
        ({"interval_coverage": None}, 1),
        ({"interval_count": 0, "interval_coverage": []}, 1),
        ({}, 1),
    ],
)
def test_the_proof_is_one_request_and_only_where_nothing_was_promised(
    listed: dict[str, Any], requests: int
) -> None:
    script = Scripted(days(BEGIN, NOW), listed, limit=100)
    run = Warehouse(script).sync()
    assert len(script.asked) == requests
    assert [query["start"] for query in script.asked[1:]] == [
        stamp(NOW).replace(".000000+00:00", "Z")
    ] * (requests - 1)
    assert not warned(run, "ended too early")


def test_meters_that_shared_a_request_are_proved_each() -> None:
    uids = ("1", "2", "3")
    blocks = [one for uid in uids for one in days(BEGIN, NOW, uid=uid)]
    script = Cutting(blocks, MUTE, uids=uids, limit=40)
    warehouse = Warehouse(script)
    assert not warehouse.sync().failed
    script.now = NOW + DAY
    script.blocks += [one for uid in uids for one in days(NOW, NOW + DAY, uid=uid)]
    assert not warehouse.sync().failed
    assert len(warehouse.known) == 3 * 21 * 96
    shared = [query for query in script.asked if "," in query["meters"]]
    assert len(shared) == 1
    assert len(script.asked) == 1 + 3


def test_bills_of_which_nothing_was_promised_are_warned_of() -> None:
    bill = {"uid": "b", "meter_uid": "1", "base": {}}

    def answer(path: str, _: Any) -> Any:
        return {"bills": [bill], "next": None} if path.endswith("/bills") else None

    mute = {"bill_count": None, "bill_coverage": "2026"}
    run = Warehouse(Scripted(listed=mute, answer=answer)).sync("usage")
    assert not run.failed
    assert warned(run, "no number and no time of bills") == 1
    (row,) = run.rows("usage")
    assert row["listed_at"] is None, "what does not come is not taken for withdrawn"
    promised = Scripted(listed={"bill_count": 1}, answer=answer)
    assert not warned(Warehouse(promised).sync("usage"), "no number and no time")

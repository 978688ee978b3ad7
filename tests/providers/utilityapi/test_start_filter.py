"""What is learnt of `start`, and what a walk does with an answer too large."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals import held as holding
from tap_utility_intervals.providers.utilityapi.intervals.held import Held
from tap_utility_intervals.providers.utilityapi.intervals.plan import plan_intervals
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    Filter,
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.intervals.walk import Walk
from tap_utility_intervals.providers.utilityapi.mapping.meters import listed as listing
from tap_utility_intervals.providers.utilityapi.pages import intervals_page
from tests.providers.utilityapi.scripted import (
    NOW,
    Block,
    Scripted,
    block,
    contain,
    cut,
    days,
    ignore,
    overlap,
    stamp,
)
from tests.providers.utilityapi.test_plan import RULES

DAY = timedelta(days=1)


class Pages(UtilityApi):
    """The API without HTTP: pages as a script answers."""

    def __init__(self, script: Scripted) -> None:
        self.script = script

    def intervals(self, meters: Any, start: Any = None, **more: Any) -> Any:
        query = {"meters": ",".join(meters), "place": "0"}
        query |= {"start": stamp(start)} if start else {}
        query |= {n: str(more[n]) for n in ("limit",) if more.get(n)}
        query |= {"end": stamp(more["end"])} if more.get("end") else {}
        while True:
            body = self.script.respond("/intervals", query)
            yield intervals_page(encoded({**body, "next": None}))
            if not body["next"]:
                return
            limit = int(query.get("limit", self.script.limit))
            query["place"] = str(int(query["place"]) + limit)


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


def learnt(script: Scripted) -> tuple[StartFilter, Any]:
    item = script.meter("1")
    rules = replace(RULES, start_date=NOW - 3 * DAY)
    plan = plan_intervals(listing(item, stamp(NOW)).meter, None, rules)
    assert plan is not None
    known = StartFilter()
    known.learn(Pages(script), [plan])
    return known, plan


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (cut, Filter.CUTS),
        (overlap, Filter.SENDS_WHOLE),
        (contain, Filter.LEAVES_OUT),
        (ignore, Filter.SENDS_WHOLE),
    ],
)
def test_what_start_does_shows_in_two_small_answers(
    filter_: Callable[..., list[Block]], expected: Filter
) -> None:
    script = Scripted(days(NOW - 100 * DAY, NOW, length=20), filter=filter_)
    known, plan = learnt(script)
    assert known.known is expected
    assert [query.get("limit") for query in script.asked] == ["1", "1"]
    is_safe = expected in {Filter.CUTS, Filter.SENDS_WHOLE}
    assert known.request_start(plan) == (plan.start if is_safe else None)


def test_a_little_history_is_not_worth_a_probe() -> None:
    script = Scripted(days(NOW - 20 * DAY, NOW), filter=cut)
    known, _ = learnt(script)
    assert known.known is Filter.UNKNOWN
    assert script.asked == []


def test_an_object_too_short_to_probe_tells_nothing() -> None:
    short = [block(NOW - 100 * DAY, NOW - 100 * DAY + timedelta(minutes=30))]
    script = Scripted([*short, *days(NOW - 9 * DAY, NOW)], filter=cut)
    assert learnt(script)[0].known is Filter.UNKNOWN


def test_a_walk_holds_each_block_once_however_often_it_comes() -> None:
    script = Scripted(days(NOW - 9 * DAY, NOW), limit=2)
    one = listing(script.meter("1"), stamp(NOW)).meter
    plan = plan_intervals(one, None, RULES)
    assert plan is not None
    warnings: list[str] = []
    held = Held(one, warnings.append)
    walk = Walk(Pages(script), StartFilter(), RULES, warnings.append)
    for _ in range(2):
        walk.collect(held, plan, None)
    assert len(list(held.blocks(plan.windows))) == 9
    assert held.updated == NOW
    assert warnings == []


@pytest.mark.parametrize("room", [5, 1_000_000])
def test_blocks_come_back_oldest_first_and_whole(
    monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(holding, "HELD_READINGS", room)
    monkeypatch.setattr(holding, "IN_MEMORY", 64)
    script = Scripted(days(NOW - 4 * DAY, NOW), order=lambda b: b["readings"][0]["end"])
    script.blocks.reverse()
    one = listing(script.meter("1"), stamp(NOW)).meter
    plan = plan_intervals(one, None, RULES)
    assert plan is not None
    held = Held(one, lambda _: None)
    for item in script.blocks:
        page = intervals_page(encoded({"intervals": [item], "next": None}))
        held.add(page.items[0], "2026-03-20T12:00:00.000000Z")
    found = list(held.blocks(plan.windows))
    assert [len(readings.starts) for _, readings in found] == [96] * 4
    starts = [start for _, readings in found for start in readings.starts]
    assert starts == sorted(starts)
    assert {b.read_at for b, _ in found} == {"2026-03-20T12:00:00.000000Z"}
    held.close()

"""Lists that go on for ever, with rows that are new on every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi import client
from tests.providers.utilityapi.scripted import (
    NOW,
    Scripted,
    Warehouse,
    block,
    days,
    stamp,
)

MOST = 30
HOUR = timedelta(hours=1)
BEGIN = NOW - timedelta(days=20)

ITEMS: dict[str, Callable[[int], Any]] = {
    "meters": lambda n: {"uid": f"m{n}"},
    "intervals": lambda n: block(BEGIN + n * HOUR, BEGIN + (n + 1) * HOUR),
    "bills": lambda n: {"uid": f"b{n}", "meter_uid": "1", "updated": stamp(NOW)},
    "events": lambda n: {"uid": f"e{n}", "ts": stamp(NOW - n * HOUR)},
}
STREAMS = {"events": ["utilityapi_events"]}


@pytest.mark.parametrize("endless", ITEMS)
def test_a_list_without_an_end_is_given_up_and_told(
    endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_PAGES", MOST)
    asked: Counter[str] = Counter()
    beside = days(BEGIN, NOW, uid="2")
    script = Scripted(
        [*days(BEGIN, NOW), *beside], uids=("1", "2"), listed={"bill_count": 5}
    )

    def answer(path: str, query: Any) -> Any:
        name = path.rpartition("/")[2]
        is_other = name != "meters" and query.get("meters") == "2"
        if name != endless or is_other:
            return None
        asked[query.get("meters", "")] += 1
        number = int(query.get("n", 0))
        pairs = {**query, "n": str(number + 1)}
        follow = "&".join(f"{key}={value}" for key, value in pairs.items())
        page = [ITEMS[endless](number)]
        return {name: page, "next": f"{script.url}/{name}?{follow}"}

    script.answer = answer
    warehouse = Warehouse(script)
    run = warehouse.sync(*STREAMS.get(endless, []))
    report = run.tap.report
    told = [*report.reasons.values(), *report.stopped.values()]
    assert run.failed
    assert any(f"goes on without end (/{endless}" in reason for reason in told)
    assert set(asked.values()) == {MOST}, "it is not begun again"
    kept = warehouse.state.get("bookmarks", {})
    sources = {"meters": 0, "intervals": 1, "bills": 2, "events": 0}[endless]
    assert len(kept.get("intervals", {}).get("partitions", [])) == sources
    if endless == "intervals":
        mine = {
            r["interval_start"] for r in run.rows("intervals") if r["meter_key"] == "1"
        }
        assert len(mine) == 4 * MOST, "what came is out"

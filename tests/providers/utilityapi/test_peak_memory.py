"""What a server sends beyond what was asked for is held by one worker at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tap_utility_intervals.providers import bodies
from tap_utility_intervals.providers.utilityapi.pages import Filed, intervals_page
from tests.providers.utilityapi.scripted import NOW, Scripted, Warehouse, days, ignore

METERS = 12
WORKERS = 6


def peak(script: Scripted, warehouse: Warehouse, large: int) -> int:
    """The most that one more sync holds, in a process of its own."""
    with script.serving() as url:
        config = {**warehouse.settings, "utilityapi_base_url": url}
        given = {"config": config, "state": warehouse.state, "large": large}
        found = subprocess.run(
            [sys.executable, "-m", "tests.providers.utilityapi.peak"],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
    return int(found.stderr.split()[-1])


def test_workers_hold_one_large_answer_at_a_time() -> None:
    begin = NOW - timedelta(days=25)
    uids = [str(100 + n) for n in range(METERS)]
    hour, padding = timedelta(hours=1), {"note": "x" * 1_000_000}
    blocks = [
        one | padding for uid in uids for one in days(begin, NOW, 5, uid=uid, step=hour)
    ]
    script = Scripted(blocks, uids=uids, filter=ignore, limit=100)
    warehouse = Warehouse(
        script,
        lookback_days=1,
        max_concurrency=WORKERS,
        utilityapi_meters_per_request=METERS // WORKERS,
    )
    assert not warehouse.sync().failed
    script.now += timedelta(days=1)
    new = (days(NOW, script.now, uid=uid, step=hour) for uid in uids)
    script.blocks += [one for ones in new for one in ones]
    bounded = peak(script, warehouse, 100_000)
    assert all("," in one["meters"] for one in script.asked[-WORKERS:])
    assert bounded < peak(script, warehouse, 10**9) / 2


def test_a_page_in_a_file_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [{"meter_uid": str(n), "readings": [n] * n} for n in range(5)]
    body = json.dumps({"intervals": items, "is_incomplete": True}).encode()
    small = intervals_page(body)
    monkeypatch.setattr(bodies, "LARGE", 10)
    page, same = intervals_page(body), intervals_page(body)
    other = intervals_page(body.replace(b"4, 4", b"4, 5"))
    assert isinstance(page.items, Filed)
    assert list(page.items) == list(small.items)
    assert page.items[1:3] == list(small.items)[1:3]
    assert page.items == same.items
    assert page.items != other.items
    assert (page.is_open_ended, page.is_incomplete, page.next) == (True, True, None)
    for one in (page, same, other):
        one.close()

"""Plans, parts and bookmarks, without Spark: that is `under_spark.py`."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.floor.limiter import shared
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.spark import commit
from tap_utility_intervals.spark.folder import Folder, Unread
from tap_utility_intervals.spark.options import OptionError, Options
from tap_utility_intervals.spark.parts import Lacking, Part, Reading
from tap_utility_intervals.spark.planning import plan
from tests import oracle
from tests.oracle import Row
from tests.spark.world import fleet, settings
from tests.syncing import sync

KEYS = ("meter_key", "interval_start", "channel", "interval_end", "provider")


def options(sandbox: Sandbox, stream: str = "intervals", **more: Any) -> Options:
    words = {"stream": stream}
    for name in ("plan", "partitions", "bookmarks"):
        if name in more:
            words[name] = str(more.pop(name))
    return Options.parse(words | {"config": json.dumps(settings(sandbox, **more))})


def read(chosen: Options, parts: list[Part], *numbers: int) -> Any:
    """Read parts as executors do: each on its own. Key to quantity."""
    found: dict[Any, Any] = {}
    for part in parts:
        if numbers and part.number not in numbers:
            continue
        sent = pickle.loads(pickle.dumps(part))
        reading = Reading(sent, chosen.configs[part.credentials])
        for batch in reading.batches():
            for row in batch.to_pylist():
                key = tuple(
                    row[n] if "interval_" not in n else oracle.instant(row[n])
                    for n in KEYS
                )
                assert key not in found
                found[key] = row["quantity"]
        assert reading.result is not None
        if chosen.plan:
            Folder(chosen.plan).keep(part, reading.result)
    return found


def saved(tmp_path: Path, bookmarks: Row) -> Path:
    path = tmp_path / "bookmarks.json"
    path.write_text(json.dumps(bookmarks))
    return path


def test_parts_together_are_what_one_process_reads(tmp_path: Path) -> None:
    world = fleet(meters=4, connections=3)
    with Sandbox(world) as sandbox:
        chosen = options(sandbox, plan=tmp_path / "plan", partitions=3)
        parts = plan(chosen)
        assert [part.shares for part in parts] == [3] * 6
        whole = oracle.readings(world, "utilityapi", "nectar")
        assert read(chosen, parts[1:]).items() < whole.items()
        with pytest.raises(Unread, match="1 of 6 parts of intervals"):
            commit(tmp_path / "plan")
        assert read(chosen, plan(chosen), 0).items() < whole.items()
        bookmarks = commit(tmp_path / "plan")
        alone = sync(settings(sandbox), None).state
        assert marks(bookmarks) == marks(alone)

        world.advance(days=1)
        again = options(
            sandbox, plan=tmp_path / "next", bookmarks=saved(tmp_path, bookmarks)
        )
        came = read(again, plan(again))
        whole = oracle.readings(world, "utilityapi", "nectar")
        assert came.items() < whole.items()
        assert 7 * 24 * 4 <= len(came) <= 7 * 24 * 6
        # Singer goes on where Spark has been.
        later = sync(settings(sandbox), commit(tmp_path / "next"))
        assert len(later.rows("intervals")) < len(came)


def marks(state: Row) -> dict[str, Row]:
    """Bookmarks of intervals, but for the instants of their runs."""
    found = {}
    for entry in state["bookmarks"]["intervals"]["partitions"]:
        name = " ".join(sorted(entry["context"].values()))
        found[name] = {n: v for n, v in entry.items() if n not in {"read", "scanned"}}
    return found


def test_a_source_that_was_lost_once_keeps_its_bookmark(tmp_path: Path) -> None:
    with Sandbox(fleet(meters=3, connections=0)) as sandbox:
        sandbox.faults.add(
            provider="utilityapi", path="/intervals", query="meters=102", status=400
        )
        folder = tmp_path / "plan"
        chosen = options(sandbox, plan=folder, partitions=1, max_retries=0)
        both = [read(chosen, plan(chosen)) for _ in range(2)]
        assert [len({key[0] for key in one}) for one in both] == [2, 3]
        # Whichever of the two was merged: 102 is read again.
        state = commit(folder)["bookmarks"]["intervals"]
        known = [entry["context"]["meter_key"] for entry in state["partitions"]]
        assert known == ["101", "103"]
        covered = [
            row.source
            for _, one in Folder(folder).results("intervals")
            for row in one.coverage
        ]
        assert covered == ["101", "103"]


def test_what_is_gone_is_told_and_what_failed_without_a_plan_ends_the_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Sandbox(fleet(meters=2, connections=1)) as sandbox:
        lost = {"provider": "utilityapi", "path": "/intervals", "query": "meters=102"}
        sandbox.faults.add(**lost, status=404, times=None)
        chosen = options(sandbox, plan=tmp_path / "plan", partitions=1)
        assert {key[0] for key in read(chosen, plan(chosen))} > {"101"}
        caplog.clear()
        state = commit(tmp_path / "plan")["bookmarks"]["intervals"]
        assert len(state["partitions"]) == 2
        assert "intervals: no longer given: utilityapi 102" in caplog.text
        sandbox.faults.clear()
        sandbox.faults.add(
            provider="nectar", path="/connection", status=400, times=None
        )
        with pytest.raises(Lacking, match="1 sources could not be read: nectar"):
            plan(options(sandbox))


def test_credentials_have_plans_and_bookmarks_of_their_own(tmp_path: Path) -> None:
    worlds = {"north": fleet(2, 0), "south": fleet(0, 2)}
    with Sandbox(worlds["north"]) as north, Sandbox(worlds["south"]) as south:
        given = {
            "north": {n: v for n, v in settings(north).items() if "nectar" not in n},
            "south": {
                n: v for n, v in settings(south).items() if "utilityapi" not in n
            },
        }
        words = {
            "stream": "intervals",
            "credentials": json.dumps(given),
            "plan": str(tmp_path / "plan"),
        }
        chosen = Options.parse(words)
        came = read(chosen, plan(chosen))
        assert came == oracle.readings(worlds["north"], "utilityapi") | oracle.readings(
            worlds["south"], "nectar"
        )
        state = commit(tmp_path / "plan")
        assert {n: len(marks(one)) for n, one in state.items()} == {
            "north": 2,
            "south": 2,
        }
        words |= {"plan": str(tmp_path / "next"), "bookmarks": json.dumps(state)}
        again = Options.parse(words)
        north_parts = [p for p in plan(again) if p.credentials == "north"]
        assert north_parts == []  # nothing has changed there


def test_what_was_planned_is_read_with_the_same_options(tmp_path: Path) -> None:
    with Sandbox(fleet(1, 1)) as sandbox:
        folder = tmp_path / "plan"
        first = plan(options(sandbox, plan=folder))
        sandbox.forget_requests()
        assert len(plan(options(sandbox, plan=folder))) == len(first)
        assert not sandbox.requests
        with pytest.raises(OptionError, match="other options"):
            plan(options(sandbox, plan=folder, start_date="2026-03-01"))
        for path in folder.rglob("*"):
            content = path.read_bytes()
            assert sandbox.token.encode() not in content
            assert sandbox.api_key.encode() not in content


SECRET = '{"nectar_api_key": "secret-word"}'


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "stream must be one of meters, intervals, usage, coverage"),
        ({"stream": "bills"}, "stream must be one of"),
        ({"partition": "2"}, "partition is unknown; did you mean partitions"),
        ({"path": "/"}, "path is unknown; there are stream, bookmarks"),
        ({"stream": "meters", "plan": "p"}, "plan has no effect on meters"),
        ({"stream": "coverage"}, "config has no effect on coverage"),
        ({"stream": "coverage", "config": None}, "plan must name the folder"),
        ({"config": None}, "config or else `credentials` must be given"),
        ({"credentials": SECRET}, "config or else `credentials` must be given"),
        ({"config": None, "credentials": SECRET}, "credentials must hold settings by"),
        ({"bookmarks": "{}"}, "bookmarks needs `plan`"),
        ({"plan": "dbfs:/plans"}, "plan must be a folder as programs see it"),
        ({"partitions": "0"}, "partitions must be a number"),
        ({"partitions": "few"}, "partitions must be a number"),
        ({"config": "/nowhere.json"}, "cannot be read from /nowhere.json"),
        ({"config": "{"}, "option config is not JSON|config is not JSON"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(given: Row, sentence: str) -> None:
    whole = {"stream": "intervals" if given else "", "config": SECRET, **given}
    chosen = {name: value for name, value in whole.items() if value is not None}
    with pytest.raises(TapError, match=sentence) as refused:
        Options.parse(chosen)
    assert "secret-word" not in str(refused.value)
    assert "secret-word" not in repr(Options("meters", {"": json.loads(SECRET)}))


@pytest.mark.parametrize(("per_second", "in_flight"), [(50, 8), (12.5, 10), (7, 4)])
def test_shares_together_are_no_more_than_the_whole(
    per_second: float, in_flight: int
) -> None:
    for shares in range(1, min(int(per_second), in_flight) + 1):
        one = shared(per_second, in_flight, shares)
        assert one._free * shares <= in_flight
        assert shares / one._spacing <= per_second
        # Turns that many a second give, in any second, at most so many.
        if shares > 1:
            turns = 1 / one._spacing
            assert abs(turns - round(turns)) < 1e-9

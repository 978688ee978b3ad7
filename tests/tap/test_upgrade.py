"""STATE of version 1, as 0.1 wrote it: taken on in Singer's form and in Airbyte's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.singer.state import VERSION
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.airbyte.running import Connector
from tests.oracle import UNIFIED, Row
from tests.providers.reading import selecting
from tests.syncing import config, sync

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "state"
STATES: dict[str, Row] = json.loads((FIXTURES / "version_1.json").read_text())
OLD: dict[str, Row] = json.loads((FIXTURES / "catalog_0_1.json").read_text())
PAGE = (ROOT / "docs" / "upgrading.md").read_text("utf-8")
SETTINGS = {
    "lookback_days": 2,
    "state_interval_seconds": 0,
    "max_concurrency": 1,
    "utilityapi_meters_per_request": 1,
}
DATES = {"start_date": "2026-03-15T00:00:00Z", "end_date": "2026-03-25"}
INSTANTS = {"since", "until", "read", "updated", "before", "resume"}


@pytest.fixture
def settings(sandbox: Sandbox) -> Row:
    return config(sandbox, **SETTINGS)


def bookmarks(state: Any, stream: str = "intervals") -> dict[str, Row]:
    """By the id of the source; all of this version, whatever it came from."""
    found = state["bookmarks"][stream]
    assert found["version"] == VERSION
    for entry in found["partitions"]:
        for name in INSTANTS & {*entry}:
            assert isinstance(entry[name], (str, type(None))), name
        assert all(not isinstance(x, int) for x in (entry.get("edge") or [])[:2])
    return {
        next(v for k, v in entry["context"].items() if k != "provider"): entry
        for entry in found["partitions"]
    }


def ids(rows: list[Row]) -> set[str]:
    return {row["meter_key"] for row in rows if row["provider"] == "utilityapi"}


def assert_taken_on(rows: list[Row], whole: list[Row], key: str) -> None:
    """One source only its look-back, the others everything."""
    old = [row["interval_start"] for row in rows if row["meter_key"] == key]
    assert not old or min(old) >= "2026-03-17"
    for other in {row["meter_key"] for row in whole} - {key}:
        assert [r for r in rows if r["meter_key"] == other] != []
        assert sum(r["meter_key"] == other for r in rows) == sum(
            r["meter_key"] == other for r in whole
        )


@pytest.mark.parametrize(
    ("state", "dates"),
    [("interrupted", {}), ("dated", DATES)],
    ids=lambda x: str(x)[:5],
)
def test_a_run_that_0_1_was_interrupted_in_is_resumed(
    settings: Row, state: str, dates: Row
) -> None:
    settings |= dates
    whole = sync(settings)
    run = sync(settings, STATES[state])
    assert not run.failed
    assert run.tap.report.warnings == whole.tap.report.warnings
    assert_taken_on(run.rows("intervals"), whole.rows("intervals"), "101")
    seen = [m["value"] for m in run.messages if m["type"] == "STATE"]
    assert len(seen) > 3
    for step in seen:
        assert "101" in bookmarks(step)
    assert bookmarks(run.state).keys() == bookmarks(whole.state).keys()


def test_a_whole_state_of_0_1_costs_no_history_of_utilityapi(settings: Row) -> None:
    run = sync(settings, STATES["whole"])
    assert not run.failed
    mine = [r for r in run.rows("intervals") if r["provider"] == "utilityapi"]
    # Nectar's history is read once more: its keys and channels are made otherwise.
    assert mine == []
    assert {row["provider"] for row in run.rows("intervals")} == {"nectar"}


def test_interrupted_again_after_the_upgrade_nothing_is_in_two_forms(
    settings: Row,
) -> None:
    run = sync(settings, STATES["interrupted"])
    states = [m["value"] for m in run.messages if m["type"] == "STATE"]
    second = next(s for s in states if len(bookmarks(s)) == 2)
    again = sync(settings, second)
    rows = [row for row in run.rows("intervals") if row["provider"] == "nectar"]
    assert ids(again.rows("intervals")) == set()
    assert len(again.rows("intervals")) == len(rows) > 0
    assert bookmarks(again.state).keys() == bookmarks(run.state).keys()


def test_the_state_that_airbyte_kept_of_0_1_is_taken_on(
    settings: Row, tmp_path: Path
) -> None:
    connector = Connector(tmp_path, settings)
    kept = [
        {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": name}, "stream_state": blob},
        }
        for name, blob in STATES["interrupted"]["bookmarks"].items()
    ]
    whole = connector.read(["intervals"])
    resumed = connector.read(["intervals"], kept)
    assert resumed.code == 0
    assert_taken_on(resumed.rows("intervals"), whole.rows("intervals"), "101")
    for state in resumed.states["intervals"]:
        bookmarks({"bookmarks": {"intervals": state["stream"]["stream_state"]}})


def test_no_column_or_key_of_0_1_is_gone_and_the_page_names_the_new_ones() -> None:
    told = {
        stream: set(re.findall(r"`(\w+)`", new)) or {new}
        for stream, new in re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)
    }
    tap = TapUtilityIntervals(config={}, validate_config=False)
    new: dict[str, set[str]] = {}
    for name, stream in tap.streams.items():
        old = OLD.get(name)
        if old is None:
            new[name] = {"all of it"}
            continue
        columns = {*stream.schema["properties"]}
        assert {*old["columns"]} <= columns, name
        assert old["key"] == list(stream.primary_keys or ()), name
        if added := columns - {*old["columns"]}:
            new[name] = added
    assert OLD.keys() <= tap.streams.keys()
    assert told == new, "docs/upgrading.md"


def test_a_catalog_of_0_1_goes_on_with_the_columns_that_it_has(settings: Row) -> None:
    catalog = selecting(settings, *UNIFIED)
    catalog["streams"] = [s for s in catalog["streams"] if s["stream"] in OLD]
    for stream in catalog["streams"]:
        columns = {*OLD[stream["stream"]]["columns"]}
        kept = stream["schema"]["properties"]
        stream["schema"]["properties"] = {n: kept[n] for n in kept if n in columns}
        stream["metadata"] = [
            entry
            for entry in stream["metadata"]
            if not entry["breadcrumb"] or entry["breadcrumb"][1] in columns
        ]
    run, now = sync(settings, catalog=catalog), sync(settings)
    assert not run.failed
    for stream in ("meters", "intervals", "usage"):
        rows = run.rows(stream)
        assert len(rows) == len(now.rows(stream)) > 0
        assert {n for row in rows for n in row} <= {*OLD[stream]["columns"]}
    assert run.rows("coverage") == []

"""The stream `coverage`: after all readings, of what was read whole, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tests.oracle import Row
from tests.providers.reading import selecting
from tests.syncing import Run, config, sync

BOTH = pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
SOURCE = {"utilityapi": "meter_key", "nectar": "connection_id"}


def covered(run: Run) -> dict[str, list[Row]]:
    """The rows by source."""
    found: dict[str, list[Row]] = {}
    for row in run.rows("coverage"):
        found.setdefault(row["source"], []).append(row)
    return found


@BOTH
def test_a_first_sync_covers_all_of_history(sandbox: Sandbox, provider: str) -> None:
    run = sync(config(sandbox, provider))
    rows = run.rows("intervals")
    assert {*covered(run)} == {row[SOURCE[provider]] for row in rows}
    for source, found in covered(run).items():
        (row,) = found
        mine = [r for r in rows if r[SOURCE[provider]] == source]
        assert row["provider"] == provider
        assert row["is_complete"] is True
        assert row["range_start"] == "1900-01-01T00:00:00Z"
        assert row["range_end"] == "9999-01-01T00:00:00Z"
        spans = {(r["meter_key"], r["interval_start"], r["interval_end"]) for r in mine}
        assert row["readings"] == len(spans)
        assert row["first_interval_start"] == min(r["interval_start"] for r in mine)
        assert row["last_interval_end"] == max(r["interval_end"] for r in mine)
        assert row["read_at"] < min(r["read_at"] for r in mine)


@BOTH
def test_a_later_sync_covers_what_it_reads_again(
    sandbox: Sandbox, provider: str
) -> None:
    settings = config(sandbox, provider, lookback_days=1)
    first = sync(settings)
    sandbox.world.advance(days=1)
    second = sync(settings, first.state)
    for source, (row,) in covered(second).items():
        mine = {
            r["interval_start"]
            for r in second.rows("intervals")
            if r[SOURCE[provider]] == source
        }
        assert "1900" < row["range_start"] <= min(mine)
        assert row["range_end"] == "9999-01-01T00:00:00Z"
        assert row["read_at"] > max(r["read_at"] for r in first.rows("intervals"))


def test_what_is_unchanged_has_no_row(sandbox: Sandbox) -> None:
    settings = config(sandbox, "utilityapi")
    first = sync(settings)
    second = sync(settings, first.state)
    assert covered(first)
    assert not covered(second)
    assert second.state["bookmarks"]["coverage"] == first.state["bookmarks"]["coverage"]


def test_it_is_written_after_all_readings(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, state_interval_seconds=0))
    streams = [m["stream"] for m in run.messages if m["type"] == "RECORD"]
    first = streams.index("coverage")
    assert {*streams[first:]} == {"coverage"}
    assert "coverage" not in streams[:first]


@BOTH
def test_a_source_that_failed_is_not_covered(sandbox: Sandbox, provider: str) -> None:
    whole = covered(sync(config(sandbox, provider)))
    rule: Row = {"utilityapi": {"query": "meters=101"}, "nectar": {}}[provider]
    path = {"utilityapi": "/intervals$", "nectar": f"/connection/{min(whole)}$"}
    sandbox.faults.add(path=path[provider], status=404, times=None, **rule)
    run = sync(config(sandbox, provider, utilityapi_meters_per_request=1))
    gone = "101" if provider == "utilityapi" else min(whole)
    assert {*covered(run)} == {*whole} - {gone}


def test_some_kinds_of_meters_alone_are_never_complete(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, "nectar", nectar_datasource_types=["ELECTRICITY"]))
    assert run.rows("intervals")
    rows = run.rows("coverage")
    assert rows
    assert not [row for row in rows if row["is_complete"]]


@BOTH
def test_without_intervals_it_is_empty_and_says_so(
    sandbox: Sandbox, provider: str
) -> None:
    settings = config(sandbox, provider)
    run = sync(settings, catalog=selecting(settings, "coverage", "meters"))
    assert not run.rows("coverage")
    assert "`intervals` is not selected" in "".join(run.tap.report.warnings)


MAPS: dict[str, Any] = {
    "a filter": {"intervals": {"__filter__": "quantity is not None"}},
    "the stream removed": {"intervals": None},
    "everything else removed": {"meters": {}, "coverage": {}, "__else__": None},
}


@pytest.mark.parametrize("maps", MAPS.values(), ids=MAPS)
def test_where_a_map_may_drop_readings_it_is_empty_and_says_so(
    sandbox: Sandbox, maps: Row
) -> None:
    run = sync(config(sandbox, "utilityapi", stream_maps=maps))
    assert not run.rows("coverage")
    assert "a stream map may leave rows" in "".join(run.tap.report.warnings)


KEEPING: dict[str, Any] = {
    "a column removed": {"intervals": {"identifiers": "__NULL__"}},
    "a column added": {"intervals": {"x": "provider"}},
    "maps of others": {"meters": {"__filter__": "False"}},
}


@pytest.mark.parametrize("maps", KEEPING.values(), ids=KEEPING)
def test_maps_that_keep_every_reading_are_no_obstacle(
    sandbox: Sandbox, maps: Row
) -> None:
    run = sync(config(sandbox, "utilityapi", stream_maps=maps))
    assert {*covered(run)} == {"101", "102"}
    assert not run.tap.report.warnings

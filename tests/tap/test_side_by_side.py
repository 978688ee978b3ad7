"""Nectar does not wait for UtilityAPI, nor the other way round."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi.session import UtilityApiSession
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.singer.state import Bookmarks
from tests.oracle import Row, values
from tests.syncing import Run, config, sync

PATIENCE = 60.0  # an upper bound for what a broken test waits, never a sleep


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tiny_world()) as running:
        yield running


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> threading.Event:
    """UtilityAPI's readings are not even asked for before all Nectar's are written."""
    written = threading.Event()
    left = set(sandbox.world.connections)
    tasks, put = UtilityApiSession.interval_tasks, Bookmarks.put

    def waiting(self: Any, bookmarks: Any) -> Iterator[Any]:
        assert written.wait(PATIENCE)
        yield from tasks(self, bookmarks)

    def noting(self: Bookmarks, context: Any, bookmark: Any) -> None:
        put(self, context, bookmark)
        left.discard(context.get("connection_id"))
        if not left:
            written.set()

    monkeypatch.setattr(UtilityApiSession, "interval_tasks", waiting)
    monkeypatch.setattr(Bookmarks, "put", noting)
    return written


@pytest.mark.usefixtures("held")
def test_one_provider_is_read_while_the_other_waits(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, max_concurrency=2, state_interval_seconds=0))
    assert not run.failed
    written = [m for m in run.messages if m.get("stream") == "intervals"]
    rows = [m["record"] for m in written if m["type"] == "RECORD"]
    order = [one for one, _ in groupby(row["provider"] for row in rows)]
    assert order == ["nectar", "utilityapi"]
    for provider in order:
        alone = sync(config(sandbox, provider, max_concurrency=1))
        assert of(run, provider) == of(alone, provider)
    covered_by_rows(run)


@pytest.mark.usefixtures("held")
def test_one_provider_that_ends_early_stops_no_other(sandbox: Sandbox) -> None:
    sandbox.faults.add(provider="utilityapi", path="/intervals", status=401, times=None)
    run = sync(config(sandbox, max_concurrency=2))
    assert set(run.tap.report.stopped) == {"utilityapi"}
    alone = sync(config(sandbox, "nectar"))
    assert of(run, "nectar") == of(alone, "nectar")
    assert of(run, "utilityapi") == []


def of(run: Run, provider: str) -> list[Row]:
    """A provider's rows in their order, but for when they were read."""
    rows = [row for row in run.rows("intervals") if row["provider"] == provider]
    return list(values(rows).items())  # type: ignore[arg-type]


def covered_by_rows(run: Run) -> None:
    """No STATE holds a bookmark beyond what had been written before it."""
    newest: dict[str, str] = {}
    for message in run.messages:
        if message["type"] == "RECORD" and message["stream"] == "intervals":
            row = message["record"]
            source = row["connection_id"] or row["meter_key"]
            newest[source] = max(newest.get(source, ""), row["interval_start"])
        if message["type"] == "STATE":
            found = message["value"].get("bookmarks", {}).get("intervals", {})
            for entry in found.get("partitions", ()):
                whose = entry["context"]
                source = whose.get("connection_id") or whose["meter_key"]
                assert entry.get("replication_key_value", "") <= newest.get(source, "")

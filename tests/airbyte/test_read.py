"""Every `read` here goes through the strict checker, in `Connector.read`."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox, World, truth
from tap_utility_intervals.unified import Intervals
from tests.airbyte.protocol import NO_CURSOR, Output
from tests.airbyte.running import UNIFIED, Connector, run
from tests.oracle import by_key, key, utilityapi_values, values
from tests.syncing import config, sync

COMPLETE = ["STARTED", "RUNNING", "COMPLETE"]
OF_THE_RUN: dict[str, Any] = {"listed_at": None, "read_at": None}


def merged(outputs: list[Output]) -> dict[Any, Any]:
    """The table of intervals that a destination would have."""
    table: dict[Any, Any] = {}
    for output in outputs:
        table |= by_key(output.rows("intervals"))
    return table


def offered(world: World) -> int:
    """How many intervals both providers offer now."""
    return sum(
        1 for name in ("utilityapi", "nectar") for _ in truth.readings(world, name)
    )


def test_a_first_read_delivers_everything_and_completes_every_stream(
    connector: Connector, sandbox: Sandbox
) -> None:
    output = connector.read()
    assert output.code == 0
    assert output.statuses == {
        "intervals": COMPLETE,
        "meters": COMPLETE,
        "coverage": COMPLETE,
        "usage": COMPLETE,
    }
    rows = output.rows("intervals")
    assert len(by_key(rows)) == offered(sandbox.world)
    ours = [row for row in rows if row["provider"] == "utilityapi"]
    assert values(ours) == utilityapi_values(sandbox.world)


def test_a_state_file_that_is_not_there_yet_is_a_first_run(
    connector: Connector, tmp_path: Path
) -> None:
    file = tmp_path / "none.json"
    output = run(*connector.arguments(["meters"]), "--state", str(file))
    assert output.code == 0
    assert connector.findings(output, ["meters"]) == []
    said = [log["message"] for log in output.of("LOG")]
    assert (
        f"There is no {file} yet: this is a first run, which reads everything." in said
    )


def test_it_delivers_the_same_records_and_bookmarks_as_the_singer_tap(
    connector: Connector,
) -> None:
    singer = sync(connector.settings)
    airbyte = connector.read()
    for stream in ("intervals", "meters", "usage"):
        ours = [{**row, **OF_THE_RUN} for row in in_order(airbyte.rows(stream))]
        assert ours == [{**row, **OF_THE_RUN} for row in in_order(singer.rows(stream))]
    bookmarks = {**singer.state["bookmarks"], "meters": NO_CURSOR}
    assert undated(airbyte.bookmarks) == undated(bookmarks)


def test_streams_in_the_providers_own_shapes_can_be_read_as_well(
    connector: Connector, sandbox: Sandbox
) -> None:
    names = [stream["name"] for stream in connector.discover()["streams"]]
    assert set(names) > set(UNIFIED)
    first = connector.read(names)
    assert first.code == 0
    assert {ends[-1] for ends in first.statuses.values()} == {"COMPLETE"}
    assert len(first.rows("utilityapi_meters")) == 2
    sandbox.world.advance(days=1)
    second = connector.read(names, first.kept)
    assert second.code == 0


def in_order(rows: list[Any]) -> list[Any]:
    """Rows, or bookmarks, provider by provider: they are read side by side."""
    return sorted(rows, key=lambda row: row.get("context", row)["provider"])


def undated(bookmarks: Any) -> Any:
    """Bookmarks without when they were made: two runs are seconds apart."""

    def without(found: dict[str, Any]) -> dict[str, Any]:
        kept = {n: value for n, value in found.items() if not n.endswith("_at")}
        if "partitions" in kept:
            kept["partitions"] = in_order(kept["partitions"])
        return kept

    return json.loads(json.dumps(bookmarks), object_hook=without)


def test_the_state_of_a_singer_run_is_taken_on(
    connector: Connector,
) -> None:
    singer = sync(connector.settings)
    output = connector.read(state=singer.state)
    again = output.rows("intervals")  # Nectar does not tell what is unchanged
    assert {row["provider"] for row in again} == {"nectar"}
    assert len(again) < len(singer.rows("intervals")) / 2
    kept = unread(output.bookmarks["intervals"])
    assert kept == unread(singer.state["bookmarks"]["intervals"])


def unread(bookmarks: Any) -> Any:
    """The bookmarks of sources without when those were read."""
    return [{**one, "read": None} for one in bookmarks["partitions"]]


def test_a_day_later_only_the_lookback_and_the_new_is_read(
    connector: Connector, sandbox: Sandbox
) -> None:
    first = connector.read()
    sandbox.world.advance(days=1)
    second = connector.read(state=first.kept)
    assert second.code == 0
    assert len(merged([first, second])) == offered(sandbox.world)
    assert 0 < len(second.rows("intervals")) < len(first.rows("intervals"))


def test_with_nothing_new_there_is_still_one_state_for_each_stream(
    connector: Connector,
) -> None:
    first = connector.read()
    second = connector.read(state=first.kept)
    assert second.code == 0
    assert {name: len(states) for name, states in second.states.items()} == {
        "intervals": 1,
        "meters": 1,
        "coverage": 1,
        "usage": 1,
    }
    before, after = first.bookmarks["intervals"], second.bookmarks["intervals"]
    assert unread(after) == unread(before)
    assert after["read_at"] > before["read_at"]


def test_one_failing_source_fails_its_stream_alone_and_is_resumed(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.faults.add(status=500, path="/intervals", query="meters=102", times=None)
    connector.settings["utilityapi_meters_per_request"] = 1
    failed = connector.read()
    assert failed.code == 1
    assert failed.ends == {
        "intervals": "INCOMPLETE",
        "meters": "COMPLETE",
        "coverage": "COMPLETE",
        "usage": "COMPLETE",
    }
    assert failed.failures == {"intervals": "transient_error"}
    assert "102" in failed.errors[0]["message"]
    assert {row["meter_key"] for row in failed.rows("intervals")} > {"101"}

    sandbox.faults.clear()
    resumed = connector.read(state=failed.kept)
    assert resumed.code == 0
    assert len(merged([failed, resumed])) == offered(sandbox.world)
    again = {row["meter_key"] for row in resumed.rows("intervals")}
    assert "101" not in again


def test_a_full_refresh_keeps_its_bookmarks_for_the_next_attempt(
    connector: Connector, sandbox: Sandbox
) -> None:
    modes = dict.fromkeys(UNIFIED, "full_refresh")
    output = connector.read(modes=modes)
    assert output.code == 0
    assert len(merged([output])) == offered(sandbox.world)
    assert output.bookmarks["intervals"]["partitions"]
    assert output.bookmarks["meters"] == NO_CURSOR


def test_a_stream_that_is_not_wanted_costs_nothing(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.forget_requests()
    output = connector.read(["meters"])
    assert output.code == 0
    assert set(output.statuses) == {"meters"}
    assert not [r for r in sandbox.requests if "intervals" in r.path]


def test_an_unknown_stream_is_incomplete_and_the_others_go_on(
    connector: Connector,
) -> None:
    output = connector.read(["meters", "gone"])
    assert output.code == 1
    assert output.ends == {"gone": "INCOMPLETE", "meters": "COMPLETE"}
    assert output.failures == {"gone": "config_error"}
    assert output.rows("meters")


def test_streams_without_a_row_complete_with_a_state(tmp_path: Path) -> None:
    with Sandbox(World(datetime(2026, 3, 20, tzinfo=timezone.utc))) as nothing:
        output = Connector(tmp_path, config(nothing)).read()
    assert output.code == 0
    assert all(told == ["STARTED", "COMPLETE"] for told in output.statuses.values())
    assert output.bookmarks == dict.fromkeys(UNIFIED, NO_CURSOR)
    assert not output.of("RECORD")


def test_meters_that_nobody_knows_are_the_users_business(connector: Connector) -> None:
    connector.settings["utilityapi_meters"] = ["404"]
    output = connector.read(["intervals"])
    assert output.code == 1
    assert output.failures == {"intervals": "config_error"}
    assert "404" in output.errors[0]["message"]
    assert "utilityapi_meters" in output.errors[0]["message"]


def test_a_bad_token_gives_up_its_provider_in_every_stream(
    connector: Connector,
) -> None:
    connector.settings["utilityapi_api_token"] = "wrong-token-of-the-user"
    connector.secrets.append("wrong-token-of-the-user")
    output = connector.read()
    assert output.code == 1
    assert set(output.ends.values()) == {"INCOMPLETE"}
    assert set(output.failures.values()) == {"config_error"}
    assert "utilityapi_api_token" in output.errors[0]["message"]
    assert {row["provider"] for row in output.rows("intervals")} == {"nectar"}


def test_a_server_that_is_down_is_transient(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.stop()
    output = connector.read()
    assert output.code == 1
    assert set(output.ends.values()) == {"INCOMPLETE"}
    assert set(output.failures.values()) == {"transient_error"}
    assert not output.of("RECORD")


def test_a_wrong_setting_is_refused_before_any_stream(
    connector: Connector, sandbox: Sandbox
) -> None:
    arguments = connector.arguments()
    connector.settings["lookback_days"] = -1
    connector.file("config", connector.settings)
    sandbox.forget_requests()
    output = run(*arguments)
    assert output.code == 1
    assert output.failures == {"": "config_error"}
    assert "lookback_days" in output.errors[0]["message"]
    assert not sandbox.requests


def test_an_unforeseen_error_is_ours_and_costs_no_other_stream(
    connector: Connector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Any:
        raise KeyError(connector.settings["nectar_api_key"])

    monkeypatch.setattr(Intervals, "pages", broken)
    output = connector.read()
    assert output.code == 1
    assert output.failures == {"intervals": "system_error"}
    assert output.ends["meters"] == output.ends["usage"] == "COMPLETE"
    [error] = output.errors
    assert "KeyError" in error["message"]
    assert "****" in error["internal_message"]
    assert "in broken" in error["stack_trace"]


def test_states_at_every_window_keep_the_protocol(
    connector: Connector, sandbox: Sandbox
) -> None:
    connector.settings |= {"state_interval_seconds": 0, "window_days": 1}
    output = connector.read()
    assert len(output.states["intervals"]) > 2
    counts = [s["sourceStats"]["recordCount"] for s in output.states["intervals"]]
    assert sum(counts) == Decimal(len(output.rows("intervals")))
    assert len(by_key(output.rows("intervals"))) == offered(sandbox.world)


@pytest.mark.parametrize("stop", range(5))
def test_what_any_state_covers_is_never_needed_again(
    connector: Connector, sandbox: Sandbox, stop: int
) -> None:
    """Killed after its n-th STATE, a read is resumed without a gap."""
    connector.settings |= {"state_interval_seconds": 0, "window_days": 1}
    whole = connector.read(["intervals"])
    lines = whole.text.splitlines(keepends=True)
    at = [n for n, line in enumerate(lines) if line.startswith('{"type":"STATE"')]
    killed = Output("".join(lines[: at[stop % len(at)] + 1]), 137)
    assert connector.findings(killed, ["intervals"], cut=True) == []
    resumed = connector.read(["intervals"], killed.kept)
    assert len(merged([killed, resumed])) == offered(sandbox.world)
    assert {key(row) for row in whole.rows("intervals")} == set(
        merged([killed, resumed])
    )

from __future__ import annotations

from tap_utility_intervals.sandbox import Sandbox
from tests.oracle import utilityapi_values, values
from tests.syncing import config, sync


def test_a_first_sync_delivers_every_reading_of_every_channel(sandbox: Sandbox) -> None:
    run = sync(config(sandbox, "utilityapi"))
    assert values(run.rows("intervals")) == utilityapi_values(sandbox.world)
    assert not run.failed


def test_a_day_later_only_the_lookback_and_the_new_is_read(sandbox: Sandbox) -> None:
    settings = config(sandbox, "utilityapi", lookback_days=2)
    first = sync(settings)
    sandbox.world.advance(days=1)
    second = sync(settings, first.state)
    got = values(second.rows("intervals"))
    known = values(first.rows("intervals"))
    assert known | got == utilityapi_values(sandbox.world)
    assert got.keys() - known.keys()
    assert len(got) < len(known)


def test_a_run_in_which_nothing_changed_asks_for_the_meter_list_only(
    sandbox: Sandbox,
) -> None:
    settings = config(sandbox, "utilityapi")
    first = sync(settings)
    sandbox.forget_requests()
    second = sync(settings, first.state)
    assert {request.path for request in sandbox.requests} == {"/api/v2/meters"}
    assert second.rows("intervals") == []
    assert second.state == first.state

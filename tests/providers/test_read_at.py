"""`read_at`: when the answer that held a row had arrived."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tap_utility_intervals.floor import clock as module
from tap_utility_intervals.providers.http import Transport
from tap_utility_intervals.sandbox import Sandbox
from tests.oracle import Row
from tests.syncing import config, sync

SIX_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
BOTH = pytest.mark.parametrize("provider", ["utilityapi", "nectar"])


@BOTH
def test_it_lies_after_the_request_that_brought_the_row(
    sandbox: Sandbox, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    once = Transport._once

    def noting(self: Transport, url: Any, *more: Any) -> Any:
        if "interval" in url.path:
            asked.append(datetime.now(timezone.utc))
        return once(self, url, *more)

    monkeypatch.setattr(Transport, "_once", noting)
    began = datetime.now(timezone.utc)
    rows = sync(config(sandbox, provider, max_concurrency=1)).rows("intervals")
    found = {row["read_at"] for row in rows}
    assert all(SIX_DIGITS.fullmatch(text) for text in found)
    assert len(found) > 1
    # Of so many answers at least as many requests were sent before they had arrived.
    for answers, instant in enumerate(sorted(map(moment, found))):
        assert sum(sent < instant for sent in asked) > answers
    assert min(asked) > began


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@BOTH
def test_a_run_whose_clock_is_behind_goes_on_after_the_run_before(
    sandbox: Sandbox, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(sandbox, provider, lookback_days=1)
    first = sync(settings)
    sandbox.world.advance(days=1)
    back = datetime.now(timezone.utc) - timedelta(minutes=10)
    monkeypatch.setattr(module.Clock.__init__, "__defaults__", (lambda: back,))
    second = sync(settings, first.state)
    newest = max(row["read_at"] for row in first.rows("intervals"))
    assert newest <= first.state["bookmarks"]["intervals"]["read_at"]
    assert newest < min(row["read_at"] for row in second.rows("intervals"))
    again = {row["read_at"] for row in second.rows("intervals")}
    assert second.state["bookmarks"]["intervals"]["read_at"] >= max(again)


@pytest.mark.parametrize("odd", [None, 1, "soon", [], {"a": 1}, "9999-12-31T00:00:00Z"])
def test_what_is_no_instant_in_state_does_no_harm(sandbox: Sandbox, odd: Any) -> None:
    state: Row = {"bookmarks": {"intervals": {"read_at": odd}}}
    run = sync(config(sandbox), state)
    assert not run.failed
    assert run.rows("intervals")
    assert run.state["bookmarks"]["intervals"]["read_at"][:4] == str(
        datetime.now(timezone.utc).year
    )

"""What docs/reliability.md promises exactly of what is selected later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tests.oracle import Row, values
from tests.providers.contract import NAMES, Subject, subject_of
from tests.providers.reading import selecting
from tests.providers.test_contract import house
from tests.syncing import Run, sync

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"

PROMISES = (
    "ends with exit code 1",
    "wait for the full re-scan (`full_rescan_days`); with 0 they never come",
    "The look-back does not hold for Nectar's `usage`",
    "A column that is selected later",
    "Runs that are always interrupted make progress",
)


def test_each_promise_stands_in_the_docs() -> None:
    said = " ".join(
        DOCS.read_text().partition("## What is promised exactly")[2].split()
    )
    assert [one for one in PROMISES if one not in said] == []


@pytest.fixture(params=NAMES)
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)


def chosen(settings: Row, column: str, *, selected: bool, streams: list[str]) -> Row:
    catalog = selecting(settings, *streams)
    (intervals,) = (s for s in catalog["streams"] if s["stream"] == "intervals")
    for entry in intervals["metadata"]:
        if entry["breadcrumb"] == ["properties", column]:
            entry["metadata"]["selected"] = selected
    return catalog


def test_a_column_selected_later_has_no_history_and_a_stream_has(
    subject: Subject,
) -> None:
    with Sandbox(subject.world(house("101"))) as sandbox:
        settings = subject.settings(sandbox, lookback_days=2)

        def run(state: Row | None, *streams: str, selected: bool) -> Run:
            names = ["intervals", *streams]
            return sync(
                settings,
                state,
                chosen(settings, "unit", selected=selected, streams=names),
            )

        first = run(None, selected=False)
        assert all("unit" not in row for row in first.rows("intervals"))
        sandbox.world.advance(days=1)
        second = run(first.state, "usage", "coverage", selected=True)
        whole = run(None, "usage", "coverage", selected=True)
        got, truth = values(second.rows("intervals")), subject.truth(sandbox.world)
        assert 0 < len(got) < len(truth) == len(values(whole.rows("intervals")))
        assert all(row["unit"] for row in second.rows("intervals"))
        # `usage` has bookmarks of its own; `coverage` tells of what intervals read.
        bills = [
            {row["usage_id"] for row in one.rows("usage")} for one in (second, whole)
        ]
        assert bills[0] == bills[1] != set()
        began = min(row["range_start"] for row in second.rows("coverage"))
        assert began > min(row["range_start"] for row in whole.rows("coverage"))

"""Every fault at every kind of endpoint: healed, or told; never lost.

`docs/reliability.md` shows what came of it, and this module holds it to that:
`UPDATE_DOCS=1 pytest tests/hostile/test_fault_matrix.py` writes the tables anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.providers import http as transport
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.tap import TapUtilityIntervals
from tap_utility_intervals.unified import Coverage, Intervals, Meters, Usage
from tests.hostile.matrix import FAULTS, ONLY_ONCE, PLACES, Place, Told, struck, told
from tests.hostile.worlds import EARLIER, NOW, hostile_world, settings_for
from tests.oracle import Row

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
PROVIDERS = ("utilityapi", "nectar")
SOON = (
    *("401", "404", "429, a storm of 50", "500", "reset in the body", "truncated JSON"),
    *("no word of a next page", "a page that repeats under the next one's name"),
)
"""One of each sort; the others wear the marker `slow`."""
UNIFIED = (Meters, Intervals, Usage, Coverage)
Rows = dict[str, dict[tuple[Any, ...], Row]]


class Arena:
    """One sandbox for all cells, and what healthy runs deliver."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.before = cache(self._before)
        self.healthy = cache(self._healthy)

    def _before(self, provider: str) -> Told:
        """The sync two days ago."""
        self.sandbox.world.move(EARLIER)
        try:
            return self.sync(provider)
        finally:
            self.sandbox.world.move(NOW)

    def _healthy(self, provider: str, *, later: bool) -> Told:
        return self.sync(provider, self.state(provider, later=later))

    def state(self, provider: str, *, later: bool) -> Mapping[str, Any]:
        return self.before(provider).run.state if later else {}

    def sync(
        self, provider: str, state: Mapping[str, Any] | None = None, **more: Any
    ) -> Told:
        return told(settings_for(self.sandbox, provider, **more), state)

    def warehouse(self, provider: str, *runs: Told, later: bool) -> Rows:
        """What a loader holds that takes the newest row of each key."""
        found: Rows = {}
        for one in (*([self.before(provider)] if later else []), *runs):
            for stream, rows in one.rows.items():
                found.setdefault(stream, {}).update(rows)
        return found


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Sandbox(hostile_world()) as sandbox:
        yield Arena(sandbox)


@pytest.fixture(autouse=True)
def _no_waiting(no_waiting: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it is used by being there
    monkeypatch.setattr(transport, "MOST_POLITE_WAITS", 55)


@pytest.fixture(autouse=True)
def _unified_streams_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without those of the providers, which are not selected: a sync takes half."""
    monkeypatch.setattr(
        TapUtilityIntervals,
        "discover_streams",
        lambda self: [stream(self) for stream in UNIFIED],
    )


def outcome(
    arena: Arena, place: Place, fault: str, *, persists: bool, later: bool
) -> str:
    """Strike once or for ever, and judge; an AssertionError says what was lost."""
    made = FAULTS[fault](place)
    assert made is not None
    more: Row = {}
    if made.get("kind") == "slow":
        more = {"max_retries": 1}
    base = arena.state(place.provider, later=later)
    with struck(arena.sandbox, place, made, None if persists else 1) as count:
        hit = arena.sync(place.provider, base, **more)
        assert count(), "the fault struck nothing"
    healthy = arena.healthy(place.provider, later=later)
    whole = arena.warehouse(place.provider, healthy, later=later)
    got = arena.warehouse(place.provider, hit, later=later)
    if got == whole and not hit.run.failed:
        assert reached(hit.marks) == reached(healthy.marks)
        return "healed"
    judge(arena, place, made, hit, later=later)
    return "told"


def judge(
    arena: Arena, place: Place, made: Mapping[str, Any], hit: Told, *, later: bool
) -> None:
    """Not everything came: it must be said, be nowhere wrong, and come later."""
    healthy = arena.healthy(place.provider, later=later)
    assert place.endpoint in hit.complaints, hit.complaints
    assert place.source in hit.complaints
    outcomes = hit.run.tap.report.sources(place.provider).values()
    is_mild = Outcome.GONE in outcomes or hit.run.tap.report.warnings
    assert hit.run.failed or (is_mild and Outcome.FAILED not in outcomes)
    status = made.get("status", 200)
    if status not in {200, 401}:
        assert f"HTTP {status}" in hit.complaints
    nothing_wrong(hit.rows, arena.warehouse(place.provider, healthy, later=later))
    bookmarks_kept(arena, place, hit, healthy, later=later)
    after = arena.sync(place.provider, hit.run.state)
    assert not after.run.failed, after.complaints
    whole = arena.warehouse(place.provider, healthy, later=later)
    same(arena.warehouse(place.provider, hit, after, later=later), whole)
    assert reached(after.marks) == reached(healthy.marks)


def reached(marks: Mapping[tuple[Any, ...], Row]) -> dict[tuple[Any, ...], Any]:
    """How far each bookmark is."""
    return {
        context: mark.get("replication_key_value") for context, mark in marks.items()
    }


def same(rows: Rows, truth: Rows) -> None:
    """Not one row more or less, and no other value."""
    for stream, known in truth.items():
        missing = known.keys() - rows[stream].keys()
        other = [key for key, row in rows[stream].items() if row != known.get(key)]
        assert (len(missing), other[:2]) == (0, []), (stream, sorted(missing)[:2])


def nothing_wrong(rows: Rows, truth: Rows) -> None:
    """What came is true; what could not be told is null."""
    for stream, found in rows.items():
        for key, row in found.items():
            known = truth[stream][key]
            wrong = {n: v for n, v in row.items() if v is not None and v != known[n]}
            assert not wrong, (key, wrong)


def bookmarks_kept(
    arena: Arena, place: Place, hit: Told, healthy: Told, *, later: bool
) -> None:
    """No bookmark vanishes, none passes what came, and those of the others move."""
    before = arena.before(place.provider).marks if later else {}
    assert set(before) <= set(hit.marks)
    stopped = place.provider in hit.run.tap.report.stopped
    for context, mark in healthy.marks.items():
        mine = not place.strikes or any(one in str(context) for one in place.strikes)
        is_struck = stopped or (mine and place.stream in {"", context[0]})
        kept = hit.marks.get(context)
        if is_struck:
            furthest = mark.get("replication_key_value", "")
            assert (kept or {}).get("replication_key_value", "") <= furthest
        else:
            assert reached({context: kept or {}}) == reached({context: mark})


def cells(arena: Arena, place: Place, fault: str, lost: list[str]) -> str:
    """What a table shows: what comes of it once, and when it persists."""
    if FAULTS[fault](place) is None:
        return "·"
    shown = []
    for persists in (False, True):
        if persists and fault in ONLY_ONCE:
            continue
        found = set()
        for later in (False, True):
            try:
                found.add(outcome(arena, place, fault, persists=persists, later=later))
            except (AssertionError, KeyError) as error:
                when = "for ever" if persists else "once"
                run = "a later run" if later else "a first run"
                lost.append(f"{place.name}, {when}, in {run}: {error!s:.600}")
        shown.append("told" if "told" in found else "healed")
    return " / ".join(dict.fromkeys(shown))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "fault",
    [
        fault if fault in SOON else pytest.param(fault, marks=pytest.mark.slow)
        for fault in FAULTS
    ],
)
def test_it_heals_or_is_told(arena: Arena, provider: str, fault: str) -> None:
    places = [place for place in PLACES if place.provider == provider]
    lost: list[str] = []
    row = [cells(arena, place, fault, lost) for place in places]
    assert not lost, "\n\n".join(lost)
    line = f"| {fault} | {' | '.join(row)} |"
    if os.environ.get("UPDATE_DOCS"):
        write(provider, fault, line)
    assert line in table(DOCS.read_text(), provider), "write it anew: UPDATE_DOCS=1"


def test_the_tables_hold_every_fault_and_no_other() -> None:
    text = DOCS.read_text()
    for provider in PROVIDERS:
        shown = [line.split(" | ")[0][2:] for line in table(text, provider)[2:]]
        assert shown == list(FAULTS)
    assert not re.search(r"\| *lost", text)


def head(provider: str) -> list[str]:
    names = [place.name for place in PLACES if place.provider == provider]
    return [f"| fault | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]


def table(text: str, provider: str) -> list[str]:
    """The lines of a provider's table."""
    begin, end = (f"<!-- {provider} {word} -->\n" for word in ("begin", "end"))
    return text.partition(begin)[2].partition(end)[0].splitlines()


def write(provider: str, fault: str, line: str) -> None:
    """Put a row in its place; the other rows stay."""
    text = DOCS.read_text()
    rows = {row.split(" | ")[0][2:]: row for row in table(text, provider)[2:]}
    rows[fault] = line
    lines = [*head(provider), *(rows[name] for name in FAULTS if name in rows)]
    begin, end = (f"<!-- {provider} {word} -->\n" for word in ("begin", "end"))
    before, after = text.partition(begin)[0], text.partition(end)[2]
    DOCS.write_text(before + begin + "\n".join(lines) + "\n" + end + after)

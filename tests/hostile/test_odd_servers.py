"""Servers that ignore, withhold, reorder or miscount: whole, or told; never silent.

`docs/reliability.md` shows what comes of it, and this module holds it to that:
`UPDATE_DOCS=1 pytest tests/hostile/test_odd_servers.py` writes the table anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tests.hostile.odd import ODDITIES, Odd
from tests.hostile.test_fault_matrix import (
    DOCS,
    Arena,
    Rows,
    _no_waiting,  # noqa: F401 - fixtures
    _unified_streams_only,  # noqa: F401
    nothing_wrong,
    same,
)
from tests.hostile.worlds import hostile_world

BEGIN, END = "<!-- odd begin -->\n", "<!-- odd end -->\n"
HEAD = ["| the server | a first sync | a later one |", "|---|---|---|"]
SAID = {
    *("reading_count", "bill_count", "interval_coverage", "bill_coverage"),
    *("first_interval_start", "last_interval_end", "utc_offset_seconds"),
    *("unreadable", "source_id", "source_updated_at", "status_at"),
}
"""Columns that repeat what a list or a container says of itself."""
HURRY = {"request_timeout", "max_retries"}
SOON = {"… `page`", "half of the bills is withheld", "blocks by `updated`"}
"""One of each sort; the others wear the marker `slow`."""


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """With lists that are long enough to be cut."""
    with Sandbox(hostile_world(minutes=60)) as sandbox:
        yield Arena(sandbox)


def outcome(arena: Arena, odd: Odd, *, later: bool) -> str:
    """Sync from an odd server, then from a healthy one: nothing is lost in silence."""
    state = arena.state(odd.provider, later=later)
    with odd.here(arena.sandbox):
        hit = arena.sync(odd.provider, state, **odd.settings)
    if odd.fault and not any(entry.fault for entry in arena.sandbox.requests):
        return "·"
    # Only who meets a mute server is in a hurry: a busy machine is slow, too.
    calm = {n: one for n, one in odd.settings.items() if n not in HURRY}
    healthy = arena.sync(odd.provider, state, **calm)
    whole = plain(arena.warehouse(odd.provider, healthy, later=later))
    got = plain(arena.warehouse(odd.provider, hit, later=later))
    nothing_wrong(plain(hit.rows), whole)
    if got == whole and not hit.run.failed:
        return "whole, with a warning" if hit.complaints else "whole"
    quietly = not hit.run.failed and not hit.complaints
    assert not quietly or hit.run.tap.report.notes, (
        f"nothing is said of {missing(got, whole)}"
    )
    after = arena.sync(odd.provider, hit.run.state, **calm)
    same(plain(arena.warehouse(odd.provider, hit, after, later=later)), whole)
    assert not after.run.failed, after.complaints
    if quietly:
        return "told in the summary"
    return "told, exit code 1" if hit.run.failed else "told"


def missing(rows: Rows, truth: Rows) -> list[Any]:
    """A few of the rows that did not come, or came otherwise."""
    return [
        (stream, key, row, rows[stream].get(key))
        for stream, known in truth.items()
        for key, row in known.items()
        if rows[stream].get(key) != row
    ][:2]


def plain(rows: Rows) -> Rows:
    """Rows without what a provider says of its own lists, which may be odd."""
    return {
        stream: {
            key: {n: v for n, v in row.items() if n not in SAID}
            for key, row in found.items()
        }
        for stream, found in rows.items()
    }


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [] if name in SOON else [pytest.mark.slow]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=marks(name)) for name in ODDITIES],
)
def test_it_is_whole_or_told(arena: Arena, name: str) -> None:
    cells = []
    for later in (False, True):
        arena.sandbox.forget_requests()
        cells.append(outcome(arena, ODDITIES[name], later=later))
    line = f"| {name} | {' | '.join(cells)} |"
    if os.environ.get("UPDATE_DOCS"):
        write(name, line)
    assert line in table(DOCS.read_text()), "write it anew: UPDATE_DOCS=1"


def test_the_table_holds_every_oddity_and_no_other() -> None:
    shown = [line.split(" | ")[0][2:] for line in table(DOCS.read_text())[2:]]
    assert shown == [*ODDITIES]


def table(text: str) -> list[str]:
    return text.partition(BEGIN)[2].partition(END)[0].splitlines()


def write(name: str, line: str) -> None:
    """Put a row in its place; the other rows stay."""
    text = DOCS.read_text()
    rows = {row.split(" | ")[0][2:]: row for row in table(text)[2:]} | {name: line}
    lines = [*HEAD, *(rows[one] for one in ODDITIES if one in rows)]
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    DOCS.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)

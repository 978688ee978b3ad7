"""What a load holds does not depend on how much there is to load."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, cast
from weakref import WeakSet

import pyarrow as pa
import pytest

from tap_utility_intervals.arrow import reading
from tap_utility_intervals.arrow.reading import ArrowTap
from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.singer.streams import PagedStream
from tap_utility_intervals.singer.writer import Row
from tap_utility_intervals.store import commits
from tap_utility_intervals.store.base import Store
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.loading import load
from tap_utility_intervals.store.parquet import Lake
from tests.packaging.tree import ROOT
from tests.providers.utilityapi.serving import NOW
from tests.store.loads import killed

PAGE = 1_000
WIDTH = 80
"""Digits of an identifier, so that rows are as wide as they ever are."""
MEGABYTE = 1 << 20


class Peak(NamedTuple):
    """What a load held at the worst moment."""

    pages: int
    columns: int
    """Bytes of Arrow."""
    process: int
    """Bytes of everything, beside what was there before."""


def pages(count: int, held: list[tuple[int, int]]) -> Iterator[Sequence[Row]]:
    """Pages as providers yield them, a third of them twice; notes what is held."""
    alive: WeakSet[RowBlock] = WeakSet()
    for number in range(count):
        place = number if number < count * 2 // 3 else number - count // 3
        form = IntervalRecord(
            *("utilityapi", f"meter {place // 10}", "kWh", NOW, NOW, 900, -18_000),
            identifiers=[{"name": "METER", "value": f"{place:0{WIDTH}}"}],
            read_at=f"2026-03-08T12:{number // 60 % 60:02}:{number % 60:02}Z",
        )
        begin = NOW + timedelta(minutes=15 * PAGE * (place % 10))
        starts = [begin + timedelta(minutes=15 * row) for row in range(PAGE)]
        ends = [start + timedelta(minutes=15) for start in starts]
        texts = [f"{number}.{row}" for row in range(PAGE)]
        block = RowBlock(
            [form],
            {"interval_start": starts, "interval_end": ends},
            {"quantity": texts, "quantity_normalized": texts},
        )
        alive.add(block)
        yield list(block) if number % 10 == 0 else block
        held.append((len(alive), pa.total_allocated_bytes()))


def status(name: str) -> int:
    """A line of what the system says of this process, in bytes."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024


def peak(store: Store, count: int, note: Path) -> Peak:
    """Load so many pages, in a process of its own."""

    def work() -> None:
        held: list[tuple[int, int]] = []
        before = status("VmRSS")
        ArrowTap.items = lambda tap: tap.items_of(  # type: ignore[method-assign,assignment]
            cast("PagedStream", tap.streams["intervals"]), pages(count, held)
        )
        assert load({"nectar_api_key": "x"}, store, ["intervals"]) == 0
        assert len(held) == count
        grown = status("VmHWM") - before
        note.write_text(
            json.dumps([max(one) for one in zip(*held, strict=True)] + [grown])
        )

    note.unlink(missing_ok=True)
    assert not killed(work)
    return Peak(*json.loads(note.read_text()))


@pytest.mark.parametrize(("rows", "size"), [(10_000, 1 << 40), (1 << 40, 2 * MEGABYTE)])
@pytest.mark.parametrize("kind", [DuckDB, Lake])
def test_four_times_the_history_is_held_no_longer(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[DuckDB | Lake],
    rows: int,
    size: int,
) -> None:
    """By rows or by bytes: what is committed is let go."""
    monkeypatch.setattr(reading, "ROWS", 2_000)
    monkeypatch.setattr(commits, "ROWS", rows)
    monkeypatch.setattr(commits, "BYTES", size)
    few, many = (
        peak(kind(tmp_path / f"{count}.duckdb"), count, tmp_path / "note")
        for count in (20, 80)
    )
    assert many.columns <= few.columns * 1.25 <= 8 * MEGABYTE
    assert many.pages <= 3


def test_a_load_stays_below_what_the_page_promises(tmp_path: Path) -> None:
    """With commits as large as they are: one is full, and has keys twice."""
    page = (ROOT / "docs" / "load.md").read_text(encoding="utf-8")
    assert "Memory stays below 700 MB" in page
    found = peak(DuckDB(tmp_path / "w.duckdb"), 600, tmp_path / "note")
    assert found.process < (700 - 150) * MEGABYTE, found  # Python and its imports: 150
    assert found.columns > commits.BYTES, "no commit was full"

"""What a load holds does not depend on how much there is to load."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tap_utility_intervals.arrow import reading
from tap_utility_intervals.arrow.reading import ArrowTap
from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.store import commits
from tap_utility_intervals.store.base import Store
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.loading import load
from tap_utility_intervals.store.parquet import Lake
from tests.providers.utilityapi.serving import NOW
from tests.store.loads import killed

PAGE = 1_000
MEGABYTE = 1 << 20


def pages(count: int, held: list[int]) -> Iterator[Sequence[IntervalRecord]]:
    """Pages as providers yield them, the second half once more; what is held, noted."""
    for number in range(count):
        place = number if number < count * 2 // 3 else number - count // 3
        form = IntervalRecord(
            *("utilityapi", f"meter {place // 10}", "kWh", NOW, NOW, 900, -18_000),
            identifiers=[{"name": "METER", "value": f"{place}"}],
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
        yield list(block) if number % 10 == 0 else block
        held.append(pa.total_allocated_bytes())


def peak(store: Store, count: int, note: Path) -> tuple[float, float]:
    """Megabytes at the worst moment of a load: of Arrow, and of the whole process."""

    def work() -> None:
        held: list[int] = []
        ArrowTap.items = lambda tap: tap.items_of(  # type: ignore[method-assign,assignment]
            tap.streams["intervals"],  # type: ignore[arg-type]
            pages(count, held),
        )
        assert load({"nectar_api_key": "x"}, store, ["intervals"]) == 0
        status = Path("/proc/self/status").read_text()
        resident = int(status.partition("VmHWM:")[2].split()[0]) * 1024
        note.write_text(json.dumps([max(held) / MEGABYTE, resident / MEGABYTE]))

    assert not killed(work)
    first, second = json.loads(note.read_text())
    return first, second


@pytest.mark.parametrize(("rows", "size"), [(20_000, 1 << 40), (1 << 40, 4 * MEGABYTE)])
@pytest.mark.parametrize("kind", [DuckDB, Lake])
def test_four_times_the_history_needs_no_more_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[DuckDB | Lake],
    rows: int,
    size: int,
) -> None:
    monkeypatch.setattr(reading, "ROWS", 2_000)
    monkeypatch.setattr(commits, "ROWS", rows)
    monkeypatch.setattr(commits, "BYTES", size)
    note = tmp_path / "note"
    few, many = (
        peak(kind(tmp_path / f"{count}.duckdb"), count, note) for count in (100, 400)
    )
    print(few, many)

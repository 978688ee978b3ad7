"""What a run that was killed in the middle of a line leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouses.sql import whole_lines


@pytest.mark.parametrize(
    ("left", "stays"),
    [
        ("", ""),
        ("a\n", "a\n"),
        ("a\nb\n", "a\nb\n"),
        ("a\nb", "a\n"),
        ('{"a": 1}\n{"a": "é', '{"a": 1}\n'),
        ("a", ""),
    ],
)
def test_half_a_line_is_taken_away(left: str, stays: str, tmp_path: Path) -> None:
    files = [tmp_path / "intervals-1.csv", tmp_path / "usage-1.jsonl"]
    other = tmp_path / "warehouse.duckdb"
    for file in (*files, other):
        file.write_text(left, encoding="utf-8")
    whole_lines(tmp_path)
    assert [file.read_text(encoding="utf-8") for file in files] == [stays, stays]
    assert other.read_text(encoding="utf-8") == left
    assert set(tmp_path.iterdir()) == {*files, other}

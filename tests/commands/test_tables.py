from __future__ import annotations

import pytest

from tap_utility_intervals.commands.tables import cell, duration, names, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (60, "about 1 minute"),
        (5_400, "about 90 minutes"),
        (10_800, "about 3 hours"),
        (400_000, "about 5 days"),
    ],
)
def test_durations_come_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_cell_cannot_steer_the_terminal() -> None:
    assert cell("\x1b[31mred\x9b\n") == " [31mred  "
    assert cell(None) == cell("") == "-"
    assert [cell(value) for value in (True, False)] == ["yes", "no"]
    assert cell(12345) == "12,345"


def test_ids_of_others_are_short() -> None:
    uuid = "91c21c6b-5f3f-4d5f-9fb9-02530ef4b13c"
    lines = table({"a": "A", "b": "B"}, [{"a": uuid, "b": uuid}])
    assert lines[1] == f"{uuid}  91c21c6b"


def test_many_names_are_counted() -> None:
    assert names(["a", "b"]) == "a, b"
    assert names("abcdefghijklmnop").endswith("j and 6 more")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_row_that_is_wider_than_the_terminal_goes_on_in_the_next_line(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    headings = {name: name * 9 for name in "ABCDEFGHIJK"}
    row = {name: 1_000_000 + n for n, name in enumerate(headings)}
    lines = table(headings, [row, row])
    assert max(map(len, lines)) <= columns - 2
    each = len(lines) // 3
    assert lines[each : 2 * each] == lines[2 * each :]
    assert " ".join(lines[:each]).split() == [*headings.values()]
    assert " ".join(lines[each : 2 * each]).split() == [f"{n:,}" for n in row.values()]
    assert (each == 1) is (columns == 200)
    assert all(line.startswith("    ") for line in lines[1:each])

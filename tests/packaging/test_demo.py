"""The demo's own checks notice what they are there for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scripts.demo.bills import bills, check_bills
from scripts.demo.errors import DemoError
from scripts.demo.excerpt import BILLS, BLOCK, compare
from scripts.demo.pipeline import loaded
from scripts.demo.tables import table
from scripts.demo.warehouse import Warehouse, check_rows
from scripts.demo.world import PROVIDERS, Sandbox
from tests.packaging.tree import ROOT

READING = {
    "start": "2016-11-06T01:00:00-05:00",
    "end": "2016-11-06T01:30:00-05:00",
    "unit": "kwh",
    "mixed": False,
}
TRUTH: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("readings", "utilityapi"): [
        READING | {"interval_id": None, "meter_id": "1", "type": "net", "value": "0.1"},
        READING | {"interval_id": None, "meter_id": "1", "type": "fwd", "value": "0.2"},
    ],
    ("readings", "nectar"): [
        READING | {"interval_id": "i", "meter_id": "m", "type": None, "value": None}
    ],
    ("bills", "utilityapi"): [
        {"usage_id": "u", "start": READING["start"], "end": READING["end"]}
    ],
    ("bills", "nectar"): [
        {"usage_id": "n", "start": READING["start"], "end": READING["end"]}
    ],
}
SCHEMA = """
create table intervals (
    provider text, meter_key text, source_id text, interval_start timestamptz,
    interval_end timestamptz, channel text, unit text, unit_raw text,
    quantity decimal(38, 18));
create table usage (
    usage_id text, provider text, meter_key text, unit text, quantity decimal(38, 18),
    period_start_date text);
insert into usage values
    ('u', 'utilityapi', '1', 'kWh', 0.2, '2016-11-06'),
    ('n', 'nectar', 'a:m', 'kWh', 0.3, '2016-11-06');
"""
ROWS = [
    ("utilityapi", "1", "x", "2016-11-06 06:00", "net/kWh", 0.1),
    ("utilityapi", "1", "x", "2016-11-06 06:00", "fwd/kWh", 0.2),
    ("nectar", "a:m", "i", "2016-11-06 06:00", "usage/kWh", None),
]


class Told(Sandbox):
    """A sandbox that knows a few readings by heart."""

    def __init__(self) -> None:
        pass

    def truth(self, what: str, provider: str) -> Iterator[dict[str, Any]]:
        yield from TRUTH[what, provider]


def warehouse(folder: Path, *rows: tuple[object, ...]) -> Warehouse:
    file = folder / "warehouse.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(SCHEMA)
        for provider, meter, source_id, start, channel, quantity in rows:
            connection.execute(
                "insert into intervals values"
                " ($1, $2, $3, $4, $4::timestamp + interval 30 minute, $5,"
                " 'kWh', 'kwh', $6)",
                [provider, meter, source_id, start, channel, quantity],
            )
    return Warehouse(file)


def test_equal_rows_are_counted(tmp_path: Path) -> None:
    assert check_rows(Told(), warehouse(tmp_path, *ROWS)) == len(ROWS)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        pytest.param(ROWS[1:], "Missing: 1", id="a row is missing"),
        pytest.param([*ROWS, ROWS[0]], "Too many: 1", id="a row is there twice"),
        pytest.param([*ROWS[:2]], "nectar", id="a provider is missing"),
        pytest.param(
            [(*ROWS[0][:5], 0.1000001), *ROWS[1:]], "Missing: 1", id="another value"
        ),
        pytest.param(
            [(*ROWS[0][:3], "2016-11-06 05:00", *ROWS[0][4:]), *ROWS[1:]],
            "Missing: 1",
            id="another hour",
        ),
        pytest.param([*ROWS[:2], (*ROWS[2][:5], 0.0)], "nectar", id="0 for null"),
    ],
)
def test_any_other_row_ends_the_demo(
    tmp_path: Path, rows: list[tuple[object, ...]], complaint: str
) -> None:
    with pytest.raises(DemoError, match=complaint):
        check_rows(Told(), warehouse(tmp_path, *rows))


def test_a_bill_is_compared_with_the_net_readings_of_its_period(tmp_path: Path) -> None:
    there = warehouse(tmp_path, *ROWS[:2], (*ROWS[2][:5], 0.4))
    compared = list(bills(Told(), there))
    assert [bill.provider for bill in compared] == list(PROVIDERS)
    assert [round(bill.difference, 9) for bill in compared] == [-0.1, 0.1]
    assert abs(check_bills(compared).difference) <= 0.15


def test_a_bill_too_far_from_its_intervals_ends_the_demo(tmp_path: Path) -> None:
    there = warehouse(tmp_path, *ROWS[:2], (*ROWS[2][:5], 0.5))
    with pytest.raises(DemoError, match=r"more than 0\.15"):
        check_bills(list(bills(Told(), there)))


def test_a_provider_without_a_bill_ends_the_demo(tmp_path: Path) -> None:
    compared = list(bills(Told(), warehouse(tmp_path, *ROWS[:2], (*ROWS[2][:5], 0.3))))
    with pytest.raises(DemoError, match="nectar"):
        check_bills(compared[:1])


def test_a_bill_without_any_interval_ends_the_demo(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="no interval"):
        check_bills(list(bills(Told(), warehouse(tmp_path, *ROWS))))


def test_the_loaders_log_is_added_up() -> None:
    log = """
2017-04-01T12:00:00Z [info     ] target-utility-duckdb usage: 7 rows loaded
2017-04-01T12:00:01Z [info     ] target-utility-duckdb intervals: 1,005 rows loaded
2017-04-01T12:00:01Z [info     ] target-utility-duckdb METRIC: {"value": 3}
"""
    assert loaded(log) == {"usage": 7, "intervals": 1_005}


def test_a_table_aligns_numbers_to_the_right() -> None:
    assert table(("what", "rows"), [("a", 1234), ("bc", 5)]) == (
        "  what   rows\n  a     1,234\n  bc        5"
    )


TOLD = {
    "Rows in a.duckdb": "  rows",
    "Meters and their intervals": "  meters",
    BILLS: table(
        ("provider", "meter", "bill"),
        [("u", m, n) for m in "abc" for n in (1, 2)] + [("n", "x", 7), ("n", "y", 8)],
    )
    + "\n\n  8 bills compared.",
    "The second run": "  less",
}
SHOWN = """Rows in a.duckdb

  rows

Bills beside the sum of their intervals: the newest of each meter

  provider  meter  bill
  u         a         2
  u         b         2
  n         x         7
  …

The second run

  less
"""


def test_the_readme_shows_what_the_demo_prints_or_the_demo_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = tmp_path / "README.md"
    around = "# It\n\n<!-- demo -->\n\n```text\n{}```\n\nMore.\n<!-- /demo -->\n"
    readme.write_text(around.format(SHOWN), "utf-8")
    compare(readme, TOLD)
    readme.write_text(around.format(SHOWN.replace("7", "8")), "utf-8")
    with pytest.raises(DemoError, match="UPDATE_DOCS=1 make demo"):
        compare(readme, TOLD)
    monkeypatch.setenv("UPDATE_DOCS", "1")
    compare(readme, TOLD)
    assert readme.read_text("utf-8") == around.format(SHOWN)


def test_the_readme_has_such_a_block() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (block,) = BLOCK.findall(text)
    assert max(map(len, block.splitlines())) <= 80

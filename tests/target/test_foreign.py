"""Streams that are not ours: every row as it was sent, and no STATE too early."""

from __future__ import annotations

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import InvalidRecord

from tap_utility_intervals.singer import targets
from tap_utility_intervals.singer.targets import LineError
from tests.oracle import Row
from tests.target.loading import TEXT, Loaded, record, records, schema, state

INSTANT: Row = {"type": ["null", "string"], "format": "date-time"}
NOON = datetime(2026, 11, 1, 5, 30, tzinfo=timezone.utc)

COLUMNS: dict[str, tuple[Row, str, list[tuple[Any, Any]]]] = {
    "text": (
        TEXT,
        "VARCHAR",
        [(t, t) for t in ["", 'a, "b"\n|', "it's\r\nso", "1", "Zürich"]],
    ),
    "number": ({"type": ["null", "number"]}, "DOUBLE", [(0.1, 0.1), (-3, -3.0)]),
    "exact": (
        {"type": "number", "multipleOf": 0.01},
        "DECIMAL(38,18)",
        [(Decimal("0.1"), Decimal("0.1")), (412, Decimal(412))],
    ),
    "integer": ({"type": "integer"}, "BIGINT", [(2**60, 2**60), (-18000, -18000)]),
    "flag": ({"type": "boolean"}, "BOOLEAN", [(True, True), (False, False)]),
    "instant": (
        INSTANT,
        "TIMESTAMP WITH TIME ZONE",
        [
            (t, NOON)
            for t in (
                "2026-11-01T05:30:00Z",
                "2026-11-01T00:30:00-05:00",
                "2026-11-01T05:30:00",
            )
        ],
    ),
    "day": (
        {"type": "string", "format": "date"},
        "DATE",
        [("2026-11-01", date(2026, 11, 1))],
    ),
    "list": ({"type": "array"}, "VARCHAR", [(["a", 1.5], '["a",1.5]'), ([], "[]")]),
    "object": ({"type": "object"}, "VARCHAR", [({"a": 'q"q'}, '{"a":"q\\"q"}')]),
    "either": ({"type": ["string", "integer"]}, "VARCHAR", [("a", "a"), (1, "1")]),
    "untyped": ({}, "VARCHAR", [({"a": None}, '{"a":null}')]),
}
"""Column to its schema, its type in the table, and values as sent and as stored."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Loaded:
    return Loaded(tmp_path / "warehouse.duckdb", {"batch_size_rows": 7})


def test_every_row_is_kept_as_sent_with_the_type_that_was_promised(
    warehouse: Loaded,
) -> None:
    rows = 26
    described = {name: one for name, (one, _, _) in COLUMNS.items()}
    values = [
        {name: cases[row % len(cases)] for name, (_, _, cases) in COLUMNS.items()}
        for row in range(rows)
    ]
    sent = [
        record("all", f"{row:02}", **{name: case[0] for name, case in one.items()})
        for row, one in enumerate(values)
    ]
    # An empty row, and one with a column that the schema has not.
    sent += [record("all", "98"), record("all", "99", unknown=1)]
    texts = [json.dumps(one, default=float) for one in sent]
    assert warehouse.load([schema("all", **described), *texts]) == []
    assert warehouse.types("all") == {"id": "VARCHAR"} | {
        n: one[1] for n, one in COLUMNS.items()
    }
    found = warehouse.query('from "all" order by id')
    expected = [tuple(case[1] for case in one.values()) for one in values]
    assert [row[1:] for row in found[:rows]] == expected
    assert [set(row[1:]) for row in found[rows:]] == [{None}] * 2


def test_what_does_not_fit_makes_its_column_text(warehouse: Loaded) -> None:
    """In its own batch, in a later one, in a later run, and for good."""
    head = schema(
        "odd",
        at=INSTANT,
        n={"type": "integer"},
        x={"type": "number", "multipleOf": 1e-20},
    )
    at = "2026-11-01T05:30:00Z"
    first = [
        head,
        record("odd", 1, at="noon", n=1, x=1),
        *records("odd", range(2, 9), at=at, n=2, x=2),
    ]
    warehouse.load([*first, record("odd", 9, at=at, n=2**80, x=1)])
    warehouse.load([head, *records("odd", range(10, 12), at=at, n=3, x=3)])
    warehouse.load(
        [
            head,
            '{"type":"RECORD","stream":"odd","record":{"id":"12","x":0.0000000000000000001}}',
        ]
    )
    assert warehouse.types("odd") == dict.fromkeys(("id", "at", "n", "x"), "VARCHAR")
    found = warehouse.query('select "at", n, x from odd order by id::int')
    assert found[0][:2] == ("noon", "1")
    assert {row[0][:10] for row in found[1:11]} == {"2026-11-01"}
    assert found[8][1] == str(2**80)
    assert Decimal(found[11][2]) == Decimal("1e-19")
    assert len(found) == 12


def test_what_is_json_to_python_alone_is_loaded(warehouse: Loaded) -> None:
    line = '{"type":"RECORD","stream":"s","record":{"id":"%s","text":"%s","x":%s}}'
    values = [("a", "NaN"), (r"\ud83d!", "1e400"), ("b", "1.5"), (r"\ud83d\ude00", "2")]
    for place, (text, number) in enumerate(values):
        head = schema(f"s{place}", text=TEXT, x={"type": "number"})
        one = (line % (place, text, number)).replace('"s"', f'"s{place}"')
        warehouse.load([head, one, head, one])
    held = [warehouse.query(f"from s{place}") for place in range(4)]
    assert isnan(held[0][0][2])
    assert held[1:] == [
        *([("1", "\ufffd!", "1E+400")], [("2", "b", 1.5)], [("3", "😀", 2.0)]),
    ]


@pytest.mark.parametrize(
    "line",
    ['{"type":"RECORD","stream":"s","record":' + "[" * 200_000, "[1]", "{}", "1", "é"],
)
def test_what_is_no_message_is_told_when_all_before_is_stored(
    warehouse: Loaded, line: str
) -> None:
    with pytest.raises(LineError):
        warehouse.load([schema("s", text=TEXT), *records("s", "a", text="x"), line])
    assert warehouse.query("from s") == [("a", "x")]


def test_a_row_sent_again_replaces_the_old_one_and_of_one_key_the_last_counts(
    warehouse: Loaded,
) -> None:
    head = schema("s", text=TEXT)
    warehouse.load([head, *records("s", range(20), text="old")])
    twice = [
        *records("s", range(15, 25), text="mid"),
        *records("s", range(15, 25), text="new"),
    ]
    warehouse.load([head, *twice])
    found = warehouse.query("select text, count(*) from s group by 1 order by 1")
    assert found == [("new", 10), ("old", 15)]
    bare = {**head, "stream": "bare", "key_properties": []}
    for _ in range(2):
        warehouse.load([bare, record("bare", 1, text="a")])
    assert warehouse.query("select count(*) from bare") == [(2,)]


class Pipe:
    """Yields so many bytes at a time."""

    def __init__(self, given: bytes, size: int) -> None:
        self.pieces = [given[n : n + size] for n in range(0, len(given), size)]

    def read1(self, _size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n", b"half"])
def test_lines_are_whole_wherever_a_pipe_cuts_them(end: bytes) -> None:
    given = b"one\n\nZ\xc3\xbcrich\r\n" + b"x" * 20 + b"\n" + end
    for size in range(1, len(given) + 1):
        found = list(targets.chunks(Pipe(given, size)))
        assert b"".join(found) == given
        assert all(one.endswith(b"\n") for one in found[:-1])
        assert all(found)


def test_a_schema_that_changes_in_between_is_followed(warehouse: Loaded) -> None:
    lines: list[Row] = [schema("s", a=TEXT), record("s", 1, a="x"), state(s=1)]
    lines += [schema("s", a=TEXT, b={"type": "integer"}), record("s", 2, a="y", b=5)]
    lines += [schema("s", a={"type": "integer"}), record("s", 3, a=7), state(s=3)]
    assert warehouse.load(lines) == [state(s=n)["value"] for n in (1, 3)]
    assert warehouse.query("from s order by id") == [
        ("1", "x", None),
        ("2", "y", 5),
        ("3", "7", None),
    ]


def test_a_confirmed_state_covers_only_rows_in_the_warehouse(
    warehouse: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stream b's three rows wait for a full batch while a's batches are loaded."""
    monkeypatch.setattr(targets, "CHUNK", 100)
    lines: list[Any] = [schema("a", text=TEXT), schema("b", text=TEXT)]
    lines += [*records("b", range(3), text="b"), state(a=0, b=3)]
    lines += [*records("a", range(10), text="a"), state(a=10, b=3)]
    for end, told in (
        ('{"type":"RECORD","str', LineError),  # the tap was killed
        (record("a", 99, text=1), InvalidRecord),
        ({"type": "NONSENSE"}, ValueError),
    ):
        warehouse.path.unlink(missing_ok=True)
        with pytest.raises(told):
            warehouse.load([*lines, end])
        (*_, last) = warehouse.confirmed
        held = [
            warehouse.query(f"select count(*) from {stream}")[0][0] for stream in "ab"
        ]
        assert last["bookmarks"]["a"] <= held[0]
        assert held[1] == 3
        if told is LineError:
            assert (last, held) == ({"bookmarks": {"a": 10, "b": 3}}, [10, 3])


@pytest.mark.parametrize("rows", [0, 1, 7, 14])
def test_the_last_state_is_confirmed_however_many_rows_came_before(
    warehouse: Loaded, rows: int
) -> None:
    lines: list[Any] = [state(a=0), schema("a", text=TEXT)]
    lines += [*records("a", range(rows), text="a"), state(a=rows), state(a=rows + 1)]
    assert warehouse.load(lines)[-1] == {"bookmarks": {"a": rows + 1}}
    assert warehouse.query("select count(*) from a") == [(rows,)]


def test_maps_flattening_and_metadata_are_the_sdks(warehouse: Loaded) -> None:
    inner: Row = {"type": "object", "properties": {"b": {"type": "integer"}}}
    lines = [schema("s", a=inner, text=TEXT), record("s", 1, a={"b": 5}, text="secret")]
    warehouse.load(
        lines,
        stream_maps={"s": {"text": "__NULL__"}},
        flattening_enabled=True,
        flattening_max_depth=1,
        add_record_metadata=True,
    )
    found = warehouse.types("s")
    assert "text" not in found
    assert found["_sdc_received_at"] == "TIMESTAMP WITH TIME ZONE"
    assert warehouse.query("select id, a__b from s") == [("1", 5)]

"""Pages as lines: the SDK's own lines, whole ones, whatever happens meanwhile."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.singerlib import (
    ActivateVersionMessage,
    Message,
    RecordMessage,
    SchemaMessage,
    StateMessage,
)
from singer_sdk.singerlib.encoding import SimpleSingerWriter

from tap_utility_intervals.floor.records import IntervalRecord, MeterRecord, UsageRecord
from tap_utility_intervals.singer import writer as module
from tap_utility_intervals.singer.streams import as_records
from tap_utility_intervals.singer.writer import SingerWriter

NOW = datetime(2026, 5, 27, 11, 45, 0, 123456, tzinfo=timezone.utc)
MIDNIGHT = datetime(2026, 5, 27, tzinfo=timezone.utc)


class Frozen(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: Any = None) -> Frozen:
        return cls(2026, 5, 27, 11, 45, 0, 123456, tzinfo=tz)


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "datetime", Frozen)


def written(write: Callable[[], object]) -> list[str]:
    out = io.StringIO()
    with redirect_stdout(out):
        write()
    text = out.getvalue()
    assert text == "" or text.endswith("\n")
    return text.split("\n")[:-1]


def by_the_sdk(stream: str, row: msgspec.Struct, version: int | None) -> str:
    message = RecordMessage(stream, as_records([row])[0], version, NOW)
    (line,) = written(lambda: SimpleSingerWriter().write_message(message))
    return line


def parsed(line: str) -> Any:
    """Numbers as their digits, so that 0.10 and 0.1 differ; the order of keys kept.

    Only -0 counts as 0: the SDK's path has no such integer.
    """
    return list_of(json.loads(line, parse_float=Digits, parse_int=Digits))


class Digits(str):
    """A number as it is written."""

    __slots__ = ()


def list_of(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, list_of(item)) for name, item in value.items()]
    if isinstance(value, list):
        return [list_of(item) for item in value]
    if isinstance(value, Digits):
        return ("number", "0" if value == "-0" else str(value))
    return value


TEXTS = (
    "plain",
    "new\nline",
    "\r\n\t\b\f",
    'quote " backslash \\ slash /',
    "Zürich, 東京, 🔌",
    "\u2028 and \u2029",
    "\x00\x01\x7f",
    "</script>",
    "",
)
NUMBERS = (
    Decimal("0.10"),
    Decimal("1E+3"),
    Decimal("1e-7"),
    Decimal("-0.166"),
    Decimal("-0"),
    Decimal(412),
    Decimal(123456789012345678901234567890),
    Decimal("0.123456789012345678901234567890"),
    msgspec.Raw(b"0.1000"),
    msgspec.Raw(b"-1.5E+10"),
    None,
)


def interval(text: str, number: Any) -> IntervalRecord:
    return IntervalRecord(
        "utilityapi",
        text,
        "net/kWh",
        MIDNIGHT,
        NOW,
        quantity=number,
        identifiers=[{"name": "METER", "value": text, "n": 1}, None, [text]],
        unreadable={text: text},
    )


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("version", [None, 0, 1_700_000_000])
def test_a_page_is_the_lines_of_the_sdk(number: Any, version: int | None) -> None:
    rows = [interval(text, number) for text in TEXTS]
    lines = written(lambda: SingerWriter().write_page("intervals", rows, version))
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        sdk = by_the_sdk("intervals", row, version)
        assert parsed(line) == parsed(sdk.replace("+00:00", "Z"))


def test_numbers_keep_their_digits() -> None:
    rows = [interval("x", number) for number in NUMBERS]
    lines = written(lambda: SingerWriter().write_page("intervals", rows))
    found = [json.loads(line, parse_float=str)["record"]["quantity"] for line in lines]
    assert found == [
        "0.10",
        "1E+3",
        "1E-7",
        "-0.166",
        0,
        412,
        123456789012345678901234567890,
        "0.123456789012345678901234567890",
        "0.1000",
        "-1.5E+10",
        None,
    ]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.one_of(
    st.none(),
    st.decimals(
        allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30
    ),
)


@given(st.lists(st.tuples(texts, texts, numbers), max_size=5), texts)
def test_any_page_is_the_lines_of_the_sdk(
    found: list[tuple[str, str, Decimal | None]], stream: str
) -> None:
    rows = [
        UsageRecord(one, "nectar", other, quantity=number, time_of_use_breakdown=[one])
        for one, other, number in found
    ]
    writer = SingerWriter()
    lines = written(lambda: writer.write_page(stream, rows, 3))
    assert [parsed(line) for line in lines] == [
        parsed(by_the_sdk(stream, row, 3).replace("+00:00", "Z")) for row in rows
    ]
    assert writer.record_bytes == sum(len(line.encode()) + 1 for line in lines)


def test_a_meter_with_all_its_columns_is_the_line_of_the_sdk() -> None:
    row = MeterRecord(
        "1",
        "utilityapi",
        meter_numbers=["a", "b"],
        interval_coverage=[
            {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}
        ],
        is_active=True,
        reading_count=2_147_483_647,
    )
    (line,) = written(lambda: SingerWriter().write_page("meters", [row]))
    assert line == by_the_sdk("meters", row, None).replace("+00:00", "Z")


def test_no_rows_are_no_lines() -> None:
    writer = SingerWriter()
    assert written(lambda: writer.write_page("intervals", [])) == []
    assert writer.record_bytes == 0


MESSAGES: tuple[Message, ...] = (
    SchemaMessage("s", {"type": "object", "properties": {"a": {}}}, ["a"], ["b"]),
    RecordMessage("s", {"a": Decimal("0.10"), "ü": "🔌"}, None, NOW),
    ActivateVersionMessage("s", 3),
    StateMessage({"bookmarks": {"s": {"partitions": [{"context": {"a": "1"}}]}}}),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_other_messages_are_the_lines_of_the_sdk(message: Message) -> None:
    writer = SingerWriter()
    lines = written(lambda: writer.write_message(message))
    assert lines == written(lambda: SimpleSingerWriter().write_message(message))
    size = 0 if isinstance(message, StateMessage) else len(lines[0]) + 1
    assert writer.record_bytes == size


def test_the_order_of_what_went_through_print_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    text = io.TextIOWrapper(io.BufferedWriter(raw))
    monkeypatch.setattr(sys, "stdout", text)
    print("first", flush=False)  # noqa: T201
    SingerWriter().lines.write(["zwölf\n".encode()])
    assert raw.getvalue().decode() == "first\nzwölf\n"


class Dribbling(io.RawIOBase):
    """Standard output as PYTHONUNBUFFERED makes it: a signal cuts a write short."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""
        self.buffer = self

    def write(self, part: Any) -> int:
        taken = bytes(part[:7])
        self.content += taken
        return len(taken)


def test_a_write_that_is_cut_short_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Dribbling()
    monkeypatch.setattr(sys, "stdout", out)
    rows = [interval(text, None) for text in TEXTS]
    SingerWriter().write_page("intervals", rows)
    lines = out.content.decode().splitlines()
    monkeypatch.undo()
    assert len([json.loads(line) for line in out.content.split(b"\n")[:-1]]) == len(
        rows
    )
    assert lines

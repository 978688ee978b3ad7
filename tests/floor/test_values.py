"""One odd value becomes null and keeps its text; it never costs its row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.values import (
    LARGEST_INTEGER,
    MAX_KEPT,
    Values,
    as_text,
    holds_nul,
    loads,
)
from tests.syncing import shown

ODD: Any = object()
"""Stands for: null, with the text kept."""

CASES: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        ("a", "a"),
        ("", None),
        (None, None),
        (5, "5"),
        (Decimal("0.10"), "0.10"),
        (True, ODD),
        ([], ODD),
        ({}, ODD),
    ],
    "number": [
        (None, None),
        (5, Decimal(5)),
        ("412.50", Decimal("412.50")),
        (msgspec.Raw(b"0.10"), Decimal("0.10")),
        ("", None),
        (msgspec.Raw(b'""'), None),
        ("1,234.5", ODD),
        (True, ODD),
        ("NaN", ODD),
        ([1], ODD),
    ],
    "integer": [
        (None, None),
        (0, 0),
        (LARGEST_INTEGER, LARGEST_INTEGER),
        (-LARGEST_INTEGER, -LARGEST_INTEGER),
        (LARGEST_INTEGER + 1, ODD),
        ("42", 42),
        ("007", 7),
        ("-1", ODD),
        ("9999999999", ODD),
        ("", None),
        (True, ODD),
        (Decimal("1.5"), ODD),
        (Decimal("1.0"), ODD),
    ],
    "flag": [
        (None, None),
        (True, True),
        (False, False),
        ("true", True),
        ("False", False),
        ("yes", ODD),
        ("", None),
        (1, ODD),
        (0, ODD),
    ],
    "instant": [
        (None, None),
        ("", None),
        ("2026-05-27T07:45:00-04:00", "2026-05-27T11:45:00.000000Z"),
        ("2026-05-27T11:45:00.123Z", "2026-05-27T11:45:00.123000Z"),
        ("2026-05-27T11:45:00", "2026-05-27T11:45:00.000000Z"),
        ("2026-05-27", ODD),
        ("yesterday", ODD),
        (1780000000, ODD),
    ],
    "date": [
        (None, None),
        ("", None),
        ("2026-05-27", "2026-05-27"),
        ("2026-05-27T23:45:00-04:00", "2026-05-27"),
        ("2026-05-27 00:00:00", "2026-05-27"),
        ("2026-02-30", ODD),
        ("27/05/2026", ODD),
        ("2026-05-27x", ODD),
        (20260527, ODD),
    ],
}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [(kind, *case) for kind, cases in CASES.items() for case in cases],
    ids=lambda item: None if item is ODD else shown(item),
)
def test_a_value_is_read_or_null_with_its_text_kept(
    kind: str, value: Any, expected: Any
) -> None:
    values = Values()
    found = getattr(values, kind)("column", value)
    if expected is ODD:
        assert found is None
        assert values.unreadable == {"column": as_text(value)}
    else:
        assert found == expected
        assert str(found) == str(expected)
        assert values.unreadable is None


def test_lists_and_objects_of_another_shape_are_empty() -> None:
    values = Values()
    assert values.mapping("a", {"x": 1}) == {"x": 1}
    assert values.items("b", [1]) == [1]
    assert values.mapping("a", None) == {}
    assert values.items("b", None) == []
    assert values.unreadable is None
    assert values.mapping("a", [1]) == {}
    assert values.items("b", {"x": 1}) == []
    assert values.unreadable == {"a": "[1]", "b": '{"x":1}'}


def test_only_the_beginning_of_a_long_text_is_kept() -> None:
    values = Values()
    values.number("x", "y" * 5000)
    assert values.unreadable == {"x": "y" * MAX_KEPT}


def test_a_texts_value_is_told_as_it_was_sent() -> None:
    assert as_text(msgspec.Raw(b'"1,5"')) == "1,5"
    assert as_text(msgspec.Raw(b'"a\\u0000\\ud800"')) == "a\ufffd\ufffd"
    assert as_text(msgspec.Raw(b'["1,5"]')) == '["1,5"]'
    assert as_text(msgspec.Raw(b"\xff")) == "\ufffd"
    assert as_text(Decimal("0.10")) == "0.10"
    assert as_text({"a": Decimal("0.10")}) == '{"a":0.10}'


def test_json_keeps_all_digits_and_names_what_is_no_number() -> None:
    found = loads(b'{"a": 0.10, "b": NaN, "c": -Infinity, "d": 1E+3}')
    assert found == {"a": Decimal("0.10"), "b": "NaN", "c": "-Infinity", "d": 1000}
    assert str(found["a"]) == "0.10"


class Refusing:
    """Takes nothing for JSON."""

    def decode(self, _: bytes) -> Any:
        raise msgspec.DecodeError


UNUSUAL = [
    *(b"-0", b"-0.0", b"1E5", b"1e400", b"0.1e-400", b"1e999999999999999999999", b"01"),
    *(b"18446744073709551616", b"-9223372036854775809", b"1.", b".5", b"+1", b"1.5e3"),
    *(b"1" * 299, b"1" * 300, b"1" * 301, b"-" + b"7" * 301, b"1" * 5_000),
    *(b"1." + b"1" * 299, b"1." + b"1" * 400, b'"' + b"5" * 400 + b'"'),
    *(b"NaN", b"-Infinity", b"true", b"tru", b'{"a":1,"a":2}', b"{'a':1}", b"[1,]"),
    *(b'"a\x01b"', b'"a\x00b"', b'"\t"', b'"\x7f\xc2\x80"', b'"\\/"', b'"\\x"'),
    *(b'"\\ud83d\\udd0c"', b'"\\ud83d"', b'"\\udd0c\\ud83d"', b'"\\u0000"', b'"\\u12"'),
    *(
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\xc0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'{"\\u0061":1}',
    ),
]


@pytest.mark.parametrize("form", [b"%s", b" [%s]\n", b'\xef\xbb\xbf{"a": %s}'])
def test_json_to_the_letter_is_read_as_other_json_is(
    form: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fast decoder may refuse what the slow one takes; else they are alike."""

    def outcome(body: bytes) -> str:
        try:
            return repr(loads(body))
        except ValueError:
            return "refused"

    bodies = [form % odd for odd in UNUSUAL]
    bodies += [b.decode().encode("utf-16") for b in bodies if b.isascii()]
    fast = [outcome(body) for body in bodies]
    monkeypatch.setattr("tap_utility_intervals.floor.values._PLAIN", Refusing())
    assert fast == [outcome(body) for body in bodies]


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff\xfe"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(body)


def test_half_a_character_is_replaced_so_that_it_can_be_written() -> None:
    found = loads(b'{"a": ["x\\ud83d"], "\\uDE00": "\\ud83d\\udd0c", "n": 1}')
    assert found == {"a": ["x\ufffd"], "\ufffd": "🔌", "n": 1}
    msgspec.json.encode(found)


@pytest.mark.parametrize("body", [b"%s", b'[{"a": [%s]}]', b'{"a": {"b": %s}}'])
def test_nul_is_replaced_at_every_depth(body: bytes) -> None:
    assert holds_nul(body % b'"\\u0000"')
    assert not holds_nul(body % b'"\\u00e9"')
    found = loads(body % b'{"\\u0000": ["x\\u0000"], "b": "\\\\u0000"}')
    text = msgspec.json.encode(found)
    assert b"\\u0000" not in text.replace(b"\\\\u0000", b"")
    assert text.count("\ufffd".encode()) == 2
    assert text.count(b"\\\\u0000") == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5),
    lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(), some),
    max_leaves=4,
)


@given(json_values)
def test_no_json_value_is_an_exception(value: Any) -> None:
    values = Values()
    for kind in (*CASES, "mapping", "items"):
        getattr(values, kind)(kind, value)
    for text in (values.unreadable or {}).values():
        assert len(text) <= MAX_KEPT

"""A provider's numbers keep their digits, or are said to be unreadable."""

from __future__ import annotations

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.units import read_number
from tests.syncing import shown

UNREADABLE: list[object] = [
    *("-", ".", "e5", "1e", "abc", "1,234.5", "1 000", "1_000", "0x10"),
    *("NaN", "nan", "sNaN", "Infinity", "-inf", "true", "null", "$5", "5 kWh", "--5"),
    *("٣", "1e301", "1e-301", "0e999", "1e99999", "1e-99999", "1e999999999999999"),
    *("9" * 101, "1" + " " * 20 + "1"),
    *(True, False, [], {}, [1], {"value": 1}, b"1", object()),
    *(Decimal("NaN"), Decimal("-Infinity"), Decimal("1e301"), Decimal("0e-400")),
    *(10**101, -(10**5000), Decimal("1" * 101)),
    *(msgspec.Raw(b"true"), msgspec.Raw(b'"NaN"'), msgspec.Raw(b"[1]")),
    *(msgspec.Raw(b"1e999"), msgspec.Raw(b"\xff")),
]


@pytest.mark.parametrize("value", [None, "", " ", msgspec.Raw(b'""')])
def test_what_was_not_said_is_absent(value: object) -> None:
    assert read_number(value) is None


@pytest.mark.parametrize("value", UNREADABLE, ids=range(len(UNREADABLE)))
def test_unreadable_value_is_refused_without_being_quoted(
    value: object,
) -> None:
    with pytest.raises(ValueError, match=r"^not a ") as caught:
        read_number(value)
    assert len(str(caught.value)) < 60


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        ("412.50", "412.50"),
        ("-0.10", "-0.10"),
        ("+3", "3"),
        (" 7 ", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1e3", "1E+3"),
        ("1E-3", "0.001"),
        ("-0", "-0"),
        ("0.0", "0.0"),
        ("1e300", "1E+300"),
        ("9" * 100, "9" * 100),
        (42, "42"),
        (-1, "-1"),
        (Decimal("0.10"), "0.10"),
        (msgspec.Raw(b"0.1"), "0.1"),
        (msgspec.Raw(b" -412.50"), "-412.50"),
        (msgspec.Raw(b'"412.50"'), "412.50"),
        (msgspec.Raw(b'"\\u0034"'), "4"),
    ],
    ids=shown,
)
def test_number_keeps_its_digits(value: object, digits: str) -> None:
    assert str(read_number(value)) == digits


def test_absent_stays_absent() -> None:
    assert read_number(None) is None
    assert read_number(msgspec.Raw(b"null")) is None


def test_float_is_our_own_mistake() -> None:
    with pytest.raises(TypeError, match="lost its digits"):
        read_number(0.1)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_text_of_a_decimal_is_read_back_digit_for_digit(value: Decimal) -> None:
    assert str(read_number(str(value))) == str(value)
    assert str(read_number(value)) == str(value)


@given(st.integers(min_value=-(10**90), max_value=10**90))
def test_integer_is_read_back(value: int) -> None:
    assert read_number(value) == value
    assert read_number(str(value)) == value
    assert read_number(msgspec.Raw(json.dumps(value).encode())) == value


@given(st.text(max_size=120) | st.from_regex(r"\A[0-9eE.+-]{1,12}\Z"))
def test_any_text_is_a_short_number_or_a_value_error(text: str) -> None:
    try:
        number = read_number(text)
    except ValueError:
        return
    assert (number is None) == (not text.strip())
    assert number is None or number.is_finite()
    assert number is None or len(format(number, "f")) < 500

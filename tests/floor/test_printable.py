"""No id or name can write an escape, a line, or text that runs the other way."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.printable import printable


@pytest.mark.parametrize(
    "odd",
    [
        *("\x1b[2J", "\x9b2J", "\r", "\n", "\t", "\0", "\x07", "\x7f", "\x85"),
        *("\u2028", "\u2029", "\u202e", "\u2066", "\u200f", "\u061c", "\u200b"),
        *("\ud800", "\ufeff", "\U000e0041"),
    ],
)
def test_what_has_no_picture_becomes_a_space(odd: str) -> None:
    shown = printable(f"meter{odd}1")
    assert shown.startswith("meter ")
    assert shown.isprintable()
    assert len(shown) == len(f"meter{odd}1")


@pytest.mark.parametrize(
    "text", ["", "2061339", "PG&E", "Größe 5 m³", "電気", "🔌", "a b"]
)
def test_what_has_one_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text())
def test_one_line_whatever_was_sent(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(one).startswith("C") for one in shown)

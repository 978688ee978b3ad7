"""Texts of others, safe to show on a terminal or as one line of a log. Pure."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return a text without what could steer a terminal, break a line or turn it round.

    Controls, line and paragraph separators, bidirectional marks, halves of characters
    and whatever else has no picture become spaces, one for one.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else " " for one in text)

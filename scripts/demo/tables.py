"""What the demo prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from scripts.demo.bills import Bill
from scripts.demo.world import PROVIDERS

NEWEST = 3
"""Bills of each meter that the table shows; all of them are compared."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out columns: numbers to the right, text to the left."""
    rows = [list(row) for row in rows]
    cells = [list(head), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [
        all(isinstance(row[n], (int, float)) for row in rows) for n in range(len(head))
    ]
    lines = (
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, right, strict=True)
        )
        for line in cells
    )
    return "\n".join(f"  {line}".rstrip() for line in lines)


def cell(value: object) -> str:
    """One value as people read it."""
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)


def short(meter_key: str) -> str:
    """A meter's key, with only the beginning of a long account id."""
    account, colon, meter = meter_key.rpartition(":")
    return f"{account[:8]}…:{meter}" if colon else meter


def rows_per_stream(counts: dict[str, Counter[str]]) -> str:
    """Rows by stream and provider."""
    head = ("stream", *PROVIDERS, "rows")
    return table(
        head,
        (
            (stream, *(found[provider] for provider in PROVIDERS), found.total())
            for stream, found in counts.items()
        ),
    )


def meters(rows: Iterable[tuple[Any, ...]]) -> str:
    """Meters with how far their intervals reach."""
    head = ("provider", "meter", "commodity", "intervals", "first", "up to")
    return table(
        head,
        (
            (provider, short(key), *row, *(t and f"{t:%Y-%m-%d}" for t in times))
            for provider, key, *row, times in rows
        ),
    )


def bills(compared: Iterable[Bill]) -> str:
    """The newest bills of each meter beside their intervals."""
    head = (
        "provider",
        "meter",
        "until",
        "unit",
        "bill",
        "intervals",
        "off by",
    )
    shown = []
    for _, group in groupby(compared, key=lambda bill: (bill.provider, bill.meter)):
        shown += list(group)[-NEWEST:]
    return table(
        head,
        (
            (
                *(bill.provider, short(bill.meter), f"{bill.end:%Y-%m-%d}", bill.unit),
                *(bill.billed, bill.summed, bill.difference),
            )
            for bill in shown
        ),
    )


def requests(first: Counter[str], second: Counter[str]) -> str:
    """How many requests each run sent."""
    return table(
        ("requests to", "first run", "second run"),
        ((provider, first[provider], second[provider]) for provider in PROVIDERS),
    )


def second_run(sent: tuple[Counter[str], Counter[str]], new: Counter[str]) -> str:
    """What came in the second run, beside the first."""
    return table(
        ("rows of", "first run", "second run", "of these new"),
        (
            (stream, *(run[stream] for run in sent), new[stream])
            for stream in ("meters", "intervals", "usage")
        ),
    )


def gaps(rows: Iterable[tuple[Any, ...]]) -> str:
    """Holes, and why there are no readings."""
    head = ("provider", "meter", "from (UTC)", "readings", "why")
    return table(
        head,
        (
            (provider, short(key), f"{start:%Y-%m-%d %H:%M}", count, why)
            for provider, key, start, count, why in rows
        ),
    )


def causes(rows: Iterable[tuple[str, int]]) -> str:
    """How many bills agree, and why others do not, in a sentence."""
    return ", ".join(f"{count} {cause}" for cause, count in rows)


def checks(rows: Iterable[tuple[Any, ...]]) -> str:
    """What did not pass."""
    return table(("check", "severity", "meters", "times"), rows)

"""Plain text for terminals: tables, dates, durations."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tap_utility_intervals.floor.printable import printable
from tap_utility_intervals.floor.ranges import Range

ROWS_SHOWN = 50
"""How many rows a table shows; the others are counted."""
NAMES_SHOWN = 10
WIDTH = 80
"""How wide a table may be where there is no terminal."""
MARGIN = 2
"""How far a table may be moved to the right."""
SHORT_ID = 8
GAP, INDENT = "  ", "    "
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def table(
    headings: Mapping[str, str], rows: Sequence[Mapping[str, object]]
) -> list[str]:
    """The lines of a table; numbers stand to the right, ids of others are short.

    A row that is wider than the terminal goes on in the next line.
    """
    first = next(iter(headings))
    cells = [
        [cell(row.get(name), is_id=name == first) for name in headings]
        for row in rows[:ROWS_SHOWN]
    ]
    grid = [list(headings.values()), *cells]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    right = [
        all(isinstance(row.get(name), (int, type(None))) for row in rows)
        for name in headings
    ]
    parts = _parts(widths)
    lines = []
    for line in grid:
        texts = [
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        ]
        for start, end in parts:
            lines.append(
                (INDENT if start else "") + GAP.join(texts[start:end]).rstrip()
            )
    if len(rows) > ROWS_SHOWN:
        lines.append(f"... and {len(rows) - ROWS_SHOWN:,} more; --json has them all")
    return lines


def _parts(widths: Sequence[int]) -> list[tuple[int, int]]:
    """The columns that share a line: the first of them, and the one behind the last."""
    most = shutil.get_terminal_size((WIDTH, 0)).columns - MARGIN
    starts, used = [0], 0
    for column, width in enumerate(widths):
        if used and used + width > most:
            starts.append(column)
            used = len(INDENT)
        used += width + len(GAP)
    return list(zip(starts, [*starts[1:], len(widths)], strict=True))


def cell(value: object, *, is_id: bool = False) -> str:
    """One value as text; absent ones are a dash."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = printable(str(value))
    return text[:SHORT_ID] if not is_id and _UUID.fullmatch(text) else text


def names(ids: Iterable[str], most: int = NAMES_SHOWN) -> str:
    """Some ids, and how many more there are."""
    all_ids = [printable(name) for name in ids]
    shown = ", ".join(all_ids[:most])
    more = len(all_ids) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def counted(number: int, noun: str) -> str:
    """`1 meter`, `2 meters`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def day(moment: datetime) -> str:
    """The day of an instant, UTC."""
    return moment.date().isoformat()


def stretch(ranges: Sequence[Range]) -> str | None:
    """From the first day to the last, and whether there are holes between."""
    if not ranges:
        return None
    text = f"{day(ranges[0][0])} to {day(ranges[-1][1])}"
    holes = len(ranges) - 1
    return f"{text}, {counted(holes, 'hole')}" if holes else text


def days(ranges: Sequence[Range]) -> str | None:
    """How long ranges are in all, in whole days."""
    if not ranges:
        return None
    whole = sum((end - start).total_seconds() for start, end in ranges)
    return counted(max(1, round(whole / _DAY)), "day")


def duration(seconds: float) -> str:
    """About how long, in the unit that fits."""
    if seconds < _MINUTE:
        return "less than a minute"
    for unit, noun, limit in (
        (_MINUTE, "minute", 2 * _HOUR),
        (_HOUR, "hour", 2 * _DAY),
        (_DAY, "day", None),
    ):
        if limit is None or seconds < limit:
            return f"about {counted(round(seconds / unit), noun)}"
    raise AssertionError  # pragma: no cover - the last limit is None

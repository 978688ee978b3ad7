"""Which rows of `intervals` are current, by the plain rule of the documentation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tests.oracle import Key, Row, key


def current(intervals: Iterable[Row], coverage: Iterable[Row]) -> dict[Key, Row]:
    """Of each key the row that was read last, unless a later whole read retires it."""
    whole: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in coverage:
        if row["is_complete"]:
            whole[row["provider"], row["source"]].append(row)
    newest: dict[Key, Row] = {}
    for row in intervals:
        place = key(row)
        if place not in newest or row["read_at"] >= newest[place]["read_at"]:
            newest[place] = row
    return {
        place: row
        for place, row in newest.items()
        if not any(
            one["range_start"] <= row["interval_start"] < one["range_end"]
            and one["read_at"] > row["read_at"]
            for one in whole[row["provider"], row["connection_id"] or row["meter_key"]]
        )
    }

"""The real meters of the default world, from `data/` (see its NOTICE for the source).

Illinois: hourly readings with their offset, and the bills of the same meters. London:
half-hourly readings. Nothing is shifted; what had to be cleaned is said at `london`.
"""

from __future__ import annotations

import csv
import gzip
import itertools
from datetime import datetime, timezone
from importlib.resources import files
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.bills import Bill, with_line_items
from tap_utility_intervals.sandbox.readings import DAY, HOUR, Reading, Series, epoch

if TYPE_CHECKING:
    from collections.abc import Callable

LAG = 6 * HOUR
BILL_LAG = 3 * DAY


def rows(name: str) -> list[tuple[str, str]]:
    """(start, value) of every line, as text."""
    packed = (
        files(__package__.rpartition(".")[0])
        .joinpath(f"data/{name}.csv.gz")
        .read_bytes()
    )
    lines = gzip.decompress(packed).decode().splitlines()
    return [(start, value) for start, value in csv.reader(lines[1:])]


def illinois(
    name: str, since: str, values: Callable[[str], tuple[str, ...]]
) -> tuple[Series, tuple[Bill, ...]]:
    """Hourly readings and bills of one Illinois meter from a bill's start on."""
    first = epoch(since)
    readings = [
        Reading(start, start + HOUR, values(value), start + HOUR + LAG)
        for start, value in ((epoch(s), v) for s, v in rows(f"{name}-hourly"))
        if start >= first
    ]
    lines = [(epoch(s), v) for s, v in rows(f"{name}-billing_monthly")]
    bills = [
        with_line_items(
            Bill(str(start), start, end, value, _cost(value), end + BILL_LAG)
        )
        for (start, value), (end, _) in itertools.pairwise(lines)
        if start >= first
    ]
    return Series(readings), tuple(bills)


def london() -> Series:
    """Half-hourly readings from 2012-10-03 to 2013-11-01.

    The file's clock has no offset and neither misses nor repeats an hour when London's
    clock changes, so it is read as UTC. Once a month a stamp is there twice, with the
    same value: it is taken once. Two half hours, and the first two days of November and
    of December 2012, are missing and stay missing. Outside these dates the file mixes
    up day and month, so that part is left out.
    """
    first, last = epoch("2012-10-03T00:00:00Z"), epoch("2013-11-01T00:00:00Z")
    found = {}
    for start, value in rows("uk-electricity-hdd-only-hourly-sample-2"):
        at = epoch(datetime.fromisoformat(start).replace(tzinfo=timezone.utc))
        if first <= at < last:
            found[at] = Reading(at, at + HOUR // 2, (value,), at + HOUR // 2 + LAG)
    return Series(list(found.values()))


def _cost(volume: str) -> str:
    return f"{float(volume) * 0.1531:.2f}"

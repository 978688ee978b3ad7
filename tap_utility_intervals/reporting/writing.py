"""Writes a report: one file, or for many meters a table of them and a file for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from tap_utility_intervals.reporting import facts
from tap_utility_intervals.reporting.database import Database, ReportError, Row
from tap_utility_intervals.reporting.page import Page, overviewed, page

TOGETHER = 100
"""Meters that one file can hold: about 10 MB with a year of hours."""


def write(
    database: Database,
    head: Page,
    out: Path,
    since: date | None,
    only: Sequence[str] = (),
) -> Iterator[Path]:
    """Write a report of all meters, or those keys; yield each file.

    It goes to `out`, and beside it if there are many meters.

    Raises:
        ReportError: there is no meter to tell of, or a file cannot be written.
    """
    meters = facts.meters(database, only)
    if not meters:
        raise ReportError("There is no meter to report on.")
    beside = None if len(meters) <= TOGETHER else out.with_suffix("")
    overview: list[Row] = []
    try:
        if beside:
            beside.mkdir(exist_ok=True)
        for number, meter in enumerate(meters):
            facts.fill(meter, database, since)
            row = overviewed(meter, names=head.names)
            if beside:
                file = beside / f"{row['id']}.html"
                there = replace(head, home=f"../{out.name}")
                file.write_text(page(there, [], [meter]), encoding="utf-8")
                meters[number] = replace(meter, series=None)
                row["href"] = f"{beside.name}/{file.name}"
                yield file
            overview.append(row)
        shown = [] if beside else meters
        out.write_text(page(head, overview, shown), encoding="utf-8")
    except OSError as error:
        raise ReportError(f"{error.filename}: {error.strerror}.") from None
    yield out

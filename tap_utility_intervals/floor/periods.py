"""Billing periods against `start_date` and `end_date`. Pure.

Periods are local dates, the settings instants; a date is taken as its midnight in UTC.
What cannot be told is kept: a bill too many is filtered later, a lost one is not found.
"""

from __future__ import annotations

from datetime import date, datetime, time, timezone

from tap_utility_intervals.floor.instants import DAY


def is_wanted(
    first: str | None,
    last: str | None,
    start: datetime | None,
    end: datetime | None,
) -> bool:
    """Tell whether a billing period reaches into `[start, end)`.

    Args:
        first: the period's first day, `2025-01-01`; None if it is unknown.
        last: its last day, or the day after: utilities mean either by a bill's end.
            None if it is unknown; then the period may reach any day.
        start: what ends before is not wanted.
        end: what starts at or after it is not wanted.
    """
    begins, ends = _midnight(first), _midnight(last)
    if start is not None and ends is not None and ends + DAY <= start:
        return False
    return not (end is not None and begins is not None and begins >= end)


def _midnight(day: str | None) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(date.fromisoformat(day), time(), timezone.utc)

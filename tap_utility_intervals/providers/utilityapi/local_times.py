"""Times that are sent without a zone, in the zone that the user says they are in. Pure.

UtilityAPI documents an offset in each time (utilityapi.md#time-zones). Where one is
missing, the hour that comes twice in autumn shows in the order of the readings alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.floor.ranges import Range


class LocalTimes:
    """Reads the times of readings in the order in which they were measured."""

    def __init__(self, zone: tzinfo | None) -> None:
        """Read times with an offset; if `utilityapi_default_time_zone` is set, all."""
        self._zone = zone
        self._last_end: datetime | None = None

    def ordered(self, readings: list[Any]) -> list[Any]:
        """Return readings oldest first, if that tells one hour from the other."""
        # They are all newest first (utilityapi.md#interval) or none: the ends will do.
        # Instants without an offset cannot be compared yet, their texts can.
        starts = [one.get("start") for one in readings if isinstance(one, dict)]
        is_back = len(starts) > 1 and str(starts[0]) > str(starts[-1])
        return readings[::-1] if self._zone is not None and is_back else readings

    def span(self, reading: Mapping[str, Any]) -> Range:
        """Return start and end of a reading, each with its offset.

        In autumn an hour that cannot be the first is the second of the two: it begins
        where the reading before ended, or would end before it began.

        Raises:
            ValueError: when one is missing, unreadable or without a zone.
        """
        start = instant(reading.get("start"), self._zone)
        end = instant(reading.get("end"), self._zone)
        if self._zone is not None:
            later = instant(reading["start"], self._zone, fold=1)
            if self._last_end == later:
                start = later
            if end <= start:
                end = instant(reading["end"], self._zone, fold=1)
            self._last_end = end
        return start, end


def instant(value: object, zone: tzinfo | None, *, fold: int = 0) -> datetime:
    """Return an instant with the offset it was sent with, or that its zone had then.

    Raises:
        ValueError: when there is none, or neither it nor the setting has a zone.
    """
    try:
        return parse_instant(value)
    except ValueError:
        if zone is None:
            raise
    naive = parse_instant(value, naive_is_utc=True).replace(tzinfo=None)
    offset = naive.replace(tzinfo=zone, fold=fold).utcoffset()
    return naive.replace(tzinfo=timezone(offset or timedelta()))

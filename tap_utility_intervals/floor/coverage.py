"""What one read of a source has covered: the rows of `coverage`. Pure.

A complete row says that everything which the provider has of a source in a stretch of
time was read, later than an instant. It retires what was read before and did not come
again; so whatever may have been withheld is never called complete.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from tap_utility_intervals.floor.ranges import Range, Window, clip, merge, missing
from tap_utility_intervals.floor.records import CoverageRecord

BEGINNING = datetime(1900, 1, 1, tzinfo=timezone.utc)
"""Stands for the beginning of history, where a read had no lower bound."""

END = datetime(9999, 1, 1, tzinfo=timezone.utc)
"""Stands for no end."""

TOLERANCE = timedelta(minutes=1)
"""Some utilities end a reading at 14:59 or 14:59:59, and a listed stretch at 23:59:59;
that is no hole."""


class Stretch(NamedTuple):
    """Readings without a hole between them: of many, or one for each reading."""

    start: datetime
    end: datetime
    readings: int = 1


@dataclass(frozen=True, slots=True)
class Promise:
    """What a provider says that there is; nothing, if it does not say."""

    ranges: Sequence[Range] = ()
    """The stretches of time in which it lists readings."""
    readings: int | None = None
    """How many readings it counts in all that was asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One read of one source: who, since when, and for which times."""

    provider: str
    source: str
    """As `intervals.meter_key` (UtilityAPI) or `.connection_id` (Nectar) has it."""
    read_at: str
    """An instant of the run's clock before the first request for the source."""
    windows: Sequence[Window]
    authorization_id: str | None = None


NOTHING = Promise()


def covered(
    asked: Asked,
    arrived: Iterable[Stretch],
    promise: Promise = NOTHING,
    *,
    is_whole: bool = True,
) -> list[CoverageRecord]:
    """Return one row for each stretch that was read, ascending.

    A promised stretch without readings is a row of its own, and not complete. If more
    readings are absent than such holes can hold, nothing is complete.

    Args:
        asked: what was asked for.
        arrived: the readings that came, in any order, each once.
        promise: what the provider said that there is.
        is_whole: False when a filter was set, or rows are known to be lost.
    """
    came = sorted(arrived, key=attrgetter("start"))
    ranges = [(one.start, one.end) for one in came]
    windows = merge(map(_bounded, asked.windows))
    holes = [
        hole
        for start, end in windows
        for hole in missing(clip(promise.ranges, Window(start, end)), ranges, TOLERANCE)
    ]
    listed = promise.readings if len(windows) == 1 else None
    if not is_whole or _is_short(came, holes, promise):
        return [_row(asked, one, came, listed, is_complete=False) for one in windows]
    return [
        _row(
            asked,
            part,
            came,
            listed if part in windows else None,
            is_complete=part not in holes,
        )
        for window in windows
        for part in _parts(window, holes)
    ]


def _bounded(window: Window) -> Range:
    """Both ends of a window, within the years that stand for none."""
    return max(window.start or BEGINNING, BEGINNING), min(window.end, END)


def _is_short(
    came: Sequence[Stretch], holes: Sequence[Range], promise: Promise
) -> bool:
    """Whether more readings are absent than the holes can hold."""
    readings = sum(one.readings for one in came)
    if promise.readings is None or readings >= promise.readings:
        return False
    time = sum((one.end - one.start for one in came), timedelta())
    hidden = sum((end - start for start, end in holes), timedelta())
    if not readings or time <= timedelta():
        return not holes
    return promise.readings - readings > hidden * readings / time + len(holes)


def _parts(window: Range, holes: Iterable[Range]) -> Iterator[Range]:
    """A window, cut at both ends of each hole."""
    edges = {*window}
    for start, end in holes:
        if window[0] <= start and end <= window[1]:
            edges |= {start, end}
    yield from pairwise(sorted(edges))


def _row(
    asked: Asked,
    part: Range,
    came: Sequence[Stretch],
    listed: int | None,
    *,
    is_complete: bool,
) -> CoverageRecord:
    start, end = part
    first = bisect_left(came, start, key=attrgetter("start"))
    inside = came[first : bisect_left(came, end, key=attrgetter("start"))]
    return CoverageRecord(
        provider=asked.provider,
        source=asked.source,
        authorization_id=asked.authorization_id,
        range_start=start,
        range_end=end,
        read_at=asked.read_at,
        readings=sum(one.readings for one in inside),
        listed_readings=listed,
        first_interval_start=inside[0].start if inside else None,
        last_interval_end=max(one.end for one in inside) if inside else None,
        is_complete=is_complete,
    )

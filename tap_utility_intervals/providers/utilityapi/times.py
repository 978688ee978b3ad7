"""The times of readings: as documented all at once, else one by one. Pure.

UtilityAPI documents an offset in each time (utilityapi.md#time-zones). Where one is
missing, it is in the zone that the user says; the hour that comes twice in autumn shows
in the order of the readings alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from tap_utility_intervals.floor.instants import as_utc, offset_seconds, parse_instant
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.floor.values import as_text, loads
from tap_utility_intervals.providers.utilityapi.objects import Instant, Reading
from tap_utility_intervals.providers.utilityapi.settings import TIME_ZONE

LONGEST_TOLD = 40
"""So many characters of an unreadable time are told."""

FEWEST = 16
"""So few moments with several offsets are converted one by one."""

_FINE = re.compile(rb"\.[0-9]{7}")
"""A time with more digits than six. The strict decoder rounds them, which are cut
elsewhere, and a key could move."""

_MOMENTS = msgspec.json.Decoder(list[Instant])
_encode = msgspec.json.Encoder().encode


class TimedReadings(NamedTuple):
    """Readings and their times side by side, the first one not after the last."""

    starts: list[datetime]
    """In UTC."""
    ends: list[datetime]
    offsets: list[int]
    """Of the starts as they were sent, in seconds."""
    readings: Sequence[Reading]
    is_back: bool
    """Whether they were listed the other way round."""


def timed(
    sent: Sequence[Reading], lose: Callable[[str], object], zone: tzinfo | None = None
) -> TimedReadings:
    """Read the times of the readings of one Interval object.

    Args:
        sent: as they are listed.
        lose: is told of each reading whose times cannot be read; it is left out.
        zone: of times that are sent without one.
    """
    try:
        return _at_once(sent)
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError):
        return _one_by_one(sent, lose, zone)


def _at_once(sent: Sequence[Reading]) -> TimedReadings:
    """Times as they are documented.

    Raises:
        msgspec.DecodeError: one is not.
        UnicodeDecodeError: one is not even text.
        OverflowError: one has no UTC form in the years 1 to 9999.
    """
    if not sent:
        return TimedReadings([], [], [], sent, is_back=False)
    first, last = sent[0], sent[-1]
    one, other = _MOMENTS.decode(_encode([first.start, last.start]))
    readings = sent[::-1] if one > other else sent
    begin = [reading.start for reading in readings]
    end = [reading.end for reading in readings]
    starts, offsets = _instants(begin)
    # Mostly each begins where the one before it ends.
    known = len(end) - 1 if _encode(begin[1:]) == _encode(end[:-1]) else 0
    ends = starts[1 : known + 1] + _instants(end[known:])[0]
    return TimedReadings(starts, ends, offsets, readings, one > other)


def _instants(moments: Sequence[Raw]) -> tuple[list[datetime], list[int]]:
    """Moments, at least one, in UTC, and the offsets they were sent with, in seconds.

    Raises: as `_at_once`.
    """
    text, end = _encode(moments), bytes(moments[0])[-len('.000000-05:00"') :]
    offset = end[-len('-05:00"') :]
    has_one = offset[:1] in {b"+", b"-"}
    # As documented: told by one look.
    is_usual = has_one and end[:1] == b"." and text.count(end) == len(moments)
    if not is_usual and _FINE.search(text):
        raise msgspec.DecodeError("a time that is too fine")
    if is_usual or (has_one and text.count(offset) == len(moments)):
        # All with one offset: a difference costs a fraction of a conversion.
        east = _offset(_MOMENTS.decode(b"[%b]" % moments[0])[0])
        local, back = _MOMENTS.decode(text.replace(offset, b'Z"')), timedelta(0, east)
        return [moment - back for moment in local], [east] * len(local)
    if len(moments) <= FEWEST:
        found = _MOMENTS.decode(text)
        utc = [moment.astimezone(timezone.utc) for moment in found]
        return utc, list(map(_offset, found))
    middle = len(moments) // 2  # the clocks change twice a year
    starts, offsets = _instants(moments[:middle])
    later, their_offsets = _instants(moments[middle:])
    return starts + later, offsets + their_offsets


def _offset(moment: datetime) -> int:
    seconds = offset_seconds(moment)
    assert seconds is not None  # noqa: S101 - for mypy
    return seconds


def _one_by_one(
    sent: Sequence[Reading], lose: Callable[[str], object], zone: tzinfo | None
) -> TimedReadings:
    """Times however they are written."""
    times = LocalTimes(zone)
    found: list[tuple[datetime, datetime, int, Reading]] = []
    listed = [(_said(one), one) for one in sent]
    is_back = times.are_back([said["start"] for said, _ in listed])
    for said, reading in listed[::-1] if is_back else listed:
        try:
            start, end = times.span(said)
            found.append((as_utc(start), as_utc(end), _offset(start), reading))
        except ValueError:
            lose(_told(said))
    # Texts in several offsets may have told another order than the moments do.
    starts = [start for start, *_ in found]
    if starts[:1] > starts[-1:] or (is_back and starts[:1] == starts[-1:]):
        found.reverse()
        is_back = not is_back
    return TimedReadings(
        [start for start, *_ in found],
        [end for _, end, *_ in found],
        [offset for *_, offset, _ in found],
        [reading for *_, reading in found],
        is_back=is_back,
    )


def _said(reading: Reading) -> dict[str, Any]:
    return {
        name: loads(bytes(value))
        for name, value in (("start", reading.start), ("end", reading.end))
    }


def _told(sent: Mapping[str, Any]) -> str:
    """A reading's times as they were sent, for a message."""
    told = " ".join(f"{n}={as_text(t)[:LONGEST_TOLD]}" for n, t in sent.items())
    try:
        for time in sent.values():
            parse_instant(time, naive_is_utc=True)
    except ValueError:
        return told
    return f"{told} (no time zone: set {TIME_ZONE})"


class LocalTimes:
    """Reads the times of readings in the order in which they were measured."""

    def __init__(self, zone: tzinfo | None) -> None:
        """Read times with an offset; if `utilityapi_default_time_zone` is set, all."""
        self._zone = zone
        self._last_end: datetime | None = None

    def are_back(self, starts: Sequence[object]) -> bool:
        """Whether to go from the last one on, to tell one hour from the other."""
        # They are all newest first (utilityapi.md#interval) or none: the ends will do.
        # Instants without an offset cannot be compared yet, their texts can.
        is_told = self._zone is not None and len(starts) > 1
        return is_told and str(starts[0]) > str(starts[-1])

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

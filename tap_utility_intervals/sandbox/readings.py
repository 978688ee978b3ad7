"""Readings and how they change: what is known about a meter at one instant.

Everything that changes in the sandbox does so by one rule: a reading says *from when*
it is known. A late reading is known late, a restated one is followed by a second
reading of the same stretch that is known later, and a reading without values takes an
earlier one back. So a series is a constant, and what is on offer follows the clock.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HOUR = 3_600
DAY = 86_400
TimeForm = Literal["usual", "naive", "hours", "basic", "comma", "midnight24"]
"""How readings' times are spelled, all of it allowed by ISO 8601: as documented;
without a zone; `2026-01-01 10:00:00+00`; `20260101T100000Z`; a comma before the
fraction; the end of a day as its hour 24."""


class Reading(NamedTuple):
    """What is said about one stretch of time from `available` on; all in epoch seconds.

    `values` are JSON texts, one per channel of the series (`"0.10"` stays `0.10`).
    None leaves that channel out; an empty tuple withdraws the reading.
    """

    start: int
    end: int
    values: tuple[str | None, ...]
    available: int
    quality: str | None = "ACTUAL"


@dataclass(frozen=True)
class Snapshot:
    """The readings known at one instant, by start and end, each with its first day."""

    readings: tuple[Reading, ...]
    created: tuple[int, ...]

    def dated(self) -> Iterator[tuple[Reading, int]]:
        """Each reading with when its stretch of time was first known."""
        return zip(self.readings, self.created, strict=True)

    @cached_property
    def starts(self) -> list[int]:
        """Starts, for bisection."""
        return [reading.start for reading in self.readings]

    @cached_property
    def overhang(self) -> int:
        """By how much the worst reading ends before it starts; 0 in a sane world."""
        lengths = (reading.start - reading.end for reading in self.readings)
        return max((length for length in lengths if length > 0), default=0)

    @cached_property
    def updated(self) -> int | None:
        """When anything in here last changed."""
        return max((reading.available for reading in self.readings), default=None)

    @cached_property
    def grown(self) -> int:
        """When a stretch of time last became known."""
        return max(self.created, default=0)

    @cached_property
    def coverage(self) -> list[tuple[int, int]]:
        """The stretches of time without a hole."""
        ranges: list[tuple[int, int]] = []
        for reading in self.readings:
            if ranges and reading.start <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(ranges[-1][1], reading.end))
            else:
                ranges.append((reading.start, reading.end))
        return ranges

    def between(self, start: int | None, end: int | None) -> Snapshot:
        """Readings with start >= `start` and end <= `end`."""
        first = 0 if start is None else bisect_left(self.starts, start)
        last = (
            len(self.readings)
            if end is None
            else bisect_left(self.starts, end + self.overhang + 1)
        )
        kept = [
            index
            for index in range(first, last)
            if end is None or self.readings[index].end <= end
        ]
        return self.pick(kept)

    def pick(self, indexes: Sequence[int]) -> Snapshot:
        """Only the readings at these places."""
        return Snapshot(
            tuple(self.readings[index] for index in indexes),
            tuple(self.created[index] for index in indexes),
        )


@dataclass(eq=False)
class Series:
    """All that will ever be said about a meter's readings; meters may share it."""

    readings: Sequence[Reading]
    _kept: dict[int, Snapshot] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.readings = sorted(
            self.readings, key=lambda r: (r.start, r.end, r.available)
        )

    def at(self, now: int) -> Snapshot:
        """What is known at `now`: of every stretch the newest word."""
        if now not in self._kept:
            self._kept = dict([*self._kept.items()][-1:])
            self._kept[now] = self._known(now)
        return self._kept[now]

    def as_of(self, stretch: Reading, now: int) -> Reading | None:
        """What was known at `now` about the stretch of time of another reading."""
        place = bisect_left(self.readings, (stretch.start, stretch.end))
        known: Reading | None = None
        for reading in self.readings[place:]:
            if reading[:2] != stretch[:2] or reading.available > now:
                break
            known = reading
        return known if known and known.values else None

    def _known(self, now: int) -> Snapshot:
        known: list[Reading] = []
        created: list[int] = []
        for reading in self.readings:
            if reading.available > now:
                continue
            if known and known[-1][:2] == reading[:2]:
                known[-1] = reading
            else:
                known.append(reading)
                created.append(reading.available)
        whole = Snapshot(tuple(known), tuple(created))
        if all(reading.values for reading in known):
            return whole
        return whole.pick([index for index, r in enumerate(known) if r.values])


def restated(
    series: Series, changes: Iterable[tuple[int, int, tuple[str | None, ...]]]
) -> Series:
    """The series with (start, known from, new values); `()` withdraws the reading."""
    by_start = {reading.start: reading for reading in series.readings}
    later = [
        by_start[start]._replace(available=available, values=values)
        for start, available, values in changes
    ]
    return Series([*series.readings, *later])


def delayed(series: Series, start: int, end: int, available: int) -> Series:
    """The series with what starts in [start, end) known at `available`, not before."""
    return Series(
        [
            reading._replace(available=max(available, reading.available))
            if start <= reading.start < end
            else reading
            for reading in series.readings
        ]
    )


def without(series: Series, holes: Iterable[tuple[int, int]]) -> Series:
    """The series with nothing starting in any of these half-open stretches."""
    gaps = list(holes)
    return Series(
        [
            reading
            for reading in series.readings
            if not any(start <= reading.start < end for start, end in gaps)
        ]
    )


def without_zeros(series: Series, channel: int) -> Series:
    """The series with nothing said of this channel where it is zero."""
    return Series(
        [
            r._replace(
                values=tuple(
                    None if n == channel and value and float(value) == 0 else value
                    for n, value in enumerate(r.values)
                )
            )
            for r in series.readings
        ]
    )


def block_starts(
    series: Series, zone: str, days: int | str, seed: object = 0
) -> list[int]:
    """Local midnights at which an Interval object begins: every `days`, or "random"."""
    if not series.readings:
        return []
    tz = ZoneInfo(zone)
    day = datetime.fromtimestamp(series.readings[0].start, tz).date()
    last = series.readings[-1].start
    dice = random.Random(f"{seed}/blocks")  # noqa: S311 - not for secrets
    starts: list[int] = []
    while not starts or starts[-1] <= last:
        starts.append(
            int(datetime(day.year, day.month, day.day, tzinfo=tz).timestamp())
        )
        span = dice.choice((1, 4, 20, 400)) if days == "random" else int(days)
        day += timedelta(days=span)
    return starts


def epoch(moment: datetime | str) -> int:
    """Whole epoch seconds of an aware datetime or an ISO 8601 text."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp())


def local(seconds: int, zone: str) -> datetime:
    """An instant as local time with the fixed offset that the zone has just then."""
    moment = datetime.fromtimestamp(seconds, ZoneInfo(zone))
    return moment.replace(tzinfo=timezone(moment.utcoffset() or timedelta()), fold=0)


def stamp(seconds: int) -> datetime:
    """An instant of the provider's own clock (UTC); its microseconds only look busy."""
    micro = seconds * 7_919 % 1_000_000
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=micro)


def spelled(moment: datetime, form: TimeForm, *, is_end: bool = False) -> str:
    """An instant in one of the spellings that ISO 8601 allows."""
    if form == "naive":
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
    if form == "hours":
        text = moment.strftime("%Y-%m-%d %H:%M:%S%z")
        return text.removesuffix("00") if text[-5] in "+-" else text
    if form == "basic":
        return moment.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    text = moment.isoformat(timespec="microseconds")
    if form == "comma":
        return text.replace(".", ",")
    if form == "midnight24" and is_end and text[11:19] == "00:00:00":
        day = (moment - timedelta(days=1)).date()
        return f"{day}T24:00:00{text[26:]}"
    return text

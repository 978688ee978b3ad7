"""UtilityAPI's Interval objects: how a meter's readings are cut into containers.

Facts §0.3 and §0.4: an object holds many readings, a meter has several objects, and the
uid is made of the newest end and the oldest start, so it moves while the object grows.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.readings import (
    Snapshot,
    block_starts,
    local,
    spelled,
)
from tap_utility_intervals.sandbox.wire import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_utility_intervals.sandbox.accounts import Channel, UtilityMeter
    from tap_utility_intervals.sandbox.readings import Reading, TimeForm
    from tap_utility_intervals.sandbox.world import World


@dataclass(frozen=True)
class Style:
    """How the readings of a meter are written; meters may share it."""

    zone: str
    channels: tuple[Channel, ...]
    kwh_channel: int | None
    with_datapoints: bool
    times: TimeForm

    def text(self, reading: Reading) -> str:
        """One reading as JSON: local times, numbers digit for digit.

        See utilityapi.md#interval.
        """
        values = reading.values
        kwh = None if self.kwh_channel is None else values[self.kwh_channel]
        text = (
            f'{{"start":"{self._time(reading.start)}",'
            f'"end":"{self._time(reading.end, is_end=True)}",'
            f'"kwh":{"null" if kwh is None else kwh}'
        )
        if not self.with_datapoints:
            return text + "}"
        points = ",".join(
            f'{{"type":"{channel.type}","unit":"{channel.unit}","value":{value}'
            + (
                f',"meter_number":"{channel.meter_number}"}}'
                if channel.meter_number
                else "}"
            )
            for channel, value in zip(self.channels, values, strict=True)
            if value is not None
        )
        return f'{text},"datapoints":[{points}]}}'

    def _time(self, seconds: int, *, is_end: bool = False) -> str:
        return spelled(local(seconds, self.zone), self.times, is_end=is_end)


class Part:
    """The readings of one Interval object; meters with the same series share it."""

    def __init__(self, view: Snapshot) -> None:
        self.view = view
        self.created = min(view.created)
        self.updated = view.updated or 0
        self.oldest = view.readings[0].start
        self.newest = max(reading.end for reading in view.readings)
        self._texts: dict[Style, list[str]] = {}
        self._pieces: dict[tuple[Style, Sequence[int]], Piece] = {}

    @property
    def whole(self) -> range:
        """The places of all readings."""
        return range(len(self.view.readings))

    def between(self, start: int | None, end: int | None) -> Sequence[int]:
        """The places of the readings with start >= `start` and end <= `end`."""
        first = 0 if start is None else bisect_left(self.view.starts, start)
        if end is None or end >= self.newest:
            return range(first, len(self.view.readings))
        readings = self.view.readings
        kept = [n for n in range(first, len(readings)) if readings[n].end <= end]
        if kept and kept[-1] - kept[0] + 1 == len(kept):
            return range(kept[0], kept[-1] + 1)
        return tuple(kept)

    def piece(self, style: Style, places: Sequence[int]) -> Piece:
        """These readings as JSON, newest first."""
        key = (style, places)
        if key not in self._pieces:
            if style not in self._texts:
                self._texts[style] = [style.text(r) for r in self.view.readings]
            texts = self._texts[style]
            body = ",".join(texts[place] for place in reversed(places))
            self._pieces[key] = Piece(body.encode())
        return self._pieces[key]


@dataclass(frozen=True)
class Block:
    """One Interval object of one meter, or what a filter left of it."""

    meter: UtilityMeter
    part: Part
    places: Sequence[int]
    times: TimeForm = "usual"

    @property
    def uid(self) -> str:
        """The uid of the whole object, however much of it is shown."""
        return f"{self.meter.uid}-{self.part.newest}-{self.part.oldest}"

    @property
    def key(self) -> tuple[int, str, int]:
        """Its place in the order of all objects."""
        return (self.part.oldest, self.meter.uid, self.part.newest)

    @property
    def readings(self) -> Piece:
        """Its readings as JSON, newest first."""
        style = Style(
            self.meter.zone,
            tuple(self.meter.channels),
            self.meter.kwh_channel,
            self.meter.with_datapoints,
            self.times,
        )
        return self.part.piece(style, self.places)


def key_of(uid: str) -> tuple[int, str, int] | None:
    """The place in the order that an object with this uid has or had."""
    meter, _, rest = uid.partition("-")
    newest, _, oldest = rest.partition("-")
    if newest.isdigit() and oldest.isdigit():
        return (int(oldest), meter, int(newest))
    return None


class Blocks:
    """The Interval objects of every meter, cut once per state of the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._starts: dict[tuple[int, str, int | str], list[int]] = {}
        self._parts: dict[tuple[int, int, int], tuple[Snapshot, list[Part]]] = {}

    def of(self, meter: UtilityMeter, *, mixed: bool) -> list[Block]:
        """A meter's Interval objects, oldest first."""
        options = self.world.utilityapi_options
        lag = options.lead_seconds
        view = self.world.collections.readings(meter, mixed=mixed, lag=lag)
        starts = self._block_starts(meter)
        key = (id(view), id(starts), meter.overlap)
        if key not in self._parts or self._parts[key][0] is not view:
            self._parts[key] = (view, self._cut(meter, view, starts))
        times = options.times
        return [Block(meter, part, part.whole, times) for part in self._parts[key][1]]

    def forget(self) -> None:
        """Drop what was cut before the world changed."""
        self._parts.clear()

    def _block_starts(self, meter: UtilityMeter) -> list[int]:
        key = (id(meter.series), meter.zone, meter.block_days)
        if key not in self._starts:
            self._starts[key] = block_starts(
                meter.series, meter.zone, meter.block_days, self.world.seed
            )
        return self._starts[key]

    def _cut(
        self, meter: UtilityMeter, view: Snapshot, starts: list[int]
    ) -> list[Part]:
        edges = [bisect_left(view.starts, start) for start in starts[1:]]
        bounds = [0, *edges, len(view.readings)]
        pieces = [
            view.pick(range(low, high))
            for low, high in itertools.pairwise(bounds)
            if low < high
        ]
        if not meter.overlap:
            return [Part(piece) for piece in pieces]
        followed = itertools.zip_longest(pieces, pieces[1:])
        return [Part(self._overlapped(meter, own, after)) for own, after in followed]

    def _overlapped(
        self, meter: UtilityMeter, own: Snapshot, after: Snapshot | None
    ) -> Snapshot:
        """An object that reaches into the next one, and was then left alone.

        The readings of the next one are as they were when this one last changed. So of
        two values for the same reading, the one in the newer object is right.
        """
        readings, created = list(own.readings), list(own.created)
        following = (
            after.pick(range(len(after.readings))[: meter.overlap])
            if after
            else own.pick(())
        )
        moment = max((own.updated or 0, *following.created))
        for reading, known in following.dated():
            then = meter.series.as_of(reading, moment)
            if then is not None:
                readings.append(then)
                created.append(known)
        return Snapshot(tuple(readings), tuple(created))


def clock(seconds: int, zone: str) -> str:
    """An instant in UtilityAPI's spelling: six fraction digits and the local offset."""
    return local(seconds, zone).isoformat(timespec="microseconds")

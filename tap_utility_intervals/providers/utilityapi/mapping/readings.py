"""The readings of an Interval object side by side, and which of them are alike. Pure.

Nearly all readings of a meter have the same datapoints, with plain numbers in them. Of
such neighbours the times and the very digits are kept, and nothing else; an odd reading
is kept as it was sent, with a few of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.providers.utilityapi.mapping.channels import OWN, shape
from tap_utility_intervals.providers.utilityapi.objects import (
    NULL,
    Datapoint,
    Reading,
)

PLAIN = b"-.0123456789"
LONGEST = 40
"""What is as long as this or holds something else is read with care."""

FEWEST = 16
"""So many neighbours are odd together with one of them."""

_AS_ZEROS = bytes(ord("0") if byte in PLAIN else byte for byte in range(256))
_TOO_LONG = b"0" * LONGEST

Kind: TypeAlias = tuple[str | None, str | None, str | None]
"""Type, unit and meter number of a datapoint."""

Said: TypeAlias = tuple[Raw, tuple[Datapoint, ...] | None]
"""What a reading says: its `kwh`, and its datapoints."""


class Part(Struct, array_like=True, gc=False):
    """Neighbours with one offset that are alike, or that are odd."""

    count: int
    offset: int
    """As sent, in seconds."""
    kinds: tuple[Kind, ...] | None
    """Of the datapoints that each reading has; None if they are odd."""
    has_own: bool
    """Whether `kwh` is one number more of each reading, the last one."""
    body: bytes
    """The numbers of all readings, joined by commas; or JSON, of odd ones."""

    @property
    def width(self) -> int:
        """How much of what is said is of one reading."""
        return 1 if self.kinds is None else len(self.kinds) + self.has_own

    def said(self) -> Sequence[Any]:
        """What the readings say, one after the other.

        Numbers as texts, `width` of each reading; `Said` of each odd reading.
        """
        if self.kinds is None:
            return _SAID.decode(self.body)
        return self.body.decode().split(",")


class Readings(Struct, gc=False):
    """The readings of one Interval object in ascending order."""

    starts: list[datetime]
    ends: list[datetime]
    parts: list[Part]
    doubled: frozenset[Range] | None = None
    """The stretches that are two readings each; None if no stretch is there twice."""


_SAID = msgspec.json.Decoder(list[Said])
_encode = msgspec.json.Encoder().encode


def in_utc(moments: Iterable[datetime]) -> tuple[list[datetime], list[int]]:
    """The moments in UTC, and the offsets that they were sent with, in seconds.

    Raises:
        OverflowError: one has no UTC form in the years 1 to 9999.
    """
    found: list[datetime] = []
    offsets: list[int] = []
    for _, group in groupby(moments, attrgetter("tzinfo")):
        some = list(group)
        first = some[0]
        # Within one zone a difference costs a fraction of a conversion.
        utc = first.astimezone(timezone.utc)
        found += [utc + (moment - first) for moment in some]
        offset = first.utcoffset()
        assert offset is not None  # noqa: S101 - for mypy
        offsets += [offset.days * 86_400 + offset.seconds] * len(some)
    return found, offsets


def parts(readings: Sequence[Reading], offsets: Sequence[int]) -> list[Part]:
    """What readings in ascending order say, as few parts as can be."""
    found: list[Part] = []
    begin = 0
    for offset, group in groupby(offsets):
        end = begin + len(list(group))
        found += _parts(readings[begin:end], offset)
        begin = end
    return [_joined(list(some)) for _, some in groupby(found, _likeness)]


def _parts(readings: Sequence[Reading], offset: int) -> Iterator[Part]:
    part = _alike(readings, offset)
    if part is not None:
        yield part
    elif len(readings) <= FEWEST:
        said = [(one.kwh, one.datapoints) for one in readings]
        yield Part(len(said), offset, None, False, _encode(said))  # noqa: FBT003 - a row of columns
    else:
        size = max(len(readings) // 8, FEWEST)
        for begin in range(0, len(readings), size):
            yield from _parts(readings[begin : begin + size], offset)


def _alike(readings: Sequence[Reading], offset: int) -> Part | None:
    """Readings with the same datapoints, all in plain numbers; None if they are not.

    Whole columns are compared, at a fraction of what looking at each reading costs.
    """
    sent = [reading.datapoints or () for reading in readings]
    width = len(sent[0])
    if set(map(len, sent)) != {width}:
        return None
    points = list(chain.from_iterable(sent))
    words: tuple[list[str | None], ...] = (
        [point.type for point in points],
        [point.unit for point in points],
        [point.meter_number for point in points],
    )
    if any(column[width:] != column[: len(column) - width] for column in words):
        return None
    kinds = tuple(zip(*(column[:width] for column in words), strict=True))
    values = [point.value for point in points]
    own = [reading.kwh for reading in readings]
    has_own = _has_own(kinds, values, own)
    if has_own is None:
        return None
    if has_own:
        values = _beside(values, own)
    body = _encode(values)[1:-1]
    zeros = body.translate(_AS_ZEROS)
    if zeros.translate(None, b"0,") or _TOO_LONG in zeros:
        return None
    return Part(len(readings), offset, kinds, has_own, body)


def _has_own(
    kinds: Sequence[Kind], values: Sequence[Raw], own: Sequence[Raw]
) -> bool | None:
    """Whether `kwh` says something that no datapoint says; None if that differs.

    None as well if names do not tell the channels apart.
    """
    if not kinds:
        return True
    what = shape(tuple([(point, unit) for point, unit, _ in kinds]))
    if not what.is_clear:
        return None
    said = _encode(own)
    if what.twin is not None and said == _encode(values[what.twin :: len(kinds)]):
        return False
    if said == _encode([NULL] * len(own)):
        return False
    has_one = any(channel.name == OWN.name for channel in what.channels)
    return None if what.twin is not None or has_one else True


def _beside(values: Sequence[Raw], own: Sequence[Raw]) -> list[Raw]:
    """The values of each reading, and its own one after them."""
    width = len(values) // len(own) + 1
    found = [NULL] * (width * len(own))
    for place in range(width - 1):
        found[place::width] = values[place :: width - 1]
    found[width - 1 :: width] = own
    return found


def _likeness(part: Part) -> tuple[object, ...]:
    return part.offset, part.kinds, part.has_own


def _joined(some: Sequence[Part]) -> Part:
    """Neighbouring parts as one."""
    first = some[0]
    if len(some) == 1:
        return first
    count = sum(part.count for part in some)
    if first.kinds is None:
        body = b"[%b]" % b",".join(part.body[1:-1] for part in some)
    else:
        body = b",".join(part.body for part in some)
    return Part(count, first.offset, first.kinds, first.has_own, body)

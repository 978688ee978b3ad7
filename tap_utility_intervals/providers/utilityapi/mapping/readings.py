"""The readings of an Interval object side by side, and which of them are alike. Pure.

Nearly all readings of a meter have the same datapoints, with plain numbers in them. Of
such neighbours the times and the very digits are kept, and nothing else; an odd reading
is kept as it was sent, with a few of its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.providers.utilityapi.mapping.channels import OWN, shape
from tap_utility_intervals.providers.utilityapi.objects import (
    POINTS,
    Datapoint,
    Reading,
    datapoints,
)

PLAIN = b"-.0123456789"
LONGEST = 40
"""What is as long as this or holds something else is read with care."""

FEWEST = 16
"""So many neighbours are odd together with one of them."""

_AS_ZEROS = bytes(ord("0") if byte in PLAIN else byte for byte in range(256))
_TOO_LONG = b"0" * LONGEST
_MARKS = [bytes([byte]) for byte in range(14, 32)]
"""Stand for texts; JSON holds no such byte anywhere."""
_AS_COMMAS = bytes(ord(",") if byte < 32 else byte for byte in range(256))  # noqa: PLR2004 - the marks

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
        said = [(one.kwh, datapoints(one.datapoints)) for one in readings]
        yield Part(len(said), offset, None, False, _encode(said))  # noqa: FBT003 - a row of columns
    else:
        size = max(len(readings) // 8, FEWEST)
        for begin in range(0, len(readings), size):
            yield from _parts(readings[begin : begin + size], offset)


def _alike(readings: Sequence[Reading], offset: int) -> Part | None:
    """Readings with the same datapoints, all in plain numbers; None if they are not.

    Texts of all readings are compared at once, at a fraction of what a look at each one
    costs.
    """
    own = _encode([reading.kwh for reading in readings])[1:-1]
    sent = [reading.datapoints for reading in readings]
    kinds, body = _in_common(sent) or (None, b"")
    has_own = None if kinds is None else _has_own(kinds, body, own)
    if kinds is None or has_own is None or (has_own and not _are_plain(own)):
        return None
    if has_own:
        body = _beside(body, own) if kinds else own
    if not _are_plain(body):
        return None
    return Part(len(readings), offset, kinds, has_own, body)


def _are_plain(body: bytes) -> bool:
    """Whether these are numbers whose very digits are the number."""
    zeros = body.translate(_AS_ZEROS)
    return not zeros.translate(None, b"0,") and _TOO_LONG not in zeros


def _in_common(sent: Sequence[Raw]) -> tuple[tuple[Kind, ...], bytes] | None:
    """The kinds of the datapoints that all readings have, and the numbers in them.

    None if their texts differ in anything but plain numbers. The decoder has made sure
    that all is JSON.
    """
    first, text = bytes(sent[0]), _encode(sent)[1:-1]
    found = _between(first)
    if found is None:
        return None
    kinds, texts = found
    if not kinds:
        return (kinds, b"") if text == b",".join([first] * len(sent)) else None
    head, *middle, tail = texts
    if not text.endswith(tail):
        return None
    end, *others = _MARKS
    marks = dict(zip(dict.fromkeys(middle), others, strict=False))
    numbers = text[len(head) : -len(tail)].replace(tail + b"," + head, end)
    for some, mark in marks.items():
        numbers = numbers.replace(some, mark)
    # Put back, each in its place, the texts make up what was sent.
    expected = (b"".join([marks.get(some, b"?") for some in middle]) + end) * len(sent)
    if numbers.translate(None, PLAIN) != expected[:-1]:
        return None
    return kinds, numbers.translate(_AS_COMMAS)


def _between(sent: bytes) -> tuple[tuple[Kind, ...], list[bytes]] | None:
    """The kinds of a reading's datapoints, and the texts around their numbers.

    None if they are not plain, or if there is more to them than meets the eye.
    """
    try:
        points = POINTS.decode(sent) or ()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    texts, rest = [], sent
    for point in points:
        name = rest.find(b'"value"') + 1
        place = rest.find(bytes(point.value), name)
        texts.append(rest[:place])
        rest = rest[place + len(memoryview(point.value)) :]
    texts.append(rest)
    kinds = tuple((one.type, one.unit, one.meter_number) for one in points)
    # Numbers in these places must be the values: ones that nothing else there can be.
    values = [b"9" * (len(sent) + place) for place in range(len(points))]
    probe = b"".join(chain.from_iterable(zip(texts, [*values, b""], strict=True)))
    try:
        probed = POINTS.decode(probe) or ()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    seen = [(one.type, one.unit, one.meter_number) for one in probed]
    is_right = seen == list(kinds) and [bytes(one.value) for one in probed] == values
    return (kinds, texts) if is_right else None


def _has_own(kinds: Sequence[Kind], body: bytes, own: bytes) -> bool | None:
    """Whether `kwh` says something that no datapoint says; None if that differs.

    None as well if names do not tell the channels apart.
    """
    if not kinds:
        return True
    what = shape(tuple([(point, unit) for point, unit, _ in kinds]))
    if not what.is_clear:
        return None
    if what.twin is not None:
        numbers = body.split(b",")
        if own == b",".join(numbers[what.twin :: len(kinds)]):
            return False
    if not own.replace(b"null", b"").strip(b","):
        return False
    has_one = any(channel.name == OWN.name for channel in what.channels)
    return None if what.twin is not None or has_one else True


def _beside(body: bytes, own: bytes) -> bytes:
    """The numbers of each reading, and its own one after them."""
    last, numbers = own.split(b","), body.split(b",")
    width = len(numbers) // len(last)
    columns = [*(numbers[place::width] for place in range(width)), last]
    return b",".join(chain.from_iterable(zip(*columns, strict=True)))


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

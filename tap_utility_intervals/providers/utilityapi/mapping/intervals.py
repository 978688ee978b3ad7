"""Interval objects as rows: the hot path. Pure: no I/O, no state.

Datapoints of one reading stand side by side and are never added up: `net` and `fwd` are
often equal, and `max` has another unit (https://utilityapi.com/docs/api/intervals).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TypeAlias

from msgspec import Raw

from tap_utility_intervals.floor.instants import as_utc, micros_form, offset_seconds
from tap_utility_intervals.floor.records import (
    Commodity,
    IntervalRecord,
    Number,
    Quality,
)
from tap_utility_intervals.floor.units import normalize, read_number
from tap_utility_intervals.floor.values import LARGEST_INTEGER, Values, as_text
from tap_utility_intervals.providers.utilityapi.mapping.channels import (
    OWN,
    Channel,
    Warn,
    apart,
    is_own,
    own_name,
    shape,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.objects import (
    Block,
    Datapoint,
    Reading,
)

QUALITIES = {quality.value: quality for quality in Quality}

PLAIN = b"-.0123456789"
LONGEST = 40

Blank: TypeAlias = Callable[[], IntervalRecord]
"""Copies a row of which times and value are still to be set."""

Timed: TypeAlias = tuple[datetime, datetime, int | None, Reading]
"""Start and end in UTC, the offset as sent in seconds, and the reading itself."""


def timed(readings: Sequence[Reading], warn: Warn) -> list[Timed]:
    """Readings with their times in UTC, in the order given.

    One that has no time in UTC, at the very ends of the calendar, is left out.
    """
    utc = timezone.utc
    found: list[Timed] = []
    zone, offset = None, None
    for reading in readings:
        start = reading.start
        if start.tzinfo is not zone:
            zone, offset = start.tzinfo, offset_seconds(start)
        try:
            end = reading.end.astimezone(utc)
            found.append((start.astimezone(utc), end, offset, reading))
        except OverflowError:
            warn("a reading without a readable start or end was left out")
    return found


def rows(
    held: Block, readings: Sequence[Timed], meter: Meter, warn: Warn
) -> list[IntervalRecord]:
    """The rows of these readings of one Interval object, reading by reading."""
    common = _common(held, meter)
    blanks = _blanks(readings, common)
    if blanks is None:
        return _one_by_one(readings, common, warn)
    made: list[IntervalRecord] = []
    length, seconds = timedelta(0), _seconds(timedelta(0))
    for start, end, offset, reading in readings:
        if end - start != length:
            length = end - start
            seconds = _seconds(length)
        for blank, point in zip(blanks, reading.datapoints or (), strict=True):
            row = blank()
            row.interval_start = start
            row.interval_end = end
            row.interval_seconds = seconds
            row.utc_offset_seconds = offset
            row.quantity = row.quantity_normalized = point.value
            made.append(row)
    return made


def _seconds(length: timedelta) -> int | None:
    """Whole seconds; None if they are more than the schema's integers hold."""
    seconds = length.days * 86400 + length.seconds
    return seconds if -LARGEST_INTEGER <= seconds <= LARGEST_INTEGER else None


def _blanks(readings: Sequence[Timed], common: _Common) -> list[Blank] | None:
    """What makes a row of each channel, but for its times and its value.

    None unless the readings differ in nothing else: all have the same datapoints, told
    apart by their names, with plain numbers in a unit that needs no conversion, and
    `kwh` repeats one of them. Nearly all readings are so, and a copy with six values
    set costs half of a row made of all its columns.
    """
    points = [reading.datapoints or () for _, _, _, reading in readings]
    if len(set(map(len, points))) != 1:
        return None
    columns = list(zip(*points, strict=True))
    if not all(map(_are_alike, columns)):
        return None
    what = shape(tuple([(point.type, point.unit) for point in points[0]]))
    texts = [[bytes(point.value) for point in column] for column in columns]
    if (
        what.twin is None
        or texts[what.twin] != [bytes(reading.kwh) for _, _, _, reading in readings]
        or not what.is_clear
        or not all(channel.is_normal for channel in what.channels)
        or any(map(_is_odd, texts))
    ):
        return None
    span = (*readings[0][:2], 0, None)
    made = [
        _row(
            common, span, channel, channel.name, point.value, point.meter_number, _mute
        )
        for channel, point in zip(what.channels, points[0], strict=True)
    ]
    return [row.__copy__ for row in made]  # type: ignore[attr-defined] # all have it


def _are_alike(points: Sequence[Datapoint]) -> bool:
    """Whether these datapoints differ in their values only."""
    return (
        len({point.type for point in points}) == 1
        and len({point.unit for point in points}) == 1
        and len({point.meter_number for point in points}) == 1
    )


def _is_odd(texts: Sequence[bytes]) -> bool:
    """Whether any of these values is more than a plain JSON number."""
    characters = b"".join(texts).translate(None, PLAIN)
    return bool(characters) or max(map(len, texts)) >= LONGEST


def _mute(_: str) -> None:
    """Plain numbers are nothing to warn of."""


def _one_by_one(
    readings: Sequence[Timed], common: _Common, warn: Warn
) -> list[IntervalRecord]:
    """The rows of readings of any kind."""
    made: list[IntervalRecord] = []
    for start, end, offset, reading in readings:
        span = (start, end, _seconds(end - start), offset)
        points = reading.datapoints
        if not points:
            made.append(_row(common, span, OWN, OWN.name, reading.kwh, None, warn))
            continue
        what = shape(tuple([(point.type, point.unit) for point in points]))
        if what.is_clear:
            for channel, point in zip(what.channels, points, strict=True):
                value, number = point.value, point.meter_number
                made.append(
                    _row(common, span, channel, channel.name, value, number, warn)
                )
        else:
            for channel, name, point in apart(what.channels, points, warn):
                value, number = point.value, point.meter_number
                made.append(_row(common, span, channel, name, value, number, warn))
        if is_own(reading.kwh, what, points):
            name = own_name(what, warn)
            made.append(_row(common, span, OWN, name, reading.kwh, None, warn))
    return made


@dataclass(frozen=True, slots=True)
class _Common:
    """What all rows of one Interval object share."""

    meter_key: str
    commodity: Commodity | None
    quality: Quality | None
    quality_raw: str | None
    authorization_id: str | None
    source_type: str | None
    source_id: str | None
    created_at: str | None
    updated_at: str | None
    read_at: str | None
    meter_number: str | None


def _common(held: Block, meter: Meter) -> _Common:
    words = (held.base.qualities if held.base else None) or []
    known = {QUALITIES.get(word.lower()) for word in words}
    numbers = (held.base.meter_numbers if held.base else None) or []
    types = list(dict.fromkeys(o.type for o in held.sources or [] if o.type))
    return _Common(
        meter_key=meter.uid,
        commodity=meter.commodity,
        # Several words describe the object, not this reading: then it cannot be told.
        quality=known.pop() if len(known) == 1 else None,
        quality_raw=",".join(words) or None,
        authorization_id=held.authorization_uid or None,
        source_type=",".join(types) or None,
        source_id=held.uid or None,
        created_at=_stamp(held.created),
        read_at=held.read_at,
        updated_at=_stamp(held.updated),
        meter_number=numbers[0] if len(numbers) == 1 else None,
    )


def _stamp(moment: datetime | None) -> str | None:
    try:
        return None if moment is None else micros_form(as_utc(moment))
    except ValueError:
        return None


def _row(  # noqa: PLR0913, PLR0917 - the hot path: no objects made for arguments
    common: _Common,
    span: tuple[datetime, datetime, int | None, int | None],
    channel: Channel,
    name: str,
    value: Raw,
    number: str | None,
    warn: Warn,
) -> IntervalRecord:
    quantity: Number | None
    unreadable = None
    text = bytes(value)
    if not text.translate(None, PLAIN) and len(text) < LONGEST:
        quantity = value  # a plain JSON number: its very digits
    else:
        quantity, unreadable = _odd(value, warn)
    normalized = quantity if channel.is_normal else _normalized(quantity, text, channel)
    return IntervalRecord(
        PROVIDER,
        common.meter_key,
        name,
        span[0],
        span[1],
        span[2],
        span[3],
        quantity,
        channel.unit,
        channel.unit_raw,
        normalized,
        channel.unit_normalized if normalized is not None else None,
        channel.measure,
        channel.flow,
        common.commodity,
        common.quality,
        common.quality_raw,
        number or common.meter_number,
        common.authorization_id,
        None,
        None,
        None,
        None,
        common.source_type,
        common.source_id,
        common.created_at,
        common.updated_at,
        common.read_at,
        unreadable,
    )


def _normalized(
    quantity: Number | None, text: bytes, channel: Channel
) -> Decimal | None:
    if quantity is None:
        return None
    exact = quantity if isinstance(quantity, Decimal) else Decimal(text.decode())
    return normalize(exact, channel.meant)


def _odd(value: Raw, warn: Warn) -> tuple[Decimal | None, dict[str, str] | None]:
    """A value that is no plain number: null, a number in quotes, or unreadable."""
    try:
        return read_number(value), None
    except ValueError:
        warn("a quantity could not be read and is null; its text is in `unreadable`")
        read = Values()
        read.refuse("quantity", as_text(value))
        return None, read.unreadable

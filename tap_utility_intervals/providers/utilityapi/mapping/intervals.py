"""Interval objects as rows: the hot path. Pure: no I/O, no state.

Datapoints of one reading stand side by side and are never added up: `net` and `fwd` are
often equal, and `max` has another unit (https://utilityapi.com/docs/api/intervals).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from msgspec import Raw

from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.floor.instants import as_utc, micros_form
from tap_utility_intervals.floor.ranges import whole_seconds
from tap_utility_intervals.floor.records import (
    Commodity,
    IntervalRecord,
    Number,
    Quality,
)
from tap_utility_intervals.floor.units import Unit, normalize, read_number
from tap_utility_intervals.floor.values import Values, as_text
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
from tap_utility_intervals.providers.utilityapi.mapping.readings import (
    LONGEST,
    PLAIN,
    Part,
    Readings,
    Said,
)
from tap_utility_intervals.providers.utilityapi.objects import Block

QUALITIES = {quality.value: quality for quality in Quality}

CHUNK_READINGS = 1_000
"""How many readings become rows at a time."""

Times: TypeAlias = tuple[Sequence[datetime], Sequence[datetime]]
"""Starts and ends of readings."""

Span: TypeAlias = tuple[datetime, datetime, int | None, int | None]
"""Start, end, length and offset of a row."""


def rows(
    held: Block, readings: Readings, there: slice, meter: Meter, warn: Warn
) -> Iterator[Sequence[IntervalRecord]]:
    """The rows of some readings of one Interval object, reading by reading.

    Args:
        held: the object.
        readings: all of its readings.
        there: the places of those that are wanted.
        meter: whose they are.
        warn: counts a warning.
    """
    common = _common(held, meter)
    begin, end, _ = there.indices(len(readings.starts))
    first = 0
    for part in readings.parts:
        last = first + part.count
        if begin < last and first < end:
            make = _one_by_one if part.kinds is None else _block
            said, width = part.said(), part.width
            for place in range(max(begin, first), min(end, last), CHUNK_READINGS):
                until = min(place + CHUNK_READINGS, end, last)
                some = said[width * (place - first) : width * (until - first)]
                times = readings.starts[place:until], readings.ends[place:until]
                yield make(part, some, times, common, warn)
        first = last


def _block(
    part: Part,
    numbers: Sequence[str],
    times: Times,
    common: _Common,
    warn: Warn,
) -> RowBlock:
    """The rows of readings that are alike."""
    starts, ends = times
    kinds = part.kinds or ()
    channels = list(shape(tuple([(point, unit) for point, unit, _ in kinds])).channels)
    meters = [number for _, _, number in kinds]
    if part.has_own:
        channels.append(OWN)
        meters.append(None)
    values: dict[str, Sequence[Any]] = {"interval_start": starts, "interval_end": ends}
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    if lengths.count(lengths[0]) < len(lengths):
        values["interval_seconds"] = list(map(whole_seconds, lengths))
    span = starts[0], ends[0], whole_seconds(lengths[0]), part.offset
    width = len(channels)
    forms = []
    normalized = numbers
    for place, channel in enumerate(channels):
        value = Raw(numbers[place].encode())
        forms.append(
            _row(common, span, channel, channel.name, value, meters[place], warn)
        )
        if not channel.is_normal:
            normalized = [*normalized]
            normalized[place::width] = _converted(numbers[place::width], channel.meant)
    return RowBlock(
        forms, values, {"quantity": numbers, "quantity_normalized": normalized}
    )


def _converted(numbers: Sequence[str], meant: Unit) -> Sequence[str]:
    """Numbers in kWh, kW or m3, as JSON."""
    if meant.factor is None:
        return ["null"] * len(numbers)
    return [str(normalize(Decimal(number), meant)) for number in numbers]


def _one_by_one(
    part: Part, said: Sequence[Said], times: Times, common: _Common, warn: Warn
) -> list[IntervalRecord]:
    """The rows of readings of any kind."""
    made: list[IntervalRecord] = []
    for start, end, (kwh, points) in zip(*times, said, strict=True):
        span = (start, end, whole_seconds(end - start), part.offset)
        if not points:
            made.append(_row(common, span, OWN, OWN.name, kwh, None, warn))
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
        if is_own(kwh, what, points):
            name = own_name(what, warn)
            made.append(_row(common, span, OWN, name, kwh, None, warn))
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
    span: Span,
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

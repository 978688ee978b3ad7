"""From Nectar's intervals to unified records. Pure: no requests, no state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from tap_utility_intervals.floor import channels, units
from tap_utility_intervals.floor.ranges import whole_seconds
from tap_utility_intervals.floor.records import Commodity, IntervalRecord
from tap_utility_intervals.floor.values import loads
from tap_utility_intervals.providers.nectar.mapping.identity import (
    METER,
    PROVIDER,
    Siblings,
    listed,
    meter_key,
    named,
)
from tap_utility_intervals.providers.nectar.mapping.values import (
    PLAIN,
    Reader,
    instant,
    normalized,
    quality,
    usual_instants,
    usual_stamps,
)
from tap_utility_intervals.providers.nectar.objects import Interval

MAPPING = 2
"""Raised when the mapping changes so that all rows must be read again."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the meter list tells of the meter with some key."""

    site_id: str | None = None
    commodity: Commodity | None = None


class _Meter(msgspec.Struct, gc=False):
    """What all intervals with the same account and identifiers share."""

    key: str
    identifiers: list[Any] | None
    number: str | None
    site_id: str | None
    commodity: Commodity | None


class Intervals:
    """Turns the intervals of one connection into records."""

    def __init__(
        self,
        connection_id: str,
        known: Mapping[str, Known],
        siblings: Siblings,
        fallback: Commodity | None = None,
    ) -> None:
        """Take what is known of the meters, and what flows when nothing is known."""
        self.connection_id = connection_id
        self.known = known
        self._siblings = siblings
        self._fallback = fallback
        self._meters: dict[tuple[str | None, bytes], _Meter] = {}

    def records(
        self, rows: Sequence[Interval], read_at: str | None
    ) -> list[tuple[datetime | None, IntervalRecord | None]]:
        """The start and the record of each interval of a page; None if unreadable.

        Where all times have their usual form, a record is a copy of one with the same
        meter, unit and quality, with what differs put in.
        """
        starts = usual_instants([row.start for row in rows])
        ends = usual_instants([row.end for row in rows])
        created = usual_stamps([row.created for row in rows])
        updated = usual_stamps([row.updated for row in rows])
        if not (starts and ends and created and updated):
            return [self._apart(row, read_at) for row in rows]
        made: list[tuple[datetime | None, IntervalRecord | None]] = []
        forms: dict[object, tuple[Callable[[], IntervalRecord], units.Unit | None]] = {}
        times = zip(starts, ends, created, updated, strict=True)
        length, seconds = timedelta(), whole_seconds(timedelta())
        for row, (start, end, creation, update) in zip(rows, times, strict=True):
            usage = bytes(row.usage)
            digits = usage[1:-1] if usage[:1] == b'"' else usage
            if not PLAIN.fullmatch(digits):
                made.append((start, self.record(row, read_at)))
                continue
            alike = row.account, bytes(row.identifiers), row.usage_units, row.quality
            form = forms.get(alike)
            if form is None:
                one: Any = self.record(row, read_at)
                unit = units.unit(row.usage_units)
                form = forms[alike] = one.__copy__, None if unit.is_normal else unit
            copy, other = form
            if end - start != length:
                length = end - start
                seconds = whole_seconds(length)
            record = copy()
            record.interval_start = start
            record.interval_end = end
            record.interval_seconds = seconds
            record.quantity = quantity = Raw(digits)
            record.quantity_normalized = (
                quantity if other is None else normalized(quantity, other)
            )
            record.source_id = row.id or None
            record.source_created_at = creation
            record.source_updated_at = update
            made.append((start, record))
        return made

    def _apart(
        self, row: Interval, read_at: str | None
    ) -> tuple[datetime | None, IntervalRecord | None]:
        start: datetime | None = None
        try:
            start, _ = instant(row.start)
            return start, self.record(row, read_at)
        except ValueError:
            return start, None

    def record(self, row: Interval, read_at: str | None = None) -> IntervalRecord:
        """The record of an interval, in an answer that had arrived at `read_at`.

        Raises:
            ValueError: when it cannot have a key: no readable start or end.
        """
        start, offset = instant(row.start)
        end, _ = instant(row.end)
        meter = self._meter(row.account, bytes(row.identifiers))
        unit = units.unit(row.usage_units)
        read = Reader()
        quantity = read.quantity("quantity", row.usage)
        converted = normalized(quantity, unit)
        return IntervalRecord(
            provider=PROVIDER,
            meter_key=meter.key,
            channel=channels.channel_name(None, unit),
            interval_start=start,
            interval_end=end,
            interval_seconds=whole_seconds(end - start),
            utc_offset_seconds=offset,
            quantity=quantity,
            unit=unit.name,
            unit_raw=row.usage_units or None,
            quantity_normalized=converted,
            unit_normalized=None if converted is None else unit.normalized,
            measure=unit.measure,
            commodity=meter.commodity,
            quality=quality(row.quality),
            quality_raw=row.quality or None,
            meter_number=meter.number,
            connection_id=self.connection_id,
            account_id=row.account or None,
            site_id=meter.site_id,
            identifiers=meter.identifiers,
            source_id=row.id or None,
            source_created_at=read.instant("source_created_at", row.created),
            source_updated_at=read.instant("source_updated_at", row.updated),
            read_at=read_at,
            unreadable=read.unreadable,
        )

    def _meter(self, account: str | None, identifiers: bytes) -> _Meter:
        """Worked out once for each meter rather than once for each interval."""
        found = self._meters.get((account, identifiers))
        if found is None:
            sent = _identifiers(identifiers)
            key = meter_key(account or self.connection_id, sent)
            if key not in self.known:
                key = self._siblings.key(account, sent) or key
            known = self.known.get(key, Known())
            numbers = named(sent, METER)
            found = self._meters[account, identifiers] = _Meter(
                key,
                listed(sent),
                numbers[0] if len(numbers) == 1 else None,
                known.site_id,
                known.commodity or self._fallback,
            )
        return found


def _identifiers(sent: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return loads(sent)
    except ValueError:  # nested too deeply
        return None


def newer(one: IntervalRecord, other: IntervalRecord) -> bool:
    """Whether `one` was updated after `other`: of one Nectar id the newest wins."""
    return (one.source_updated_at or "") > (other.source_updated_at or "")


class Twins(NamedTuple):
    """How many rows with keys of others there were."""

    numbered: int = 0
    """Of a reading that was stated again under another id."""
    paired: int = 0
    """Of series that run side by side."""


def in_order(rows: Iterable[IntervalRecord]) -> tuple[list[IntervalRecord], Twins]:
    """Rows by start, meter and channel, each with a key of its own.

    Rows with different ids that would share a key are all kept: the newest first, the
    others get `#2`, `#3`, … in their channel. Where most readings of a meter are such
    pairs, they are two series, which must not swap when a row is updated: then the
    order is that of their ids.
    """
    ordered = sorted(rows, key=_key)
    groups: list[list[IntervalRecord]] = []
    for row in ordered:
        if groups and _key(groups[-1][0]) == _key(row):
            groups[-1].append(row)
        else:
            groups.append([row])
    if len(groups) == len(ordered):
        return ordered, Twins()
    readings = Counter(map(_series, groups))
    twins = [group for group in groups if len(group) > 1]
    doubled = Counter(map(_series, twins))
    counts = {True: 0, False: 0}
    for group in twins:
        pairs, series = doubled[_series(group)], readings[_series(group)]
        is_paired = pairs > 1 and 2 * pairs >= series
        group.sort(key=lambda row: row.source_id or "")
        if not is_paired:
            group.sort(key=_stamps, reverse=True)
        counts[is_paired] += len(group) - 1
        for number, row in enumerate(group[1:], 2):
            row.channel = f"{row.channel}#{number}"
    return list(chain.from_iterable(groups)), Twins(counts[False], counts[True])


_key = attrgetter("interval_start", "meter_key", "channel", "interval_end")


def _series(group: Sequence[IntervalRecord]) -> tuple[str, str, int | None]:
    return group[0].meter_key, group[0].channel, group[0].interval_seconds


def _stamps(row: IntervalRecord) -> tuple[str, str]:
    return row.source_updated_at or "", row.source_created_at or ""

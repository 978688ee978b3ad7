"""UtilityAPI's authorizations and meters: grants, and how meters are collected."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    PROVIDER,
    Meter,
    listed,
)
from tap_utility_intervals.providers.utilityapi.pages import Page
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings

RECORDS_PACKED = 250
"""So many at a time."""

_RECORDS = msgspec.json.Decoder(MeterRecord)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A customer's permission to collect."""

    uid: str
    utility: str | None
    expires: str | None
    """An instant, or a word such as `until_revoked`."""
    ended: str | None
    """`declined`, `revoked` or `expired`: nothing can be collected; else None."""
    is_archived: bool
    is_errored: bool

    @property
    def status(self) -> str:
        """In one word."""
        return self.ended or ("errored" if self.is_errored else "active")

    def expires_before(self, moment: datetime) -> bool:
        """Whether it is known to end before a moment."""
        try:
            return parse_instant(self.expires) < moment
        except ValueError:
            return False


class ListedMeter(msgspec.Struct, frozen=True, gc=False):
    """A meter, and how it is collected."""

    meter: Meter
    utility: str | None
    """The utility's id."""
    frequency: str
    """Of ongoing monitoring: `off`, `monthly`, `weekly`, `daily`."""
    refresh_day: int | None
    is_activated: bool
    is_archived: bool

    @property
    def uid(self) -> str:
        """Its uid."""
        return self.meter.uid

    @property
    def authorization_uid(self) -> str | None:
        """The customer's permission."""
        return self.meter.authorization_id

    @property
    def is_pending(self) -> bool:
        """Whether a collection is running."""
        return self.meter.status == "pending"

    @property
    def is_errored(self) -> bool:
        """Whether the last collection failed."""
        return self.meter.status == "errored"

    @property
    def was_collected(self) -> bool:
        """Whether it ever was, or is being."""
        counted = self.meter.reading_count or self.meter.bill_count
        return self.is_activated or bool(counted) or self.is_pending

    @property
    def newest(self) -> datetime | None:
        """The end of the newest reading."""
        coverage = self.meter.interval_coverage
        return max(end for _, end in coverage) if coverage else None


def authorizations(api: UtilityApi) -> list[Authorization]:
    """All authorizations.

    Raises:
        errors.ProviderError: as `Transport.get`.
    """
    found = map(_authorization, _items(api.listing("/authorizations")))
    return list({grant.uid: grant for grant in found if grant}.values())


class Records:
    """Records of listed meters, packed until they are written: 50,000 are 100 MB."""

    def __init__(self) -> None:
        """Start with none."""
        self._packed: list[bytes] = []
        self._loose: list[MeterRecord] = []
        self._seen: set[str] = set()
        self._again: Counter[str] = Counter()
        """How often more than once a meter was listed: its last record counts."""

    def add(self, record: MeterRecord) -> None:
        """Keep one more, in the place of an earlier one of the same meter."""
        if record.meter_key in self._seen:
            self._again[record.meter_key] += 1
        self._seen.add(record.meter_key)
        self._loose.append(record)
        if len(self._loose) == RECORDS_PACKED:
            self._packed.append(zlib.compress(ENCODER.encode_lines(self._loose), 1))
            self._loose = []

    def pages(self) -> Iterator[list[MeterRecord]]:
        """All of them, in the order in which they came."""
        again = self._again.copy()
        for packed in self._packed:
            yield _last(_RECORDS.decode_lines(zlib.decompress(packed)), again)
        yield _last(self._loose, again)


def _last(records: list[MeterRecord], again: Counter[str]) -> list[MeterRecord]:
    """Without those that come again; what is left to come is counted down."""
    if not again:
        return records
    kept = []
    for record in records:
        if again[record.meter_key]:
            again[record.meter_key] -= 1
        else:
            kept.append(record)
    return kept


def meters(  # noqa: PLR0913, PLR0917 - what a listing depends on, and what it tells
    api: UtilityApi,
    listed_at: str,
    wanted: UtilityApiSettings,
    warn: Warn = lambda _: None,
    lose: Callable[[errors.SourceError], None] = lambda _: None,
    keep: Callable[[MeterRecord], object] = lambda _: None,
) -> list[ListedMeter]:
    """All meters, or those named, or those of some authorizations, as listed.

    A uid that the API does not know is not an error: its meter is not among them.

    Args:
        api: the API.
        listed_at: this run's start, for the records.
        wanted: names meters or authorizations, or neither.
        warn: counts a warning.
        lose: takes what it means that meters have no uid, which are left out.
        keep: takes the record of each; of a meter that is listed twice, both.

    Raises:
        errors.ProviderError: as `Transport.get`.
    """
    uids, owners = list(dict.fromkeys(wanted.meters)), wanted.authorizations
    asked = {*uids}
    pages: Iterable[Page] = api.meters(uids, owners)
    try:
        if uids:  # a few; all meters of an account are looked at page by page
            pages = list(pages)
    except (errors.BadRequest, errors.Gone):
        # One unknown uid may spoil the filter for the others.
        pages = api.meters(None, owners)
    found: dict[str, ListedMeter] = {}
    nameless = 0
    for item in _items(pages):
        try:
            record, one = _meter(item, listed_at, wanted.zone)
        except ValueError:
            nameless += 1
            continue
        owner = one.authorization_uid
        if (asked and one.uid not in asked) or (owners and owner not in owners):
            warn("a listed meter that was not asked for was left out")
            continue
        if record.unreadable:
            warn("a value of a listed meter is unreadable and null")
        keep(record)
        found[one.uid] = one
    if nameless:
        problem = f"lists {nameless} meters without a uid"
        lose(errors.BadAnswer(PROVIDER, "/meters", problem=problem))
    return list(found.values())


def _items(pages: Iterable[Page]) -> Iterator[Mapping[str, Any]]:
    for page in pages:
        for item in page.items:
            assert isinstance(item, dict)  # noqa: S101 - these lists are decoded whole
            yield item


def _authorization(item: Mapping[str, Any]) -> Authorization | None:
    """An authorization; None without a uid."""
    read = Values()
    uid = read.text("uid", item.get("uid"))
    if uid is None:
        return None
    ends = ("declined", "revoked", "expired")
    return Authorization(
        uid=uid,
        utility=read.text("utility", item.get("utility")),
        expires=read.text("expires", item.get("expires")),
        ended=next((word for word in ends if item.get(f"is_{word}") is True), None),
        is_archived=item.get("is_archived") is True,
        is_errored=item.get("status") == "errored",
    )


def _meter(
    item: Mapping[str, Any], listed_at: str, zone: tzinfo | None
) -> tuple[MeterRecord, ListedMeter]:
    """A listed meter.

    Raises:
        ValueError: when it has no uid.
    """
    record, found = listed(item, listed_at, zone)
    read = Values()
    monitoring = read.mapping("ongoing_monitoring", item.get("ongoing_monitoring"))
    return record, ListedMeter(
        meter=found,
        utility=record.utility,
        frequency=read.text("frequency", monitoring.get("frequency")) or "off",
        refresh_day=read.integer("day", monitoring.get("fixed_refresh_day")),
        is_activated=record.is_active is True,
        is_archived=record.is_archived is True,
    )

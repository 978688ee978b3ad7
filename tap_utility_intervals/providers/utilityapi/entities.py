"""UtilityAPI's authorizations and meters as a person looks at them: grants and jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import parse_instant, seconds_form
from tap_utility_intervals.providers.utilityapi.client import (
    UIDS_PER_URL,
    ListingEnded,
    UtilityApi,
)
from tap_utility_intervals.providers.utilityapi.mapping import meters as normalize
from tap_utility_intervals.providers.utilityapi.objects import page_of

LISTINGS = 3
"""How often a list is begun when its `next` links go stale."""


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


@dataclass(frozen=True, slots=True)
class ListedMeter:
    """A meter, and how it is collected."""

    meter: normalize.Meter
    authorization_uid: str | None
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
    def utility(self) -> str | None:
        """The utility's id."""
        return self.meter.record.utility

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
    found = {
        uid: _authorization(uid, item)
        for item in _listed(api, "/authorizations", "authorizations", [])
        if (uid := _word(item.get("uid")))
    }
    return list(found.values())


def meters(
    api: UtilityApi,
    listed_at: datetime,
    uids: Sequence[str] | None = None,
    owners: Sequence[str] | None = None,
) -> list[ListedMeter]:
    """All meters, or those named, or those of some authorizations.

    A uid that the API does not know is not an error: its meter is not among them.

    Raises:
        errors.ProviderError: as `Transport.get`.
    """
    wanted = None if uids is None else list(dict.fromkeys(uids))
    try:
        items = list(_meters(api, wanted, owners))
    except (errors.BadRequest, errors.Gone):
        if wanted is None:
            raise
        # One unknown uid may spoil the filter for the others.
        items = [m for m in _meters(api, None, owners) if _word(m.get("uid")) in wanted]
    at = seconds_form(listed_at)
    found = {uid: _meter(item, at) for item in items if (uid := _word(item.get("uid")))}
    return list(found.values())


def _meters(
    api: UtilityApi, uids: list[str] | None, owners: Sequence[str] | None
) -> Iterator[Mapping[str, Any]]:
    filters = [("authorizations", ",".join(owners))] if owners else []
    if uids is None:
        yield from _listed(api, "/meters", "meters", filters)
        return
    for begin in range(0, len(uids), UIDS_PER_URL):
        some = ",".join(uids[begin : begin + UIDS_PER_URL])
        yield from _listed(api, "/meters", "meters", [*filters, ("uids", some)])


def _listed(
    api: UtilityApi, path: str, plural: str, params: list[tuple[str, str]]
) -> list[Mapping[str, Any]]:
    """A whole list; begun again when its cursor dies while it is read."""
    for _ in range(LISTINGS):
        try:
            return [
                item
                for page in api.pages(path, params, page_of(plural))
                for item in page.items
                if isinstance(item, dict)
            ]
        except ListingEnded:
            continue
    provider = api.transport.endpoint.provider
    problem = f"broke a list off {LISTINGS} times while it was read"
    raise errors.BadAnswer(provider, path, problem=problem)


def _authorization(uid: str, item: Mapping[str, Any]) -> Authorization:
    ends = ("declined", "revoked", "expired")
    return Authorization(
        uid=uid,
        utility=_word(item.get("utility")),
        expires=_word(item.get("expires")),
        ended=next((word for word in ends if item.get(f"is_{word}") is True), None),
        is_archived=item.get("is_archived") is True,
        is_errored=item.get("status") == "errored",
    )


def _meter(item: Mapping[str, Any], listed_at: str) -> ListedMeter:
    meter = normalize.meter(item, listed_at)
    monitoring = item.get("ongoing_monitoring")
    known = monitoring if isinstance(monitoring, dict) else {}
    day = known.get("fixed_refresh_day")
    return ListedMeter(
        meter=meter,
        authorization_uid=meter.record.authorization_id,
        frequency=_word(known.get("frequency")) or "off",
        refresh_day=day if isinstance(day, int) else None,
        is_activated=meter.record.is_active is True,
        is_archived=meter.record.is_archived is True,
    )


def _word(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None

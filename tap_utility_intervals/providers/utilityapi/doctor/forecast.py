"""What a first sync of UtilityAPI would take, reckoned from its listing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.ranges import Range, Window, clip
from tap_utility_intervals.providers.checkup import Estimate
from tap_utility_intervals.providers.utilityapi.bills import BILLS_PER_REQUEST
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.entities import ListedMeter
from tap_utility_intervals.providers.utilityapi.objects import block, datapoints
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings
from tap_utility_intervals.settings.shared import Settings

PROBES = 4
"""Meters that are looked into, at most: one of each commodity, one request each."""
METERS_A_PAGE = 1_000
"""Fixed by UtilityAPI: utilityapi.md#lists."""


@dataclass(frozen=True)
class _Probe:
    """What the first page of a meter's Interval objects holds."""

    readings: int
    rows_per_reading: float


def estimate(
    api: UtilityApi,
    common: Settings,
    own: UtilityApiSettings,
    meters: Sequence[ListedMeter],
) -> Estimate:
    """Look into a meter of each commodity, and reckon up from the counts listed.

    `interval_count` counts readings, pages hold Interval objects, and how many is not
    said: utilityapi.md#meter, utilityapi.md#lists. What fails to answer is left out.
    """
    probes = _probe(api, meters, allow_mixed=own.allow_mixed)
    # Stands for commodities that were not looked into.
    total = _Probe(
        max((p.readings for p in probes.values()), default=0),
        max((p.rows_per_reading for p in probes.values()), default=1),
    )
    requests, rows = max(1, math.ceil(len(meters) / METERS_A_PAGE)), 0.0
    for listed in meters:
        probe = probes.get(_commodity(listed), total)
        wanted = _wanted(listed, common)
        rows += wanted * probe.rows_per_reading
        requests += max(1, math.ceil(wanted / probe.readings)) if probe.readings else 1
    bills = sum(listed.meter.bill_count or 0 for listed in meters)
    together = own.meters_per_request
    requests += max(
        math.ceil(len(meters) / together), math.ceil(bills / BILLS_PER_REQUEST)
    )
    rate = own.requests_per_second
    return Estimate(
        requests,
        {"meters": len(meters), "intervals": round(rows), "usage": bills},
        requests / rate,
        _how(probes, rate, common),
    )


def _how(probes: dict[str, _Probe], rate: float, common: Settings) -> list[str]:
    looked = "; ".join(
        f"{name} {probe.readings:,} readings a page, "
        f"{probe.rows_per_reading:.3g} {_rows(probe)} a reading"
        for name, probe in sorted(probes.items())
    )
    read = (
        f"Looked into one meter of each commodity: {looked}."
        if looked
        else "No meter has readings yet, so intervals are not counted."
    )
    timed = (
        f"The time is that of the requests at {rate:g} a second "
        "(utilityapi_requests_per_second)."
    )
    how = ["Readings and bills are as the meters list them.", read, timed]
    if common.start_date or common.end_date:
        how.append("Only what lies between start_date and end_date, by coverage.")
    return how


def _rows(probe: _Probe) -> str:
    return "row" if probe.rows_per_reading == 1 else "rows"


def _probe(
    api: UtilityApi, meters: Sequence[ListedMeter], *, allow_mixed: bool
) -> dict[str, _Probe]:
    """By commodity: the first page of the meter with the most readings of it."""
    chosen: dict[str, ListedMeter] = {}
    for listed in sorted(meters, key=lambda m: -(m.meter.reading_count or 0)):
        if listed.meter.reading_count:
            chosen.setdefault(_commodity(listed), listed)
    found: dict[str, _Probe] = {}
    for name, listed in list(chosen.items())[:PROBES]:
        try:
            probe = _first_page(api, listed.uid, allow_mixed=allow_mixed)
        except (errors.SourceError, ListingEnded):
            continue  # an estimate is not worth an error
        if probe.readings:
            found[name] = probe
    return found


def _first_page(api: UtilityApi, uid: str, *, allow_mixed: bool) -> _Probe:
    """Count the readings and rows of one page.

    Raises:
        errors.SourceError: when it cannot be had.
    """
    pages = api.intervals([uid], None, allow_mixed=allow_mixed)
    page = next(pages)
    readings = rows = 0
    for item in page.items:
        try:
            # A sync warns of odd values; an estimate does not.
            held = block(item, lambda _: None)
            rows += sum(len(datapoints(one.datapoints)) or 1 for one in held.readings)
        except ValueError:
            continue
        readings += len(held.readings)
    return _Probe(readings, rows / readings if readings else 1)


def _commodity(listed: ListedMeter) -> str:
    commodity = listed.meter.commodity
    return commodity.value if commodity else "other"


def _wanted(listed: ListedMeter, settings: Settings) -> int:
    """Return about how many of a meter's readings lie between the configured dates.

    As if they were spread evenly over what is covered.
    """
    meter = listed.meter
    counted = meter.reading_count or 0
    if not (settings.start_date or settings.end_date) or not meter.interval_coverage:
        return counted
    end = settings.end_date or meter.interval_coverage[-1][1]
    if settings.start_date and settings.start_date >= end:
        return 0
    inside = clip(meter.interval_coverage, Window(settings.start_date, end))
    whole = _length(meter.interval_coverage)
    return round(counted * (_length(inside) / whole)) if whole else counted


def _length(ranges: Iterable[Range]) -> timedelta:
    return sum((end - start for start, end in ranges), timedelta())

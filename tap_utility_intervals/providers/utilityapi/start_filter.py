"""What UtilityAPI's `start` does to an Interval object that begins before it.

The documentation says «intervals that start on or after»; an interval is an object
that spans days or months. Three readings are possible, and data are lost if the wrong
one is assumed: the object is left out, it is sent whole, or its readings are cut. Until
a probe has shown which, requests begin where an object begins.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from enum import Enum

from tap_utility_intervals import errors
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.objects import interval
from tap_utility_intervals.providers.utilityapi.planning import Plan
from tap_utility_intervals.providers.utilityapi.timeline import Arrived

WORTH_A_PROBE = timedelta(days=2)
"""How much more than wanted must have come before a probe pays."""


class Filter(Enum):
    """What becomes of an object that begins before `start` and ends after it."""

    UNKNOWN = "unknown"
    LEAVES_OUT = "leaves out"
    SENDS_WHOLE = "sends whole"
    CUTS = "cuts"


class StartFilter:
    """What is known of `start` in this run; safe to share between threads."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.known = Filter.UNKNOWN
        self._lock = threading.Lock()

    def request_start(self, plan: Plan) -> datetime | None:
        """The `start` that loses nothing of what a plan wants; None for no `start`."""
        if self.known in {Filter.CUTS, Filter.SENDS_WHOLE}:
            return plan.start
        return plan.begins

    def learn(self, api: UtilityApi, plan: Plan, arrived: Arrived) -> None:
        """Probe, if nothing is known and knowing would have saved something."""
        if self.known is not Filter.UNKNOWN or plan.start is None:
            return
        if not any(first < plan.start - WORTH_A_PROBE for first, _ in arrived.spans):
            return
        inside = _inside_one_object(arrived)
        if inside is None or not self._lock.acquire(blocking=False):
            return
        try:
            self.known = _probe(api, plan.meter.uid, inside)
        except (errors.ProviderError, ListingEnded):
            return  # unknown is safe; another meter may answer
        finally:
            self._lock.release()


def _inside_one_object(arrived: Arrived) -> datetime | None:
    """A reading's start well inside exactly one Interval object."""
    for (first, last), middle in zip(arrived.spans, arrived.middles, strict=True):
        around = [span for span in arrived.spans if span[0] <= middle <= span[1]]
        if first < middle < last and len(around) == 1:
            return middle
    return None


def _probe(api: UtilityApi, uid: str, inside: datetime) -> Filter:
    """Ask from inside an object, and see what comes of it."""
    page = next(iter(api.intervals([uid], inside, limit=1)))
    starts = [
        reading.start
        for item in page.items
        for reading in interval(item, lambda _: None).readings
    ]
    if inside not in starts:
        return Filter.LEAVES_OUT
    return Filter.SENDS_WHOLE if min(starts) < inside else Filter.CUTS

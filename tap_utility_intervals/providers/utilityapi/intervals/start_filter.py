"""What UtilityAPI's `start` and `end` do to an Interval object that straddles them.

The documentation says «intervals that start on or after»; an interval is an object
that spans days or months. Three readings are possible, and data are lost if the wrong
one is assumed: the object is left out, it is sent whole, or its readings are cut. Until
a probe has shown which, requests begin where an object begins, and have no `end`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from msgspec import Raw

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.ranges import Range, Window, missing
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.twins import arranged
from tap_utility_intervals.providers.utilityapi.objects import block

WORTH_A_PROBE = timedelta(days=60)
"""How much more than wanted must be about to come before a probe pays."""

TRIES = 3
"""Of so many meters the oldest object may turn out too short to probe."""

NARROW = timedelta(hours=6)
"""Shorter than any Interval object seen, longer than most readings."""


class Filter(Enum):
    """What becomes of an object that begins before `start` and ends after it."""

    UNKNOWN = "unknown"
    LEAVES_OUT = "leaves out"
    SENDS_WHOLE = "sends whole"
    CUTS = "cuts"


class StartFilter:
    """What is known of `start` in this run.

    It is learnt before the first job starts, so that what a job asks does not depend on
    how fast another one was.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.known = Filter.UNKNOWN
        self._windows_cut: bool | None = None

    def request_start(self, plan: Plan) -> datetime | None:
        """The `start` that loses nothing of what a plan wants; None for no `start`."""
        if self.known in {Filter.CUTS, Filter.SENDS_WHOLE}:
            return plan.start
        return plan.begins

    def learn(self, api: UtilityApi, plans: Sequence[Plan]) -> None:
        """Probe, if knowing would save enough.

        Raises:
            errors.Unauthorized: when the credential itself is refused.
        """
        hopeful = [plan for plan in plans if plan.reaches_back]
        if sum((p.reaches_back for p in hopeful), timedelta()) < WORTH_A_PROBE:
            return
        for plan in hopeful[:TRIES]:
            try:
                self.known = _probe(api, plan)
            except (errors.SourceError, ListingEnded):
                continue  # unknown is safe; another meter may answer
            if self.known is not Filter.UNKNOWN:
                return

    def windows_cut(self, api: UtilityApi, uid: str, covered: Sequence[Range]) -> bool:
        """Whether `start` and `end` give exactly the readings between them."""
        if self._windows_cut is None and covered:
            self._windows_cut = _probe_window(api, uid, covered)
        return bool(self._windows_cut)


def _probe(api: UtilityApi, plan: Plan) -> Filter:
    """Ask from inside a meter's oldest object of interest; see what comes of it."""
    uid = plan.meter.uid
    whole = _starts(api, uid, plan.begins)
    middle = len(whole) // 2
    if not 0 < middle < len(whole) - 1:
        return Filter.UNKNOWN
    rest, answer = whole[middle:], _starts(api, uid, whole[middle])
    if rest[0] not in answer:
        return Filter.LEAVES_OUT
    if answer[0] < rest[0]:
        return Filter.SENDS_WHOLE
    # Anything else than the same object's rest may be another object altogether.
    return Filter.CUTS if answer[: len(rest)] == rest else Filter.UNKNOWN


def _starts(api: UtilityApi, uid: str, start: datetime | None) -> list[datetime]:
    """When the readings of the first Interval object start, ascending."""
    # The page is there for as long as its listing is.
    pages = api.intervals([uid], start, limit=1)
    return [start for start, _ in _spans(next(pages).items[:1])]


def _probe_window(api: UtilityApi, uid: str, covered: Iterable[Range]) -> bool:
    """Ask for a few hours inside a covered stretch: just those must come."""
    begin, end = max(covered, key=lambda span: span[1] - span[0])
    middle = begin + (end - begin) / 2
    start = middle.replace(minute=0, second=0, microsecond=0)
    window = Window(start, start + NARROW)
    found: list[Range] = []
    for page in api.intervals([uid], window.start, end=window.end):
        found += _spans(page.items)
    is_inside = all(start <= a and b <= window.end for a, b in found)
    return is_inside and not missing([(start, window.end)], found)


def _spans(items: Iterable[Raw | dict[str, Any]]) -> list[Range]:
    """Start and end of the readings of Interval objects, ascending."""
    held = [arranged(block(item, _ignore).readings, _ignore) for item in items]
    return sorted(
        span for one in held for span in zip(one.starts, one.ends, strict=True)
    )


def _ignore(_: str) -> None:
    """What is odd is warned of when rows are made of it."""

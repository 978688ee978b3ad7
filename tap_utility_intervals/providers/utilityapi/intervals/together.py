"""Asking for several meters' intervals at once, where little is expected of each.

One new reading of each of 50,000 meters is 500 answers then, not 50,000. How many
objects a page may hold is not documented: as many are asked for as are expected, and a
server that sends fewer says in `next` that there are more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import DAY
from tap_utility_intervals.providers.utilityapi.client import ListingEnded, UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.held import Held, Room
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.objects import owner
from tap_utility_intervals.providers.utilityapi.rules import Rules

READINGS_PER_REQUEST = 50_000
"""Several meters share a request only while so few readings are expected of it."""

SIMILAR_STARTS = timedelta(days=8)
"""How far apart the starts of meters that share a request may lie."""

SHORTEST_OBJECT = DAY
"""Of those seen; the others spanned 4 and 20 days."""

MOST_OBJECTS = 1_000
"""Asked for a page: what the other lists allow."""

FEW = 10
"""So many meters are asked for alone if an answer for all of them was not to be had;
more are asked for in parts of so many, so that one odd meter costs 20 requests."""

T = TypeVar("T")

NOT_ASKED_FOR = "an Interval object of a meter not asked for was left out"


@dataclass(frozen=True)
class Together:
    """Reads meters in groups; see the module's docstring."""

    api: UtilityApi
    filter: StartFilter
    rules: Rules
    warn: Warn

    def groups(self, plans: Iterable[Plan], size: int) -> Iterator[list[Plan]]:
        """Neighbours that ask for about the same, and for little, share a request."""
        most = READINGS_PER_REQUEST
        return grouped(plans, size, most, _expected_readings, self._begin_alike)

    def _begin_alike(self, one: Plan, other: Plan) -> bool:
        starts = (self.filter.request_start(one), self.filter.request_start(other))
        if starts[0] is None or starts[1] is None:
            return False
        return abs(starts[0] - starts[1]) <= SIMILAR_STARTS

    def read(self, plans: list[Plan]) -> Iterator[tuple[Plan, Held | None]]:
        """What came of each meter; None where it is to be asked for alone."""
        if len(plans) == 1:
            yield plans[0], None
            return
        with closing(Room()) as room:
            size, found = self._collect(plans, room)
            if not size:
                for plan in plans:
                    yield plan, found.get(plan.meter.uid)
                return
        for part in parts(plans, size):
            yield from self.read(part)

    def _collect(self, plans: list[Plan], room: Room) -> tuple[int, dict[str, Held]]:
        """The blocks of several meters, by meter; or in parts of what size to ask.

        Nothing is returned before `next` is null: until then, no meter is complete. And
        nothing after a failure: it may be the fault of one of them.
        """
        try:
            found = self._shared(plans, room)
        except (errors.SourceError, ListingEnded) as error:
            return smaller(len(plans), error), {}
        return (smaller(len(plans)), {}) if found is None else (0, found)

    def _shared(self, plans: list[Plan], room: Room) -> dict[str, Held] | None:
        """Ask for several meters together; None if not all is whole that comes."""
        starts = [start for plan in plans if (start := self.filter.request_start(plan))]
        held = {
            plan.meter.uid: Held(plan.meter, self.warn, self.rules.zone, room)
            for plan in plans
        }
        found: dict[str, Held] = {}
        for page in self.api.intervals(
            list(held),
            min(starts),
            allow_mixed=self.rules.allow_mixed,
            expected=min(sum(map(_expected_objects, plans)), MOST_OBJECTS),
        ):
            if page.is_incomplete:
                return None
            for item in page.items:
                uid = owner(item)
                if uid is None:
                    return None  # one that names no meter
                if uid in held:
                    held[uid].add(item, page.read_at)
                    found[uid] = held[uid]
                else:
                    self.warn(NOT_ASKED_FOR)
        return found


def grouped(
    items: Iterable[T],
    size: int,
    room: int,
    weight: Callable[[T], int],
    are_alike: Callable[[T, T], bool] = lambda _, __: True,
) -> Iterator[list[T]]:
    """Neighbours together: at most `size`, of at most `room` in all, like the first."""
    group: list[T] = []
    left = room
    for item in items:
        needed = weight(item)
        fits = len(group) < size and needed <= left
        if group and not (fits and are_alike(group[0], item)):
            yield group
            group, left = [], room
        group.append(item)
        left -= needed
    if group:
        yield group


def smaller(meters: int, error: Exception | None = None) -> int:
    """How many meters to ask for at once after so many at once did not do.

    One that is not to be reached at all is no matter of how many are asked for.
    """
    return 1 if meters <= FEW or isinstance(error, errors.Unavailable) else FEW


def parts(all_of_them: Sequence[T], size: int) -> Iterator[list[T]]:
    """The same in their order, so many at a time."""
    for begin in range(0, len(all_of_them), size):
        yield list(all_of_them[begin : begin + size])


def _expected_readings(plan: Plan) -> int:
    """About how many readings a plan asks for, by what the listing says."""
    coverage, counted = plan.meter.interval_coverage, plan.meter.reading_count or 0
    asked = _asked(plan)
    if asked is None:
        return counted
    whole = sum(((end - start) for start, end in coverage), timedelta())
    return min(counted, int(counted * (asked / whole))) if whole else counted


def _expected_objects(plan: Plan) -> int:
    """How many Interval objects may come of a plan if they are as short as any seen."""
    asked = _asked(plan)
    return MOST_OBJECTS if asked is None else asked // SHORTEST_OBJECT + 2


def _asked(plan: Plan) -> timedelta | None:
    """How much time a plan asks for, up to where the listing ends; None: unknown."""
    coverage, begins = plan.meter.interval_coverage, plan.begins or plan.start
    if begins is None or not coverage:
        return None
    return max(coverage[-1][1] - begins, timedelta())

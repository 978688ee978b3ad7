"""What is read of a meter, by what is remembered and what is listed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec import structs

from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.providers.bookmarks import Rescan
from tap_utility_intervals.providers.utilityapi.bookmarks import Edge, IntervalBookmark
from tap_utility_intervals.providers.utilityapi.intervals.arrived import Arrived
from tap_utility_intervals.providers.utilityapi.intervals.listing import (
    covered,
    interval_listing,
    longest,
)
from tap_utility_intervals.providers.utilityapi.intervals.plan import (
    Plan,
    plan_intervals,
)
from tap_utility_intervals.providers.utilityapi.intervals.promises import Comparison
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    Meter,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import (
    listed as listing,
)
from tap_utility_intervals.providers.utilityapi.rules import Rules
from tests.providers.utilityapi.scripted import stamp

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 20, 12, tzinfo=timezone.utc)
FAR = datetime.max.replace(tzinfo=timezone.utc)


def day(number: float) -> datetime:
    """So many days before now; negative ones are in the future."""
    return NOW - number * DAY


RULES = Rules(
    start_date=None,
    end_date=None,
    lookback=5 * DAY,
    rescan=Rescan.of(0, NOW),
    allow_mixed=False,
    window=None,
    now=NOW,
    latest=NOW,
)


def listed(*ranges: Range, count: Any = 2_400, **more: Any) -> Meter:
    """A meter whose list tells of these covered stretches."""
    coverage = [[stamp(start), stamp(end)] for start, end in ranges]
    item = {"uid": "1", "status": "updated", "interval_count": count}
    return listing({**item, "interval_coverage": coverage, **more}, stamp(NOW)).meter


WHOLE = listed((day(100), day(0)))

KNOWN = IntervalBookmark(
    rules="1",
    newest=day(0) - HOUR,
    listed=interval_listing(WHOLE),
    seen=interval_listing(WHOLE),
    covered=((day(100), day(0)),),
    edge=Edge(day(5) - HOUR, day(20), 2_279),
    scanned=RULES.rescan.today,
    read=NOW,
    updated=NOW,
)

LATER = listed((day(100), day(-1)), count=2_424)


def starts(plan: Plan | None) -> Any:
    """What a plan wants, in days before now."""
    if plan is None:
        return None
    return [
        None if one.start is None else round((NOW - one.start) / DAY, 2)
        for one in plan.windows
    ]


SINCE = replace(RULES, start_date=day(50))
EARLIER = replace(RULES, start_date=day(80))
UNTIL = replace(RULES, end_date=day(10))
WEEKLY = replace(RULES, rescan=Rescan(7, RULES.rescan.today))


@pytest.mark.parametrize(
    ("meter_", "old", "rules", "wanted"),
    [
        # never read; read otherwise; the day of the full re-scan
        (WHOLE, None, RULES, [None]),
        (WHOLE, structs.replace(KNOWN, rules="0"), RULES, [None]),
        (WHOLE, KNOWN, replace(RULES, allow_mixed=True), [None]),
        (WHOLE, structs.replace(KNOWN, scanned=1), RULES, None),
        (
            WHOLE,
            structs.replace(KNOWN, scanned=1),
            replace(RULES, rescan=Rescan(7, 99)),
            [None],
        ),
        # nothing changed; the look-back of what did; or of what nothing proves
        (WHOLE, KNOWN, RULES, None),
        (LATER, KNOWN, RULES, [5.04]),
        (WHOLE, structs.replace(KNOWN, listed=None), RULES, [5.04]),
        (LATER, KNOWN, replace(RULES, lookback=30 * DAY), [30.04]),
        (LATER, KNOWN, replace(RULES, lookback=DAY), [5.04]),
        # a status alone; a count alone
        (listed((day(100), day(0)), status="pending"), KNOWN, RULES, [5.04]),
        (listed((day(100), day(0)), count=2_401), KNOWN, RULES, [5.04]),
        # coverage that was added: before, and in a hole; what was there is not read
        (listed((day(200), day(0))), KNOWN, RULES, [201.0, 5.04]),
        (
            WHOLE,
            structs.replace(
                KNOWN, covered=((day(100), day(50)), (day(40), day(0))), listed=""
            ),
            RULES,
            [51.0, 5.04],
        ),
        # coverage that became unreadable, and readable again
        (listed(interval_coverage=None), KNOWN, RULES, [5.04]),
        (LATER, structs.replace(KNOWN, covered=None), RULES, [None]),
        (LATER, structs.replace(KNOWN, covered="0123456789ab"), RULES, [None]),
        # nothing tells where it grew
        (LATER, structs.replace(KNOWN, newest=None), RULES, [None]),
        (LATER, structs.replace(KNOWN, edge=None), RULES, [None]),
        # bounds: set, set earlier, removed, an end
        (LATER, None, SINCE, [50.0]),
        (WHOLE, structs.replace(KNOWN, since=day(50)), SINCE, None),
        (WHOLE, structs.replace(KNOWN, since=day(50)), EARLIER, [80.0, 5.04]),
        (WHOLE, structs.replace(KNOWN, since=day(50)), RULES, [None, 5.04]),
        (LATER, KNOWN, UNTIL, None),
        (WHOLE, structs.replace(KNOWN, until=day(2)), RULES, [5.04]),
        (WHOLE, structs.replace(KNOWN, until=day(10)), RULES, [10.0]),
        # holes: known ones are asked for, those in the look-back with it
        (
            LATER,
            structs.replace(KNOWN, absent=((day(60), day(59)),)),
            RULES,
            [60.0, 5.04],
        ),
        (LATER, structs.replace(KNOWN, absent=((day(3), day(2)),)), RULES, [5.04]),
        (LATER, structs.replace(KNOWN, absent=((day(160), day(159)),)), RULES, [5.04]),
        (LATER, structs.replace(KNOWN, absent=((day(60), day(59)),)), SINCE, [5.04]),
        # more is counted than came, and nothing says where
        (LATER, structs.replace(KNOWN, lacking=9), RULES, [5.04]),
        (LATER, structs.replace(KNOWN, lacking=9, scanned=1), RULES, [None]),
    ],
)
def test_what_is_read(
    meter_: Meter, old: IntervalBookmark | None, rules: Rules, wanted: Any
) -> None:
    assert starts(plan_intervals(meter_, old, rules)) == wanted


@pytest.mark.parametrize(
    ("edge", "begins"),
    [
        (Edge(day(5), day(20), None), day(20)),
        (Edge(day(5), None, None), None),
        (Edge(day(6), day(2), None), day(6)),
    ],
)
def test_a_request_begins_where_the_block_begins_that_reaches_into_the_look_back(
    edge: Edge, begins: datetime | None
) -> None:
    plan = plan_intervals(LATER, structs.replace(KNOWN, edge=edge), RULES)
    assert plan is not None
    assert plan.begins == begins


def test_where_a_block_begins_is_not_known_before_the_look_back() -> None:
    plan = plan_intervals(listed((day(200), day(0))), KNOWN, RULES)
    assert plan is not None
    assert plan.begins is None


# What was promised, against what came.


def came(*ranges: Range, step: timedelta = HOUR) -> Arrived:
    """Hourly readings over these stretches."""
    arrived = Arrived(NOW)
    for start, end in ranges:
        begins = [start + n * step for n in range((end - start) // step)]
        if begins:
            arrived.note(begins, [begin + step for begin in begins])
    return arrived


def comparison(
    meter_: Meter, arrived: Arrived, old: IntervalBookmark | None = None, **more: Any
) -> Comparison:
    rules = replace(RULES, **more)
    plan = plan_intervals(meter_, old, rules)
    assert plan is not None
    return Comparison(plan, arrived, rules)


def spans(holes: list[Range]) -> list[tuple[float, float]]:
    """Holes in days before now."""
    return [((NOW - a) / DAY, (NOW - b) / DAY) for a, b in holes]


@pytest.mark.parametrize(
    ("arrived", "absent"),
    [
        (came((day(100), day(0))), []),
        (came((day(100), day(0.25))), [(0.25, 0)]),
        (came((day(100), day(60)), (day(59), day(0))), [(60, 59)]),
        (came((day(90), day(0))), [(100, 90)]),
        (came(), [(100, 0)]),
    ],
)
def test_no_promised_hole_is_too_small(
    arrived: Arrived, absent: list[tuple[float, float]]
) -> None:
    found = comparison(WHOLE, arrived)
    assert spans(found.absent) == absent
    assert found.is_proof == (not absent)


def test_more_than_is_counted_disproves_the_listing() -> None:
    found = comparison(WHOLE, came((day(120), day(0))))
    assert found.absent == []
    assert not found.is_proof
    mixed = comparison(WHOLE, came((day(120), day(0))), allow_mixed=True)
    assert mixed.is_proof, "other lengths may not be counted"


def test_what_is_promised_beyond_now_is_not_absent() -> None:
    found = comparison(listed((day(100), day(-2))), came((day(100), day(0))))
    assert found.absent == []


@pytest.mark.parametrize(
    ("count", "lacking"),
    [(2_400, 0), (2_401, 1), (2_399, 0), (4_800, 2_400), (None, 0), ("many", 0)],
)
def test_what_is_counted_and_did_not_come_is_lacking(count: Any, lacking: int) -> None:
    found = comparison(
        listed((day(100), day(0)), count=count), came((day(100), day(0)))
    )
    assert found.lacking == lacking
    assert found.is_proof == (count == 2_400)


def test_readings_in_a_hole_are_not_lacking_as_well() -> None:
    found = comparison(WHOLE, came((day(100), day(10))))
    assert found.lacking == 0
    assert spans(found.absent) == [(10, 0)]


@pytest.mark.parametrize(
    ("meter_", "is_proof"),
    [
        (WHOLE, True),
        (listed((day(100), day(0)), status="pending"), False),
        (listed((day(100), day(0)), count=None), False),
        (listed(interval_coverage=None), False),
        (listed(interval_coverage=[], count=0), False),
        (listed(interval_coverage="2026"), False),
        (
            listed(interval_coverage=[[stamp(day(100)), stamp(day(0))], ["x", "y"]]),
            False,
        ),
        (listed((day(100), day(1)), count=2_376), False),
    ],
)
def test_a_listing_is_proof_if_it_says_something_that_is_so(
    meter_: Meter, is_proof: Any
) -> None:
    assert comparison(meter_, came((day(100), day(0)))).is_proof == is_proof


def test_a_meter_without_anything_is_proved_by_nothing_that_comes() -> None:
    assert comparison(listed(count=0), came()).is_proof
    assert not comparison(listed(count=0, interval_coverage=None), came()).is_proof


@pytest.mark.parametrize(
    ("count", "arrived", "has_grown"),
    [
        (2_424, came((day(6), day(-1))), False),
        (2_425, came((day(6), day(-1))), True),
        (2_424, came((day(6), day(0))), False),  # the day is absent, which is told
        (2_400, came((day(6), day(-1))), False),
    ],
)
def test_a_growth_that_nothing_explains_lies_before_the_look_back(
    count: int, arrived: Arrived, has_grown: Any
) -> None:
    grown = listed((day(100), day(-1)), count=count)
    found = comparison(grown, arrived, KNOWN, latest=day(-1))
    assert found.has_grown_before == has_grown


UPDATED = {"status_ts": stamp(NOW)}


@pytest.mark.parametrize(
    ("updated", "may_hide", "is_unexplained"),
    [
        (NOW + HOUR, True, False),
        (NOW, True, True),
        (None, True, True),
        (NOW, False, False),
    ],
)
def test_a_listing_that_changed_although_no_block_did_is_unexplained(
    updated: datetime | None, may_hide: Any, is_unexplained: Any
) -> None:
    arrived = came((day(6), day(0)))
    arrived.updated = updated
    moved = listed((day(100), day(0)), **UPDATED)
    found = comparison(moved, arrived, KNOWN)
    assert found.is_unexplained(may_hide=may_hide) == is_unexplained


@pytest.mark.parametrize(
    ("hole", "absent", "is_late"),
    [
        ((day(1), day(0)), (), True),
        ((day(3), day(0)), (), False),
        ((day(3), day(0)), ((day(4), day(3)),), True),
        ((day(30), day(29)), (), False),
    ],
)
def test_the_newest_readings_may_be_late(
    hole: Range, absent: tuple[Range, ...], is_late: Any
) -> None:
    old = structs.replace(
        KNOWN, newest=day(6), edge=Edge(day(11), None, None), absent=absent
    )
    found = comparison(LATER, came((day(11), max(hole[0], day(29)))), old)
    assert found.is_late(hole) == is_late


def test_of_many_holes_the_longest_are_remembered() -> None:
    holes = [(day(n), day(n) + n * HOUR) for n in (9, 7, 5, 3, 1)]
    assert longest(holes) == tuple(holes[:3])


def test_of_many_covered_ranges_a_hash_is_remembered_that_new_ones_do_not_change() -> (
    None
):
    ranges = [(day(n), day(n) + HOUR) for n in (90, 80, 70, 60)]
    edge = Edge(day(65), None, None)
    assert covered(ranges[:2], edge) == tuple(ranges[:2])
    known = covered(ranges, edge)
    assert isinstance(known, str)
    assert covered([*ranges, (day(1), day(0))], edge) == known
    assert covered([(day(100), day(99)), *ranges], edge) != known
    assert covered(ranges, None) is None


def test_what_arrived_is_counted_and_measured() -> None:
    arrived = came((day(3), day(2)), (day(1), day(0)), (day(-9), day(-10)))
    assert arrived.between(day(3), day(2)) == 24
    assert arrived.between(day(2.5), day(0.5)) == 24
    assert arrived.between(day(0), day(1)) == 0
    assert arrived.usual_length == HOUR
    assert arrived.newest == day(0) - HOUR, "not beyond the run's start"
    assert came().usual_length is None


@pytest.mark.parametrize(
    ("gap", "ranges", "overlaps"),
    [
        (timedelta(0), 1, 0),
        (timedelta(seconds=60), 1, 0),
        (timedelta(seconds=61), 2, 0),
        (-timedelta(minutes=30), 1, 1),
    ],
)
def test_a_minute_is_no_hole(gap: timedelta, ranges: int, overlaps: int) -> None:
    begin = day(1)
    then = begin + HOUR + gap
    arrived = Arrived(NOW)
    arrived.note([begin, then], [begin + HOUR, then + HOUR])
    assert len(arrived.ranges) == ranges
    assert arrived.overlaps == overlaps


def test_windows_are_disjoint_and_ascending() -> None:
    plan = plan_intervals(
        LATER, structs.replace(KNOWN, absent=((day(60), day(59)),)), RULES
    )
    assert plan is not None
    assert plan.windows == (Window(day(60), day(59)), Window(day(5) - HOUR, FAR))

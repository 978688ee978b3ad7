"""What a collection would add to a meter, and what stands against it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tap_utility_intervals.providers.utilityapi.collecting.prospects import (
    BILL_EDGE,
    INTERVAL_EDGE,
    holes,
    monitoring_obstacle,
    prospect,
    span,
)
from tap_utility_intervals.providers.utilityapi.entities import (
    Authorization,
    ListedMeter,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import listed as of

UTC = timezone.utc
WANTED = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def spans(*edges: str) -> list[tuple[datetime, datetime]]:
    moments = [at(edge) for edge in edges]
    return list(zip(moments[::2], moments[1::2], strict=True))


@pytest.mark.parametrize(
    ("months", "now", "start"),
    [
        (1, "2024-03-31T12:00", "2024-02-29T12:00"),
        (13, "2024-03-31T12:00", "2023-02-28T12:00"),
        (12, "2024-02-29T00:00", "2023-02-28T00:00"),
        (1, "2026-01-15T00:00", "2025-12-15T00:00"),
        (36, "2026-12-31T00:00", "2023-12-31T00:00"),
    ],
)
def test_a_span_of_months_keeps_to_the_calendar(
    months: int, now: str, start: str
) -> None:
    end = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert span(months, end) == (datetime.fromisoformat(start).replace(tzinfo=UTC), end)


@pytest.mark.parametrize(
    ("coverage", "lacking"),
    [
        (("01-01", "03-01"), ()),
        ((), ("01-01", "03-01")),
        # a day or two may lack at both ends
        (("01-03", "02-27"), ()),
        (("01-04", "02-27"), ("01-01", "01-04")),
        (("01-01", "02-26"), ("02-26", "03-01")),
        # a hole of a day is none, a larger one is
        (("01-01", "02-01", "02-02", "03-01"), ()),
        (("01-01", "02-01", "02-03", "03-01"), ("02-01", "02-03")),
    ],
)
def test_holes_worth_paying_for(
    coverage: tuple[str, ...], lacking: tuple[str, ...]
) -> None:
    assert holes(WANTED, spans(*coverage), INTERVAL_EDGE) == spans(*lacking)


def test_the_last_bill_may_be_two_months_away() -> None:
    wanted = (WANTED[0], WANTED[0] + timedelta(days=365))
    late = [(wanted[0], wanted[1] - BILL_EDGE)]
    assert holes(wanted, late, BILL_EDGE) == []
    later = [(wanted[0], wanted[1] - BILL_EDGE - timedelta(seconds=1))]
    assert len(holes(wanted, later, BILL_EDGE)) == 1


FULL = [["2025-12-01T00:00:00Z", "2026-03-20T00:00:00Z"]]


def listed(uid: str = "1", frequency: str = "off", **more: Any) -> ListedMeter:
    given = {"interval_coverage": FULL, "bill_coverage": FULL, **more}
    _, meter = of({"uid": uid, "authorization_uid": "9", **given}, "now")
    return ListedMeter(
        meter=meter,
        utility=None,
        frequency=frequency,
        refresh_day=5,
        is_activated=True,
        is_archived=False,
    )


def grants(ended: str | None = None) -> dict[str, Authorization]:
    made = Authorization("9", "U", None, ended, is_archived=False, is_errored=False)
    return {"9": made}


@pytest.mark.parametrize(
    ("more", "ended", "obstacle"),
    [
        ({}, None, "already covers the span"),
        ({"interval_coverage": []}, None, "already covers the span"),
        ({"bill_coverage": []}, None, "already covers the span"),
        ({"interval_coverage": [], "bill_coverage": []}, None, None),
        ({"interval_coverage": None, "bill_coverage": None}, None, None),
        ({"interval_coverage": "2026", "bill_coverage": [["x"]]}, None, None),
        ({"status": "pending"}, None, "is pending: a collection is running"),
        (
            {"interval_coverage": [], "bill_coverage": []},
            "revoked",
            "cannot be collected: authorization 9 is revoked",
        ),
        ({"uid": "1,2"}, None, "has a uid that cannot be named on a command line"),
        ({"uid": "$(id)"}, None, "has a uid that cannot be named on a command line"),
        ({"uid": "a-b_1.2:3"}, None, "already covers the span"),
    ],
)
def test_what_stands_against_a_collection(
    more: dict[str, Any], ended: str | None, obstacle: str | None
) -> None:
    found = prospect(listed(**more), grants(ended), WANTED)
    assert found.obstacle == obstacle


def test_a_meter_of_an_unknown_authorization_may_be_collected() -> None:
    bare = listed(interval_coverage=[], bill_coverage=[])
    found = prospect(bare, {}, WANTED)
    assert found.obstacle is None
    assert found.intervals == found.bills == [WANTED]


ENDED = "cannot be collected: authorization 9 is expired"


@pytest.mark.parametrize(
    ("had", "frequency", "day", "ended", "obstacle"),
    [
        ("off", "daily", None, None, None),
        ("daily", "daily", None, None, "is monitored daily already"),
        ("off", "off", None, None, "is off"),
        ("daily", "off", None, "expired", None),
        ("monthly", "monthly", 5, None, "is monitored monthly already"),
        ("monthly", "monthly", 6, None, None),
        (
            "off",
            "daily",
            None,
            "expired",
            "cannot be collected: authorization 9 is expired",
        ),
    ],
)
def test_what_stands_against_monitoring(
    had: str, frequency: str, day: int | None, ended: str | None, obstacle: str | None
) -> None:
    found = listed(frequency=had)
    assert monitoring_obstacle(found, grants(ended), frequency, day) == obstacle

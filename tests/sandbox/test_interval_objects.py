from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Channel,
    Reading,
    Series,
    UtilityMeter,
    UtilityOptions,
    World,
    epoch,
    restated,
    synthetic,
    truth,
)
from tests.sandbox.conftest import Client, Serve

NOW = datetime(2026, 1, 10, 18, tzinfo=timezone.utc)
FIRST = epoch("2026-01-01T05:00:00Z")
SERIES = synthetic(0, "unit", "2026-01-01T05:00:00Z", "2026-01-20T05:00:00Z")


def world(
    series: Series = SERIES, *, options: dict[str, Any] | None = None, **settings: Any
) -> World:
    meter = UtilityMeter("1", series, **{"block_days": 4, **settings})
    return World(NOW, [meter], utilityapi_options=UtilityOptions(**(options or {})))


def starts(readings: Iterable[dict[str, Any]]) -> list[str]:
    return [reading["start"] for reading in readings]


def test_the_uid_names_newest_end_and_oldest_start(serve: Serve) -> None:
    """Facts §0.4."""
    client = serve(world())
    oldest = client.walk_ua("intervals", meters="1")[-1]
    assert oldest["uid"] == f"1-{FIRST + 4 * DAY}-{FIRST}"


def test_a_growing_object_moves_its_uid_and_updated(serve: Serve) -> None:
    """Facts §0.4: the object grows and its uid moves with it."""
    client = serve(world())
    before = client.ua("intervals", meters="1", limit=1)["intervals"][0]
    client.world.advance(seconds=HOUR)
    after = client.ua("intervals", meters="1", limit=1)["intervals"][0]
    assert before["uid"].split("-")[2] == after["uid"].split("-")[2]
    assert before["uid"] != after["uid"]
    assert before["created"] == after["created"]
    assert before["updated"] < after["updated"]


def test_limit_counts_objects_and_paging_ends(serve: Serve) -> None:
    """Facts §3.4."""
    client = serve(world(block_days=1, options={"interval_limit": 3}))
    page = client.ua("intervals", meters="1")
    assert len(page["intervals"]) == 3
    assert page["is_incomplete"] is False
    walked = client.walk_ua("intervals", meters="1")
    assert len({item["uid"] for item in walked}) == len(walked) == 10


def test_objects_come_newest_first_and_so_do_readings(serve: Serve) -> None:
    """Facts §0.3 and §0.7."""
    client = serve(world())
    newest = starts(client.readings(meters="1"))
    assert newest == sorted(newest, reverse=True)
    objects = client.walk_ua("intervals", meters="1", order="earliest_first")
    firsts = [item["readings"][-1]["start"] for item in objects]
    assert firsts == sorted(firsts)
    assert starts(objects[0]["readings"]) == sorted(
        starts(objects[0]["readings"]), reverse=True
    )


def test_cut_shows_only_readings_inside_and_keeps_the_uid(serve: Serve) -> None:
    """Facts §3.4, first reading of `start` and `end`."""
    client = serve(world(options={"filter": "cut"}))
    whole = client.walk_ua("intervals", meters="1")
    cut = client.walk_ua(
        "intervals",
        meters="1",
        start="2026-01-03T06:00:00Z",
        end="2026-01-03T09:00:00Z",
    )
    assert [item["uid"] for item in cut] == [whole[-1]["uid"]]
    assert starts(cut[0]["readings"]) == [
        "2026-01-03T03:00:00.000000-05:00",
        "2026-01-03T02:00:00.000000-05:00",
        "2026-01-03T01:00:00.000000-05:00",
    ]


def test_contain_shows_only_whole_objects_inside(serve: Serve) -> None:
    """Facts §3.4, second reading: a short window gives nothing."""
    client = serve(world(options={"filter": "contain"}))
    assert client.readings(meters="1", start="2026-01-03", end="2026-01-04") == []
    inside = client.walk_ua(
        "intervals", meters="1", start="2026-01-01", end="2026-01-09"
    )
    assert [len(item["readings"]) for item in inside] == [96, 96]


def test_overlap_shows_whole_objects_that_touch(serve: Serve) -> None:
    """Facts §3.4."""
    client = serve(world(options={"filter": "overlap"}))
    touched = client.walk_ua(
        "intervals", meters="1", start="2026-01-03", end="2026-01-04"
    )
    assert [len(item["readings"]) for item in touched] == [96]


def test_a_short_date_is_midnight_where_the_meter_is(serve: Serve) -> None:
    """Facts §3.3."""
    client = serve(world())
    shown = starts(client.readings(meters="1", start="2026-01-08"))
    assert min(shown) == "2026-01-08T00:00:00.000000-05:00"


def test_the_cursor_of_a_grown_object_still_leads_on(serve: Serve) -> None:
    client = serve(world(options={"interval_limit": 1}))
    for order, rest in (("latest_first", 2), ("earliest_first", 0)):
        follow = client.ua("intervals", meters="1", order=order, limit=1)["next"]
        if order == "earliest_first":
            follow = client.get(client.get(follow).json()["next"]).request.url
        client.world.advance(seconds=HOUR)
        page = client.get(follow).json()
        more = 1 if page["next"] is None else 2
        assert len(page["intervals"]) == 1
        assert more == (2 if rest else 1)


@pytest.mark.parametrize("status", [400, 404])
def test_the_cursor_of_a_grown_object_may_die(serve: Serve, status: int) -> None:
    options = {"interval_limit": 1, "cursors_die": True, "dead_cursor_status": status}
    client = serve(world(options=options))
    follow = client.ua("intervals", meters="1")["next"]
    assert client.get(follow).status_code == 200
    client.world.advance(seconds=HOUR)
    answer = client.get(follow)
    assert answer.status_code == status
    assert "error_description" in answer.json()


def test_a_strange_cursor_is_invalid(serve: Serve) -> None:
    client = serve(world())
    url = f"{client.sandbox.utilityapi_url}/intervals"
    assert client.get(url, meters="1", after="x").json()["error"] == "invalid_param"


def test_readings_of_other_lengths_are_hidden_unless_asked_for(serve: Serve) -> None:
    """Facts §0.11."""
    quarter = synthetic(
        0, "quarter", "2026-01-02T05:00:00Z", "2026-01-03T05:00:00Z", minutes=15
    )
    client = serve(world(mixed=quarter))
    plain = client.readings(meters="1")
    mixed = client.readings(meters="1", allow_mixed="true")
    assert len(mixed) == len(plain) + 96
    assert client.ua("meters/1")["interval_count"] == len(plain)
    offered = list(truth.readings(client.world, "utilityapi"))
    assert sum(reading.mixed for reading in offered) == 96


def test_a_restated_reading_has_one_value_and_moves_updated(serve: Serve) -> None:
    """Facts §5.2: restatement shows in the container's `updated`."""
    known = epoch("2026-01-11T00:00:00Z")
    client = serve(world(restated(SERIES, [(FIRST, known, ("9.990",))])))
    before = client.walk_ua("intervals", meters="1")[-1]
    client.world.advance(days=1)
    after = client.walk_ua("intervals", meters="1")[-1]
    assert after["readings"][-1]["kwh"] == 9.99 != before["readings"][-1]["kwh"]
    assert after["uid"] == before["uid"]
    assert after["updated"] > before["updated"]


@pytest.mark.parametrize(("moves", "day"), [("data", 11), ("growth", 10), ("never", 1)])
def test_a_restatement_may_be_silent(serve: Serve, moves: str, day: int) -> None:
    """Facts §5.2: `status_ts` is not promised to move with the data."""
    known = epoch("2026-01-11T00:00:00Z")
    ended = Series([r for r in SERIES.readings if r.available < epoch(NOW)])
    changed = restated(ended, [(FIRST, known, ("9.990",))])
    client = serve(world(changed, options={"status_moves": moves}))
    client.world.advance(days=1)
    assert datetime.fromisoformat(client.ua("meters/1")["status_ts"]).day == day


def test_a_withdrawn_reading_leaves_a_hole(serve: Serve) -> None:
    known = epoch("2026-01-11T00:00:00Z")
    client = serve(world(restated(SERIES, [(FIRST + 5 * HOUR, known, ())])))
    client.world.advance(days=1)
    assert len(client.ua("meters/1")["interval_coverage"]) == 2


@pytest.mark.parametrize("block_days", [1, 4, 20, 400, "random"])
def test_where_objects_overlap_the_newest_updated_is_right(
    serve: Serve, block_days: int | str
) -> None:
    """Facts §5.4: objects of successive collections may overlap at the edges."""
    changes = [
        (FIRST + day * DAY + hour * HOUR, epoch("2026-01-10T20:00:00Z"), ("7.000",))
        for day in (4, 8)
        for hour in (0, 1)
    ]
    client = serve(world(restated(SERIES, changes), block_days=block_days, overlap=3))
    stale = 0
    for _ in range(2):
        newest: dict[str, dict[str, Any]] = {}
        for reading in client.readings(meters="1"):
            held = newest.get(reading["start"])
            stale += held is not None and held["kwh"] != reading["kwh"]
            if held is None or held["object"]["updated"] < reading["object"]["updated"]:
                newest[reading["start"]] = reading
        offered = {
            reading.start.isoformat(timespec="microseconds"): float(reading.value or 0)
            for reading in truth.readings(client.world, "utilityapi")
        }
        assert {start: r["kwh"] for start, r in newest.items()} == offered
        client.world.advance(seconds=4 * HOUR)
    if block_days != "random":
        assert bool(stale) == (block_days in {1, 4})


def test_values_are_sent_digit_for_digit_and_poison_passes(serve: Serve) -> None:
    odd = [
        Reading(FIRST, FIRST + HOUR, ("0.10",), 0),
        Reading(FIRST + HOUR, FIRST + 31 * DAY, ("null",), 0),
        Reading(FIRST + 2 * HOUR, FIRST + 2 * HOUR, ('"1,234.5"',), 0),
        Reading(
            epoch("2099-01-01T00:00:00Z"), epoch("2099-01-01T01:00:00Z"), ("1",), 0
        ),
        Reading(FIRST + 3 * HOUR, FIRST + 4 * HOUR, (None,), 0),
    ]
    client = serve(world(Series(odd), block_days=4))
    url = f"{client.sandbox.utilityapi_url}/intervals"
    pages = "".join(client.get(url, meters="1", limit=9).text)
    assert '"kwh":0.10,"datapoints":[{"type":"net","unit":"kwh","value":0.10}]' in pages
    assert '"value":"1,234.5"' in pages
    assert '"kwh":null,"datapoints":[]' in pages
    assert '"start":"2098-12-31T19:00:00.000000-05:00"' in pages
    assert len(client.readings(meters="1", start="2026-01-01")) == len(odd)


def test_gas_has_no_kwh_and_a_meter_may_have_no_datapoints(serve: Serve) -> None:
    """Facts §4.5."""
    gas = world(channels=(Channel("net", "therms", "G1"),), kwh_channel=None)
    reading = serve(gas).readings(meters="1")[0]
    assert reading["kwh"] is None
    assert reading["datapoints"][0]["meter_number"] == "G1"
    client = serve(world(with_datapoints=False))
    bare = client.readings(meters="1")[0]
    assert set(bare) == {"start", "end", "kwh", "object"}
    offered = list(truth.readings(client.world, "utilityapi"))
    assert {(reading.type, reading.unit) for reading in offered} == {(None, "kwh")}


def test_incomplete_on_demand(serve: Serve) -> None:
    """Facts §2."""
    client = serve(world(options={"incomplete": True}))
    assert client.ua("intervals", meters="1")["is_incomplete"] is True


def test_both_hours_of_an_autumn_night_are_told_apart(tiny: Client) -> None:
    """Facts §5.1."""
    night = [
        start
        for start in starts(tiny.readings(meters="101"))
        if start.startswith("2025-11-02T01:")
    ]
    assert len(night) == 8
    assert {start[-6:] for start in night} == {"-04:00", "-05:00"}
    spring = starts(tiny.readings(meters="101"))
    assert not any(start.startswith("2026-03-08T02:") for start in spring)

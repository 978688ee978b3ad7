"""Nothing in silence: what the meter list promises, against what comes."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.providers.utilityapi.scripted import (
    FILTERS,
    NOW,
    QUARTER,
    Block,
    Filter,
    Scripted,
    Warehouse,
    at,
    block,
    contain,
    days,
    ignore,
    last,
    stamp,
    warned,
)
from tests.syncing import Run

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = NOW - 20 * DAY
SETTLED = {"status": "updated", "status_ts": stamp(NOW)}

SILENT: list[dict[str, Any]] = [
    {"interval_count": None, "interval_coverage": None},
    {"interval_count": 0, "interval_coverage": []},
    {"interval_count": ..., "interval_coverage": ...},
    {"interval_count": "many", "interval_coverage": "2026"},
    {"interval_count": 480, "interval_coverage": [["soon", "later"]]},
    {"interval_count": None},
    {"interval_coverage": None},
]


def every_start(blocks: list[Block]) -> set[str]:
    """The starts of all readings, in the form of rows."""
    return {
        at(reading["start"]).strftime("%Y-%m-%dT%H:%M:%SZ")
        for one in blocks
        for reading in one["readings"]
    }


@pytest.mark.parametrize("listed", SILENT)
def test_a_listing_that_says_nothing_readable_proves_nothing(
    listed: dict[str, Any],
) -> None:
    script = Scripted(days(BEGIN, NOW - DAY), {**SETTLED, **listed})
    warehouse = Warehouse(script)
    assert not warehouse.sync().failed
    script.blocks.append(block(NOW - DAY, NOW - DAY + 4 * QUARTER))
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks)
    assert "listed" not in warehouse.entry()
    assert script.served <= 8 * 96, "the look-back is read, and no more"


def test_a_meter_without_anything_listed_or_served_is_not_asked_each_day() -> None:
    script = Scripted([], {**SETTLED, "interval_count": 0, "interval_coverage": []})
    warehouse = Warehouse(script)
    warehouse.sync()
    warehouse.sync()
    assert script.asked == []


def short(run: Run, words: str) -> bool:
    """Whether the meter has failed, having given less than was promised."""
    reason = run.tap.report.reasons.get(("utilityapi", "1"), "")
    return run.failed and words in reason


def halved(blocks: list[Block]) -> list[Block]:
    """Every second reading withheld."""
    return [{**one, "readings": one["readings"][::2]} for one in blocks]


@pytest.mark.parametrize(
    "coverage", [None, [[stamp(BEGIN), stamp(BEGIN + 240 * QUARTER)]]]
)
def test_readings_that_are_counted_and_do_not_come_are_told(coverage: Any) -> None:
    whole = [block(BEGIN, BEGIN + 240 * QUARTER)]
    listed = {**SETTLED, "interval_count": 240, "interval_coverage": coverage}
    script = Scripted(halved(whole), listed)
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert len(warehouse.known) == 120
    assert short(run, "counts 120 more" if coverage is None else "covers stretches")
    assert "listed" not in warehouse.entry()

    run = warehouse.sync()
    assert script.asked, "it stays due"
    assert not run.failed, "no daily alarm"

    script.blocks = whole
    warehouse.sync()
    assert set(warehouse.values) == every_start(whole)


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("hours", [1, 10, 24, 47])
def test_a_listing_that_is_ahead_of_the_data_keeps_its_meter_due(
    filter_: Filter, hours: int
) -> None:
    whole = days(BEGIN, NOW)
    honest = Scripted(whole).meter("1")
    listed = {name: honest[name] for name in ("interval_count", "interval_coverage")}
    served = days(BEGIN, NOW - timedelta(hours=hours))
    script = Scripted(served, {**SETTLED, **listed}, filter=filter_)
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert "listed" not in warehouse.entry()
    assert any("yet to come" in what for what in run.tap.report.notes)
    script.blocks = whole
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(whole)
    warehouse.sync()
    assert script.asked == [], "now it is whole"


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("length", [QUARTER, DAY, 3 * DAY])
def test_a_promised_hole_of_any_size_is_asked_for_until_it_comes(
    filter_: Filter, length: timedelta
) -> None:
    low = BEGIN + 3 * DAY
    filling = block(low, low + length)
    beside = [*days(BEGIN, low), *days(low + length, NOW)]
    honest = Scripted([*beside, filling]).meter("1")
    listed = {name: honest[name] for name in ("interval_count", "interval_coverage")}
    script = Scripted(beside, {**SETTLED, **listed}, filter=filter_)
    warehouse = Warehouse(script)
    assert short(warehouse.sync(), "covers stretches of which no readings come")
    for _ in range(3):
        assert not warehouse.sync().failed, "a known hole is no daily alarm"
        assert 0 < script.served < 13 * 96, "and costs no full read"
    script.blocks = [*beside, filling]
    warehouse.sync()
    assert set(warehouse.values) == every_start(script.blocks)
    assert "absent" not in warehouse.entry()


def test_many_holes_are_told_once_and_read_whole_when_one_is_filled() -> None:
    whole = days(BEGIN, NOW, step=HOUR)
    honest = Scripted(whole).meter("1")
    listed = {name: honest[name] for name in ("interval_count", "interval_coverage")}
    holey = [one for number, one in enumerate(whole) if number % 2]
    script = Scripted(holey, {**SETTLED, **listed})
    warehouse = Warehouse(script)
    assert short(warehouse.sync(), "covers stretches of which no readings come")
    for _ in range(3):
        assert not warehouse.sync().failed
        assert script.served < 12 * 24
    # A further one, among new readings, is news all the same.
    script.now = NOW + 3 * DAY
    more = days(NOW, NOW + 3 * DAY, step=HOUR)
    script.blocks = [*holey, *more[1:]]
    script.listed = {
        "interval_count": 23 * 24,
        "interval_coverage": [[stamp(BEGIN), stamp(NOW + 3 * DAY)]],
    }
    assert short(warehouse.sync(), "covers stretches of which no readings come")
    assert not warehouse.sync().failed
    script.blocks = [*whole, *more]
    warehouse.sync()
    assert set(warehouse.values) == every_start(script.blocks)


def test_a_lag_that_grows_is_told_again_whenever_it_has_doubled() -> None:
    served = days(BEGIN, NOW - DAY, step=HOUR)
    script = Scripted(served)
    warehouse = Warehouse(script)
    failed = []
    for day in range(18):
        script.now = NOW + day * DAY
        script.listed = {
            "interval_count": (20 + day) * 24,
            "interval_coverage": [[stamp(BEGIN), stamp(script.now)]],
        }
        if warehouse.sync().failed:
            failed.append(day + 1)
    assert failed == [2, 4, 8, 16], "days without a reading"
    # Once it is steady, as a utility may be days late for ever, it is no alarm.
    for day in range(18, 22):
        script.now = NOW + day * DAY
        script.blocks = days(BEGIN, script.now - 18 * DAY, step=HOUR)
        script.listed["interval_coverage"] = [[stamp(BEGIN), stamp(script.now)]]
        assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks)


@pytest.mark.parametrize("filter_", FILTERS)
@pytest.mark.parametrize("lead", [1, 3])
def test_coverage_that_is_ahead_and_grows_daily_costs_no_full_read(
    filter_: Filter, lead: int
) -> None:
    script = Scripted(days(BEGIN - 30 * DAY, BEGIN, step=HOUR), filter=filter_)
    warehouse = Warehouse(script)
    for number in range(6):
        end = BEGIN + number * DAY
        script.now = end + 12 * HOUR
        script.blocks = days(BEGIN - 30 * DAY, end, step=HOUR)
        promised = [[stamp(BEGIN - 30 * DAY), stamp(end + lead * DAY)]]
        script.listed = {"interval_coverage": promised}
        warehouse.sync()
        assert number == 0 or script.served <= 8 * 24
    assert set(warehouse.values) == every_start(script.blocks)


ONE_RANGE: Any = "one range"


@pytest.mark.parametrize("coverage", [None, [["2026-02-28", "2026-03-20"]], ONE_RANGE])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("filter_", FILTERS)
def test_a_hole_that_is_filled_later_shows_in_the_count(
    filter_: Filter,
    mixed: bool,  # noqa: FBT001 - a parameter of the test
    coverage: Any,
) -> None:
    low, high = BEGIN + 3 * DAY, BEGIN + 8 * DAY
    beside = [*days(BEGIN, low, step=HOUR), *days(high, NOW, step=HOUR)]
    if coverage is ONE_RANGE:
        coverage = [[stamp(BEGIN), stamp(NOW)]]
    script = Scripted(beside, {"interval_coverage": coverage}, filter=filter_)
    warehouse = Warehouse(script, utilityapi_allow_mixed=mixed)
    warehouse.sync()
    script.blocks = [*beside, *days(low, high, step=HOUR)]
    warehouse.sync()
    assert set(warehouse.values) == every_start(script.blocks)


def orders() -> dict[str, Any]:
    """Ways to list other than by their beginning."""
    return {
        "end": last,
        "updated": lambda one: one["updated"],
        "created": lambda one: one["created"],
        "latest first": lambda one: -at(one["readings"][-1]["start"]).timestamp(),
        "any": lambda one: hash(one["uid"]),
    }


@pytest.mark.parametrize("order", orders())
def test_the_newest_updated_wins_in_whatever_order_blocks_are_listed(
    order: str,
) -> None:
    begin = NOW - 72 * DAY
    old = days(begin, NOW, length=4)
    new = [
        block(begin + n * 7 * DAY, begin + (n * 7 + 2) * DAY, 2, NOW) for n in range(10)
    ]
    script = Scripted([*old, *new], order=orders()[order])
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert not run.failed
    restated = every_start(new)
    expected = {start: 2 if start in restated else 1 for start in every_start(old)}
    assert warehouse.values == expected


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("filter_", FILTERS)
def test_a_newer_object_over_all_history_is_found_although_old_ones_are_whole(
    filter_: Filter, more: int
) -> None:
    begin = NOW - 60 * DAY
    script = Scripted(days(begin, NOW, length=20, step=HOUR), filter=filter_)
    warehouse = Warehouse(script, lookback_days=10)
    warehouse.sync()
    script.now = NOW + more * DAY
    anew = block(begin, NOW + more * DAY, 2, script.now + HOUR, step=HOUR)
    script.blocks.append(anew)
    warehouse.sync()
    fresh = {s: v for s, v in warehouse.values.items() if s >= "2026-03-10T12"}
    assert len(fresh) == (10 + more) * 24
    assert set(fresh.values()) == {2}


def test_a_meter_whose_status_alone_moved_is_settled_after_one_look() -> None:
    script = Scripted(days(BEGIN, NOW), {"status_ts": stamp(NOW)})
    warehouse = Warehouse(script)
    warehouse.sync()
    script.listed = {"status_ts": stamp(NOW + DAY)}
    warehouse.sync()
    warehouse.sync()
    assert script.asked == []


def test_what_came_before_a_cursor_stood_still_is_out() -> None:
    script = Scripted(days(BEGIN, NOW))
    again = block(NOW - DAY, NOW)

    def answer(path: str, query: Any) -> Any:
        if not path.endswith("/intervals"):
            return None
        number = int(query.get("n", 0))
        page = script.blocks[:10] if number == 0 else [again]
        follow = f"{script.url}/intervals?meters=1&n={number + 1}"
        return {"intervals": page, "next": follow}

    script.answer = answer
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert run.failed
    assert len(warehouse.known) == 11 * 96
    assert "partitions" not in warehouse.state["bookmarks"]["intervals"]


def test_two_identical_objects_on_consecutive_pages_are_no_circle() -> None:
    twice = block(BEGIN, BEGIN + DAY)
    script = Scripted([twice, twice, *days(BEGIN + DAY, NOW)], limit=1)
    warehouse = Warehouse(script)
    assert not warehouse.sync().failed
    assert set(warehouse.values) == every_start(script.blocks)


def test_data_from_before_the_start_date_is_told() -> None:
    old = datetime(2015, 3, 1, tzinfo=timezone.utc)
    script = Scripted(days(old, old + 3 * DAY))
    run = Warehouse(script).sync(start_date="2024-01-01")
    (told,) = (w for w in run.tap.report.warnings if "before start_date" in w)
    assert "1 meters have data only before start_date (newest: 2015-03-04)" in told
    assert not run.rows("intervals")
    assert not warned(Warehouse(script).sync(), "before start_date")


def test_coverage_without_a_zone_is_promised_in_the_zone_that_is_set() -> None:
    local = [["2026-02-28T07:00:00", "2026-03-20T08:00:00"]]
    script = Scripted(days(BEGIN, NOW), {**SETTLED, "interval_coverage": local})
    warehouse = Warehouse(script)
    warehouse.sync()
    assert "listed" not in warehouse.entry(), "what nobody can read proves nothing"
    warehouse.sync(utilityapi_default_time_zone="America/New_York")
    assert "listed" in warehouse.entry()


def test_a_source_without_any_zone_fails_until_the_zone_is_told() -> None:
    blocks = days(BEGIN, BEGIN + 10 * DAY)
    expected = every_start(blocks)
    for one in blocks:
        for reading in one["readings"]:
            for name in ("start", "end"):
                # Phoenix has no summer time: 7 hours behind on all of these days.
                moment = at(reading[name]) - 7 * HOUR
                reading[name] = stamp(moment.replace(tzinfo=None))
    coverage = [[blocks[0]["readings"][-1]["start"], blocks[-1]["readings"][0]["end"]]]
    listed = {**SETTLED, "interval_coverage": coverage}
    script = Scripted(blocks, listed, filter=ignore)
    warehouse = Warehouse(script)
    run = warehouse.sync()
    assert run.failed
    assert not run.rows("intervals")
    (reason,) = (one for one in run.tap.report.reasons.values() if one)
    assert "set utilityapi_default_time_zone" in reason
    run = warehouse.sync(utilityapi_default_time_zone="America/Phoenix")
    assert not run.failed
    assert len(warehouse.values) == 960
    assert set(warehouse.values) == expected
    assert "listed" in warehouse.entry()


def test_a_server_clock_in_the_past_does_not_switch_off_the_check() -> None:
    listed = {"interval_coverage": [[stamp(BEGIN), stamp(NOW)]]}
    script = Scripted(days(BEGIN, NOW - 5 * DAY), listed)
    script.date = datetime(1999, 1, 1, tzinfo=timezone.utc)
    warehouse = Warehouse(script)
    warehouse.sync()
    assert "listed" not in warehouse.entry()


@pytest.mark.parametrize(
    "setting", [{"utilityapi_meters": ["1"]}, {"utilityapi_authorizations": ["9"]}]
)
def test_what_was_not_asked_for_is_left_out_although_it_is_sent(
    setting: dict[str, Any],
) -> None:
    script = Scripted(
        [*days(BEGIN, NOW), *days(BEGIN, NOW, uid="2")], uids=("1", "2"), filter=ignore
    )
    if "utilityapi_authorizations" in setting:
        meter = script.meter

        def other(uid: str) -> dict[str, Any]:
            return {**meter(uid), "authorization_uid": "9" if uid == "1" else "8"}

        script.meter = other  # type: ignore[method-assign] # as a test does
    run = Warehouse(script).sync(**setting)
    assert {row["meter_key"] for row in run.rows("intervals")} == {"1"}
    assert {row["meter_key"] for row in run.rows("meters")} == {"1"}
    assert warned(run, "not asked for") >= 1


@pytest.mark.parametrize(
    ("stream", "path", "item"),
    [
        ("authorizations", "/authorizations", {"uid": "9"}),
        ("meters", "/meters", {"uid": "1", "authorization_uid": "9"}),
        (
            "billing_accounts",
            "/billing-accounts",
            {"uid": "a", "authorization_uid": "9", "meter_uids": ["1", "7"]},
        ),
    ],
)
def test_a_list_that_ignores_its_filters_is_filtered_here(
    stream: str, path: str, item: dict[str, Any]
) -> None:
    other = {"uid": "z", "authorization_uid": "8", "meter_uids": ["2"]}

    def answer(asked: str, _: Any) -> Any:
        if not asked.endswith(path):
            return None
        return {path[1:].replace("-", "_"): [item, other], "next": None}

    warehouse = Warehouse(Scripted(answer=answer))
    name = f"utilityapi_{stream}"
    chosen = {"utilityapi_meters": ["1"], "utilityapi_authorizations": ["9"]}
    run = warehouse.sync(name, **chosen)
    assert [row["uid"] for row in run.rows(name)] == [item["uid"]]
    assert warned(run, "not asked for") >= 1


def test_sources_that_were_never_read_come_first_then_the_longest_unread() -> None:
    uids = ("1", "2", "3", "4")
    blocks = [one for uid in uids for one in days(BEGIN, NOW, uid=uid)]
    script = Scripted(blocks, uids=uids, filter=contain)
    warehouse = Warehouse(script, utilityapi_meters_per_request=1)
    warehouse.sync()
    kept = warehouse.state["bookmarks"]["intervals"]["partitions"]
    kept[:] = [one for one in kept if one["context"]["meter_key"] != "3"]
    for one, day in zip(kept, (17, 15, 16), strict=True):
        one["read"] = f"2026-03-{day}T00:00:00Z"
    script.listed = {"status_ts": stamp(NOW + DAY)}
    warehouse.sync()
    order = list(dict.fromkeys(query["meters"] for query in script.asked))
    assert order == ["3", "2", "4", "1"]


def test_what_was_read_last_comes_last_though_the_servers_clock_stands_still() -> None:
    uids = ("1", "2", "3")
    blocks = [one for uid in uids for one in days(BEGIN, NOW, uid=uid)]
    counted = {"interval_count": None, "interval_coverage": None}
    script = Scripted(blocks, counted, uids=uids, filter=contain)
    warehouse = Warehouse(script, utilityapi_meters_per_request=1)
    warehouse.sync()
    before = deepcopy(warehouse.state["bookmarks"]["intervals"]["partitions"])
    warehouse.sync()
    # As if the second run had been stopped after the first meter.
    warehouse.state["bookmarks"]["intervals"]["partitions"][1:] = before[1:]
    script.asked.clear()
    warehouse.sync()
    order = list(dict.fromkeys(query["meters"] for query in script.asked))
    assert order == ["2", "3", "1"]


def test_one_run_by_a_wrong_clock_does_not_switch_off_the_check_of_all() -> None:
    uids = ("1", "2")
    script = Scripted([], uids=uids)
    script.blocks = [one for uid in uids for one in days(BEGIN, NOW, uid=uid)]
    warehouse, honest = Warehouse(script), script.meter
    warehouse.sync()
    for entry in warehouse.state["bookmarks"]["intervals"]["partitions"]:
        if entry["context"]["meter_key"] == "2":
            entry["read"] = "2300-01-01T00:00:00Z"

    def ahead(uid: str) -> dict[str, Any]:
        covered = {"interval_coverage": [[stamp(BEGIN), stamp(script.now)]]}
        return honest(uid) | (covered if uid == "1" else {})

    script.meter = ahead  # type: ignore[method-assign]
    failed = []
    for day in (1, 3, 5):
        script.now = NOW + day * DAY
        script.blocks += days(script.now - DAY, script.now, uid="2")
        failed.append(warehouse.sync().failed)
        assert warehouse.entry("1")["read"] < "2300"
        assert warehouse.entry("2")["read"] < "2300"
    assert failed == [False, True, True], "what is promised and late is told of again"


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("intervals", "meters"),
        ("utilityapi_meters", "meters"),
        ("utilityapi_authorizations", "authorizations"),
        ("utilityapi_billing_accounts", "accounting/billing-accounts"),
        ("utilityapi_events", "events"),
        ("usage", "bills"),
        ("utilityapi_bills", "bills"),
    ],
)
def test_what_has_no_id_is_a_loss_that_is_told(stream: str, path: str) -> None:
    script = Scripted(days(BEGIN, NOW), {"bill_count": 2}, uids=("1", "2"))
    nameless: list[Any] = [{}, {"uid": None}, {"uid": ""}, {"uid": []}, {"uid": {}}]

    def answer(asked: str, _: Any) -> Any:
        if not asked.endswith(f"/{path}"):
            return None
        plural = path.rpartition("/")[2].replace("-", "_")
        named = script.meter("1") if path == "meters" else {"uid": "z"}
        found = [{"meter_uid": "1", **one} for one in [named, *nameless]]
        return {plural: found, "next": None}

    warehouse = Warehouse(script)
    warehouse.sync(stream)
    script.answer = answer
    run = warehouse.sync(stream)
    assert run.failed
    reasons = [*run.tap.report.reasons.values()]
    assert any("without a uid" in why or "without an id" in why for why in reasons)
    if stream != "intervals":
        assert {row.get("uid", row.get("usage_id")) for row in run.rows(stream)} & {
            *("z", "1")
        }, "the others are out"
    else:
        # The meter that may be among them keeps its bookmark.
        assert warehouse.entry("2")

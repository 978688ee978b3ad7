from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.providers.base import Reached
from tap_utility_intervals.sandbox import (
    Company,
    Lifetime,
    Reading,
    Sandbox,
    Series,
    delayed,
    epoch,
    make_uuid,
    restated,
    truth,
    without,
)
from tests.oracle import instant
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    NOW,
    Shelf,
    connection,
    expected,
    hourly,
    intervals,
    key_of,
    kwh_meter,
    page_of,
    row_of,
    world_of,
)


def asked(sandbox: Sandbox) -> list[dict[str, str]]:
    return [r.query for r in sandbox.requests if "/interval/" in r.path]


def days_of(series: Series, length: timedelta = timedelta(days=1)) -> Series:
    """Readings a day long, each from local midnight, out of hourly ones."""
    step = int(length.total_seconds())
    kept = series.readings[:: step // 3600]
    return Series([r._replace(end=r.start + step) for r in kept])


@pytest.mark.parametrize("order", ["start", "created", "shuffled"])
@pytest.mark.parametrize("page_size", [7, 100])
def test_a_first_sync_brings_every_reading_once(
    serve: Serve, order: str, page_size: int
) -> None:
    world = world_of(
        connection(
            "a", kwh_meter("a1", hourly("a1", 5)), kwh_meter("a2", hourly("a2", 9))
        ),
        connection("b", kwh_meter("b1", hourly("b1", 3))),
        order=order,
        page_size=page_size,
    )
    result = intervals(serve(world))
    assert result.values == expected(world)
    assert result.finished == 2
    assert not result.report.warnings


def test_rows_come_by_start_then_meter(serve: Serve) -> None:
    world = world_of(
        connection("a", kwh_meter("x", hourly("a", 5)), kwh_meter("b", hourly("b", 5)))
    )
    keys = [key_of(row) for row in intervals(serve(world)).rows]
    assert keys == sorted(keys, key=lambda key: (key[1], key[0]))


def test_one_worker_gives_the_same_as_ten(serve: Serve, few_rows: int) -> None:
    sandbox = serve(
        world_of(
            *(connection(n, kwh_meter(n, hourly(n, 20))) for n in "abc"), page_size=10
        )
    )
    one = intervals(sandbox, max_concurrency=1)
    ten = intervals(sandbox, max_concurrency=10)
    assert [key_of(row) for row in one.rows] == [key_of(row) for row in ten.rows]
    assert len(one.rows) > 3 * few_rows


def test_pages_are_read_in_parallel_but_never_more_than_ten(serve: Serve) -> None:
    sandbox = serve(
        world_of(connection("a", kwh_meter("a", hourly("a", 30))), page_size=10)
    )
    sandbox.latency = 0.01
    intervals(sandbox, max_concurrency=64)
    assert 5 < sandbox.max_in_flight["nectar"] <= 10


def test_without_a_start_date_nothing_bounds_the_first_request(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a", kwh_meter("a", hourly("a", 4)))))
    intervals(sandbox)
    assert asked(sandbox)[0] == {"page": "1"}


def test_the_key_is_in_a_header_only(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a", kwh_meter("a", hourly("a", 1)))))
    intervals(sandbox)
    assert not any(sandbox.api_key in str(request) for request in sandbox.requests)


@pytest.mark.parametrize("start", [None, "2026-01-30T07:30:00Z"])
@pytest.mark.parametrize("end", [None, "2026-03-02T00:30:00Z"])
def test_a_long_history_is_cut_into_windows(
    serve: Serve, few_rows: int, start: str | None, end: str | None
) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox = serve(world)
    result = intervals(sandbox, start_date=start, end_date=end)
    assert result.values == expected(world, start or "", end or "9")
    assert sum("endDate" in query for query in asked(sandbox)) > 2
    assert not result.report.warnings
    reached = [e for e in result.events if isinstance(e, Reached)]
    assert len(reached) > 3
    seen = [e.bookmark["replication_key_value"] for e in reached]
    assert seen == sorted(seen)
    assert "resume" not in reached[-1].bookmark
    assert few_rows == 150


def test_memory_bounds_windows_not_the_width_that_is_configured(
    serve: Serve, few_rows: int
) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    sandbox = serve(world)
    intervals(sandbox)
    pages = Counter(
        (query.get("startDate"), query.get("endDate")) for query in asked(sandbox)
    )
    assert max(pages.values()) * 100 <= few_rows + 100


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("length", [timedelta(days=1), timedelta(days=7)])
def test_readings_across_the_edge_of_windows_are_not_lost(
    serve: Serve, length: timedelta
) -> None:
    long = days_of(hourly("long", 200), length)
    world = world_of(
        connection("a", kwh_meter("long", long), kwh_meter("short", hourly("s", 60)))
    )
    result = intervals(serve(world))
    assert result.values == expected(world)


@pytest.mark.usefixtures("few_rows")
def test_a_reading_that_ends_a_month_late_is_not_lost(serve: Serve) -> None:
    series = hourly("a", 60)
    late = [
        r._replace(end=r.end + 31 * 86_400) if n % 100 == 50 else r
        for n, r in enumerate(series.readings)
    ]
    world = world_of(connection("a", kwh_meter("a", Series(late))))
    assert intervals(serve(world)).values == expected(world)


@pytest.mark.usefixtures("few_rows")
def test_window_days_bounds_what_is_read_at_once(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    sandbox = serve(world)
    result = intervals(sandbox, window_days=3, start_date="2026-02-20")
    assert result.values == expected(world, "2026-02-20T00:00:00Z")
    for query in asked(sandbox):
        if "endDate" in query:
            start, end = query["startDate"], query["endDate"]
            assert epoch(end) - epoch(start) <= (3 + 2) * 86_400


@pytest.mark.usefixtures("few_rows")
def test_a_hole_of_years_costs_few_requests(serve: Serve) -> None:
    series = without(
        hourly("a", 3000),
        [(epoch("2018-03-01T00:00:00Z"), epoch("2026-03-01T00:00:00Z"))],
    )
    world = world_of(connection("a", kwh_meter("a", series)))
    sandbox = serve(world)
    assert intervals(sandbox).values == expected(world)
    assert len(asked(sandbox)) < 150


def test_a_start_date_in_the_middle_of_a_reading(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 4))))
    start = "2026-03-18T11:30:15Z"
    assert intervals(serve(world), start_date=start).values == expected(world, start)


@pytest.mark.usefixtures("few_rows")
@pytest.mark.parametrize("start", [None, "2025-12-01"])
@pytest.mark.parametrize("status", [502, 504])
def test_what_is_too_wide_is_halved_down_to_a_day(
    serve: Serve, start: str | None, status: int
) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    sandbox = serve(world)
    sandbox.faults.add(path="/interval/", status=status, times=None, min_days=9)
    result = intervals(sandbox, start_date=start)
    assert result.values == expected(world, f"{start}T00:00:00Z" if start else "")
    assert result.lost == []


def test_what_is_too_wide_even_for_a_day_is_lost_with_its_name(serve: Serve) -> None:
    lame, sound = (connection(n, kwh_meter(n, hourly(n, 4))) for n in "ab")
    sandbox = serve(world_of(lame, sound))
    sandbox.faults.add(path=lame.id, status=502, times=None)
    shelf = Shelf()
    result = intervals(sandbox, shelf, start_date="2026-03-10")
    (error,) = result.lost
    assert isinstance(error, errors.TooWide)
    assert lame.id in str(error)
    assert {key[1] for key in shelf.kept} == {sound.id}


@pytest.mark.usefixtures("few_rows")
def test_a_bookmark_never_passes_a_window_that_failed(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 40))))
    sandbox = serve(world)
    sandbox.faults.add(path="/interval/", status=500, skip=14, times=None)
    shelf = Shelf()
    first = intervals(sandbox, shelf)
    assert len(first.lost) == 1
    assert first.rows
    assert shelf.only["replication_key_value"] == key_of(first.rows[-1])[1]
    sandbox.faults.clear()
    second = intervals(sandbox, shelf)
    assert first.values | second.values == expected(world)


@pytest.mark.usefixtures("few_rows")
def test_cut_anywhere_nothing_is_lost(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 30))))
    sandbox = serve(world)
    events = len(intervals(sandbox).events)
    assert events > 10
    for cut in range(events):
        shelf = Shelf()
        before = intervals(sandbox, shelf, cut=cut)
        after = intervals(sandbox, shelf)
        assert before.values | after.values == expected(world)


def test_a_list_that_grows_while_it_is_read_is_read_again(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 20))))
    sandbox = serve(world)
    sandbox.faults.add(
        kind="advance", path="/interval/", query="page=3", seconds=86_400
    )
    result = intervals(sandbox)
    assert result.values == expected(world)
    assert result.clock.slept


def test_a_list_that_never_stands_still_is_lost_with_its_name(serve: Serve) -> None:
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 20, lag=0, end="2026-05-20")))
    )
    sandbox = serve(world)
    sandbox.faults.add(
        kind="advance", path="/interval/", query="page=[23]", seconds=86_400, times=None
    )
    shelf = Shelf()
    (error,) = intervals(sandbox, shelf).lost
    assert make_uuid("connection", "a") in str(error)
    assert shelf.kept == {}


@pytest.mark.parametrize("count_repeats", [True, False])
def test_one_id_on_several_pages_is_one_row(
    serve: Serve, *, count_repeats: bool
) -> None:
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 20))),
        repeat_every=7,
        count_repeats=count_repeats,
        page_size=20,
    )
    result = intervals(serve(world))
    assert result.values == expected(world)
    assert (
        any("twice" in warning for warning in result.report.warnings) == count_repeats
    )


@pytest.mark.usefixtures("few_rows")
def test_repeated_ids_do_not_disturb_windows_or_later_runs(serve: Serve) -> None:
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 40))), repeat_every=7, page_size=20
    )
    sandbox, shelf = serve(world), Shelf()
    assert intervals(sandbox, shelf).values == expected(world)
    world.advance(days=1)
    again = intervals(sandbox, shelf, lookback_days=2)
    assert len(again.values) <= 4 * 24


def test_two_ids_with_one_key_are_both_kept(serve: Serve) -> None:
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 4), twin_every=120)),
        order="shuffled",
    )
    result = intervals(serve(world))
    offered = list(truth.readings(world, "nectar"))
    assert len(result.values) == len(offered)
    twins = [row for row in result.rows if row.channel == "usage/kWh#2"]
    assert len(twins) == len(offered) - len({t.start for t in offered})
    firsts = {row.interval_start: row for row in result.rows if "#" not in row.channel}
    for twin in twins:
        assert twin.source_id > firsts[twin.interval_start].source_id
    assert sum(
        count for text, count in result.report.warnings.items() if "pairs" in text
    ) == len(twins)


def test_readings_of_other_lengths_keep_their_own_keys(serve: Serve) -> None:
    hours = hourly("a", 4)
    both = Series([*hours.readings, *days_of(hours).readings])
    world = world_of(connection("a", kwh_meter("a", both)))
    result = intervals(serve(world))
    assert result.values == expected(world)
    assert any("overlap" in warning for warning in result.report.warnings)


def test_the_next_run_reads_the_lookback_and_what_is_new(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox, shelf = serve(world), Shelf()
    first = intervals(sandbox, shelf, lookback_days=5)
    seen = shelf.only["replication_key_value"]
    assert seen == max(key[1] for key in first.values)
    world.advance(days=1)
    second = intervals(sandbox, shelf, lookback_days=5)
    since = instant(datetime.fromisoformat(seen[:-1] + "+00:00") - timedelta(days=5))
    assert second.values == expected(world, since)
    assert len(second.values) == 6 * 24 + 1


def test_an_unchanged_connection_gives_the_same_bookmark(serve: Serve) -> None:
    sandbox, shelf = (
        serve(world_of(connection("a", kwh_meter("a", hourly("a", 60))))),
        Shelf(),
    )
    intervals(sandbox, shelf)
    before = dict(shelf.only, read=None)
    sandbox.forget_requests()
    intervals(sandbox, shelf)
    assert dict(shelf.only, read=None) == before
    # One count, the pages of the look-back, and two that prove that they are all.
    assert len(asked(sandbox)) <= 3 + 8


def test_what_is_restated_inside_the_lookback_comes_again(serve: Serve) -> None:
    start = epoch("2026-03-15T00:00:00Z")
    series = restated(hourly("a", 30), [(start, epoch(NOW) + 3600, ("9.5",))])
    world = world_of(connection("a", kwh_meter("a", series)))
    sandbox, shelf = serve(world), Shelf()
    first = intervals(sandbox, shelf, lookback_days=10)
    world.advance(days=1)
    second = intervals(sandbox, shelf, lookback_days=10)
    assert first.values | second.values == expected(world)


def test_a_reading_of_the_far_future_does_not_poison_the_bookmark(serve: Serve) -> None:
    at = epoch("2099-01-01T00:00:00Z")
    poison = Reading(at, at + 3600, ("1.0",), 0)
    world = world_of(
        connection("a", kwh_meter("a", Series([*hourly("a", 9).readings, poison])))
    )
    sandbox, shelf = serve(world), Shelf()
    assert intervals(sandbox, shelf).values == expected(world)
    assert shelf.only["replication_key_value"] < NOW
    world.advance(days=3)
    intervals(sandbox, shelf)
    assert shelf.only["replication_key_value"] > NOW


def test_a_meter_that_appears_behind_fresh_siblings_is_read_whole(serve: Serve) -> None:
    appears = Lifetime(appears=epoch(NOW) + 3600)
    world = world_of(
        connection(
            "a",
            kwh_meter("old", hourly("old", 90)),
            kwh_meter("new", hourly("new", 90), life=appears),
        )
    )
    sandbox, shelf = serve(world), Shelf()
    first = intervals(sandbox, shelf, lookback_days=2)
    world.advance(days=1)
    second = intervals(sandbox, shelf, lookback_days=2)
    assert first.values | second.values == expected(world)


def test_history_that_fills_up_late_behind_fresh_siblings_is_read(serve: Serve) -> None:
    late = delayed(hourly("b", 90), 0, epoch(NOW), epoch(NOW) + 3600)
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 90)), kwh_meter("b", late))
    )
    sandbox, shelf = serve(world), Shelf()
    first = intervals(sandbox, shelf, lookback_days=2)
    world.advance(days=1)
    second = intervals(sandbox, shelf, lookback_days=2)
    assert first.values | second.values == expected(world)
    world.advance(days=1)
    third = intervals(sandbox, shelf, lookback_days=2)
    assert len(third.values) < 2 * 4 * 24


@pytest.mark.usefixtures("few_rows")
def test_reading_history_again_goes_on_where_it_was_cut(serve: Serve) -> None:
    late = delayed(hourly("b", 60), 0, epoch(NOW), epoch(NOW) + 3600)
    world = world_of(
        connection("a", kwh_meter("a", hourly("a", 60)), kwh_meter("b", late))
    )
    sandbox, shelf = serve(world), Shelf()
    known = intervals(sandbox, shelf, lookback_days=2).values
    furthest = shelf.only["replication_key_value"]
    world.advance(days=1)
    runs = 0
    while "resume" in shelf.only or runs == 0:
        runs += 1
        part = intervals(sandbox, shelf, cut=6, lookback_days=2)
        known |= part.values
        assert shelf.only["replication_key_value"] >= furthest
    assert runs > 3
    known |= intervals(sandbox, shelf, lookback_days=2).values
    assert known == expected(world)


def test_a_start_date_moved_back_brings_the_difference(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf, start_date="2026-03-10", lookback_days=1)
    assert shelf.only["since"] == "2026-03-10T00:00:00Z"
    second = intervals(sandbox, shelf, start_date="2026-02-10", lookback_days=1)
    assert second.values == expected(world, "2026-02-10T00:00:00Z")
    third = intervals(sandbox, shelf, lookback_days=1)
    assert third.values == expected(world)
    assert shelf.only["since"] is None
    later = intervals(
        sandbox, shelf, start_date="2026-03-19T20:00:00Z", lookback_days=9
    )
    assert later.values == expected(world, "2026-03-19T20:00:00Z")


def test_a_full_scan_comes_round_for_every_connection(serve: Serve) -> None:
    names = [f"c{n}" for n in range(8)]
    start = epoch("2026-01-15T00:00:00Z")
    world = world_of(
        *(
            connection(
                name,
                kwh_meter(
                    name,
                    restated(
                        hourly(name, 90),
                        [(start, epoch(NOW) + 3600, (f"9.{name[1:]}",))],
                    ),
                ),
            )
            for name in names
        )
    )
    sandbox, shelf = serve(world), Shelf()
    known: dict[Any, Any] = {}
    full: Counter[int] = Counter()
    for day in range(9):
        run = intervals(sandbox, shelf, lookback_days=2, full_rescan_days=4)
        known |= run.values
        full[day] = sum(
            key[1] == instant(datetime.fromtimestamp(start, timezone.utc))
            for key in run.values
        )
        world.advance(days=1)
    world.advance(days=-1)
    assert known == expected(world)
    assert full[0] == 8
    assert sum(full[day] for day in range(1, 5)) == 8
    assert all(count < 8 for day, count in full.items() if day)


def test_never_a_full_scan_with_zero_days(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf, full_rescan_days=0, lookback_days=1)
    world.advance(days=20)
    run = intervals(sandbox, shelf, full_rescan_days=0, lookback_days=1)
    assert len(run.values) < 23 * 24


def test_other_datasource_types_read_history_again(serve: Serve) -> None:
    gas = kwh_meter("g", hourly("g", 60), datasource_type="GAS")
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60)), gas))
    sandbox, shelf = serve(world), Shelf()
    only = intervals(sandbox, shelf, nectar_datasource_types=["ELECTRICITY"])
    assert {row.meter_key[-2:] for row in only.rows} == {":A"}
    assert {row.commodity for row in only.rows} == {"electricity"}
    both = intervals(sandbox, shelf, nectar_datasource_types=["GAS", "ELECTRICITY"])
    assert both.values == expected(world)


def test_an_end_date_before_the_bookmark_leaves_the_bookmark(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf)
    before = dict(shelf.kept)
    past = intervals(sandbox, shelf, end_date="2026-02-20", start_date="2026-02-10")
    assert past.values == expected(
        world, "2026-02-10T00:00:00Z", "2026-02-20T00:00:00Z"
    )
    assert shelf.kept == before


def test_an_end_date_removed_leaves_no_hole(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    sandbox, shelf = serve(world), Shelf()
    first = intervals(sandbox, shelf, end_date="2026-02-20", lookback_days=3)
    second = intervals(sandbox, shelf, lookback_days=3)
    assert first.values | second.values == expected(world)
    assert len(second.values) < len(expected(world))


def test_a_bookmark_that_cannot_be_read_means_everything(serve: Serve) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 60))))
    shelf = Shelf()
    context = {"provider": "nectar", "connection_id": make_uuid("connection", "a")}
    shelf.put(context, {"replication_key_value": "last tuesday"})
    assert intervals(serve(world), shelf).values == expected(world)


def test_sources_that_are_no_more_are_forgotten(serve: Serve) -> None:
    stays = connection("a", kwh_meter("a", hourly("a", 2)))
    goes = connection(
        "b", kwh_meter("b", hourly("b", 2)), life=Lifetime(vanishes=epoch(NOW) + 3600)
    )
    world = world_of(stays, goes)
    sandbox, shelf = serve(world), Shelf()
    shelf.put({"provider": "utilityapi", "meter_key": "1"}, {"kept": True})
    intervals(sandbox, shelf)
    assert {key[1] for key in shelf.kept} == {"1", stays.id, goes.id}
    world.advance(days=1)
    intervals(sandbox, shelf)
    assert {key[1] for key in shelf.kept} == {"1", stays.id}


@pytest.mark.parametrize("status", [403, 404])
def test_a_connection_that_is_gone_costs_no_other(serve: Serve, status: int) -> None:
    gone, sound = (connection(n, kwh_meter(n, hourly(n, 4))) for n in "ab")
    world = world_of(gone, sound)
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf)
    before = dict(shelf.kept)
    sandbox.faults.add(
        path=f"/interval/connection/{gone.id}", status=status, times=None
    )
    world.advance(days=1)
    result = intervals(sandbox, shelf)
    (error,) = result.lost
    assert isinstance(error, errors.Gone)
    assert gone.id in str(error)
    assert result.finished == 1
    assert shelf.kept["nectar", gone.id] == before["nectar", gone.id]
    assert shelf.kept["nectar", sound.id] != before["nectar", sound.id]


def test_a_key_that_is_refused_ends_everything(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a", kwh_meter("a", hourly("a", 4)))))
    with pytest.raises(errors.Unauthorized, match="nectar_api_key") as refused:
        intervals(sandbox, nectar_api_key="SECRET-not-the-one")
    assert "SECRET" not in str(refused.value)
    sandbox.faults.add(path="/interval/", status=401)
    with pytest.raises(errors.Unauthorized):
        intervals(sandbox)


def test_a_company_that_is_gone_costs_no_other_and_forgets_nothing(
    serve: Serve,
) -> None:
    own, other = (connection(n, kwh_meter(n, hourly(n, 2))) for n in "ab")
    world = world_of(
        companies=[
            Company("company-1", "One", [], [own]),
            Company("company-2", "Two", [], [other]),
        ]
    )
    sandbox, shelf = serve(world), Shelf()
    intervals(sandbox, shelf)
    sandbox.faults.add(path="/connection/company/company-2", status=403, times=None)
    result = intervals(sandbox, shelf)
    assert result.finished == 1
    assert result.report.sources("nectar") == {"company-2": Outcome.GONE}
    assert len(shelf.kept) == 2


def test_only_the_companies_that_are_wished_for(serve: Serve) -> None:
    own, other = (connection(n, kwh_meter(n, hourly(n, 2))) for n in "ab")
    world = world_of(
        companies=[
            Company("company-1", "One", [], [own]),
            Company("company-2", "Two", [], [other]),
        ]
    )
    sandbox = serve(world)
    result = intervals(sandbox, nectar_companies=["company-2", "company-9"])
    assert {row.connection_id for row in result.rows} == {other.id}
    assert result.report.sources("nectar") == {"company-9": Outcome.GONE}
    assert not any("company-1" in request.path for request in sandbox.requests)


def test_a_connection_of_several_companies_is_one_source(serve: Serve) -> None:
    shared = connection("a", kwh_meter("a", hourly("a", 2)))
    world = world_of(
        companies=[Company(f"company-{n}", "C", [], [shared]) for n in range(3)]
    )
    result = intervals(serve(world))
    assert result.finished == 1
    assert result.values == expected(world)


@pytest.mark.parametrize("status", [429, 202])
def test_patience_is_kept_for_all_workers(serve: Serve, status: int) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 9))))
    sandbox = serve(world)
    sandbox.faults.add(
        path="/interval/", status=status, skip=1, times=2, headers={"Retry-After": "7"}
    )
    result = intervals(sandbox)
    assert result.values == expected(world)
    assert sum(result.clock.slept) >= 7


@pytest.mark.parametrize("kind", ["reset", "reset_in_body", "truncate", "garbage"])
def test_what_breaks_once_is_asked_again(serve: Serve, kind: Any) -> None:
    world = world_of(connection("a", kwh_meter("a", hourly("a", 9))))
    sandbox = serve(world)
    sandbox.faults.add(kind=kind, path="/interval/", skip=1, times=1)
    result = intervals(sandbox, max_retries=2)
    assert result.values == expected(world)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"totalIntervals": 1, "intervals": {}}',
        '{"totalIntervals": 1, "intervals": null}',
        '{"intervals": []}',
        "[1]",
        '"x"',
        "<html>oops</html>",
    ],
)
def test_an_answer_of_another_shape_is_no_empty_page(serve: Serve, body: str) -> None:
    sandbox = serve(world_of(connection("a", kwh_meter("a", hourly("a", 2)))))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    shelf = Shelf()
    (error,) = intervals(sandbox, shelf).lost
    assert isinstance(error, errors.BadAnswer)
    assert not re.search("html|oops", str(error))
    assert shelf.kept == {}


@pytest.mark.parametrize(
    ("usage", "text"),
    [
        ('"a\\u0000"', "a\ufffd"),
        ('"1,234.5"', "1,234.5"),
        ("true", "true"),
        ("NaN", "NaN"),
        ('"NaN"', "NaN"),
        ("[1.50]", "[1.50]"),
        ('"\\ud800"', "\ufffd"),
    ],
)
def test_a_value_that_cannot_be_read_costs_neither_row_nor_page(
    serve: Serve, usage: str, text: str
) -> None:
    sandbox = serve(world_of(connection("a")))
    body = page_of(row_of(1), row_of(2, usage), row_of(3, "0.10"), row_of(4, "null"))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    result = intervals(sandbox)
    shown = [
        None if row.quantity is None else bytes(row.quantity).decode()
        for row in result.rows
    ]
    assert shown == ["1.50", None, "0.10", None]
    assert [row.unreadable for row in result.rows] == [
        None,
        {"quantity": text},
        None,
        None,
    ]
    assert result.report.warnings.pop("nectar: intervals whose meter is not listed")
    # One answer to every question, that of a list's end included.
    assert result.report.warnings.pop(
        "nectar: a connection's list is not filtered by dates"
    )
    assert sum(result.report.warnings.values()) == 1


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ({"start": '"yesterday"'}, "yesterday to"),
        ({"start": "null"}, "nothing to"),
        ({"end": "17"}, "to 17"),
        ({"end": ""}, "to nothing"),
        ({"id": "null"}, "1 intervals without an id"),
        ({"id": ""}, "1 intervals without an id"),
    ],
)
def test_a_row_without_an_id_or_time_is_a_told_loss_and_its_neighbours_come(
    serve: Serve, odd: dict[str, str], shown: str
) -> None:
    sandbox, shelf = serve(world_of(connection("a"))), Shelf()
    body = page_of(row_of(1), row_of(2, **odd), row_of(3))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    result = intervals(sandbox, shelf)
    assert [row.source_id for row in result.rows] == ["i1", "i3"]
    (error,) = result.lost
    assert shown in str(error)
    assert "replication_key_value" not in shelf.only


@pytest.mark.parametrize("beside", ["1.50", '"1,5"'], ids=["strictly", "loosely"])
def test_an_interval_without_a_value_is_absent_and_not_unreadable(
    serve: Serve, beside: str
) -> None:
    sandbox = serve(world_of(connection("a")))
    nothing = ('""', '" "', "null", "")
    rows = [row_of(number, usage) for number, usage in enumerate(nothing, start=1)]
    body = page_of(*rows, row_of(5, beside))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    found = intervals(sandbox).rows[:4]
    assert [row.source_id for row in found] == ["i1", "i2", "i3", "i4"]
    assert [(row.quantity, row.unreadable) for row in found] == [(None, None)] * 4


def test_a_row_that_is_no_object_and_odd_texts(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    body = page_of(
        "17",
        row_of(1, quality="7", usageUnits="null", account="null", identifiers="null"),
        row_of(2, quality='["A"]', created="5", updated='"soon"', extra='{"a":1}'),
    )
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    first, second = intervals(sandbox).rows
    assert first.meter_key == f"{make_uuid('connection', 'a')}:"
    assert (first.channel, first.unit) == ("usage/unknown", None)
    assert (first.measure, first.quality_raw) == (None, "7")
    assert second.quality_raw == '["A"]'
    assert second.unreadable == {"source_created_at": "5", "source_updated_at": "soon"}


def test_of_one_id_the_newest_form_wins(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    body = page_of(
        row_of(1, updated='"2026-03-05T00:00:00Z"', usage="2"),
        row_of(1, updated='"2026-03-04T00:00:00Z"', usage="3"),
        row_of(2),
    )
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    result = intervals(sandbox)
    assert [bytes(row.quantity) for row in result.rows] == [b"2", b"1.50"]


def test_an_end_before_the_start_is_passed_on(serve: Serve) -> None:
    sandbox = serve(world_of(connection("a")))
    body = page_of(row_of(2, end='"2026-03-01T23:00:00Z"'), row_of(3))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    assert [row.interval_seconds for row in intervals(sandbox).rows] == [-3600, 3600]

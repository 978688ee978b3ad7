"""Restatements that change a reading's key: models have the newest, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tap_utility_intervals.floor import clock as clocks
from tap_utility_intervals.sandbox import Sandbox, Series, UtilityMeter, World, epoch
from tap_utility_intervals.sandbox.readings import Reading
from tests.oracle import Row
from tests.providers.nectar.harness import connection, kwh_meter, world_of
from tests.providers.utilityapi.serving import held, page
from tests.providers.utilityapi.test_twins import as_one, autumn_day
from tests.providers.utilityapi.test_twins import day as doubled_day
from tests.providers.utilityapi.test_twins import row as fwd
from tests.syncing import Run, config, sync
from tests.tap.resuming import last_state
from tests.warehouses.server import Server, postgres
from tests.warehouses.sql import documented
from tests.warehouses.stores import (
    InDuckDB,
    InPostgreSQL,
    Store,
    load,
    set_zones,
    total,
)

STORES = ["by key", "appended to", pytest.param("postgres", marks=pytest.mark.slow)]
EDT = timezone(timedelta(hours=-4))
DAY = datetime(2026, 5, 27, tzinfo=EDT)
CURRENT = "select * from utility_intervals__current order by interval_start, channel"
DAILY = (
    "select cast(local_date as varchar) as local_date, chosen_kwh as kwh,"
    " received_seconds / 3600.0 as hours from utility_intervals__daily"
    " where chosen_kwh is not null order by local_date"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "postgres":
        return InPostgreSQL(request.getfixturevalue("server"))
    return InDuckDB(tmp_path, appends=request.param == "appended to")


def served(
    *readings: Row, state: Row | None = None, series: Series | None = None
) -> Run:
    """A sync of meter 58, to which UtilityAPI sends just these readings."""
    world = World(DAY + timedelta(days=2), [UtilityMeter("58", series or Series([]))])
    with Sandbox(world) as sandbox:
        body = page(held(*readings))
        sandbox.faults.add(path="/intervals", status=200, body=body, times=None)
        return sync(config(sandbox, "utilityapi", max_retries=0), state)


def hours(values: list[Any], *, ends: int = 60, **more: Any) -> list[Row]:
    """One reading an hour, which ends after so many minutes."""
    return [
        reading(value, DAY + timedelta(hours=hour), ends, **more)
        for hour, value in enumerate(values)
    ]


def quarters(values: list[Any], **more: Any) -> list[Row]:
    return [
        reading(value, DAY + timedelta(minutes=15 * number), 15, **more)
        for number, value in enumerate(values)
    ]


def reading(
    value: Any,
    start: datetime,
    minutes: int,
    point: str | None = "fwd",
    unit: Any = "kwh",
) -> Row:
    """Without a `point`, a reading that has no datapoints."""
    end = start + timedelta(minutes=minutes)
    points = [{"type": point, "unit": unit, "value": value}] if point else []
    times = {"start": start.isoformat(), "end": end.isoformat()}
    return {**times, "kwh": value if unit else None, "datapoints": points}


UTILITYAPI = {
    "ends at 00:59, then at 01:00": (
        hours([1.0, 2.0, 4.0], ends=59),
        hours([1.0, 2.0, 4.0]),
    ),
    "kwh only, then datapoints": (
        hours([1.0, 2.0, 4.0], point=None),
        hours([1.0, 2.0, 4.0]),
    ),
    "net, then fwd": (hours([1.0, 2.0, 4.0], point="net"), hours([1.0, 2.0, 4.0])),
    "no unit, then kWh": (hours([1.0, 2.0, 4.0], unit=None), hours([1.0, 2.0, 4.0])),
    "an hour, then quarters": (
        hours([3.0, 3.0, 4.0]),
        quarters([0.5, *[0.75] * 10, 2]),
    ),
    "quarters, then an hour": (
        quarters([0.5, *[0.75] * 10, 2]),
        hours([3.0, 3.0, 4.0]),
    ),
    "an hour that was taken back": (hours([1.0, 2.0, 4.0]), hours([1.0, 2.0])),
}


@pytest.mark.parametrize("name", UTILITYAPI)
def test_what_utilityapi_restates_is_current_alone(store: Store, name: str) -> None:
    before, after = UTILITYAPI[name]
    first = served(*before)
    second = served(*after, state={"bookmarks": {}})
    load(store, first)
    assert len(store.query(CURRENT)) == len(before)
    load(store, second)
    current = store.query(CURRENT)
    assert {(r["channel"], r["interval_end"]) for r in current} == {
        (r["channel"], shown(store, r["interval_end"]))
        for r in second.rows("intervals")
    }
    assert len(current) == len(after)
    (daily,) = store.query(DAILY)
    assert Decimal(str(daily["kwh"])) == sum(Decimal(str(r["kwh"])) for r in after)
    seconds = sum(row["interval_seconds"] for row in second.rows("intervals"))
    assert float(daily["hours"]) * 3600 == seconds
    held_rows = store.query("select count(*) as n from intervals")[0]["n"]
    assert held_rows > len(after)


def shown(store: Store, text: str) -> Any:
    """An instant as the store gives it back."""
    naive = datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None)
    return naive if isinstance(store, InDuckDB) else naive.isoformat()


def nectar(series: Series, state: Row | None = None, **meter: Any) -> Run:
    world = world_of(connection("c", kwh_meter("T1", series, **meter)))
    with Sandbox(world) as sandbox:
        return sync(config(sandbox, "nectar"), state)


def every(minutes: int, *values: str, short: int = 0) -> Series:
    """Readings of so many minutes from a midnight in UTC on."""
    start = epoch("2026-03-18T00:00:00Z")
    step = 60 * minutes
    return Series(
        [
            Reading(start + step * n, start + step * (n + 1) - short, (value,), start)
            for n, value in enumerate(values)
        ]
    )


NECTAR: dict[str, tuple[Row, Row]] = {
    "kWh, then Wh": (
        {"series": every(60, *["1.0"] * 10), "unit": "kWh"},
        {"series": every(60, *["1000"] * 10), "unit": "Wh"},
    ),
    "an hour, then quarters": (
        {"series": every(60, "4.0", "6.0")},
        {"series": every(15, *["1.0"] * 4, *["1.5"] * 4)},
    ),
    "ends a minute early, then in time": (
        {"series": every(60, *["2.0"] * 5, short=60)},
        {"series": every(60, *["2.0"] * 5)},
    ),
}


@pytest.mark.parametrize("name", NECTAR)
def test_what_nectar_restates_is_current_alone(store: Store, name: str) -> None:
    before, after = NECTAR[name]
    load(store, nectar(**before), nectar(**after))
    set_zones(store, "Europe/London")
    assert len(store.query(CURRENT)) == len(after["series"].readings)
    (daily,) = store.query(DAILY)
    assert Decimal(str(daily["kwh"])) == 10


# --- days of 25 and 23 hours ----------------------------------------------------------


def test_the_second_hour_of_an_autumn_night_counts(store: Store) -> None:
    load(store, synced_day(doubled_day([n + 1.0 for n in range(100)])))
    (daily,) = store.query(DAILY)
    assert (daily["local_date"], float(daily["hours"])) == ("2025-11-02", 25)
    assert Decimal(str(daily["kwh"])) == 5050
    found = store.query("select delivered_kwh from utility_intervals__hourly")
    assert total(found, "delivered_kwh") == 5050


def test_it_counts_also_if_both_hours_are_equal(store: Store) -> None:
    load(store, synced_day(doubled_day([1.0] * 100)))
    (daily,) = store.query(DAILY)
    assert (float(daily["kwh"]), float(daily["hours"])) == (100, 25)


def test_an_autumn_day_sent_as_it_should_be_has_25_hours(store: Store) -> None:
    starts = autumn_day()
    values = [n + 1.0 for n in range(100)]
    load(store, synced_day(held(*map(fwd, values, starts))))
    (daily,) = store.query(DAILY)
    assert (float(daily["kwh"]), float(daily["hours"])) == (5050, 25)


def test_another_value_for_one_stretch_is_no_second_hour(store: Store) -> None:
    """Neither in another month nor beside both hours of that night."""
    may = hours([1.0, 2.0])
    load(store, synced_day(held(*may, hours([1.5, 2.0])[0])))
    (daily,) = store.query(DAILY)
    assert (float(daily["kwh"]), float(daily["hours"])) == (3, 2)
    starts = autumn_day(60)
    night = [fwd(1.0, start, 60) for start in starts]
    load(store, synced_day(held(*night, fwd(9.0, as_one(starts[1]), 60))))
    found = [r for r in store.query(DAILY) if r["local_date"] == "2025-11-02"]
    assert [(float(r["kwh"]), float(r["hours"])) for r in found] == [(25, 25)]


def test_a_spring_day_has_23_hours(store: Store) -> None:
    winter, summer = timezone(timedelta(hours=-8)), timezone(timedelta(hours=-7))
    first = datetime(2026, 3, 8, tzinfo=winter)
    starts = [first + timedelta(hours=n) for n in range(23)]
    local = [s if n < 2 else s.astimezone(summer) for n, s in enumerate(starts)]
    load(store, synced_day(held(*[fwd(1.0, start, 60) for start in local])))
    (daily,) = store.query(DAILY)
    assert (float(daily["kwh"]), float(daily["hours"])) == (23, 23)


def synced_day(block: Row) -> Run:
    return served(*block["readings"])


# --- when nothing may be retired, and when all must be --------------------------------


def test_twenty_promised_hours_that_do_not_come_retire_nothing(store: Store) -> None:
    start = int(DAY.timestamp())
    series = Series([Reading(start, start + 86_400, ("24.0",), start)])
    before = hours([1.0] * 24, ends=59)
    after = hours([1.0] * 4)
    load(store, served(*before, series=series))
    second = served(*after, series=series)
    load(store, second)
    rows = second.rows("coverage")
    assert [row["is_complete"] for row in rows] == [True, False, True]
    current = store.query(CURRENT)
    assert [r["interval_seconds"] for r in current] == [3600] * 4 + [3540] * 20
    # When they come, they are all there is.
    load(store, served(*hours([1.0] * 24), series=series))
    current = store.query(CURRENT)
    assert [r["interval_seconds"] for r in current] == [3600] * 24


def test_a_run_of_some_kinds_of_meters_retires_nothing(store: Store) -> None:
    power = kwh_meter("T1", every(60, "1.0", "2.0"))
    gas = kwh_meter("T2", every(60, "7.0"), datasource_type="GAS")
    with Sandbox(world_of(connection("c", power, gas))) as sandbox:
        whole = sync(config(sandbox, "nectar"))
        some = sync(config(sandbox, "nectar", nectar_datasource_types=["ELECTRICITY"]))
    assert len(some.rows("intervals")) == 2
    load(store, whole, some)
    assert total(store.query(CURRENT), "quantity") == 10
    with Sandbox(world_of(connection("c", power))) as sandbox:
        load(store, sync(config(sandbox, "nectar")))
    assert total(store.query(CURRENT), "quantity") == 3


def test_a_clock_ten_minutes_back_makes_no_difference(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = UTILITYAPI["net, then fwd"]
    first = served(*before)
    back = datetime.now(timezone.utc) - timedelta(minutes=10)
    monkeypatch.setattr(clocks.Clock.__init__, "__defaults__", (lambda: back,))
    known = first.state["bookmarks"]
    again = {
        name: {"read_at": known[name]["read_at"]} for name in ("intervals", "coverage")
    }
    second = served(*after, state={"bookmarks": again})
    load(store, first, second)
    assert {r["channel"] for r in store.query(CURRENT)} == {"fwd/kWh"}
    assert len(store.query(CURRENT)) == 3


def test_runs_that_overlap_retire_nothing_of_each_other(store: Store) -> None:
    """A backfill that began before the daily run, and ended after it."""
    before, after = UTILITYAPI["net, then fwd"]
    daily, backfill = served(*before), served(*after)
    (began,) = {row["read_at"] for row in daily.rows("coverage")}
    earlier = datetime.fromisoformat(began.replace("Z", "+00:00")) - timedelta(hours=1)
    began = earlier.isoformat(timespec="microseconds").replace("+00:00", "Z")
    load(store, daily)
    store.load("intervals", backfill.rows("intervals"))
    covered = [{**row, "read_at": began} for row in backfill.rows("coverage")]
    store.load("coverage", covered)
    # What the daily run read may have come after the backfill had asked for it.
    assert sorted({r["channel"] for r in store.query(CURRENT)}) == [
        "fwd/kWh",
        "net/kWh",
    ]
    assert len(store.query(CURRENT)) == 6
    load(store, served(*after))
    assert {r["channel"] for r in store.query(CURRENT)} == {"fwd/kWh"}
    assert len(store.query(CURRENT)) == 3


def test_an_interrupted_read_retires_nothing_and_the_next_one_all(store: Store) -> None:
    before, after = UTILITYAPI["net, then fwd"]
    first = served(*before)
    cut = served(*after, state=first.state)
    load(store, first)
    # The target got the new rows, and then the process was killed.
    place = next(
        n
        for n, m in enumerate(cut.messages)
        if m.get("stream") == "intervals" and m["type"] == "RECORD"
    )
    state = last_state(cut.messages[:place], first.state)
    store.load("intervals", cut.rows("intervals"))
    assert len(store.query(CURRENT)) == 6
    load(store, served(*after, state=state))
    assert {r["channel"] for r in store.query(CURRENT)} == {"fwd/kWh"}
    assert len(store.query(CURRENT)) == 3


# --- bills ----------------------------------------------------------------------------


def test_a_bill_that_its_meter_no_longer_has_is_withdrawn(store: Store) -> None:
    def bill(uid: str, listed_at: str, provider: str = "utilityapi") -> Row:
        row = dict.fromkeys(("unit", "quantity"))
        return {
            **row,
            "usage_id": uid,
            "provider": provider,
            "meter_key": "58",
            "listed_at": listed_at,
        }

    store.load("usage", [
        bill("old", "2026-05-27T00:00:00.000000Z"),
        bill("new", "2026-05-28T00:00:00.000000Z"),
        bill("n-old", "2026-05-27T00:00:00.000000Z", "nectar"),
        bill("n-new", "2026-05-28T00:00:00.000000Z", "nectar"),
    ])  # fmt: skip
    bills = store.query("select usage_id from int_utility_intervals__bills")
    found = {row["usage_id"] for row in bills}
    assert found == {"new", "n-old", "n-new"}


# --- meters ---------------------------------------------------------------------------

ALL = {"listing": "all"}
ACME = {"credential_name": "acme", **ALL}
ONE, TWO, SHORT = ({**ACME, "listing": said} for said in ("m 1", "m 2", None))
LISTS: dict[str, tuple[list[tuple[int, str, Row]], str]] = {
    # Day, keys of the meters that were listed, and how; then who is current.
    "one credential": ([(1, "ab", ALL), (2, "a", ALL)], "a"),
    "another credential": ([(1, "ab", ACME), (2, "c", ALL)], "abc"),
    "another, then its own": ([(1, "ab", ACME), (2, "c", ALL), (3, "b", ACME)], "bc"),
    "some meters": ([(1, "abc", ACME), (2, "ab", ONE)], "abc"),
    "the same ones again": ([(1, "abc", ACME), (2, "ab", ONE), (3, "a", ONE)], "ac"),
    "some, others, all": (
        [(1, "abc", ACME), (2, "a", ONE), (3, "b", TWO), (4, "bc", ACME)],
        "bc",
    ),
    "one that fell short": ([(1, "abc", ACME), (2, "a", SHORT)], "abc"),
    "and a whole one": ([(1, "abc", ACME), (2, "ab", SHORT), (3, "b", ACME)], "b"),
    "from before 0.2": ([(1, "ab", {}), (2, "a", {})], "ab"),
    "from before, and now": ([(1, "ab", {}), (2, "a", ALL)], "a"),
}


def test_vanished_is_judged_by_credential_and_filter(store: Store) -> None:
    for number, (lists, _) in enumerate(LISTS.values()):
        for day, keys, how in lists:
            store.load("meters", [
                {
                    "provider": "utilityapi",
                    "meter_key": f"{number}{key}",
                    "listed_at": f"2026-05-{day:02}T00:00:00.000000Z",
                    # Each case has credentials of its own.
                    **how,
                    "credential_name": f"{number}{how.get('credential_name', '')}",
                }
                for key in keys
            ])  # fmt: skip
    listed = store.query("select meter_key as k, is_listed from "
                         "stg_utility_intervals__meters")  # fmt: skip
    for number, (name, (_, expected)) in enumerate(LISTS.items()):
        mine = sorted(
            r["k"] for r in listed if r["k"][0] == str(number) and r["is_listed"]
        )
        assert "".join(k[1:] for k in mine) == expected, name


def test_a_meter_of_unknown_zone_is_listed_and_not_summed(store: Store) -> None:
    load(store, nectar(every(60, "1.0", "2.0")))
    assert store.query(DAILY) == []
    unknown = (
        "select provider, count(*) as readings from utility_intervals__local"
        " where local_start is null group by provider"
    )
    (listed,) = store.query(unknown)
    assert listed == {"provider": "nectar", "readings": 2}
    set_zones(store, "Europe/London")
    assert total(store.query(DAILY), "kwh") == 3
    assert store.query(unknown) == []


def test_what_nectars_bills_cost_belongs_to_a_meter_where_there_is_one() -> None:
    entry = "('nectar', ?, ?, date '2026-03-01', date '2026-04-01')"
    with duckdb.connect() as store:
        store.execute(
            "create table int_utility_intervals__bills (provider text, meter_key text,"
            " bill_id text, period_start_date date, period_end_date date,"
            " is_superseded boolean default false);"
            'create table nectar_documents (id text, "currentCharges" double,'
            ' "chargesUnits" text);'
            "insert into nectar_documents values ('one', 51.2, 'USD'),"
            " ('two', 99.0, 'USD'), ('parts', 7.0, 'USD'), ('none', 1.0, 'USD')"
        )
        store.executemany(
            "insert into int_utility_intervals__bills (provider, meter_key, bill_id,"
            f" period_start_date, period_end_date) values {entry}",
            [
                *(["a", "one"], ["a", "two"], ["b", "two"]),
                *(["c", "parts"], ["c", "parts"]),
            ],
        )
        store.execute(documented("nectar"))
        found = store.execute(
            "select bill_id, meter_key, cast(cost as double)"
            " from nectar_costs order by bill_id"
        ).fetchall()
    assert found == [("one", "a", 51.2), ("parts", "c", 7.0), ("two", None, 99.0)]


def test_a_reading_in_wh_stands_beside_its_bill_in_kwh(store: Store) -> None:
    load(store, nectar(every(60, "1000", "2000"), unit="Wh"))
    set_zones(store, "UTC")
    (meter,) = {r["meter_key"] for r in store.query(CURRENT)}
    store.load("usage", [{
        "usage_id": "b", "provider": "nectar", "meter_key": meter, "unit": "kWh",
        "quantity": 3.5, "period_start_date": "2026-03-18",
        "period_end_date": "2026-03-19",
    }])  # fmt: skip
    (row,) = store.query("select * from utility_intervals__bill_check")
    assert (float(row["interval_quantity"]), float(row["difference"])) == (3, -0.5)
    assert float(row["covered_share"]) == pytest.approx(2 / 24)

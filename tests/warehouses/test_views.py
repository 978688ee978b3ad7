"""In every loader: tables and models equal the world.

Tables after an interruption and a day later; one file, so that one process fills them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tap_utility_intervals.sandbox import truth
from tests.oracle import naive
from tests.warehouses.filling import KEYS, Filled, Table
from tests.warehouses.loaders import Row
from tests.warehouses.worlds import GONE, NECTAR_ZONES, NEW, OLD

pytestmark = pytest.mark.slow

CLOSE = Decimal("1e-9")
CHOICE = {"fwd": 1, "usage": 2, "net": 3}
ZONES = {
    OLD: "America/New_York",
    NEW: "America/New_York",
    "102": "America/Chicago",
    GONE: "America/Chicago",
}


def zone(meter: str) -> ZoneInfo:
    return ZoneInfo(ZONES.get(meter) or NECTAR_ZONES[meter.rpartition(":")[2]])


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def local(row: Row) -> datetime:
    """The local time of a reading, by the meter's zone: not by what was sent."""
    start = instant(row["interval_start"]).astimezone(zone(row["meter_key"]))
    return start.replace(tzinfo=None)


def point(row: Row) -> str:
    return str(row["channel"]).partition("/")[0]


def there(filled: Filled) -> list[Row]:
    """What the warehouse must hold at the end."""
    return list(filled.later[0].values())


def same(found: Mapping[Any, Decimal], wanted: Mapping[Any, Decimal]) -> bool:
    """Equal but for what doubles lose in a sum."""
    return found.keys() == wanted.keys() and all(
        abs(Decimal(found[key]) - wanted[key]) < CLOSE for key in wanted
    )


def sums(
    rows: Iterable[tuple[tuple[str, ...], Decimal]],
) -> dict[tuple[str, ...], Decimal]:
    total: defaultdict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for key, quantity in rows:
        total[key] += quantity
    return total


def test_local_time_is_that_of_the_meters_zone(filled: Filled) -> None:
    found = filled.query(
        "select provider, meter_key, channel, cast(interval_start as varchar)"
        " as interval_start, cast(interval_end as varchar) as interval_end,"
        " cast(local_start as varchar) as local_start from utility_intervals__local"
    )
    assert {tuple(r[k] for k in KEYS): r["local_start"] for r in found} == {
        tuple(r[k] for k in KEYS): str(local(r)) for r in there(filled)
    }


def test_hourly_sums_of_every_channel(filled: Filled) -> None:
    found = filled.query(
        "select meter_key, channel, cast(hour_start as varchar) as hour,"
        " sum(quantity) as quantity, sum(interval_seconds) as seconds from (select *,"
        " date_trunc('hour', interval_start) as hour_start"
        " from int_utility_intervals__readings) r where measure <> 'power'"
        " group by meter_key, channel, hour_start"
    )
    wanted = sums(
        (
            (r["meter_key"], r["channel"], r["interval_start"][:13] + ":00:00"),
            r["quantity"],
        )
        for r in there(filled)
        if r["unit"] != "kW"
    )
    by_key = {(r["meter_key"], r["channel"], r["hour"]): r["quantity"] for r in found}
    assert same(by_key, wanted)
    assert {int(r["seconds"]) for r in found} == {3600}


def test_daily_kwh_of_the_chosen_channel(filled: Filled) -> None:
    found = filled.query(
        "select meter_key, cast(local_date as varchar) as day, chosen_kwh as kwh,"
        " received_seconds / 3600.0 as hours from utility_intervals__daily"
        " where chosen_kwh is not null and chosen_channel like '%/kWh'"
    )
    best: dict[tuple[str, str], Row] = {}
    for row in there(filled):
        if row["unit"] != "kWh" or point(row) not in CHOICE:
            continue
        place = (row["meter_key"], row["interval_start"])
        if place not in best or CHOICE[point(row)] < CHOICE[point(best[place])]:
            best[place] = row
    wanted = sums(
        ((r["meter_key"], str(local(r).date())), r["quantity"]) for r in best.values()
    )
    assert same({(r["meter_key"], r["day"]): r["kwh"] for r in found}, wanted)
    hours = {(r["meter_key"], r["day"]): float(r["hours"]) for r in found}
    assert hours[OLD, "2025-11-02"] == 25
    assert hours[OLD, "2026-03-08"] == 23


def test_gas_has_its_days_in_kwh(filled: Filled) -> None:
    (found,) = filled.query(
        "select chosen_kwh as kwh, received_seconds from utility_intervals__daily"
        " where meter_key = '102' and cast(local_date as varchar) = '2026-03-18'"
    )
    therms = sum(
        r["quantity"]
        for r in there(filled)
        if r["meter_key"] == "102" and local(r).date().isoformat() == "2026-03-18"
    )
    factor = Decimal("105505585.262") / 3_600_000  # joules of a therm
    assert abs(Decimal(found["kwh"]) - therms * factor) < Decimal("1e-6")
    assert found["received_seconds"] == 24 * 3600


def test_a_renewed_meter_and_its_old_one_are_one_history(filled: Filled) -> None:
    found = filled.query(
        "select meter_key, channel, cast(interval_start as varchar) as interval_start,"
        " quantity from utility_intervals__service_point_history"
        " where service_point_key = (select service_point_key from meters"
        f" where meter_key = '{NEW}')"
    )
    newest: dict[tuple[str, str], Row] = {}
    for row in sorted(there(filled), key=lambda r: str(r["meter_key"])):
        if row["meter_key"] in {OLD, NEW}:  # NEW comes later and wins
            newest[row["channel"], row["interval_start"]] = row
    assert len(found) == len(newest)
    assert {(r["channel"], r["interval_start"]): r["meter_key"] for r in found} == {
        key: row["meter_key"] for key, row in newest.items()
    }
    hole = {
        r["meter_key"]
        for r in found
        if "2026-03-18 02:00" <= r["interval_start"] < "2026-03-18 04:00"
    }
    later = {r["meter_key"] for r in found if r["interval_start"] >= "2026-03-18 04:00"}
    assert (hole, later) == ({OLD}, {NEW})


def test_nothing_but_overlaps_is_left_out_of_the_histories(filled: Filled) -> None:
    (found,) = filled.query(
        "select count(*) as n from utility_intervals__service_point_history"
    )
    rows = there(filled)
    old = {(r["channel"], r["interval_start"]) for r in rows if r["meter_key"] == OLD}
    new = {(r["channel"], r["interval_start"]) for r in rows if r["meter_key"] == NEW}
    assert found["n"] == len(rows) - len(old & new)


def test_a_vanished_meter_is_left_out(filled: Filled) -> None:
    listed = "stg_utility_intervals__meters where is_listed"
    found = {r["k"] for r in filled.query(f"select meter_key as k from {listed}")}
    held = {r["k"] for r in filled.query("select meter_key as k from meters")}
    assert held - found == {GONE}


def test_every_reading_that_is_on_offer_is_current(filled: Filled) -> None:
    (found,) = filled.query("select count(*) as n from utility_intervals__current")
    assert found["n"] == len(there(filled))


def test_what_can_be_read_has_no_text_in_unreadable(filled: Filled) -> None:
    """In PostgreSQL its null is one of JSON."""
    if filled.loader.name == "target-postgres":
        (found,) = filled.query(
            "select count(*) filter (where unreadable <> 'null') as odd,"
            " count(*) filter (where unreadable is not null) as any from intervals"
        )
        assert found["odd"] == 0
        assert found["any"] > 0


def test_a_superseded_bill_is_left_out(filled: Filled) -> None:
    current = "int_utility_intervals__bills where not is_superseded"
    found = {r["id"] for r in filled.query(f"select usage_id as id from {current}")}
    bills = [
        *truth.bills(filled.world, "utilityapi"),
        *truth.bills(filled.world, "nectar"),
    ]
    assert found == {b.usage_id for b in bills if not b.superseded}
    assert len(bills) == len(found) + 1


def test_a_bill_stands_beside_the_sum_of_its_intervals(filled: Filled) -> None:
    found = filled.query(
        "select usage_id, cast(period_start as varchar) as starts,"
        " cast(period_end as varchar) as ends, billed_quantity as billed,"
        " interval_quantity as summed from utility_intervals__bill_check"
        " where not is_superseded"
    )
    bills = {
        b.usage_id: b
        for b in (
            *truth.bills(filled.world, "utilityapi"),
            *truth.bills(filled.world, "nectar"),
        )
        if not b.superseded
    }
    assert {r["usage_id"] for r in found} == bills.keys()
    for row in found:
        bill = bills[row["usage_id"]]
        assert row["billed"] == Decimal(bill.volume or 0)
        if bill.provider == "utilityapi" or bill.start.hour == bill.end.hour == 0:
            assert (row["starts"], row["ends"]) == (
                str(naive(bill.start)),
                str(naive(bill.end)),
            )
            assert abs(Decimal(row["summed"] or 0) - Decimal(bill.volume or 0)) < CLOSE


def differences(tables: tuple[Table, Table]) -> dict[str, object]:
    """A few of what is missing, too many, or not as it should be."""
    there, here = tables
    both = there.keys() & here.keys()
    return {
        "missing": sorted(there.keys() - here.keys())[:3],
        "too many": sorted(here.keys() - there.keys())[:3],
        "other": [(there[k], here[k]) for k in sorted(both) if there[k] != here[k]][:3],
    }


NONE: dict[str, object] = {"missing": [], "too many": [], "other": []}


def test_after_an_interruption_every_row_is_as_in_the_world(filled: Filled) -> None:
    assert filled.killed_with
    assert differences(filled.resumed) == NONE
    assert filled.resumed[1]


def test_a_day_later_every_row_is_as_in_the_world(filled: Filled) -> None:
    assert differences(filled.later) == NONE
    assert len(filled.later[1]) > len(filled.resumed[1])


def test_restated_values_are_the_new_ones(filled: Filled) -> None:
    """Else the test before would compare nothing that has changed."""
    (before, _), (after, _) = filled.resumed, filled.later
    changed = [k for k in before if before[k]["quantity"] != after[k]["quantity"]]
    assert len(changed) == 4


def test_numbers_keep_exactly_the_digits_sent(filled: Filled) -> None:
    """Where the loader can: 0.100 stays 0.100."""
    if filled.loader.name != "target-postgres":
        return
    there, here = filled.later
    digits = {key: str(row["quantity"]) for key, row in there.items()}
    assert {key: str(row["quantity"]) for key, row in here.items()} == digits
    assert "0.000" in digits.values()


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_every_meter_and_every_bill_is_there_once(
    filled: Filled, provider: str
) -> None:
    meters = filled.query(
        f"select source_meter_id as id from meters where provider = '{provider}'"
    )
    world = filled.world
    there = [m.meter_id for m in truth.meters(world, provider)]
    gone = [GONE] if provider == "utilityapi" else []
    assert sorted(row["id"] for row in meters) == sorted([*there, *gone])
    bills = filled.query(
        "select usage_id, quantity, coalesce(is_superseded, false) as superseded"
        f" from usage where provider = '{provider}'"
    )
    assert sorted((b["usage_id"], b["quantity"], b["superseded"]) for b in bills) == (
        sorted(
            (b.usage_id, Decimal(b.volume or 0), b.superseded)
            for b in truth.bills(world, provider)
        )
    )

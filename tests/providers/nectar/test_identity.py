"""One meter, one key: what intervals leave out, what changes, what comes twice."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tap_utility_intervals.providers.nectar.intervals.shared import groups
from tap_utility_intervals.providers.nectar.listing import Connection as Listed
from tap_utility_intervals.providers.nectar.mapping import identity
from tap_utility_intervals.sandbox import (
    Account,
    Connection,
    Identifier,
    NectarMeter,
    Series,
    make_uuid,
)
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    Result,
    Shelf,
    connection,
    expected,
    hourly,
    intervals,
    kwh_meter,
    meters,
    page_of,
    row_of,
    world_of,
)

UNLISTED = "nectar: intervals whose meter is not listed"


def said(*values: str, name: str = "METER") -> str:
    return json.dumps([{"name": name, "value": v, "rawName": "No"} for v in values])


def answered(serve: Serve, *rows: str, **settings: Any) -> tuple[Result, str]:
    """What becomes of rows beside one meter with the METERs 1 and the POD 9."""
    meter = NectarMeter("m1", Series([]), [Identifier("1"), Identifier("9", "POD")])
    sandbox = serve(world_of(connection("a", meter)))
    sandbox.faults.add(path="/interval/", status=200, body=page_of(*rows), times=None)
    (listed,) = meters(sandbox)
    return intervals(sandbox, **settings), listed.meter_key


@pytest.mark.parametrize(
    "carried",
    [
        pytest.param({"account": "null", "identifiers": said("1")}, id="no account"),
        pytest.param(
            {"account": "null", "identifiers": said("9", name="POD")}, id="part of it"
        ),
        pytest.param(
            {
                "account": f'"{make_uuid("account", "a")}"',
                "identifiers": said("0-9", name="pod"),
            },
            id="part of it, with the account",
        ),
    ],
)
def test_an_interval_that_names_its_meter_in_part_joins_the_only_one_that_fits(
    serve: Serve, carried: dict[str, str]
) -> None:
    result, key = answered(serve, row_of(1, **carried))
    assert [row.meter_key for row in result.rows] == [key]
    assert not result.report.warnings


@pytest.mark.parametrize(
    "carried",
    [
        pytest.param({"account": "null", "identifiers": said("2")}, id="another"),
        pytest.param({"account": "null", "identifiers": "[]"}, id="none"),
        pytest.param({"account": '"b"', "identifiers": said("1")}, id="account"),
    ],
)
def test_an_interval_whose_meter_is_not_listed_is_told(
    serve: Serve, carried: dict[str, str]
) -> None:
    result, key = answered(serve, row_of(1, **carried))
    assert [row.meter_key for row in result.rows] != [key]
    assert result.report.warnings == {UNLISTED: 1}


def test_of_two_meters_that_fit_none_is_guessed() -> None:
    sent = json.loads(said("1"))
    found = identity.Siblings([("a:1", "a", sent), ("b:1", "b", sent)])
    assert found.key(None, sent) is None
    assert found.key("a", sent) == "a:1"
    assert found.key("c", sent) is None


def test_a_long_key_is_a_readable_head_and_a_hash() -> None:
    many = [{"name": "METER", "value": f"{n:012}9"} for n in range(250)]
    key = identity.meter_key("account", many)
    assert len(key) == identity.LONGEST_KEY == 200
    assert key.startswith("account:1009+1019+1029+")
    assert key == identity.meter_key("account", [*reversed(many)])
    other = identity.meter_key("account", many[:-1])
    assert len(other) == len(key)
    assert other != key


def test_nul_in_an_identifier_is_replaced_in_the_meter_and_in_its_key(
    serve: Serve,
) -> None:
    """No text of PostgreSQL holds it, at whatever depth of a JSON value."""
    meter = NectarMeter("m1", Series([]), [Identifier("7\0"), Identifier("\0", "POD")])
    sandbox = serve(world_of(connection("a", meter)))
    body = page_of(row_of(1, account="null", identifiers=said("7\0")))
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    (listed,) = meters(sandbox)
    assert [one["value"] for one in listed.identifiers] == ["7\ufffd", "\ufffd"]
    (row,) = intervals(sandbox).rows
    assert row.meter_key == listed.meter_key
    for record in (listed, row):
        assert b"\\u0000" not in msgspec.json.encode(record)


def twins(serve: Serve, *rows: str) -> dict[str, str]:
    sandbox = serve(world_of(connection("a")))
    sandbox.faults.add(path="/interval/", status=200, body=page_of(*rows), times=None)
    return {
        f"{row.interval_start:%d} {row.channel}": row.source_id
        for row in intervals(sandbox).rows
    }


def test_of_two_ids_for_one_reading_the_newest_has_the_plain_channel(
    serve: Serve,
) -> None:
    old = row_of(2, "1.0", id='"z-old"', updated='"2026-03-02T00:00:00Z"')
    new = row_of(2, "1.2", id='"a-new"', updated='"2026-03-05T00:00:00Z"')
    for rows in ((old, new), (new, old)):
        found = twins(serve, row_of(1), *rows, row_of(3))
        assert found["02 usage/kWh"] == "a-new"
        assert found["02 usage/kWh#2"] == "z-old"


@pytest.mark.parametrize("stamp", ["created", "updated"])
def test_two_series_of_one_meter_do_not_swap_and_are_told(
    serve: Serve, stamp: str
) -> None:
    def pairs(**later: str) -> list[str]:
        return [
            row_of(n, id=f'"{side}{n}"', **(later if (side, n) == ("a", 4) else {}))
            for n in range(1, 7)
            for side in "ba"
        ]

    before = twins(serve, *pairs())
    assert twins(serve, *pairs(**{stamp: '"2026-03-09T00:00:00Z"'})) == before
    assert before["04 usage/kWh"] == "a4"
    sandbox = serve(world_of(connection("a")))
    body = page_of(*pairs())
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    told = intervals(sandbox).report.warnings
    assert [count for what, count in told.items() if "import and export" in what] == [6]


def test_changed_identifiers_of_a_meter_read_its_history_again_and_are_told(
    serve: Serve,
) -> None:
    shelf = Shelf()
    before, world = (
        world_of(connection("a", kwh_meter("m", hourly("m", 90), number)))
        for number in "12"
    )
    intervals(serve(before), shelf, lookback_days=2)
    sandbox = serve(world)
    again = intervals(sandbox, shelf, lookback_days=2)
    assert again.values == expected(world)
    assert any("history is read again" in what for what in again.report.warnings)
    quiet = intervals(sandbox, shelf, lookback_days=2)
    assert len(quiet.values) < 4 * 24
    assert not quiet.report.warnings


def test_one_account_of_two_connections_comes_once(serve: Serve) -> None:
    meter = kwh_meter("m", hourly("m", 9), "1")
    other = kwh_meter("n", hourly("n", 9), "2")
    shared = Account("acc", "A-1", [meter])
    logins = [
        Connection(make_uuid("connection", "a"), [shared]),
        Connection(
            make_uuid("connection", "b"), [shared, Account("x", "A-2", [other])]
        ),
    ]
    world = world_of(*logins, connection("c", kwh_meter("o", hourly("o", 9))))
    shelf = Shelf()
    result = intervals(serve(world), shelf)
    assert result.values == expected(world)
    assert result.finished == 3
    assert len(shelf.kept) == 3


def test_of_one_account_of_two_connections_the_newest_counts(serve: Serve) -> None:
    stamp = ("2026-03-02T00:00:00Z", "2026-03-07T00:00:00Z")
    for newest in (0, 1):
        both = [Connection(name, [Account("acc", "A", [])]) for name in ("c-1", "c-2")]
        sandbox = serve(world_of(*both))
        for number, one in enumerate(both):
            updated = stamp[number == newest]
            row = row_of(1, f'"{number}.5"', id=f'"{number}"', updated=f'"{updated}"')
            sandbox.faults.add(
                path=f"/interval/connection/{one.id}",
                status=200,
                body=page_of(row),
                times=None,
            )
        (row,) = intervals(sandbox).rows
        assert (row.source_id, row.connection_id) == (str(newest), both[newest].id)


def test_connections_that_share_accounts_stand_together() -> None:
    def one(name: str, *accounts: str) -> Any:
        return Listed(name, {"accounts": [{"id": a} for a in accounts]}, [])

    found = groups([one("a", "1"), one("b", "2"), one("c"), one("d", "1", "2")])
    assert [{c.id for c in group} for group in found] == [{"c"}, {"a", "b", "d"}]
    alone = groups([one("a", "1", "1"), one("b", "2"), one("c"), one("d")])
    assert [[c.id for c in group] for group in alone] == [["a"], ["b"], ["c"], ["d"]]


def test_runs_that_are_always_stopped_reach_every_connection(serve: Serve) -> None:
    homes = [connection(n, kwh_meter(n, hourly(n, 3))) for n in map(str, range(12))]
    world = world_of(*homes)
    sandbox, shelf = serve(world), Shelf()
    reached: list[set[str]] = []
    for _ in range(6):
        before = dict(shelf.kept)
        intervals(sandbox, shelf, cut=16)
        reached.append(
            {key[1] for key, mark in shelf.kept.items() if before.get(key) != mark}
        )
        world.advance(seconds=3600)
    everything = {home.id for home in homes}
    assert set.union(*reached[:3]) == everything
    assert set.union(*reached[3:]) == everything


def test_usage_without_identifiers_is_not_given_to_a_meter_without_any() -> None:
    keys = identity.MeterKeys(by_id={}, by_signature={"": {"a meter"}}, account_of={})
    assert keys.of_usage({"identifiers": [], "account": "another"}) is None
    assert keys.of_usage({"identifiers": None, "meter": "unknown"}) is None

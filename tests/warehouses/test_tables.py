"""The tables equal the sandbox's world: after an interruption, and a day later."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tap_utility_intervals.sandbox import truth
from tests.warehouses.filling import Filled, Table
from tests.warehouses.worlds import GONE

pytestmark = pytest.mark.slow


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

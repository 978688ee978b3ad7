"""Nearly valid answers: only declared errors, no endless reading, no lost neighbour."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.hostile.fuzz.delivering import (
    ENTRIES,
    deliver,
    valid,
)
from tests.hostile.fuzz.mutating import (
    Node,
    Path,
    garbled,
    mutated,
    parsed,
    sound_leaves,
)
from tests.hostile.fuzz.replaying import check
from tests.tap.resuming import undated

few, many = (
    settings(
        derandomize=True,
        deadline=None,
        max_examples=examples,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    for examples in (40, 150)
)


def anything_ends_as_declared(entry: str, data: st.DataObject) -> None:
    body = data.draw(mutated(valid(entry)).flatmap(garbled))
    check(deliver(entry, body))


@pytest.mark.parametrize("entry", ENTRIES)
@few
@given(data=st.data())
def test_anything_ends_as_declared(entry: str, data: st.DataObject) -> None:
    anything_ends_as_declared(entry, data)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
@many
@given(data=st.data())
def test_very_many_things_end_as_declared(entry: str, data: st.DataObject) -> None:
    anything_ends_as_declared(entry, data)


NEIGHBOURS = {
    "utilityapi_meters": ("meters", "meters", "meter_key"),
    "utilityapi_intervals": ("intervals", "intervals", "meter_key"),
    "utilityapi_bills": ("bills", "usage", "usage_id"),
    "nectar_meters": ("meters", "meters", "source_meter_id"),
    "nectar_intervals": ("intervals", "intervals", "source_id"),
    "nectar_usage_data": ("usageData", "usage", "usage_id"),
}
"""Per entry: its list, the stream that it becomes, and what names an item's rows."""

UIDS = {"utilityapi": "uid", "nectar": "id"}
TOLD = (
    *("id", "uid", "meter_uid", "readings"),
    *("interval_count", "interval_coverage", "bill_count", "bill_coverage"),
)
"""What of an item names it, and what it promises."""


@pytest.mark.parametrize("entry", NEIGHBOURS)
@few
@given(data=st.data())
def test_an_odd_item_costs_no_neighbour(entry: str, data: st.DataObject) -> None:
    plural, stream, name = NEIGHBOURS[entry]
    place = item(entry, plural)
    body = data.draw(mutated(valid(entry), place, sound_leaves)).encode()
    odd = str(
        json.loads(valid(entry))[plural][0][
            "meter_uid"
            if plural == "intervals" and name == "meter_key"
            else UIDS[entry.partition("_")[0]]
        ]
    )
    others = {row[name] for row in whole(entry)[stream]} - {odd}
    assert len(others) == len({row[name] for row in whole(entry)[stream]}) - 1
    delivery = deliver(entry, body)
    check(delivery)
    sent, came = json.loads(valid(entry))[plural][0], json.loads(body)[plural][0]
    # An Interval object that says it is the neighbour's is the neighbour's.
    assume(not (isinstance(came, dict) and came.get("meter_uid") in others))
    # What has no name, or promises what does not come, is a loss that is told.
    if isinstance(came, dict) and all(came.get(one) == sent.get(one) for one in TOLD):
        assert delivery.is_healthy
    assert of(delivery.rows[stream], name, others) == of(
        whole(entry)[stream], name, others
    )


@few
@given(data=st.data())
def test_an_odd_reading_costs_no_neighbour(data: st.DataObject) -> None:
    entry = "utilityapi_intervals"
    inside = (*item(entry, "intervals"), readings(entry), 0)
    body = data.draw(mutated(valid(entry), inside, sound_leaves)).encode()
    delivery = deliver(entry, body)
    check(delivery)
    assert delivery.is_healthy
    rows = whole(entry)["intervals"]
    newest = max(row["interval_start"] for row in rows)
    others = [
        row
        for row in rows
        if (row["meter_key"], row["interval_start"]) != ("101", newest)
    ]
    assert len(others) == len(rows) - 2
    came = [undated(row) for row in delivery.rows["intervals"]]
    assert all(undated(row) in came for row in others)


@lru_cache
def whole(entry: str) -> dict[str, list[Any]]:
    return deliver(entry, valid(entry)).rows


def of(rows: list[Any], name: str, wanted: set[str]) -> list[Any]:
    """The rows of some items; that a list fell short is said in all of its rows."""
    return [
        {column: value for column, value in undated(row).items() if column != "listing"}
        for row in rows
        if row[name] in wanted
    ]


def item(entry: str, plural: str) -> Path:
    """Where the first item of an entry's list stands."""
    envelope = parsed(valid(entry))
    assert isinstance(envelope, Node)
    assert envelope.names is not None
    return envelope.names.index(f'"{plural}"'), 0


def readings(entry: str) -> int:
    """Where the readings stand in an Interval object."""
    envelope: Any = parsed(valid(entry))
    place: int = envelope.children[0].children[0].names.index('"readings"')
    return place

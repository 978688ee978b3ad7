"""Whose list a row of `meters` is of: the credential's name, and what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox, make_uuid
from tests.oracle import Row
from tests.providers.contract import House, subject_of

COMPANY, OTHER = (make_uuid("company", name) for name in ("101", "102"))


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Sandbox]]:
    houses = House("101"), House("102")
    with (
        Sandbox(subject_of("utilityapi").world(*houses)) as one,
        Sandbox(subject_of("nectar").world(*houses)) as other,
    ):
        yield {"utilityapi": one, "nectar": other}


def listed(sandbox: Sandbox, provider: str, **settings: Any) -> list[Row]:
    return subject_of(provider).sync(sandbox, **settings).rows("meters")


CASES: list[tuple[str, Row, int, str | None]] = [
    ("utilityapi", {}, 2, "all"),
    ("utilityapi", {"credential_name": "acme"}, 2, "all"),
    ("utilityapi", {"utilityapi_meters": ["102"]}, 1, "utilityapi_meters "),
    ("nectar", {}, 2, "all"),
    ("nectar", {"nectar_companies": [COMPANY]}, 1, "nectar_companies "),
    ("nectar", {"nectar_datasource_types": ["GAS"]}, 0, None),
    (
        "nectar",
        {"nectar_companies": [COMPANY], "nectar_datasource_types": ["ELECTRICITY"]},
        1,
        "nectar_companies nectar_datasource_types ",
    ),
]


@pytest.mark.parametrize(("provider", "settings", "count", "listing"), CASES)
def test_a_meter_says_of_which_list_it_is(
    sandboxes: dict[str, Sandbox],
    provider: str,
    settings: Row,
    count: int,
    listing: str | None,
) -> None:
    found = listed(sandboxes[provider], provider, **settings)
    assert len(found) == count
    for row in found:
        assert row["credential_name"] == settings.get("credential_name")
        assert row["listing"].startswith(listing)


def test_the_same_filter_is_the_same_list_in_any_order(
    sandboxes: dict[str, Sandbox],
) -> None:
    said = [
        {row["listing"] for row in listed(sandboxes["nectar"], "nectar", **settings)}
        for settings in (
            {"nectar_companies": [COMPANY, OTHER]},
            {"nectar_companies": [OTHER, COMPANY, OTHER]},
            {"nectar_companies": [OTHER]},
        )
    ]
    assert said[0] == said[1] != said[2]
    assert [len(one) for one in said] == [1, 1, 1]


SHORT: list[tuple[str, int, Row]] = [
    ("nectar", 1, {"path": f"/meter/company/{OTHER}", "status": 500}),
    ("utilityapi", 2, {"path": "/meters$", "kind": "change", "lacking": ["next"]}),
]


@pytest.mark.parametrize(("provider", "count", "fault"), SHORT)
def test_a_list_that_may_have_fallen_short_says_nothing_of_other_meters(
    sandboxes: dict[str, Sandbox], provider: str, count: int, fault: Row
) -> None:
    sandbox = sandboxes[provider]
    sandbox.faults.add(times=None, **fault)
    try:
        found = listed(sandbox, provider)
    finally:
        sandbox.faults.clear()
    assert [row["listing"] for row in found] == [None] * count

from __future__ import annotations

from typing import Any

import pytest

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.floor.limiter import Stopped
from tap_utility_intervals.providers.nectar import PROVIDER
from tap_utility_intervals.settings.checks import problems
from tap_utility_intervals.settings.shared import Settings
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import (
    Shelf,
    connection,
    hourly,
    kwh_meter,
    session,
    world_of,
)


def check(**settings: Any) -> None:
    config = {"nectar_api_key": "key", **settings}
    found = problems(config, {"type": "object", "properties": PROVIDER.settings})
    if found:
        raise ConfigError(*found[0].removeprefix("Setting ").split(" ", 1))
    PROVIDER.check(config, Settings.parse(config))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"nectar_base_url": "http://127.0.0.1:8080/v2/"},
        {
            "nectar_base_url": None,
            "nectar_companies": [],
            "nectar_datasource_types": None,
        },
        {"nectar_companies": ["a"], "nectar_datasource_types": ["GAS", "WATER"]},
    ],
)
def test_settings_that_can_be_used(settings: dict[str, Any]) -> None:
    check(**settings)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("nectar_base_url", "external.nectarclimate.com"),
        ("nectar_base_url", "http://example.com/v2"),
        ("nectar_api_key", "two\nlines"),
        ("nectar_api_key", " key"),
        ("nectar_api_key", "schlüssel"),
        ("nectar_api_key", 7),
        ("nectar_companies", "a,b"),
        ("nectar_companies", [1]),
        ("nectar_datasource_types", ["electricity"]),
        ("nectar_datasource_types", "GAS"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=setting) as refused:
        check(**{setting: value})
    if setting == "nectar_api_key":
        assert str(value) not in str(refused.value)


def test_every_setting_tells_what_it_is() -> None:
    assert set(PROVIDER.settings) == {
        "nectar_api_key",
        "nectar_base_url",
        "nectar_companies",
        "nectar_datasource_types",
    }
    for schema in PROVIDER.settings.values():
        assert {"type", "title", "description"} <= schema.keys()
    assert PROVIDER.settings["nectar_api_key"]["secret"] is True


def test_never_more_than_ten_jobs(serve: Serve) -> None:
    opened, _ = session(serve(world_of()), max_concurrency=64)
    assert opened.workers == 10
    opened.close()


def test_a_closed_session_asks_nothing_more(serve: Serve) -> None:
    sandbox = serve(
        world_of(connection("a", kwh_meter("a", hourly("a", 30))), page_size=10)
    )
    opened, _ = session(sandbox)
    (task,) = opened.interval_tasks(Shelf())
    opened.close()
    with pytest.raises(Stopped):
        list(opened.read(task))


def test_a_session_closed_between_pages_stops(serve: Serve) -> None:
    sandbox = serve(
        world_of(connection("a", kwh_meter("a", hourly("a", 30))), page_size=10)
    )
    opened, _ = session(sandbox)
    path = f"/interval/connection/{connection('a').id}"
    decode = pytest.importorskip(
        "tap_utility_intervals.providers.nectar.objects"
    ).interval_page
    pages = opened.client.pages(path, [], decode)
    next(pages)
    opened.close()
    with pytest.raises(Stopped):
        next(pages)

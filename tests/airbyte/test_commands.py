from __future__ import annotations

import json
import signal
from contextlib import redirect_stdout
from importlib import metadata
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tap_utility_intervals.airbyte import state
from tap_utility_intervals.airbyte.source import main
from tap_utility_intervals.airbyte.spec import PACKAGE, specification
from tap_utility_intervals.airbyte.writer import NO_CURSOR
from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.settings import shared as settings_of
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.airbyte.running import SIGNALS, Connector, configured, handlers_kept, run


@pytest.fixture
def properties() -> dict[str, Any]:
    [spec] = run("spec").of("SPEC")
    found: dict[str, Any] = spec["connectionSpecification"]["properties"]
    return found


def test_the_spec_has_every_setting_of_the_tap_and_none_of_the_sdk(
    properties: dict[str, Any],
) -> None:
    ours = [p.settings for p in PROVIDERS] + [settings_of.SETTINGS]
    # Files in the connector's container would be seen by nobody.
    elsewhere = {"batch_config", "metrics_file"}
    assert set(properties) == {name for part in ours for name in part} - elsewhere
    assert "stream_maps" not in properties


def test_the_spec_is_plain_draft_7_with_one_type_each(
    properties: dict[str, Any],
) -> None:
    [spec] = run("spec").of("SPEC")
    Draft7Validator.check_schema(spec["connectionSpecification"])
    for schema in properties.values():
        assert isinstance(schema["type"], str)
        assert schema["title"]
        assert schema["description"]
        assert not {"secret", "writeOnly"} & set(schema)
    assert [schema["order"] for schema in properties.values()] == list(
        range(len(properties))
    )


def test_the_spec_marks_the_credentials_and_shows_them_first(
    properties: dict[str, Any],
) -> None:
    secret = [name for name, s in properties.items() if s.get("airbyte_secret")]
    assert secret == [p.credential for p in PROVIDERS]
    assert list(properties)[: len(secret)] == secret


def test_the_spec_has_groups_in_an_order_that_people_can_follow(
    properties: dict[str, Any],
) -> None:
    [spec] = run("spec").of("SPEC")
    titles = {g["id"]: g["title"] for g in spec["connectionSpecification"]["groups"]}
    assert list(dict.fromkeys(p["group"] for p in properties.values())) == list(titles)
    assert list(titles) == ["credentials", "shared", *(p.name for p in PROVIDERS)]
    assert list(properties)[len(PROVIDERS)] == "start_date"
    for provider in PROVIDERS:
        named = [n for n in properties if n.startswith(f"{provider.name}_")]
        assert {properties[n]["group"] for n in named} == {"credentials", provider.name}


def test_the_spec_links_the_documentation_that_the_package_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = {
        "Project-URL": [
            "Documentation, https://example.com/docs",
            "Changelog, https://example.com/CHANGELOG.md",
        ]
    }
    found = SimpleNamespace(get_all=lines.get)
    monkeypatch.setattr(metadata, "metadata", lambda name: {PACKAGE: found}[name])
    spec = specification()
    assert spec["documentationUrl"] == "https://example.com/docs/airbyte.md"
    assert spec["changelogUrl"] == "https://example.com/CHANGELOG.md"


@pytest.mark.parametrize("command", ["spec", "check", "discover"])
def test_a_question_leaves_signals_as_they_are(
    connector: Connector, command: str
) -> None:
    options = [] if command == "spec" else ["--config", connector.config]
    with handlers_kept():
        before = [signal.getsignal(number) for number in SIGNALS]
        with redirect_stdout(StringIO()):
            assert main([command, *options]) == 0
        assert [signal.getsignal(number) for number in SIGNALS] == before


def test_the_spec_accepts_the_configuration_of_the_singer_tap(
    connector: Connector,
) -> None:
    [spec] = run("spec").of("SPEC")
    Draft7Validator(spec["connectionSpecification"]).validate(connector.settings)


def test_the_catalog_has_every_stream_in_the_form_of_airbyte(
    connector: Connector,
) -> None:
    catalog = connector.discover()
    tap = TapUtilityIntervals(config=dict(connector.settings))
    assert [s["name"] for s in catalog["streams"]] == list(tap.streams)
    for entry in catalog["streams"]:
        stream = tap.streams[entry["name"]]
        schema = entry["json_schema"]
        Draft7Validator.check_schema(schema)
        assert list(schema["properties"]) == list(stream.schema["properties"])
        keys = [[key] for key in stream.primary_keys or ()]
        assert entry["source_defined_primary_key"] == keys
        if stream.replication_key:
            assert entry["supported_sync_modes"] == ["full_refresh", "incremental"]
            assert entry["source_defined_cursor"] is True
            assert entry["default_cursor_field"] == [stream.replication_key]
            assert entry["is_resumable"] is True
        else:
            assert entry["supported_sync_modes"] == ["full_refresh"]


def test_the_schemas_hold_only_what_destinations_understand(
    connector: Connector,
) -> None:
    for entry in connector.discover()["streams"]:
        for part in parts(entry["json_schema"]):
            assert not {"$id", "$ref", "$schema", "allOf", "not"} & set(part)
            assert part.get("additionalProperties") is not False
            is_instant = part.get("format") == "date-time"
            has_zone = part.get("airbyte_type") == "timestamp_with_timezone"
            assert is_instant == has_zone
            if isinstance(part.get("type"), list):
                assert part["type"][0] == "null"
                assert len(part["type"]) == 2
            else:
                assert ("type" in part) != ("oneOf" in part)


def parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema and all schemas in it."""
    inner = list(schema.get("properties", {}).values())
    inner += [schema[k] for k in ("items", "additionalProperties") if k in schema]
    return [schema] + [
        p for part in inner if isinstance(part, dict) for p in parts(part)
    ]


def test_discovery_asks_no_provider_anything(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.forget_requests()
    connector.discover()
    assert not sandbox.requests


def test_a_check_asks_each_provider_once(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.forget_requests()
    output = connector.check()
    assert output.code == 0
    assert output.of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]
    assert sorted(request.provider for request in sandbox.requests) == [
        "nectar",
        "utilityapi",
    ]


@pytest.mark.parametrize("setting", ["utilityapi_api_token", "nectar_api_key"])
def test_a_check_with_a_bad_credential_fails_by_name_and_exits_0(
    connector: Connector, setting: str
) -> None:
    connector.settings[setting] = "not-the-right-one"
    output = connector.check()
    [status] = output.of("CONNECTION_STATUS")
    assert output.code == 0
    assert status["status"] == "FAILED"
    assert setting in status["message"]
    assert "not-the-right-one" not in output.text + output.stderr


def test_a_check_of_a_server_that_is_down_fails_and_exits_0(
    connector: Connector, sandbox: Sandbox
) -> None:
    sandbox.stop()
    connector.settings["max_retries"] = 0
    output = connector.check()
    [status] = output.of("CONNECTION_STATUS")
    assert output.code == 0
    assert status["status"] == "FAILED"
    assert "utilityapi" in status["message"]
    assert "nectar" in status["message"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lookback_days": -1}, "lookback_days"),
        ({"lookback_dais": 3}, "lookback_days"),
        ({"stream_maps": {}}, "stream_maps"),
        ({"utilityapi_api_token": None, "nectar_api_key": None}, "nectar_api_key"),
        ({"utilityapi_api_token": 4711471147114711}, "utilityapi_api_token"),
    ],
)
def test_a_wrong_setting_is_named(
    connector: Connector, changes: dict[str, Any], named: str
) -> None:
    connector.settings |= changes
    output = connector.check()
    [status] = output.of("CONNECTION_STATUS")
    assert output.code == 0
    assert status["status"] == "FAILED"
    assert named in status["message"]
    assert "4711471147114711" not in output.text + output.stderr
    refused = run("discover", "--config", connector.config)
    assert refused.code == 1
    assert refused.failures == {"": "config_error"}


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_file_that_is_no_configuration_is_the_users_business(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    output = run("discover", "--config", str(path))
    assert output.code == 1
    assert output.failures == {"": "config_error"}
    [status] = run("check", "--config", str(path)).of("CONNECTION_STATUS")
    assert status["status"] == "FAILED"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    output = run("discover", "--config", str(tmp_path / "none.json"))
    assert output.failures == {"": "config_error"}
    assert "none.json" in output.errors[0]["message"]


def test_a_catalog_with_an_unknown_mode_is_refused(connector: Connector) -> None:
    arguments = connector.arguments(modes={"meters": "INVALID"})
    output = run(*arguments)
    assert output.code == 1
    assert output.failures == {"": "config_error"}
    assert "INVALID" in output.errors[0]["message"]
    connector.file("catalog", {"nothing": True})
    assert run(*arguments).failures == {"": "config_error"}


def test_the_configured_catalog_of_these_tests_is_one(connector: Connector) -> None:
    found = configured(connector.discover(), ["meters", "new"], {})
    assert [s["stream"]["name"] for s in found["streams"]] == ["meters", "new"]


BLOB = {"version": 1, "partitions": [{"context": {"provider": "x"}}]}
DESCRIPTOR = {"name": "intervals", "namespace": None}
PART = {"stream_descriptor": DESCRIPTOR, "stream_state": BLOB}
SINGER = {"bookmarks": {"intervals": BLOB}}


@pytest.mark.parametrize(
    "given",
    [
        [{"type": "STREAM", "stream": PART, "global": None, "data": None}],
        [{"type": "GLOBAL", "global": {"shared_state": None, "stream_states": [PART]}}],
        [{"type": "LEGACY", "data": SINGER}],
        {"type": "STREAM", "stream": PART},
        SINGER,
    ],
)
def test_every_form_of_state_is_understood(given: object) -> None:
    assert state.bookmarks(given) == SINGER


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {},
        [{"type": "LEGACY", "data": {}}],
        [{"type": "STREAM", "stream": {**PART, "stream_state": None}}],
        [{"type": "STREAM", "stream": {**PART, "stream_state": {NO_CURSOR: True}}}],
    ],
)
def test_no_state_is_the_beginning(given: object) -> None:
    assert state.bookmarks(given) == {}


@pytest.mark.parametrize(
    "given", [{"intervals": BLOB}, [3], ["x"], "text", [{"type": "LEGACY", "data": 3}]]
)
def test_a_state_that_nobody_knows_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match="state"):
        state.bookmarks(json.loads(json.dumps(given)))

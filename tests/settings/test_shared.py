"""Every setting: a wrong value ends in one clear sentence that shows no secret."""

from __future__ import annotations

import json
import logging
import signal
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.runs import own_settings
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.settings import checks
from tap_utility_intervals.settings import shared as module
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.syncing import config
from tests.tap.running import Inside, Outcome, command

SECRET = "s3cret-of-the-test"
TOKEN = {"utilityapi_api_token": SECRET}
NECTAR = {"nectar_api_key": SECRET}

WHOLE = "must be a whole number"
NUMBER = "must be a number"
TRUTH = "must be true or false"
TEXT = "must be a text"
EITHER = "utilityapi_api_token or nectar_api_key"
LIST = "must be a list of texts"
DATE = "is not a date or an ISO 8601 instant"
ADDRESS = "needs a scheme (https://) and a host"
UNREAD = "Setting config "
CLEAR = "would send the credential unencrypted"
FILE = "must match ^file:///."
ARROW = {"format": "arrow"}
BATCHES = {"encoding": ARROW, "storage": {"root": "file:///tmp"}}

WRONG: list[tuple[str, Any, str]] = [
    ("start_date", "yesterday", DATE),
    ("start_date", "2024-13-01", DATE),
    ("start_date", "2024-02-30", DATE),
    ("start_date", "01/02/2024", DATE),
    ("start_date", 20240101, TEXT),
    ("end_date", "2024-1-1", DATE),
    ("end_date", "2024-01-01T25:00:00Z", DATE),
    ("lookback_days", -1, "must be at least 0"),
    ("lookback_days", 4000, "must be at most 3650"),
    ("lookback_days", "30", WHOLE),
    ("lookback_days", 1.5, WHOLE),
    ("lookback_days", True, WHOLE),
    ("full_rescan_days", -1, "must be at least 0"),
    ("full_rescan_days", [7], WHOLE),
    ("window_days", 0, "must be at least 1"),
    ("window_days", "a", WHOLE),
    ("max_concurrency", 0, "must be at least 1"),
    ("max_concurrency", 65, "must be at most 64"),
    ("request_timeout", 0, "must be more than 0"),
    ("request_timeout", -1, "must be more than 0"),
    ("request_timeout", "300 s", NUMBER),
    ("request_timeout", 4000, "must be at most 3600"),
    ("max_retries", -1, "must be at least 0"),
    ("max_retries", 21, "must be at most 20"),
    ("max_response_mb", 0, "must be more than 0"),
    ("max_response_mb", {}, NUMBER),
    ("allow_insecure_http", "false", TRUTH),
    ("allow_insecure_http", 0, TRUTH),
    ("state_interval_seconds", -0.5, "must be at least 0"),
    ("state_interval_seconds", 301, "must be at most 300"),
    ("credential_name", 7, TEXT),
    ("max_failed_sources", -1, "must be at least 0"),
    ("metrics_file", 7, TEXT),
    ("metrics_file", "/nowhere/run.prom", "lies in /nowhere, where no file"),
    ("credential_name", SECRET, "must be a name of your own, not utilityapi_api_token"),
    ("batch_config", "x", "must be an object"),
    ("batch_config", {"encoding": ARROW}, "must hold ['encoding', 'storage']"),
    ("batch_config", {"encoding": ARROW, "storage": {}}, "must hold ['root']"),
    ("batch_config", {**BATCHES, "encoding": {"format": "jsonl"}}, "one of ['arrow']"),
    ("batch_config", {"storage": {"root": "s3://a"}, "encoding": ARROW}, FILE),
    ("batch_config", {"storage": {"root": "file://a"}, "encoding": ARROW}, FILE),
    ("batch_config", {**BATCHES, "batch_size": 9}, "of which nobody knows"),
    ("user_agent", 7, TEXT),
    ("user_agent", "two\nlines", "must be plain ASCII on one line"),
    ("user_agent", "é", "must be plain ASCII on one line"),
    ("utilityapi_api_token", 12345678, TEXT),
    ("utilityapi_api_token", [SECRET], TEXT),
    ("utilityapi_api_token", f"{SECRET}\n", "holds a space, a line break"),
    ("utilityapi_api_token", f"{SECRET} {SECRET}", "holds a space, a line break"),
    ("utilityapi_api_token", f"{SECRET}é", "holds a space, a line break"),
    ("utilityapi_base_url", "utilityapi.com/api/v2", ADDRESS),
    ("utilityapi_base_url", "ftp://utilityapi.com", ADDRESS),
    ("utilityapi_base_url", "https://", ADDRESS),
    ("utilityapi_base_url", "http://utilityapi.com/api/v2", CLEAR),
    ("utilityapi_base_url", "http://127.0.0.1.example.com/", CLEAR),
    ("utilityapi_base_url", "http://[2001:db8::1]/", CLEAR),
    ("utilityapi_base_url", "https://[1/", "is not an address"),
    ("utilityapi_base_url", "https://a:b/", "is not an address"),
    ("utilityapi_base_url", f"https://me:{SECRET}@a.example/", "bare address"),
    ("utilityapi_base_url", "https://@a.example/", "bare address"),
    ("utilityapi_base_url", f"https://a.example/?token={SECRET}", "bare address"),
    ("utilityapi_base_url", "https://a.example/#part", "bare address"),
    ("utilityapi_base_url", "https://a b.example/", "holds a space"),
    ("utilityapi_base_url", 7, TEXT),
    ("utilityapi_authorizations", [True], LIST),
    ("utilityapi_authorizations", [["1"]], LIST),
    ("utilityapi_authorizations", ",", LIST),
    ("utilityapi_meters", [""], LIST),
    ("utilityapi_meters", True, LIST),
    ("utilityapi_meters", {"a": 1}, LIST),
    ("utilityapi_allow_mixed", "yes", TRUTH),
    ("utilityapi_default_time_zone", 7, TEXT),
    ("utilityapi_default_time_zone", "Mars/Olympus", "must be the name of a zone"),
    ("utilityapi_requests_per_second", 0, "must be more than 0"),
    ("utilityapi_requests_per_second", -1, "must be more than 0"),
    ("utilityapi_requests_per_second", 50.5, "must be at most 50, UtilityAPI's hard"),
    ("utilityapi_requests_per_second", "0,5", NUMBER),
    ("utilityapi_requests_per_second", "NaN", NUMBER),
    ("utilityapi_requests_per_second", "true", NUMBER),
    ("utilityapi_meters_per_request", 0, "must be at least 1"),
    ("nectar_base_url", "http://external.nectarclimate.com/v2.2", CLEAR),
    ("nectar_base_url", "external.nectarclimate.com", ADDRESS),
    ("nectar_api_key", 5, TEXT),
    ("stream_maps", "x", "must be"),
    ("flattening_enabled", "x", TRUTH),
]


def refused(outcome: Outcome, setting: str) -> str:
    """The one sentence about a setting."""
    assert outcome.code == 1
    assert outcome.out == ""
    assert "Traceback" not in outcome.log
    assert SECRET not in outcome.log
    sentences = [
        line for line in outcome.log.splitlines() if f"Setting {setting} " in line
    ]
    assert len(sentences) == 1, outcome.log
    return sentences[0]


@pytest.mark.parametrize(
    ("setting", "value", "problem"), WRONG, ids=lambda item: repr(item)[:40]
)
def test_a_wrong_value_ends_in_a_sentence(
    tap: Inside, setting: str, value: Any, problem: str
) -> None:
    sentence = refused(tap.with_config({**TOKEN, **NECTAR, setting: value}), setting)
    assert problem in sentence
    has_example = checks.example_of(own_settings().get(setting, {}))
    if has_example or problem in {DATE, ADDRESS}:
        assert f'for example: "{setting}": ' in sentence


def test_every_setting_of_ours_is_tried_with_a_wrong_value() -> None:
    tried = {setting for setting, *_ in WRONG}
    free = {"nectar_companies", "nectar_datasource_types"}
    assert set(own_settings()) - tried <= free


def test_examples_are_values_that_would_do() -> None:
    known = own_settings()
    for setting, schema in known.items():
        for example in schema.get("examples", []):
            settings = {**TOKEN, setting: example}
            assert checks.problems(settings, {"properties": known}) == []


@pytest.mark.parametrize("settings", [{}, {"utilityapi_api_token": ""}, {"a": None}])
def test_without_a_credential_both_are_named(
    tap: Inside, settings: dict[str, Any]
) -> None:
    outcome = tap.with_config(settings)
    sentence = refused(outcome, EITHER)
    assert "must be set" in sentence
    assert outcome.log.splitlines()[-1].endswith(sentence)  # Meltano shows the last
    assert "schema" not in outcome.log


def test_an_end_before_the_start_is_refused(tap: Inside) -> None:
    dates = {"start_date": "2024-02-01", "end_date": "2024-01-01"}
    sentence = refused(tap.with_config(TOKEN | dates), "end_date")
    assert "is not after start_date" in sentence


@pytest.mark.parametrize(
    ("unknown", "hint"),
    [
        ("utilityapi_token", "did you mean utilityapi_api_token?"),
        ("lookback_day", "did you mean lookback_days?"),
        ("startdate", "did you mean start_date?"),
        ("xyzzy", "--about lists them all"),
    ],
)
def test_an_unknown_setting_is_refused_with_a_hint(
    tap: Inside, unknown: str, hint: str
) -> None:
    sentence = refused(tap.with_config(TOKEN | {unknown: SECRET}), unknown)
    assert f"is not a setting of this tap; {hint}" in sentence


def test_several_problems_are_all_told(tap: Inside) -> None:
    outcome = tap.with_config(
        TOKEN | {"lookback_days": "x", "max_retries": -1, "xyzzy": 1}
    )
    for setting in ("lookback_days", "max_retries", "xyzzy"):
        refused(outcome, setting)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{bad", UNREAD),
        ("", UNREAD),
        ("[1]", UNREAD),
        ("7", UNREAD),
        (f'{{"lookback_days": NaN, "utilityapi_api_token": "{SECRET}"}}', UNREAD),
        (f'{{"request_timeout": Infinity, "nectar_api_key": "{SECRET}"}}', UNREAD),
        ("[" * 200_000 + "]" * 200_000, UNREAD),
        ('{"a":' * 200_000 + "1" + "}" * 200_000, UNREAD),
    ],
    ids=range(8),
)
def test_a_file_that_is_no_configuration_is_an_error_without_a_traceback(
    tap: Inside, text: str, told: str
) -> None:
    outcome = tap.with_config(text)
    assert outcome.code == 1
    assert told in outcome.log
    assert "Traceback" not in outcome.log
    assert SECRET not in outcome.log


@pytest.mark.parametrize("path", ["nowhere.json", "."])
def test_a_file_that_is_not_there_is_an_error_without_a_traceback(
    tap: Inside, path: str
) -> None:
    outcome = tap(f"--config={tap.tmp_path / path}")
    assert outcome.code == 1
    assert UNREAD in outcome.log
    assert "Traceback" not in outcome.log


@pytest.mark.parametrize("option", ["--test", "--test=schema"])
def test_a_wrong_value_is_told_by_the_connection_test_too(
    tap: Inside, option: str
) -> None:
    outcome = tap.with_config(TOKEN | {"lookback_days": "x"}, option)
    assert WHOLE in refused(outcome, "lookback_days")


@pytest.mark.parametrize(
    "settings", [{}, {"lookback_days": "x"}, {"start_date": 7}, {"xyzzy": 1}]
)
def test_discovery_needs_no_right_value(tap: Inside, settings: dict[str, Any]) -> None:
    outcome = tap.with_config(settings, "--discover")
    assert outcome.code == 0
    names = [stream["tap_stream_id"] for stream in json.loads(outcome.out)["streams"]]
    assert {"intervals", "meters", "usage"} <= {*names}


RIGHT: list[dict[str, Any]] = [
    TOKEN,
    NECTAR,
    TOKEN | NECTAR,
    TOKEN | {"start_date": "2024-01-01"},
    TOKEN | {"start_date": "2024-01-01T00:00:00Z", "end_date": "2024-01-02"},
    TOKEN | {"start_date": "2024-01-01T00:00:00.123-05:00"},
    TOKEN | {"start_date": "2024-01-01 00:00"},
    TOKEN | {"utilityapi_base_url": "https://utilityapi.com/api/v2/"},
    TOKEN | {"utilityapi_base_url": "http://127.0.0.1:8765/api/v2"},
    TOKEN | {"utilityapi_base_url": "http://localhost/api"},
    TOKEN | {"utilityapi_base_url": "http://[::1]:80/api"},
    TOKEN | {"utilityapi_base_url": "http://a.example", "allow_insecure_http": True},
    TOKEN | {"lookback_days": 0, "full_rescan_days": 0, "max_retries": 0},
    TOKEN | {"lookback_days": 30.0, "max_concurrency": 8.0, "window_days": 1.0},
    TOKEN | {"request_timeout": 0.5, "state_interval_seconds": 0},
    TOKEN | {"utilityapi_requests_per_second": 0.02},
    TOKEN | {"utilityapi_requests_per_second": 50, "request_timeout": "2.5"},
    TOKEN
    | {
        "utilityapi_requests_per_second": 51,
        "utilityapi_base_url": "http://127.0.0.1:8765/api/v2",
    },
    TOKEN | {"utilityapi_meters": ["1"], "utilityapi_authorizations": []},
    TOKEN | {"utilityapi_meters": [2061339], "start_date": ""},
    TOKEN | {"stream_maps": {}, "flattening_enabled": False},
    TOKEN | dict.fromkeys(module.SETTINGS),
    TOKEN | NECTAR | {"utilityapi_base_url": None, "nectar_base_url": None},
]


@pytest.mark.parametrize("settings", RIGHT, ids=range(len(RIGHT)))
def test_corner_cases_are_accepted(settings: dict[str, Any]) -> None:
    before = json.dumps(settings)
    tap = TapUtilityIntervals(config=settings)
    assert tap.sessions
    assert json.dumps(settings) == before


def test_null_is_the_default() -> None:
    nulls = TapUtilityIntervals(config=TOKEN | dict.fromkeys(module.SETTINGS))
    assert nulls.config == TapUtilityIntervals(config=TOKEN).config
    parsed = module.Settings.parse(dict.fromkeys(module.SETTINGS))
    assert parsed == module.Settings.parse({})


@pytest.mark.parametrize(
    "written",
    [[2061339], ["2061339"], [2061339.0], 2061339, "2061339", "2061339,"],
    ids=repr,
)
def test_ids_are_read_alike_however_they_are_written(written: Any) -> None:
    known = own_settings()
    for name in ("utilityapi_meters", "utilityapi_authorizations", "nectar_companies"):
        assert checks.tidied({name: written}, known)[name] == ["2061339"]


@pytest.mark.parametrize(
    "setting", ["start_date", "end_date", "utilityapi_base_url", "user_agent"]
)
def test_an_empty_text_is_unset_in_a_file_too(setting: str) -> None:
    tap = TapUtilityIntervals(config=TOKEN | {setting: ""})
    assert tap.config == TapUtilityIntervals(config=TOKEN).config


def test_a_check_changes_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    given = TOKEN | {"lookback_days": -1, "xyzzy": 1}
    known = TapUtilityIntervals.known_settings()
    found = checks.check(checks.tidied(given, known), known, PROVIDERS)
    assert len(found) == 2
    assert given == TOKEN | {"lookback_days": -1, "xyzzy": 1}
    assert {n: signal.getsignal(n) for n in before} == before
    assert caplog.text == ""


def test_days_are_midnights_in_utc() -> None:
    parsed = module.Settings.parse({"start_date": "2024-01-01"})
    assert str(parsed.start_date) == "2024-01-01 00:00:00+00:00"
    with pytest.raises(ConfigError, match="start_date"):
        module.Settings.parse({"start_date": "2024"})


@pytest.mark.parametrize("written", [0.5, Decimal("0.5"), "0.5", " 5e-1 "], ids=repr)
def test_half_a_request_a_second_is_read_however_it_is_written(written: Any) -> None:
    name = "utilityapi_requests_per_second"
    assert checks.tidied({name: written}, own_settings())[name] == 0.5
    assert checks.tidied({name: "2"}, own_settings())[name] == 2


@pytest.mark.parametrize("whole", [True, False])
def test_numbers_are_plain_however_they_were_written(
    tap: Inside, sandbox: Sandbox, *, whole: bool
) -> None:
    """The SDK reads 1.5 as Decimal, with which no clock can be added up."""
    settings = config(sandbox, "utilityapi") | (
        {
            "max_concurrency": 2.0,
            "max_retries": 1.0,
            "utilityapi_meters_per_request": 1.0,
        }
        if whole
        else {"utilityapi_requests_per_second": 5000.5, "request_timeout": 30.5}
    )
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    outcome = tap.with_config(settings)
    for number, handler in before.items():
        signal.signal(number, handler)
    assert outcome.code == 0
    assert len(outcome.messages) > 100


# --- the environment ------------------------------------------------------------------

PREFIX = "TAP_UTILITY_INTERVALS_"


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("lookback_days", "7", 7),
        ("request_timeout", "1.5", 1.5),
        ("request_timeout", "2", 2),
        ("allow_insecure_http", "true", True),
        ("allow_insecure_http", "Off", False),
        ("start_date", "2024-01-01", "2024-01-01"),
        ("utilityapi_meters", '["1", "2"]', ["1", "2"]),
        ("utilityapi_meters", "[1,2]", ["1", "2"]),
        ("utilityapi_meters", "1, 2", ["1", "2"]),
        ("utilityapi_meters", "1", ["1"]),
        ("utilityapi_meters", "1,", ["1"]),
        ("start_date", "", None),
        ("start_date", " ", None),
        ("user_agent", "7", "7"),
        ("stream_maps", '{"usage": "__NULL__"}', {"usage": "__NULL__"}),
        ("window_days", "", None),
    ],
)
def test_the_environment_holds_settings_of_every_type(
    monkeypatch: pytest.MonkeyPatch, setting: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(f"{PREFIX}UTILITYAPI_API_TOKEN", SECRET)
    monkeypatch.setenv(PREFIX + setting.upper(), text)
    tap = TapUtilityIntervals(config={}, parse_env_config=True)
    assert tap.config.get(setting) == value
    assert tap.config["utilityapi_api_token"] == SECRET


@pytest.mark.parametrize(
    ("setting", "text", "problem"),
    [
        ("lookback_days", "x", WHOLE),
        ("lookback_days", "1.5", WHOLE),
        ("request_timeout", "soon", NUMBER),
        ("request_timeout", "NaN", NUMBER),
        ("allow_insecure_http", "ture", TRUTH),
        ("utilityapi_meters", "[[1], 2]", LIST),
        ("utilityapi_meters", ",", LIST),
        ("start_date", "soon", DATE),
        ("stream_maps", "{", "must be"),
    ],
)
def test_a_wrong_value_in_the_environment_is_a_sentence_too(
    tap: Inside,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    text: str,
    problem: str,
) -> None:
    monkeypatch.setenv(f"{PREFIX}UTILITYAPI_API_TOKEN", SECRET)
    monkeypatch.setenv(PREFIX + setting.upper(), text)
    assert problem in refused(tap("--config=ENV"), setting)


@pytest.mark.parametrize(
    ("file", "variable", "setting", "problem"),
    [
        (b"LOOKBACK_DAYS=-1", "", "lookback_days", "must be at least 0"),
        (b"LOOKBACK_DAYS=-1", "1.5", "lookback_days", WHOLE),
        (b"LOOKBACK_DAYS=", "", EITHER, "must be set"),
        (b"LOOKBACK_DAYS='\xff'", "", "config", "cannot be read from .env"),
    ],
    ids=["file", "variable over file", "empty is unset", "no UTF-8"],
)
def test_what_no_variable_says_is_read_from_the_env_file_here(
    tap: Inside,
    monkeypatch: pytest.MonkeyPatch,
    file: bytes,
    variable: str,
    setting: str,
    problem: str,
) -> None:
    monkeypatch.chdir(tap.tmp_path)
    (tap.tmp_path / ".env").write_bytes(PREFIX.encode() + file)
    monkeypatch.setenv(f"{PREFIX}LOOKBACK_DAYS", variable)
    assert problem in refused(tap("--config=ENV"), setting)


# --- as it is installed ---------------------------------------------------------------


def test_the_installed_command_says_it_and_exits_with_1(tap: Inside) -> None:
    file = tap.file("c.json", TOKEN | {"utilityapi_base_url": "utilityapi.com"})
    sentence = refused(command("--config", file), "utilityapi_base_url")
    assert sentence.endswith(
        "Setting utilityapi_base_url needs a scheme (https://) and a host, "
        'for example: "utilityapi_base_url": "https://example.com/api".'
    )


def test_the_installed_command_reads_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}UTILITYAPI_API_TOKEN", SECRET)
    monkeypatch.setenv(f"{PREFIX}LOOKBACK_DAYS", "-1")
    outcome = command("--config=ENV")
    assert "must be at least 0" in refused(outcome, "lookback_days")


@pytest.mark.parametrize("setting", module.REWRITING)
def test_what_rewrites_records_is_refused_beside_files(
    tap: Inside, setting: str
) -> None:
    value: object = setting == "flattening_enabled" or {"a": {"b": "c"}}
    given = {**TOKEN, "batch_config": BATCHES, setting: value}
    assert "changes no Arrow files" in refused(tap.with_config(given), setting)


def test_files_need_an_extra_and_a_folder(
    tap: Inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    within = {"root": (tmp_path / "file" / "batches").as_uri()}
    given = {**TOKEN, "batch_config": {"encoding": ARROW, "storage": within}}
    told = refused(tap.with_config(given), "batch_config.storage")
    assert "names a folder that cannot be made (Not a directory)" in told
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for name in [name for name in sys.modules if "utility_intervals.arrow" in name]:
        monkeypatch.delitem(sys.modules, name)
    told = refused(tap.with_config({**TOKEN, "batch_config": BATCHES}), "batch_config")
    assert "needs pyarrow: pip install 'tap-utility-intervals[arrow]'" in told

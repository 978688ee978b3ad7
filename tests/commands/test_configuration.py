from __future__ import annotations

import json

import pytest

from tests.commands.running import Shell


def test_the_environment_is_read_by_default_and_by_name(shell: Shell) -> None:
    env = {
        "TAP_UTILITY_INTERVALS_UTILITYAPI_API_TOKEN": shell.sandbox.token,
        "TAP_UTILITY_INTERVALS_UTILITYAPI_BASE_URL": shell.sandbox.utilityapi_url,
        "TAP_UTILITY_INTERVALS_UTILITYAPI_METERS": '["2001001"]',
    }
    for line in ("collect status --json", "collect status --json --config ENV"):
        done = shell(line, env=env, config=None)
        assert done.returncode == 0, done.stderr
        rows = json.loads(done.stdout)["meters"]
        assert [row["meter"] for row in rows] == ["2001001"]


def test_a_variable_that_cannot_be_read(shell: Shell) -> None:
    env = {"TAP_UTILITY_INTERVALS_LOOKBACK_DAYS": "many"}
    done = shell("doctor", env=env, config="ENV")
    assert done.returncode == 2
    assert shell.sandbox.requests == []


def test_several_configurations_are_merged(shell: Shell) -> None:
    (shell.folder / "more.json").write_text('{"utilityapi_meters": ["2001003"]}')
    done = shell("collect status --json --config config.json", config="more.json")
    assert [row["meter"] for row in json.loads(done.stdout)["meters"]] == ["2001003"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "utilityapi_api_token or nectar_api_key"),
        ('{"nectar_api_key": "x"}', "utilityapi_api_token must be set"),
        ('{"utilityapi_api_tokens": "x"}', "utilityapi_api_token"),
        ('{"utilityapi_api_token": "a b"}', "utilityapi_api_token"),
        ('{"utilityapi_api_token": "x", "lookback_days": -1}', "lookback_days"),
        ('{"utilityapi_api_token": 987654321}', "utilityapi_api_token"),
    ],
)
def test_a_wrong_configuration_is_named_without_its_secrets(
    shell: Shell, text: str, words: str
) -> None:
    (shell.folder / "config.json").write_text(text)
    done = shell("collect plan")
    assert done.returncode == 2
    assert words in done.stderr
    assert "987654321" not in done.stdout + done.stderr
    assert shell.sandbox.requests == []


def test_a_configuration_that_is_not_there(shell: Shell) -> None:
    done = shell("doctor", config="nowhere.json")
    assert done.returncode == 2
    assert "cannot be read from nowhere.json (No such file" in done.stderr


def test_a_meter_option_without_a_meter(shell: Shell) -> None:
    done = shell("collect status --meters ,")
    assert done.returncode == 2
    assert "name at least one meter" in done.stderr


def test_a_refused_token_names_its_setting(shell: Shell) -> None:
    shell.configure(utilityapi_api_token="wrong-token")
    done = shell("collect plan")
    assert done.returncode == 1
    assert "check the setting utilityapi_api_token" in done.stderr
    assert "wrong-token" not in done.stdout + done.stderr


def test_the_commands_are_listed_and_explain_themselves(shell: Shell) -> None:
    listed = shell("--help", config=None)
    for name in ("collect", "doctor", "sandbox"):
        assert f"\n  {name} " in listed.stdout
    assert "--scenario" in shell("sandbox --help", config=None).stdout
    assert shell("nothing", config=None).returncode == 2

"""`--about` and `meltano.yml` say the same of the tap."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tap_utility_intervals.target.duckdb import TargetUtilityDuckDB
from tests.packaging.tree import ROOT

NAME = "tap-utility-intervals"


@pytest.fixture(scope="module")
def about() -> dict[str, Any]:
    tap = Path(sys.executable).with_name(NAME)
    done = subprocess.run(
        [tap, "--about", "--format=json"], capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text())
    return found


@pytest.fixture(scope="module")
def extractor(project: dict[str, Any]) -> dict[str, Any]:
    (found,) = project["plugins"]["extractors"]
    return dict(found)


def as_meltano(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A setting of the tap in Meltano's words.

    Meltano 4.4 fails on `kind: decimal` (its own JSON encoder refuses Decimal) and on a
    fraction from `.env` for `kind: integer`, so that numbers are texts there.
    """
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    (kind,) = [t for t in types if t != "null"]
    if schema.get("format") == "date-time":
        kind = "date_iso8601"
    setting = {
        "name": name,
        "label": schema["title"],
        "kind": "string" if kind == "number" else kind,
        "description": schema["description"],
    }
    if schema.get("writeOnly") or schema.get("secret"):
        setting["sensitive"] = True
    if "default" in schema:
        setting["value"] = schema["default"]
    return setting


def test_the_settings_are_those_of_about(
    about: dict[str, Any], extractor: dict[str, Any]
) -> None:
    own = {
        name: schema
        for name, schema in about["settings"]["properties"].items()
        if name not in SDK_SETTINGS
    }
    assert extractor["settings"] == [as_meltano(*item) for item in own.items()]


SDK_SETTINGS = {
    "faker_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
    "stream_map_config",
    "stream_maps",
}
"""The SDK's own; Meltano users write them under `config` without a definition."""


def test_the_capabilities_are_those_of_about(
    about: dict[str, Any], extractor: dict[str, Any]
) -> None:
    assert extractor["capabilities"] == sorted(about["capabilities"])


def test_no_plugin_needs_the_hub(project: dict[str, Any]) -> None:
    """A namespace makes a plugin custom: Meltano never looks it up."""
    plugins = [one for kind in project["plugins"].values() for one in kind]
    assert all(plugin["namespace"] for plugin in plugins)
    alone = [plugin["executable"] for plugin in plugins if "pip_url" not in plugin]
    assert alone == [".venvs/dbt/bin/dbt"]  # which `make` installs, once


def test_the_targets_own_settings_are_its_own(project: dict[str, Any]) -> None:
    name = TargetUtilityDuckDB.name
    (loader,) = (one for one in project["plugins"]["loaders"] if one["name"] == name)
    own = TargetUtilityDuckDB.config_jsonschema["properties"]
    shown = {one["name"]: one for one in loader["settings"]}
    # The SDK adds settings to the same dictionary once a target was made.
    for setting in ("filepath", "default_target_schema", "batch_size_rows"):
        told = shown[setting]
        assert told["label"] == own[setting]["title"]
        assert told["description"] == own[setting]["description"]
        assert told["kind"] == own[setting]["type"]


def test_dbt_in_a_project_of_ones_own_is_told_the_same(project: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "meltano.md").read_text("utf-8")
    entry = page.partition("<!-- meltano.yml -->")[2].split("```")[1]
    (told,) = yaml.safe_load(entry.removeprefix("yaml"))["plugins"]["utilities"]
    (here,) = project["plugins"]["utilities"]
    assert (told["name"], told["namespace"]) == (here["name"], here["namespace"])
    known = {one["name"]: one["env"] for one in here["settings"]}
    assert told["config"].keys() == {one["name"] for one in told["settings"]}
    assert all(known[one["name"]] == one["env"] for one in told["settings"])
    assert told["pip_url"] in (ROOT / "Makefile").read_text("utf-8")

"""No engine runs here: what makes up the image is tested as far as it goes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.airbyte.environments import ROOT
from tests.airbyte.standard.run import NEEDS_ENGINE

DOCKERFILE = (ROOT / "Dockerfile").read_text()
METADATA: dict[str, Any] = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]


def copied() -> list[str]:
    """What the image is built from."""
    lines = re.findall(r"^COPY (.+) /build\S*$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_both_entrypoints_are_the_console_script_by_its_absolute_path() -> None:
    [variable] = re.findall(
        r'^ENV AIRBYTE_ENTRYPOINT="(.+)"$', DOCKERFILE, re.MULTILINE
    )
    [entrypoint] = re.findall(r'^ENTRYPOINT \["(.+)"\]$', DOCKERFILE, re.MULTILINE)
    assert variable == entrypoint
    assert Path(variable).parent == Path("/usr/local/bin")
    [script] = entry_points(group="console_scripts", name=Path(variable).name)
    assert callable(script.load())


def test_image_and_metadata_have_the_version_and_name_of_the_package() -> None:
    package = distribution("tap-utility-intervals")
    labels = dict(re.findall(r'^LABEL (\S+)="(.+)"$', DOCKERFILE, re.MULTILINE))
    assert labels == {
        "io.airbyte.name": METADATA["dockerRepository"],
        "io.airbyte.version": package.version,
    }
    assert METADATA["dockerImageTag"] == package.version
    assert METADATA["license"] == package.metadata["License-Expression"]
    assert "language:python" in METADATA["tags"]


def test_the_metadata_name_the_documentation_of_the_package_and_an_icon() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    [docs] = re.findall(r'^Documentation = "(.+)"$', project, re.MULTILINE)
    assert METADATA["documentationUrl"] == f"{docs}/airbyte.md"
    assert "example" not in (ROOT / "metadata.yaml").read_text()
    icon = ET.fromstring((ROOT / METADATA["icon"]).read_text())
    assert icon.get("width") == icon.get("height")
    assert "href" not in (ROOT / METADATA["icon"]).read_text()


def test_the_manifest_declares_what_the_providers_documents_name() -> None:
    """So does our own schema; what is ours alone in it is no column of the manifest."""
    manifest = yaml.safe_load((ROOT / "docs" / "airbyte-builder.yaml").read_text())
    streams = {
        name: one["schema_loader"]["schema"]["properties"]
        for name, one in manifest["definitions"].items()
        if one["type"] == "DeclarativeStream"
    }
    listed = [s["$ref"] for part in manifest["streams"] for s in part["streams"]]
    assert listed == [f"#/definitions/{name}" for name in streams]
    parts = {"sites", "accounts", "usageData", "lineItems", "company_id"}
    compared = 0
    for name, columns in streams.items():
        path = ROOT / "schemas" / f"{name}.json"
        if path.exists():
            compared += 1
            known = json.loads(path.read_text())["properties"]
            assert columns.keys() - parts <= known.keys(), name
            assert known.keys() - columns.keys() <= OURS, name
    assert compared == len(streams) - 2  # intervals have no stream in their own shape
    secret = "connectionMagicLinkSecret"
    removed = manifest["definitions"]["nectar_connections"]["transformations"][-1]
    assert removed == {"type": "RemoveFields", "field_pointers": [[secret]]}


OURS = {
    *("company_ids", "document_id", "extra", "listed_at", "meter_key", "provider"),
    *("read_at", "site_id", "unreadable", "usage_data_ids"),
}
"""Columns that the tap adds to a provider's own."""


def test_the_image_runs_as_the_platforms_user_in_a_folder_of_its_own() -> None:
    assert "useradd --uid 1000" in DOCKERFILE
    assert "chown airbyte:airbyte /airbyte" in DOCKERFILE
    last = DOCKERFILE[DOCKERFILE.index("RUN pip install") :]
    assert last.index("USER airbyte") < last.index("WORKDIR /airbyte")


def test_the_build_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    assert sorted(allowed) == sorted(copied())


@pytest.mark.slow
def test_what_is_copied_is_enough_to_build_the_package(tmp_path: Path) -> None:
    for name in copied():
        source, target = ROOT / name, tmp_path / "build" / name
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=tmp_path / "build",
        check=True,
        capture_output=True,
    )
    [wheel] = (tmp_path / "build" / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = set(files.namelist())
    assert "tap_utility_intervals/airbyte/source.py" in names
    assert "tap_utility_intervals/schemas/intervals.json" in names


def test_the_docs_name_every_test_that_needs_an_engine() -> None:
    text = (ROOT / "docs" / "airbyte.md").read_text()
    assert [name for name in NEEDS_ENGINE if f"`{name}`" not in text] == []

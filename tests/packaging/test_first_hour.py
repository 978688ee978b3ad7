"""The README is followed from top to bottom, in empty folders, against the sandbox.

Its commands run as they are printed. What cannot be had before a release is stood in
for: the tag by a wheel, and the hosts by loopback.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import readme
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.oracle import UNIFIED
from tests.packaging.tree import ROOT

MELTANO = ROOT / ".venvs" / "meltano" / "bin"
LOADER = ROOT / ".meltano" / "loaders" / "target-jsonl" / "venv" / "bin"
PAGE = readme.README.read_text("utf-8")
RAW = f"https://raw.githubusercontent.com/{readme.owner()}/{readme.PROJECT}"
PATIENCE = 180

pytestmark = pytest.mark.slow


def block(page: str, after: str, language: str) -> str:
    """The first block of code behind a piece of text."""
    found = re.search(rf"```{language}\n(.*?)```", page[page.index(after) :], re.DOTALL)
    assert found
    return found[1]


def commands(after: str) -> list[str]:
    """The commands of the first console block behind a piece of text."""
    lines = block(PAGE, after, "console").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


@dataclass
class Folder:
    """An empty folder of somebody's own, with `.env` as README.md has it."""

    path: Path
    site: str
    port: int
    tap: Path | None = None
    """Where the tap's commands are, when they are typed by name."""

    def fill(self, loader: Mapping[str, Any], **extractors: object) -> None:
        env = block(PAGE, "## Run", "sh").replace(":8765/", f":{self.port}/")
        assert env.count(f":{self.port}/") == 2
        (self.path / ".env").write_text(env)
        (self.path / "output").mkdir()
        project = {
            "project_id": "own",
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "plugins": {"loaders": [loader], **extractors},
        }
        (self.path / "meltano.yml").write_text(yaml.safe_dump(project))

    def run(self, command: str, *, well: bool = True, **env: str) -> str:
        """Run one command in a shell; what it says."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TAP_", "TARGET_", "MELTANO_", "PYTHON", "VIRT"))
        }
        path = os.pathsep.join(
            [*([str(self.tap)] if self.tap else []), str(MELTANO), kept["PATH"]]
        )
        done = subprocess.run(
            ["bash", "-ec", command.replace(f"{RAW}/{readme.TAG}/docs", self.site)],
            cwd=self.path,
            env={
                **kept,
                "PATH": path,
                "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
                "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
                "MELTANO_HUB_URL": self.site,
                "TAP_UTILITY_INTERVALS_UTILITYAPI_REQUESTS_PER_SECOND": "50",
                **env,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert (done.returncode == 0) is well, f"{command}\n{done.stdout}"
        return done.stdout

    def rows(self) -> dict[str, int]:
        """Rows by stream, as target-jsonl wrote them."""
        return {
            file.stem: len(file.read_text().splitlines())
            for file in (self.path / "output").glob("*.jsonl")
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The definitions as the web has them; they install a wheel of this tree."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run([*command, "-d", str(folder)], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    plugin = (ROOT / "docs" / "meltano-plugin.yml").read_text("utf-8")
    assert readme.pip_url() in plugin
    made = plugin.replace(readme.pip_url(), str(wheel))
    (folder / "meltano-plugin.yml").write_text(made)

    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        extractors = folder / "meltano" / "api" / "v1" / "plugins" / "extractors"
        extractors.mkdir(parents=True)
        entry = yaml.safe_load(
            (ROOT / "docs" / "hub" / f"{readme.PROJECT}.yml").read_text("utf-8")
        )
        (extractors / "tap.json").write_text(json.dumps(entry))
        ref = f"{url}/meltano/api/v1/plugins/extractors/tap.json"
        variants = {entry["variant"]: {"ref": ref}}
        index = {
            "default_variant": entry["variant"],
            "logo_url": None,
            "variants": variants,
        }
        (extractors / "index").write_text(json.dumps({readme.PROJECT: index}))
        yield url
        server.shutdown()


@pytest.fixture(scope="module")
def loader() -> dict[str, Any]:
    """target-jsonl, as the repository's own project has installed it."""
    subprocess.run(["make", ".meltano/.installed"], cwd=ROOT, check=True)
    return {
        "name": "target-jsonl",
        "namespace": "target_jsonl",
        "executable": str(LOADER / "target-jsonl"),
        "settings": [{"name": "destination_path"}, {"name": "do_timestamp_file"}],
        "config": {"destination_path": "output", "do_timestamp_file": False},
    }


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with Sandbox(tiny_world()) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, site: str, world: Sandbox) -> Folder:
    return Folder(tmp_path, site, int(world.url.rpartition(":")[2]))


def test_by_meltano_and_then_without_it(
    folder: Folder, loader: dict[str, Any], world: Sandbox
) -> None:
    folder.fill(loader)
    add, select, doctor, run = commands("**With [Meltano]")
    folder.run(add)
    folder.run(select)
    assert "Nectar (http" in folder.run(doctor)
    folder.run(run)
    assert folder.rows().keys() == {*UNIFIED}
    assert all(folder.rows().values())

    told = folder.run(
        f"meltano --env-file={os.devnull} config test {readme.PROJECT}", well=False
    )
    said = [line for line in told.splitlines() if '"level"' in line]
    assert "must be set, for no provider has a credential" in said[-1]
    assert len(said[-1]) < 600

    plugin = f".meltano/extractors/{readme.PROJECT}/venv/bin"
    folder.tap = folder.path / plugin
    assert shutil.which("tap-utility-intervals", path=str(folder.tap))
    doctor, sync, keep = commands("**Without Meltano**")
    assert "Nectar (http" in folder.run(doctor)
    assert "first run" in folder.run(sync)
    whole = (folder.path / "rows.jsonl").read_text().count('"RECORD"')
    folder.run(keep)
    folder.run(sync)
    assert 0 < (folder.path / "rows.jsonl").read_text().count('"RECORD"') < whole
    assert {request.provider for request in world.requests} == {"utilityapi", "nectar"}


def test_the_entry_by_hand_declares_what_the_sandbox_needs(
    folder: Folder, loader: dict[str, Any], world: Sandbox
) -> None:
    page = (ROOT / "docs" / "meltano.md").read_text("utf-8")
    entry = yaml.safe_load(block(page, "## By hand", "yaml"))["plugins"]["extractors"]
    del entry[0]["pip_url"]
    tap = Path(sys.executable).with_name(readme.PROJECT)
    folder.fill(loader, extractors=[entry[0] | {"executable": str(tap)}])
    world.requests.clear()
    folder.run(f"meltano run {readme.PROJECT} target-jsonl")
    assert folder.rows().keys() == {*UNIFIED}
    assert {request.provider for request in world.requests} == {"utilityapi", "nectar"}


def test_meltano_reads_the_entry_for_its_hub(
    folder: Folder, loader: dict[str, Any]
) -> None:
    folder.fill(loader)
    folder.run(f"meltano add --no-install {readme.PROJECT}")
    told = folder.run(f"meltano config print --extras {readme.PROJECT}")
    chosen = json.loads(told[told.index("{\n") :])["_select"]
    assert sorted(chosen) == sorted(f"{name}.*" for name in UNIFIED)

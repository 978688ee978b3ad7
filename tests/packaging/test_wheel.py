"""What a user installs: the wheel by way of the sdist, used outside the checkout."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tap_utility_intervals.sandbox import Sandbox
from tests.packaging.tree import ROOT

PACKAGE = "tap_utility_intervals"
PROJECT = "tap-utility-intervals"


def build(target: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target]
    command += ["-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    with tarfile.open(build("sdist", ROOT, folder / "sdist")) as sdist:
        sdist.extractall(folder / "source", filter="data")  # as pip does
    (source,) = (folder / "source").iterdir()
    return build("wheel", source, folder / "wheel")


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files; the dependencies are this environment's."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(folder)
    return folder


def run(installed: Path, folder: Path, program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def tap(installed: Path, folder: Path, *arguments: str) -> str:
    program = f"""
import sys
import {PACKAGE}.tap as tap
assert tap.__file__.startswith({str(installed)!r}), tap.__file__
sys.argv[0] = {PROJECT!r}
tap.TapUtilityIntervals.cli()
"""
    return run(installed, folder, program, *arguments)


def test_the_sdist_gives_the_same_wheel_as_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    direct = build("wheel", ROOT, tmp_path)
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(direct) as second:
        assert {f.filename: f.CRC for f in first.infolist()} == {
            f.filename: f.CRC for f in second.infolist()
        }


def test_the_wheel_has_all_that_the_package_needs_and_no_more(installed: Path) -> None:
    package = installed / PACKAGE
    assert {p.name for p in (ROOT / "schemas").glob("*.json")} == {
        p.name for p in (package / "schemas").glob("*.json")
    }
    its = {p.relative_to(package / "dbt") for p in (package / "dbt").rglob("*.*")}
    assert its == {
        path.relative_to(ROOT / "dbt")
        for part in ("*.yml", "macros/*.sql", "models/**/*.*", "tests/**/*.sql")
        for path in (ROOT / "dbt").glob(part)
    }
    assert (package / "py.typed").exists()
    for data in (Path("sandbox") / "data", Path("reporting") / "assets"):
        here, there = ROOT / PACKAGE / data, package / data
        assert {p.name for p in here.iterdir()} == {p.name for p in there.iterdir()}
    tops = {p.name for p in installed.iterdir() if p.suffix != ".dist-info"}
    assert tops == {PACKAGE, "pyspark_utility_intervals.py"}


def test_the_licence_travels_with_the_wheel(installed: Path) -> None:
    (licence,) = installed.glob("*.dist-info/licenses/LICENSE")
    assert licence.read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_wheel_discovers_every_stream_outside_the_checkout(
    installed: Path, tmp_path: Path
) -> None:
    catalog = json.loads(tap(installed, tmp_path, "--discover"))
    assert {s["tap_stream_id"] for s in catalog["streams"]} >= {
        "intervals",
        "meters",
        "usage",
    }
    mine = Path(sys.executable).with_name(PROJECT)
    done = subprocess.run([mine, "--discover"], capture_output=True, check=True)
    assert catalog == json.loads(done.stdout)


def test_an_index_would_take_both(wheel: Path) -> None:
    """And twine finds the README fit to be shown; its links lead out of the index."""
    sdist = next(wheel.parent.with_name("sdist").iterdir())
    check = [sys.executable, "-m", "twine", "check", "--strict", str(sdist), str(wheel)]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2
    with zipfile.ZipFile(wheel) as files:
        (name,) = (n for n in files.namelist() if n.endswith(".dist-info/METADATA"))
        shown = files.read(name).decode()
    links = re.findall(r"\]\(([^)]+)\)", shown)
    assert len(links) > 15
    assert all(link.startswith(("https://", "#")) for link in links)
    (repository,) = re.findall(r"Project-URL: Repository, (\S+)", shown)
    own = {link for link in links if link.startswith(repository)}
    assert f"{repository}/blob/main/docs/meltano.md" in own


def test_the_version_is_said_once(installed: Path, tmp_path: Path) -> None:
    program = f"import importlib.metadata as m; print(m.version({PROJECT!r}))"
    (about,) = installed.glob("*.dist-info")
    assert run(installed, tmp_path, program).strip() in about.name


def imported() -> set[str]:
    """Top-level modules that the package imports; not its own, not the library's."""
    found: set[str] = set()
    for file in (ROOT / PACKAGE).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    only_types = {"_typeshed"}
    return found - set(sys.stdlib_module_names) - {PACKAGE} - only_types


def test_what_the_package_imports_is_declared() -> None:
    homes = metadata.packages_distributions()
    declared = {
        re.split(r"[^\w-]", requirement)[0].replace("_", "-").lower()
        for requirement in metadata.requires(PROJECT) or []
    }
    missing = {
        module
        for module in imported()
        if not declared
        & {home.replace("_", "-").lower() for home in homes.get(module, [module])}
    }
    assert not missing


HEAVY = {"duckdb", "numpy", "psycopg", "psycopg-binary", "pyarrow", "pyspark"}


def plain_install(requires: Iterable[str], found: set[str]) -> set[str]:
    """All that these requirements bring, without extras."""
    for text in requires:
        one = Requirement(text)
        name = canonicalize_name(one.name)
        is_plain = one.marker is None or one.marker.evaluate({"extra": ""})
        if is_plain and name not in found:
            found.add(name)
            plain_install(metadata.requires(name) or [], found)
    return found


def test_a_plain_install_has_nothing_of_what_extras_bring(installed: Path) -> None:
    (wheel,) = metadata.distributions(path=[str(installed)])
    needed = plain_install(wheel.requires or [], set())
    assert {"requests", "singer-sdk", "urllib3"} <= needed
    assert not needed & HEAVY


def test_the_tap_and_the_commands_start_without_what_extras_bring() -> None:
    """As where they are not installed; joblib takes numpy where it finds it."""
    program = f"""
import sys
sys.modules.update(dict.fromkeys({sorted(HEAVY)}))
import {PACKAGE}.tap, {PACKAGE}.airbyte.source, {PACKAGE}.cli
import {PACKAGE}.commands.doctor, {PACKAGE}.commands.collect.command
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_wheel_installed_elsewhere_reads_the_env_file_where_it_is_run(
    installed: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    settings = sandbox.settings("nectar")
    lines = (f"TAP_UTILITY_INTERVALS_{n.upper()}={v}\n" for n, v in settings.items())
    (tmp_path / ".env").write_text("".join(lines))
    written = tap(installed, tmp_path, "--config=ENV")
    assert '"stream":"intervals"' in written

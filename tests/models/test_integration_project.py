"""The package in a project that installs it, as the page says to run it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

pytestmark = pytest.mark.slow

UNMADE = shutil.ignore_patterns("target", "logs", "dbt_packages", "package-lock.yml")


def test_an_installed_package_makes_the_rows_that_were_written_by_hand(
    tmp_path: Path,
) -> None:
    subprocess.run(["make", ".venvs/dbt/.installed"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "dbt", tmp_path / "dbt", ignore=UNMADE)
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    block = page.partition("<!-- integration tests -->")[2].split("```")[1]
    dbt = ROOT / ".venvs" / "dbt" / "bin"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DBT_")}
    done = subprocess.run(
        ["bash", "-ec", block.removeprefix("console").replace("\n$ ", "\n")],
        cwd=tmp_path,
        env={**kept, "PATH": f"{dbt}{os.pathsep}{kept['PATH']}", "DBT_USE_COLORS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    checked = (tmp_path / "dbt" / "integration_tests" / "tests").glob("*.sql")
    names = [path.stem for path in checked]
    assert len(names) == 7
    for name in names:
        assert f" PASS {name} " in done.stdout
    assert done.stdout.count(" WARN=0 ERROR=0 SKIP=0 ") == 2
    assert "DuplicateYAMLKeys" not in done.stdout

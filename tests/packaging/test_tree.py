"""Nothing of one developer's machine or index belongs in the tree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

HOSTS = re.compile(rb"p[y]pi\.org|python[h]osted\.org|registry\.np[m]js|/simple/")
HOMES = re.compile(rb"/(?:home|Users)/\w|/root/|/opt/\w")
LOCKS = re.compile(r"(uv|poetry|pdm)\.lock|pylock.*\.toml")


def tracked() -> Iterator[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if (path := ROOT / name).is_file():
            yield path


@pytest.mark.parametrize("pattern", [HOSTS, HOMES], ids=["hosts", "homes"])
def test_no_file_names_an_index_host_or_a_folder_of_somebodys_machine(
    pattern: re.Pattern[bytes],
) -> None:
    this = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if path != this and (match := pattern.search(path.read_bytes()))
    ]
    assert not found


def test_no_lock_file_is_kept() -> None:
    assert not [path.name for path in tracked() if LOCKS.fullmatch(path.name)]

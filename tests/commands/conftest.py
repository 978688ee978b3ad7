from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Sandbox, World, default_world
from tests.commands.running import Shell


@pytest.fixture(scope="session")
def whole() -> World:
    """The default world, made once: it takes longer than a command."""
    return default_world()


@pytest.fixture
def world(whole: World) -> World:
    """The default world, smaller: what collecting is about.

    2001001 is covered for 12 months, 2001003 has holes, 2001005 was never collected,
    the authorization of 2001006 has expired.
    """
    kept = {"2001001", "2001003", "2001005", "2001006"}
    return replace(
        whole,
        utilityapi=[meter for meter in whole.utilityapi if meter.uid in kept],
        nectar=[],
        utilityapi_options=replace(whole.utilityapi_options, collection_reads=1_000),
    )


@pytest.fixture
def shell(world: World, tmp_path: Path) -> Iterator[Shell]:
    with Sandbox(world) as sandbox:
        yield Shell(sandbox, tmp_path)

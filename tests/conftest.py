from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from msgspec import Raw

from tap_utility_intervals.sandbox import Sandbox, tiny_world


def pytest_make_parametrize_id(val: object) -> str | None:
    """A piece of JSON by its text: by its address, each process names it otherwise."""
    return bytes(val).decode("utf-8", "replace") if isinstance(val, Raw) else None


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TAP_UTILITY_INTERVALS_") or name.endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(tiny_world()) as running:
        yield running

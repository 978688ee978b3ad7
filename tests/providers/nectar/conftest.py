from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tap_utility_intervals.sandbox import Sandbox, World

Serve = Callable[[World], Sandbox]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as running:
        yield lambda world: running.enter_context(Sandbox(world))


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> int:
    """Windows are cut as if memory were small."""
    monkeypatch.setattr(
        "tap_utility_intervals.providers.nectar.intervals.windows.MOST_ROWS", 150
    )
    return 150

from __future__ import annotations

from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Sandbox
from tests.airbyte.running import Connector
from tests.syncing import config


@pytest.fixture
def connector(sandbox: Sandbox, tmp_path: Path) -> Connector:
    """The connector over both providers of the sandbox."""
    return Connector(tmp_path, config(sandbox, lookback_days=2, max_retries=1))

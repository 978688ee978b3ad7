from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.running import Inside


@pytest.fixture
def tap(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Inside:
    return Inside(tmp_path, capsys, caplog)

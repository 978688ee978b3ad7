"""The log says at DEBUG why each source is read, left alone or read again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.syncing import config, sync

NAME = "tap-utility-intervals"


@contextmanager
def listening(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    said: list[str] = []
    caplog.clear()
    logger = logging.getLogger(NAME)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        logger.setLevel(level)
        said += [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]


def test_each_source_has_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    world = tiny_world()
    with Sandbox(world) as sandbox:
        chosen = config(sandbox, max_retries=0)
        with listening(caplog) as said:
            first = sync(chosen)
        for uid in ("101", "102"):
            assert f"utilityapi {uid} is read whole: it never was" in said
            assert f"utilityapi {uid} is asked for bills: they never were" in said
        sources = set(first.tap.report.sources("nectar"))
        assert sources
        for name in sources:
            assert f"nectar {name} is read whole: it never was" in said

        with listening(caplog) as said:
            sync(chosen, first.state)
        for uid in ("101", "102"):
            same = "it is listed as it was"
            assert f"utilityapi {uid} is not asked for intervals: {same}" in said
            assert f"utilityapi {uid} is not asked for bills: {same}" in said
        for name in sources:
            assert f"nectar {name} is read for changes" in said

        world.advance(days=2)
        sandbox.faults.add(path="/intervals", min_meters=1, status=500, times=None)
        with listening(caplog) as said:
            sync(chosen, first.state)
        assert any("utilityapi 101 is read from 2026-" in line for line in said)
        assert any("utilityapi 102 is asked for alone" in line for line in said)


def test_an_id_writes_no_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with listening(caplog) as said:
        report = Report(logging.getLogger(NAME))
        report.decided("acme", "1\r\nERROR forged\x1b[2J\u202e", "read whole")
    assert said == ["acme 1  ERROR forged [2J  is read whole"]

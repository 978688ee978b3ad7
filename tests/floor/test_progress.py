from __future__ import annotations

import io
import logging

import pytest

from tap_utility_intervals.floor.progress import Progress, duration
from tests.clock import Clock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_line_every_few_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("t")
    progress = Progress("intervals", logger, io.StringIO(), clock)
    progress.expected = 10
    for _ in range(40):
        clock.now += 0.25
        progress.add(rows=1_000, sources=0)
    progress.add(sources=2)
    clock.now = 20.0
    progress.add()
    progress.close()
    assert [record.message for record in caplog.records] == [
        "intervals: 0 of 10 sources, 20,000 rows, 4,000 rows/s",
        "intervals: 0 of 10 sources, 40,000 rows, 4,000 rows/s",
        "intervals: 2 of 10 sources, 40,000 rows, 2,000 rows/s, 80 s left",
    ]


def test_a_terminal_gets_a_bar_and_is_left_clean(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, terminal = Clock(), Terminal()
    progress = Progress("usage", logging.getLogger("t"), terminal, clock)
    progress.expected = 4
    clock.now = 1.0
    progress.add(rows=10, sources=2)
    progress.close()
    assert "usage [############            ] 2 of 4 sources" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert not caplog.records


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5_000, "83 min"),
        (7_500, "2 h 5 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text

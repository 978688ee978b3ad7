"""How far a sync has come, for people: a line now and then, a bar on a terminal."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY = 5.0
"""Seconds between two lines in a log."""

OFTEN = 0.2
"""Seconds between two pictures of the bar."""

WIDTH = 24


class Progress:
    """Counts sources and rows of one stream, and shows them in measure."""

    def __init__(
        self,
        stream: str,
        logger: logging.Logger,
        terminal: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Show on `terminal`, if that is one; otherwise in the log.

        Args:
            stream: what is being read.
            logger: takes one line every few seconds.
            terminal: standard error unless another is given.
            clock: for tests.
        """
        self.stream = stream
        self.expected = 0
        self.done = 0
        self.rows = 0
        self._logger = logger
        self._terminal = terminal or sys.stderr
        self._is_bar = self._terminal.isatty()
        self._clock = clock
        self._begun = clock()
        self._shown = self._begun

    def add(self, *, rows: int = 0, sources: int = 0) -> None:
        """Count, and show if it is time."""
        self.rows += rows
        self.done += sources
        now = self._clock()
        if now - self._shown >= (OFTEN if self._is_bar else EVERY):
            self._shown = now
            self._show()

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._is_bar and self._shown > self._begun:
            self._terminal.write("\r\x1b[K")
            self._terminal.flush()

    def text(self) -> str:
        """Such as `120 of 1,000 sources, 1,234,567 rows, 210 rows/s, 3 min left`."""
        seconds = max(self._clock() - self._begun, 1e-9)
        parts = [f"{self.rows:,} rows", f"{self.rows / seconds:,.0f} rows/s"]
        if self.expected:
            parts.insert(0, f"{self.done:,} of {self.expected:,} sources")
        if 0 < self.done < self.expected:
            left = seconds / self.done * (self.expected - self.done)
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _show(self) -> None:
        if not self._is_bar:
            self._logger.info("%s: %s", self.stream, self.text())
            return
        share = min(self.done / self.expected, 1.0) if self.expected else 0.0
        bar = ("#" * int(share * WIDTH)).ljust(WIDTH)
        self._terminal.write(f"\r\x1b[K{self.stream} [{bar}] {self.text()}")
        self._terminal.flush()


def duration(seconds: float) -> str:
    """A length of time as people say it: `40 s`, `3 min`, `2 h 5 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:  # noqa: PLR2004 - up to here seconds say more
        return f"{seconds:.0f} s"
    if minutes < 90:  # noqa: PLR2004 - likewise minutes
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"

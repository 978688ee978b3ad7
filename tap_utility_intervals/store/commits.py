"""Commits of a load, one after the other, each as large as memory bears."""

from __future__ import annotations

import logging
import time
from collections import Counter

from tap_utility_intervals.stdout import Lines
from tap_utility_intervals.store.base import Pending, Store

ROWS = 500_000
"""Rows of a commit: more need more memory, fewer more time."""

BYTES = 120_000_000
"""Bytes of a commit, where rows are unusually long."""

SECONDS = 60.0
"""Seconds between two commits, where rows come slowly."""


class Commits:
    """What waits for the next commit, and what was stored by those before."""

    def __init__(self, store: Store, lines: Lines, rows: int | None = None) -> None:
        """Commit to `store`, which is ours alone; `lines` puts signals off."""
        self.pending = Pending()
        self.stored: Counter[str] = Counter()
        self._store = store
        self._lines = lines
        self._rows = rows or ROWS
        self._committed_at = time.monotonic()

    @property
    def are_due(self) -> bool:
        """Whether enough has come, or waited long enough."""
        is_late = time.monotonic() - self._committed_at >= SECONDS
        pending = self.pending
        return is_late or pending.rows.total() >= self._rows or pending.bytes >= BYTES

    def commit(self) -> None:
        """Store what is pending, if there is anything.

        Raises:
            StoreError: nothing of it is stored.
        """
        if not self.pending:
            return
        # A signal waits until it is done, or ends us at once if that takes long.
        with self._lines.whole():
            pending, self.pending = self.pending, Pending()
            self._store.commit(pending)
            self.stored += pending.rows
            self._committed_at = time.monotonic()

    def tell(self, logger: logging.Logger) -> None:
        """Say how many rows of each stream were stored."""
        for stream, rows in self.stored.items():
            logger.info("%s: %s rows loaded", stream, f"{rows:,}")

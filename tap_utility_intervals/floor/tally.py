"""What a run is counted by: requests and waits, rows, the newest reading of a meter."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tap_utility_intervals.floor.blocks import RowBlock

Source = tuple[str, str]
"""A provider, and the id of one of its sources."""


class Traffic:
    """The requests of one credential; safe to use from any thread."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.requests = 0
        self.bytes = 0
        """Of bodies, as they came over the wire: packed."""
        self.retries = 0
        """Requests that were sent again after a failure."""
        self.waits: Counter[int] = Counter()
        """How often an answer asked for patience, by its status: 202, 429."""
        self.wait_seconds: defaultdict[int, float] = defaultdict(float)
        """For how long, by status; workers wait side by side."""
        self._lock = threading.Lock()

    def sent(self) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1

    def received(self, size: int) -> None:
        """Count the bytes of a body, or of as much as came of it."""
        with self._lock:
            self.bytes += size

    def put_off(self, status: int, seconds: float) -> None:
        """Count an answer that asked for patience."""
        with self._lock:
            self.waits[status] += 1
            self.wait_seconds[status] += seconds

    def failed(self) -> None:
        """Count a request that is to be sent again."""
        with self._lock:
            self.retries += 1


class Tally:
    """The rows of a run, counted by the thread that writes them."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.rows: Counter[tuple[str, str]] = Counter()
        """By provider and stream."""
        self.newest: dict[Source, dict[str, datetime]] = {}
        """Of the meters of each source, the start of the newest reading that came."""
        self.is_watched = False
        """Whether anybody wants to know the newest; it costs a look at each row."""

    def add(self, provider: str, stream: str, page: Sequence[Any]) -> None:
        """Count a page that was written."""
        self.rows[provider, stream] += len(page)
        if self.is_watched and stream == "intervals" and page:
            self._look(provider, page)

    def _look(self, provider: str, page: Sequence[Any]) -> None:
        if isinstance(page, RowBlock) and "interval_start" in page.values:
            starts = page.values["interval_start"]
            found = [(page.forms[0], max(starts))]
        else:
            found = [(row, row.interval_start) for row in page]
        for row, start in found:
            source = row.connection_id or row.meter_key
            newest = self.newest.setdefault((provider, source), {})
            newest[row.meter_key] = max(start, newest.get(row.meter_key, start))

"""What a reading of one meter brought: for its bookmark, and for what was promised."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter

from tap_utility_intervals.floor.coverage import Stretch
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.providers.utilityapi.mapping.intervals import Timed

SLACK = timedelta(minutes=1)
"""Some utilities end a reading at 14:59 or 14:59:59; that is no hole."""

SAMPLE = 1_000
"""So many readings tell how long one usually is."""


@dataclass
class Arrived:
    """All distinct readings of a meter that came in this run."""

    run_start: datetime
    newest: datetime | None = None
    """Furthest start of a reading, not beyond the run's own start."""
    updated: datetime | None = None
    """The newest `updated` of a block."""
    stretches: list[Stretch] = field(default_factory=list)
    """The stretches of time that they cover, in the order they came."""
    overlaps: int = 0
    reversals: int = 0
    """How many end at their start or before it."""
    # Sixteen bytes a reading, in ascending order.
    _starts: array[float] = field(default_factory=lambda: array("d"))
    _ends: array[float] = field(default_factory=lambda: array("d"))

    def note(self, readings: Sequence[Timed]) -> None:
        """Take distinct readings in ascending order, none before those taken."""
        self._starts.extend([one[0].timestamp() for one in readings])
        self._ends.extend([one[1].timestamp() for one in readings])
        past = bisect_right(readings, self.run_start, key=itemgetter(0))
        if past and (self.newest is None or readings[past - 1][0] > self.newest):
            self.newest = readings[past - 1][0]
        self._cover(readings)

    def between(self, start: datetime, end: datetime) -> int:
        """How many readings start in `[start, end)`."""
        first, last = start.timestamp(), end.timestamp()
        return max(
            bisect_left(self._starts, last) - bisect_left(self._starts, first), 0
        )

    @property
    def usual_length(self) -> timedelta | None:
        """How long most readings are; None if none came."""
        pairs = islice(zip(self._starts, self._ends, strict=True), SAMPLE)
        lengths = Counter(round(end - start) for start, end in pairs if end > start)
        return timedelta(seconds=lengths.most_common(1)[0][0]) if lengths else None

    @property
    def ranges(self) -> list[Range]:
        """The stretches of time alone."""
        return [(one.start, one.end) for one in self.stretches]

    def _cover(self, readings: Sequence[Timed]) -> None:
        begin: datetime | None = None
        first = 0
        for place, (start, end, *_) in enumerate(readings):
            self.reversals += end <= start
            if begin is None:
                begin, until = start, max(start, end)
            elif start == until and end > start:
                until = end
            elif start <= until + SLACK:
                self.overlaps += start < until
                until = max(until, end)
            else:
                self.stretches.append(Stretch(begin, until, place - first))
                begin, until, first = start, max(start, end), place
        if begin is not None:
            self.stretches.append(Stretch(begin, until, len(readings) - first))

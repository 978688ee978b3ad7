"""What a reading of one meter brought: for its bookmark, and for what was promised."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import lt, sub
from typing import NamedTuple

import msgspec

from tap_utility_intervals.floor.coverage import TOLERANCE, Stretch
from tap_utility_intervals.floor.ranges import Range

SAMPLE = 1_000
"""So many readings tell how long one usually is."""


class _Seen(NamedTuple):
    """Starts of readings, a few bytes for each."""

    first: datetime
    last: datetime
    readings: int
    packed: bytes


_PACK = msgspec.msgpack.Encoder().encode
_UNPACK = msgspec.msgpack.Decoder(list[datetime]).decode


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
    _seen: list[_Seen] = field(default_factory=list)
    _lengths: Counter[timedelta] = field(default_factory=Counter)
    """Of the first readings, how often."""

    def note(self, starts: Sequence[datetime], ends: Sequence[datetime]) -> None:
        """Take distinct readings in ascending order, none before those taken."""
        self._seen.append(_Seen(starts[0], starts[-1], len(starts), _PACK(starts)))
        left = SAMPLE - self._lengths.total()
        self._lengths.update(map(sub, ends[:left], starts))
        past = bisect_right(starts, self.run_start)
        if past and (self.newest is None or starts[past - 1] > self.newest):
            self.newest = starts[past - 1]
        self._cover(starts, ends)

    def between(self, start: datetime, end: datetime) -> int:
        """How many readings start in `[start, end)`."""
        return max(self._before(end) - self._before(start), 0)

    @property
    def usual_length(self) -> timedelta | None:
        """How long most readings are; None if none came."""
        lengths: Counter[int] = Counter()
        for length, number in self._lengths.items():
            if length > timedelta():
                lengths[round(length.total_seconds())] += number
        return timedelta(seconds=lengths.most_common(1)[0][0]) if lengths else None

    @property
    def ranges(self) -> list[Range]:
        """The stretches of time alone."""
        return [(one.start, one.end) for one in self.stretches]

    def _before(self, instant: datetime) -> int:
        """How many readings start before an instant."""
        found = 0
        for seen in self._seen:
            if seen.first >= instant:
                break
            if seen.last < instant:
                found += seen.readings
            else:
                found += bisect_left(_UNPACK(seen.packed), instant)
        return found

    def _cover(self, starts: Sequence[datetime], ends: Sequence[datetime]) -> None:
        if starts[1:] == ends[:-1] and all(map(lt, starts, ends)):
            # Each begins where the one before it ends, as nearly all do.
            self.stretches.append(Stretch(starts[0], ends[-1], len(starts)))
            return
        begin: datetime | None = None
        first = 0
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            self.reversals += end <= start
            if begin is None:
                begin, until = start, max(start, end)
            elif start == until and end > start:
                until = end
            elif start <= until + TOLERANCE:
                self.overlaps += start < until
                until = max(until, end)
            else:
                self.stretches.append(Stretch(begin, until, place - first))
                begin, until, first = start, max(start, end), place
        if begin is not None:
            self.stretches.append(Stretch(begin, until, len(starts) - first))

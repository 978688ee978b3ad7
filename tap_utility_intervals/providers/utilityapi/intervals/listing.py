"""What the meter list says of a meter's readings, as it is remembered. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tap_utility_intervals.floor.coverage import TOLERANCE
from tap_utility_intervals.floor.instants import shared_form
from tap_utility_intervals.floor.ranges import Range, Window, clip, missing
from tap_utility_intervals.providers.bookmarks import short_hash
from tap_utility_intervals.providers.utilityapi.bookmarks import (
    Edge,
    IntervalBookmark,
    ceiling,
    floor,
)
from tap_utility_intervals.providers.utilityapi.mapping.meters import Meter

RANGES_KEPT = 2
"""More covered ranges than this are remembered as a hash: STATE must stay small."""

HOLES_KEPT = 3
"""So many absent stretches are remembered exactly, the longest; of more, how many."""


def interval_listing(meter: Meter) -> str:
    """Hash of all that the listing says of a meter's readings."""
    coverage = _pairs(meter.interval_coverage)
    return short_hash([meter.status, meter.status_ts, meter.reading_count, coverage])


def added_coverage(meter: Meter, old: IntervalBookmark) -> list[Range] | None:
    """Where the listing covers more than it did: collected later, or filled.

    None if that cannot be told.
    """
    before, coverage = old.covered, meter.interval_coverage
    if isinstance(before, tuple):
        return missing(coverage, before, TOLERANCE)
    is_as_before = old.edge is not None and before == hashed(coverage, old.edge)
    return [] if is_as_before or not meter.is_covered_readably else None


def covered(
    coverage: Sequence[Range], edge: Edge | None
) -> tuple[Range, ...] | str | None:
    """Few ranges as they are; of many a hash of what lies before the look-back."""
    if len(coverage) <= RANGES_KEPT:
        return tuple((floor(start), ceiling(end)) for start, end in coverage)
    return hashed(coverage, edge) if edge else None


def hashed(coverage: Sequence[Range], edge: Edge) -> str:
    """Hash of what is covered before the look-back."""
    return short_hash(_pairs(clip(coverage, Window(None, edge.start))))


def longest(holes: Sequence[Range]) -> tuple[Range, ...]:
    """The longest of the absent stretches, in ascending order."""
    kept = sorted(holes, key=lambda hole: hole[0] - hole[1])[:HOLES_KEPT]
    return tuple(sorted((floor(start), ceiling(end)) for start, end in kept))


def _pairs(coverage: Sequence[Range]) -> list[list[str]]:
    return [[shared_form(start), shared_form(end)] for start, end in coverage]

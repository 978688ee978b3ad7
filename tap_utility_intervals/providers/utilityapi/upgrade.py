"""Bookmarks of STATE version 1, which held epoch numbers, made version 2 of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tap_utility_intervals.floor.instants import seconds_form
from tap_utility_intervals.providers.base import Bookmark

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def upgrade(stream: str, entry: Bookmark) -> Bookmark:
    """Make a bookmark of STATE version 2 of one of version 1, which held epoch numbers.

    What is odd in it stays odd: then `parse` refuses it.
    """
    if stream != "intervals":
        return entry
    try:
        return {**entry, **_upgraded(entry)} if entry else entry
    except (TypeError, ValueError, OverflowError):
        return {**entry, "rules": None}


def _upgraded(entry: Mapping[str, Any]) -> Bookmark:
    """What version 1 held as numbers: epoch seconds, and of coverage epoch minutes."""
    found: Bookmark = {
        name: _from_epoch(entry[name]) for name in ("since", "until") if name in entry
    }
    if isinstance(entry.get("covered"), list):
        found["covered"] = [_from_epoch(60 * minutes) for minutes in entry["covered"]]
    if "edge" in entry:
        start, begins, older = entry["edge"]
        found["edge"] = [
            _from_epoch(start),
            None if begins is None else _from_epoch(begins),
            older,
        ]
    return found


def _from_epoch(seconds: float) -> str:
    return seconds_form(_EPOCH + timedelta(seconds=seconds))

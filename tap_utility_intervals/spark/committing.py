"""After the rows are where they belong: the bookmarks for the next plan."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

from tap_utility_intervals.singer.state import Bookmarks
from tap_utility_intervals.spark.folder import Folder, Planned
from tap_utility_intervals.spark.options import ALONE, OptionError
from tap_utility_intervals.spark.parts import Part, Result
from tap_utility_intervals.unified import READ_AT, Intervals, Usage

LOGGER = logging.getLogger("tap-utility-intervals")

KEYS = {one.name: one.replication_key for one in (Intervals, Usage)}


def commit(plan: str | Path) -> dict[str, Any]:
    """Return the bookmarks for the next plan, once the rows of this one are saved.

    What could not be read is logged, and keeps its old bookmark. Nothing is changed in
    the folder: it may be asked again, and removed once the bookmarks are saved.

    Returns:
        STATE, as a file of the tap's `--state` has it; with the option `credentials`,
        one STATE for each of its names.

    Raises:
        Unread: a part was not read to its end.
        OptionError: there is no plan.
    """
    folder = Folder(Path(plan))
    if not folder.streams:
        raise OptionError("plan", f"names {plan}, where none is")
    states: dict[str, Any] = {}
    for stream in folder.streams:
        planned = folder.planned(stream)
        results = list(folder.results(stream))
        _tell(stream, planned.failed, planned.gone)
        for _, result in results:
            _tell(stream, result.failed, result.gone)
        moved = _moved(stream, planned, results)
        for name, state in moved.items():
            known = states.setdefault(name, state)
            known.setdefault("bookmarks", {})[stream] = state["bookmarks"][stream]
    found: dict[str, Any] = states.get(ALONE, states)
    return found


def _tell(stream: str, failed: list[str], gone: list[str]) -> None:
    for source in failed:
        LOGGER.warning("%s: not read: %s", stream, source)
    for source in gone:
        LOGGER.warning("%s: no longer given: %s", stream, source)


def _moved(
    stream: str, planned: Planned, results: list[tuple[Part, Result]]
) -> dict[str, dict[str, Any]]:
    """The bookmarks of all credentials, those of one stream moved on."""
    states = copy.deepcopy(planned.states)
    for name, state in states.items():
        mine = state.setdefault("bookmarks", {}).setdefault(stream, {})
        bookmarks = Bookmarks(mine, KEYS[stream] or "")
        newest = [mine[READ_AT]] if READ_AT in mine else []
        for part, result in results:
            if part.credentials != name:
                continue
            newest.append(result.read_at)
            for entry in result.entries:
                whose = {"context", "replication_key"}
                kept = {n: v for n, v in entry.items() if n not in whose}
                bookmarks.put(entry["context"], kept)
        bookmarks.note(READ_AT, max(newest, default=None))
    return states

"""The folder of a plan: what was planned, and what came of each part.

    <plan>/intervals.plan           what was planned, as this program pickles it
    <plan>/intervals/0-5f0c2a.json  what came of reading part 0 once

Spark may read a part more than once: for a second action, or because a machine died. A
source counts as read if every reading of its part came to its end; what is remembered
of it is what the first of them saw, which all others have seen, too.
"""

from __future__ import annotations

import os
import pickle
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.providers.streams import source_id
from tap_utility_intervals.spark.options import OptionError
from tap_utility_intervals.spark.parts import Part, Result


class Unread(TapError):  # noqa: N818 - it says what happened
    """Parts of a plan are not read yet: nothing of it is to be remembered."""


@dataclass(frozen=True)
class Planned:
    """One stream, planned."""

    digest: str
    """Of the options that it was planned with."""
    parts: list[Part]
    states: dict[str, dict[str, Any]]
    """The bookmarks that it began with, without sources that are no more."""
    failed: list[str]
    gone: list[str]


class Folder:
    """Where a plan lies; driver and executors must reach it under one name."""

    def __init__(self, path: Path) -> None:
        """Take the path; there may be nothing yet."""
        self.path = path

    @property
    def streams(self) -> list[str]:
        """Those that were planned."""
        return sorted(one.stem for one in self.path.glob("*.plan"))

    def once(self, stream: str, digest: str, make: Callable[[], Planned]) -> Planned:
        """What was planned, or else is planned now.

        Raises:
            OptionError: it was planned with other options.
        """
        if stream not in self.streams:
            planned = make()
            self.path.mkdir(parents=True, exist_ok=True)
            _publish(self.path / f"{stream}.plan", pickle.dumps(planned))
        found = self.planned(stream)
        if found.digest != digest:
            problem = "holds a plan that was made with other options: name a new folder"
            raise OptionError("plan", problem)
        return found

    def planned(self, stream: str) -> Planned:
        """What was planned of a stream."""
        found = pickle.loads((self.path / f"{stream}.plan").read_bytes())  # noqa: S301 - the user's own folder, as the docs say
        assert isinstance(found, Planned)  # noqa: S101 - a plan of this version
        return found

    def keep(self, part: Part, result: Result) -> None:
        """Remember what came of a part that was read."""
        folder = self.path / part.stream
        folder.mkdir(exist_ok=True)
        name = f"{part.number}-{uuid.uuid4().hex[:12]}.json"
        _publish(folder / name, msgspec.json.encode(result))

    def results(self, stream: str) -> Iterator[tuple[Part, Result]]:
        """What came of each part, all its readings taken together.

        Raises:
            Unread: not every part was read.
        """
        found: dict[int, list[Result]] = defaultdict(list)
        for path in (self.path / stream).glob("*.json"):
            result = msgspec.json.decode(path.read_bytes(), type=Result)
            found[int(path.stem.partition("-")[0])].append(result)
        parts = self.planned(stream).parts
        if left := [part.number for part in parts if part.number not in found]:
            raise Unread(
                f"{len(left)} of {len(parts)} parts of {stream} in {self.path} are not "
                "read to their end; none of its bookmarks moves before they are."
            )
        for part in parts:
            yield part, _together(found[part.number])


def _together(results: list[Result]) -> Result:
    first, *others = sorted(results, key=attrgetter("read_at"))
    done = set(first.done).intersection(*(one.done for one in others))
    return Result(
        max(one.read_at for one in results),
        sorted(done),
        [one for one in first.entries if source_id(one["context"]) in done],
        [row for row in first.coverage if row.source in done],
        sorted({failure for one in results for failure in one.failed}),
        sorted({source for one in results for source in one.gone}),
    )


def _publish(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all."""
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    beside.write_bytes(content)
    os.replace(beside, path)  # noqa: PTH105 - as on every file system

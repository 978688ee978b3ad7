"""A part of a plan: what one Spark task reads, with its share of the budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
from msgspec import Struct

from tap_utility_intervals.arrow.reading import ArrowTap, Batch
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.floor.records import CoverageRecord
from tap_utility_intervals.stdout import as_before

if TYPE_CHECKING:
    from tap_utility_intervals.providers.base import Task
    from tap_utility_intervals.providers.streams import SourceStream

SHOWN = 5


class Lacking(TapError):  # noqa: N818 - it says what happened
    """Sources could not be read, and no plan is there to remember that."""


@dataclass(frozen=True)
class Part:
    """One provider's sources, or some of them; data, without secrets."""

    number: int
    stream: str
    credentials: str
    """The name of the settings to read with."""
    provider: str
    started: datetime
    """The run's start, by the driver's clock."""
    newest: str | None
    """The newest instant that an earlier run used."""
    tasks: tuple[Task, ...] | None = field(default=None, repr=False)
    """None for a stream that is read whole each time."""
    shares: int = 1
    """Among how many the credential's budget is shared."""


class Result(Struct):
    """What came of reading a part once."""

    read_at: str
    """The newest instant that was used."""
    done: list[str]
    """The sources that were read to their ends."""
    entries: list[dict[str, Any]]
    """Their bookmarks, as STATE has them."""
    coverage: list[CoverageRecord]
    failed: list[str]
    """What could not be read, and why, in a sentence each."""
    gone: list[str]
    """The same of what the provider no longer gives: no failure, as in the tap."""


@contextmanager
def opened(
    config: Mapping[str, Any], state: Mapping[str, Any] | None = None
) -> Iterator[ArrowTap]:
    """The tap, in a process that is Spark's, whose signals are left alone."""
    with as_before(SIGINT, SIGTERM):
        tap = ArrowTap.of(config, state)
    try:
        yield tap
    finally:
        tap.close()


class Reading:
    """Reads one part, once."""

    def __init__(self, part: Part, config: Mapping[str, Any]) -> None:
        """Prepare; nothing is asked yet."""
        self.part = part
        self._given = config
        self.result: Result | None = None
        """What came of it, once all batches were taken."""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows.

        Raises:
            errors.ProviderError: the provider as a whole cannot be read.
        """
        part = self.part
        with opened(self._given) as tap:
            tap.started, tap.shares = part.started, part.shares
            tap.clock.follow(part.newest)
            tap.select([part.stream])
            stream = cast("SourceStream", tap.streams[part.stream])
            (session,) = [one for one in tap.sessions if one.name == part.provider]
            if part.tasks is None:
                pages = stream.read(session)
            else:
                jobs = (partial(session.read, task) for task in part.tasks)
                pages = stream.work_off(jobs, session)
            changes: dict[Any, Any] = {}
            for item in tap.items_of(stream, pages):
                if isinstance(item, Batch):
                    yield item.rows
                else:
                    changes |= item.changes
            self.result = _result(tap, changes)


def _result(tap: ArrowTap, changes: Mapping[Any, dict[str, Any] | None]) -> Result:
    return Result(
        tap.clock.now(),
        sorted(n for n, end in tap.report.sources().items() if end is Outcome.DONE),
        [entry for key, entry in changes.items() if key and entry],
        tap.covered,
        *ends(tap),
    )


def ends(tap: ArrowTap) -> tuple[list[str], list[str]]:
    """Which sources failed and which are gone, and why, in a sentence each."""
    tap.report.summarise()
    found = tap.report.sources()
    told: dict[Outcome, list[str]] = {Outcome.FAILED: [], Outcome.GONE: []}
    for (provider, source), reason in tap.report.reasons.items():
        if found[source] in told:
            told[found[source]].append(f"{provider} {source}: {reason}")
    return told[Outcome.FAILED], told[Outcome.GONE]


def refuse_losses(failed: list[str]) -> None:
    """Let nothing be missing without a word.

    Raises:
        Lacking: something failed.
    """
    if failed:
        told = "; ".join(failed[:SHOWN])
        raise Lacking(
            f"{len(failed)} sources could not be read: {told}. With the option "
            "`plan` the others are read all the same, and these again the next time."
        )

"""On the driver: what there is, what is new, and who reads which part of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, cast

from tap_utility_intervals.spark.folder import Folder, Planned
from tap_utility_intervals.spark.options import Options
from tap_utility_intervals.spark.parts import Part, ends, opened, refuse_losses

if TYPE_CHECKING:
    from tap_utility_intervals.arrow.reading import ArrowTap
    from tap_utility_intervals.providers.base import Session
    from tap_utility_intervals.providers.streams import PlannedStream


def plan(options: Options) -> list[Part]:
    """Return the parts to read, each in any process.

    With a folder they are planned once: whoever asks again gets the same.

    Raises:
        OptionError: the folder holds a plan that was made with other options.
        TapError: what there is could not be listed.
    """
    if options.plan is None:
        planned = _planned(options)
        refuse_losses(planned.failed)
        return planned.parts
    folder = Folder(options.plan)
    return folder.once(options.stream, options.digest, lambda: _planned(options)).parts


def _planned(options: Options) -> Planned:
    numbers = count()
    parts: list[Part] = []
    states: dict[str, Any] = {}
    failed: list[str] = []
    gone: list[str] = []
    for name, config in options.configs.items():
        with opened(config, options.known(name)) as tap:
            tap.select([options.stream])
            for session in tap.sessions:
                parts += _of_one(tap, session, options, name, numbers)
            states[name] = tap.state
            lost, left = ends(tap)
            failed += lost
            gone += left
    return Planned(options.digest, parts, states, failed, gone)


def _of_one(
    tap: ArrowTap, session: Session, options: Options, name: str, numbers: Iterator[int]
) -> Iterator[Part]:
    """The parts of one credential: its sources in turn, so that all end together."""
    of = options.stream, name, session.name, tap.started, tap.clock.newest
    if options.stream == "meters":
        yield Part(next(numbers), *of)
        return
    stream = cast("PlannedStream", tap.streams[options.stream])
    tasks = tuple(stream.tasks(session))
    shares = min(options.partitions, session.readers, len(tasks))
    for first in range(shares):
        yield Part(next(numbers), *of, tasks[first::shares], shares)

"""Reading in this process: record batches, and the bookmarks that cover them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pyarrow as pa
from typing_extensions import override

from tap_utility_intervals.arrow.batches import Warn, batch
from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.settings.shared import REWRITING
from tap_utility_intervals.stdout import Lines, as_before
from tap_utility_intervals.tap import TapUtilityIntervals

if TYPE_CHECKING:
    from tap_utility_intervals.singer.state import Changes
    from tap_utility_intervals.singer.streams import PagedStream
    from tap_utility_intervals.singer.writer import Row

ROWS = 50_000
"""Rows of a batch, at most a page more: few enough to hold, many enough to be fast."""

SECONDS = 10.0
"""Longest that rows wait for more, where they come slowly."""


@dataclass(frozen=True)
class Batch:
    """Rows of one stream."""

    stream: str
    rows: pa.RecordBatch


@dataclass(frozen=True)
class Bookmarks:
    """What was remembered of sources meanwhile: true once all rows before are saved.

    Attributes:
        stream: whose.
        changes: by the context that names a source, its entry in STATE, or None for
            one that is no more. The empty context stands for the stream as a whole.
        state: all bookmarks of all streams, as they are now: what the next `read`
            wants. It goes on changing; save it before you read on.
    """

    stream: str
    changes: Changes
    state: dict[str, Any]


Item: TypeAlias = Batch | Bookmarks


def read(
    config: Mapping[str, Any],
    bookmarks: Mapping[str, Any] | None = None,
    streams: Sequence[str] | None = None,
) -> Iterator[Item]:
    """Read what is new, as record batches and bookmarks.

    Sources that fail do not stop the others: the log says so at the end.

    Args:
        config: the settings, as in the tap's configuration file.
        bookmarks: the `state` of the last `Bookmarks` that was saved.
        streams: names; without any `meters`, `intervals`, `usage` and `coverage`.

    Raises:
        ConfigValidationError: a setting cannot be used.
        ConfigError: a setting would have no effect, or there is no such stream.
    """
    with as_before(SIGINT, SIGTERM):  # the caller's business
        tap = ArrowTap.of(config, bookmarks)
    try:
        tap.select(streams)
        yield from tap.items()
        tap.report.summarise()
    finally:
        tap.close()


class Silence:
    """In the place of a message writer: nothing is written."""

    def __init__(self) -> None:
        """Keep what tells a signal when it may strike."""
        self.lines = Lines()
        self.record_bytes = 0

    def offer(self, state: object) -> None:
        """Send no STATE; bookmarks are handed over with their rows."""

    def write_state(self, state: object) -> None:
        """Send none at the end, either."""


class ArrowTap(TapUtilityIntervals):
    """The tap, whose rows are taken instead of written."""

    @classmethod
    def of(
        cls, config: Mapping[str, Any], bookmarks: Mapping[str, Any] | None
    ) -> ArrowTap:
        """Make the tap; nothing is asked of a provider yet.

        Raises:
            ConfigError: a setting would have no effect.
            ConfigValidationError: a setting cannot be used.
        """
        for setting in REWRITING:
            if config.get(setting):
                raise ConfigError(setting, "has no effect on Arrow: remove it")
        state = dict(bookmarks) if bookmarks else None
        return cls(config=dict(config), state=state, message_writer=Silence())

    @property
    @override
    def state_writer(self) -> Any:
        return self.message_writer

    def select(self, streams: Sequence[str] | None) -> None:
        """Read these streams and no other; None leaves it at the usual ones.

        Raises:
            ConfigError: there is no such stream.
        """
        if streams is None:
            return
        if unknown := set(streams) - set(self.streams):
            known = ", ".join(self.streams)
            problem = f"names {', '.join(sorted(unknown))}; there are {known}"
            raise ConfigError("streams", problem)
        for name, stream in self.streams.items():
            stream.selected = name in streams

    def items(self) -> Iterator[Item]:
        """Yield the rows of each stream in batches, and bookmarks that cover them.

        What came before an error, or a signal to stop, is yielded first.
        """
        for stream in self.streams.values():
            if stream.selected:
                paged = cast("PagedStream", stream)
                yield from self.items_of(paged, paged.pages())

    def items_of(
        self, stream: PagedStream, pages: Iterator[Sequence[Row]]
    ) -> Iterator[Item]:
        """Yield the same of one stream that comes in these pages."""
        gathered = Gathered(stream.name, self.report.warn)
        stream.bookmarks.watch()
        try:
            for page in pages:
                # A bookmark that is there by now covers rows of earlier pages only.
                if gathered.is_much:
                    yield from self._taken(stream, gathered)
                gathered.add(page)
        except GeneratorExit:
            raise
        except BaseException:
            yield from self._taken(stream, gathered)
            raise
        yield from self._taken(stream, gathered)

    def _taken(self, stream: PagedStream, gathered: Gathered) -> Iterator[Item]:
        """Hand over what has gathered."""
        changes = stream.bookmarks.changes()
        rows = gathered.take()
        if rows is not None:
            yield Batch(stream.name, rows)
        if changes:
            state = cast("dict[str, Any]", self.state)
            yield Bookmarks(stream.name, changes, state)


class Gathered:
    """Pages of one stream on their way into one batch."""

    def __init__(self, stream: str, warn: Warn) -> None:
        """Start with none."""
        self._stream = stream
        self._warn = warn
        self._pages: list[Sequence[Row]] = []
        self._count = 0
        self._since = time.monotonic()

    @property
    def is_much(self) -> bool:
        """Whether it is time to hand them over."""
        is_late = time.monotonic() - self._since >= SECONDS
        return self._count >= ROWS or (is_late and self._count > 0)

    def add(self, page: Sequence[Row]) -> None:
        """Add a page."""
        if page:
            self._pages.append(page)
            self._count += len(page)

    def take(self) -> pa.RecordBatch | None:
        """All of it as one batch, from now on forgotten; None if there is nothing."""
        pages = self._pages
        made = batch(self._stream, pages, self._warn) if pages else None
        self._pages, self._count, self._since = [], 0, time.monotonic()
        return made

"""The SDK's target, whose private hooks become methods that a target may well override.

Lines of streams whose sink takes them as they came are not parsed one by one: the SDK's
own path spends 120 µs on a record, most of it in jsonschema.
"""

from __future__ import annotations

import json
import sys
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from types import FrameType
from typing import IO, Any, cast

import msgspec
from singer_sdk.exceptions import (
    DataError,
    DiscoveryError,
    FatalSyncError,
    InvalidRecord,
)
from singer_sdk.io_base import SingerReader
from singer_sdk.singerlib.exceptions import SingerError
from singer_sdk.sinks import BatchSink
from singer_sdk.target_base import Target
from typing_extensions import override

from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.floor.values import writable
from tap_utility_intervals.singer.maps import leaves_alone
from tap_utility_intervals.stdout import Lines, Terminated

Message = dict[str, Any]


class LineError(TapError):
    """A line is no Singer message; its content is nobody's business."""


REFUSED = (SingerError, DataError, DiscoveryError, FatalSyncError, InvalidRecord)
"""What the SDK raises of messages that do not fit each other, each with a sentence."""


class Head(msgspec.Struct):
    """What tells where a message goes."""

    type: str
    stream: str = ""


UNTAKEN = (
    "this BATCH cannot be loaded: no stream map or flattening reaches files, and Arrow "
    "files have to hold the tap's own columns. What came before it is stored."
)


class Batch(msgspec.Struct):
    """As much of a BATCH as tells what to do with it."""

    stream: str
    encoding: dict[str, str | None]
    manifest: list[str]


HEAD = msgspec.json.Decoder(Head)

CHUNK = 1 << 20
"""Bytes that are read at once; a pipe has fewer."""


class LineReader(SingerReader):
    """Reads messages; lines of one stream that are taken as they came, many at once."""

    def __init__(self, target: HookedTarget) -> None:
        """Read for `target`."""
        super().__init__()
        self._target = target
        self._stream = ""
        self._head = b"no line begins with this"
        """What the lines of that stream begin with."""

    @override
    def process_lines(
        self, file_input: Any, callbacks: dict[str, Callable[[Message], None]]
    ) -> Counter[str]:
        """Hand every message on; what came is stored, whatever ends it.

        Raises:
            LineError: a line is no message; those before it are stored.
            Terminated: a signal came; the lines before it are stored.
        """
        counts: Counter[str] = Counter()
        target = self._target
        with target.alone():
            try:
                for lines in chunks(file_input or sys.stdin):
                    # All or nothing: what is half handed over must not be confirmed.
                    with target.lines.whole():
                        counts += self._process(lines, callbacks)
                        target.flush_if_due()
            except (LineError, Terminated):
                target.flush()
                raise
            target.flush()
        return counts

    def _process(
        self, lines: bytes, callbacks: dict[str, Callable[[Message], None]]
    ) -> Counter[str]:
        count, begin = lines.count(b"\n"), b"\n" + self._head
        is_alike = lines.startswith(self._head) and lines.count(begin) == count - 1
        # A SCHEMA in between may have made another sink.
        sink = self._target.whole_lines.get(self._stream)
        if sink and is_alike:
            sink.take(lines, count)
            return Counter(RECORD=count)
        every = [line for line in lines.split(b"\n") if line.strip()]
        return super().process_lines(cast("IO[str]", every), callbacks)

    @override
    def deserialize_json(self, line: str | bytes) -> Message:
        head = None
        with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            head = HEAD.decode(line)
            if head.type == "RECORD" and head.stream in self._target.whole_lines:
                self._stream, name = head.stream, ENCODER.encode(head.stream)
                self._head = b'{"type":"RECORD","stream":%b,' % name
                return {"type": head.type, "stream": head.stream, "line": line}
        try:  # Python reads NaN and half surrogates, too, which other taps may send
            message = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            return message if head else cast("Message", writable(message))
        told = "A line is no Singer message: was the tap killed?"
        raise LineError(f"{told} What came before it is stored.")


def chunks(given: Any) -> Iterator[bytes]:  # noqa: ANN401 - what is read
    """Yield whole lines, as many as there are at once, and what follows the last."""
    binary = getattr(given, "buffer", given)
    if not hasattr(binary, "read1"):  # a test's text
        yield from (line.encode() for line in given)
        return
    rest: list[bytes] = []
    while some := binary.read1(CHUNK):
        whole, end, after = some.rpartition(b"\n")
        if end:
            yield b"".join([*rest, whole, end])
            rest = []
        rest.append(after)  # all of it, where no line ends
    if last := b"".join(rest):
        yield last


class HookedSink(BatchSink):
    """A sink that may take lines as they came, and leaves dates as they were sent."""

    MAX_SIZE_DEFAULT = 2_000
    """Rows of a batch: more fall out of the processor's cache and take longer."""

    def __init__(self, target: HookedTarget, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Prepare the sink; the SDK calls `setup` next."""
        super().__init__(target, *args, **kwargs)
        self.target = target
        self.taken: list[bytes] = []
        """RECORD lines for the next batch."""

    @property
    @abstractmethod
    def takes_lines(self) -> bool:
        """Whether RECORD lines may be taken without the SDK's looking at them."""

    def take(self, lines: bytes, count: int) -> None:
        """Keep RECORD lines for the next batch."""
        self.taken.append(lines)
        self.tally_record_read(count)
        self.record_counter_metric.increment(count)
        if self.is_full:  # as `drain_one`, without a line in the log each time
            self.process_batch(self.start_drain())
            self.mark_drained()

    @abstractmethod
    def take_file(self, url: str) -> None:
        """Take all rows of an Arrow file for the next commit.

        Raises:
            LineError: it is not there, or holds something else.
        """

    @property
    @override
    def max_size(self) -> int:
        return min(self.batch_size_rows or self.MAX_SIZE_DEFAULT, self.MAX_SIZE_DEFAULT)

    @override
    def _parse_timestamps_in_record(self, *_: Any, **__: Any) -> None:
        return


class HookedTarget(Target):
    """A target that confirms what it has committed, and stops between two lines."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's arguments
        """Prepare the target; nothing is opened yet."""
        self.lines = Lines()
        self.whole_lines: dict[str, HookedSink] = {}
        """What takes RECORD lines as they came, by stream."""
        self._confirmed: object = None
        super().__init__(message_reader=LineReader(self), **kwargs)
        self.max_parallelism = 1

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Be the only one that loads, while lines are read."""

    @property
    @abstractmethod
    def is_due(self) -> bool:
        """Tell whether enough has been handed over to be stored."""

    @abstractmethod
    def commit(self) -> None:
        """Store all that the sinks have handed over."""

    def flush(self) -> None:
        """Store all that came, and confirm the last state."""
        with self.lines.whole():
            self.drain_all()
            self.commit()

    def flush_if_due(self) -> None:
        """Store what came, if it is much or has waited for long."""
        if self.is_due:
            self.flush()

    def settle(self) -> None:
        """Store what came under a schema that has just changed."""
        if self._sinks_to_clear:
            self.flush()

    @override
    def _write_state_message(self, state: Message) -> None:
        self.commit()
        if state != self._confirmed:
            self._confirmed = state
            self.lines.write([ENCODER.encode(state), b"\n"])

    @override
    def _process_schema_message(self, message_dict: Message) -> None:
        super()._process_schema_message(message_dict)
        stream = message_dict["stream"]
        self.whole_lines.pop(stream, None)
        if leaves_alone(self.mapper.stream_maps[stream], stream):
            sink = cast("HookedSink", self.get_sink(stream))
            if sink.takes_lines:
                self.whole_lines[stream] = sink

    @override
    def _process_record_message(self, message_dict: Message) -> None:
        line = message_dict.get("line")
        if line is None:
            super()._process_record_message(message_dict)
        else:
            self.whole_lines[message_dict["stream"]].take(line + b"\n", 1)

    @override
    def _process_batch_message(self, message_dict: Message) -> None:
        """Take files, after the rows that came before them.

        Raises:
            LineError: they cannot be taken as they are.
        """
        try:
            batch = msgspec.convert(message_dict, Batch)
        except msgspec.ValidationError as error:
            raise LineError(f"A BATCH is no such message: {error}.") from None
        stream, is_arrow = batch.stream, batch.encoding.get("format") == "arrow"
        is_taken = leaves_alone(self.mapper.stream_maps.get(stream, ()), stream)
        if not is_taken or (is_arrow and stream not in self.whole_lines):
            raise LineError(f"{stream}: {UNTAKEN}")
        sink = cast("HookedSink", self.get_sink(stream))
        self.drain_one(sink)
        if is_arrow:
            for url in batch.manifest:
                sink.take_file(url)
        else:
            super()._process_batch_message(message_dict)
        self.flush_if_due()  # a few lines may name all there is

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        self.lines.on_signal(signum, frame)

"""Writing Singer messages a page at a time.

A page of rows becomes one buffer and one write: the lines are the ones that the SDK's
own writer makes, at a fraction of the cost (`docs/decisions/0004-page-wise-path.md`).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Protocol, TextIO, TypeAlias

import msgspec
from singer_sdk.singerlib import Message, StateMessage
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from typing_extensions import override

from tap_utility_intervals.floor.instants import micros_form

ENCODER = msgspec.json.Encoder(decimal_format="number")

Row: TypeAlias = msgspec.Struct | dict[str, Any]
"""A record before it is encoded: a struct where the columns are ours."""


class Terminated(BaseException):
    """The process was asked to stop; raised in the writing thread, between lines."""

    def __init__(self, signum: int) -> None:
        """Remember which signal asked."""
        super().__init__(signum)
        self.signum = signum


class PageWriter(Protocol):
    """What a stream needs of a message writer, whatever the protocol it speaks."""

    record_bytes: int

    def write_message(self, message: Message) -> None:
        """Write one message of the SDK's kinds."""

    def write_page(
        self, stream: str, rows: Sequence[Row], version: int | None = None
    ) -> None:
        """Write one record message for each row, in order."""


class SingerWriter(SimpleSingerWriter):
    """Writes Singer messages to stdout, whole lines only, even when terminated."""

    def __init__(self) -> None:
        """Start with nothing written."""
        super().__init__()
        self.record_bytes = 0
        self.state_bytes = 0
        self._writing = False
        self._signum: int | None = None

    def write_page(
        self, stream: str, rows: Sequence[Row], version: int | None = None
    ) -> None:
        """Write one RECORD line for each row, in order, as one buffer."""
        if not rows:
            return
        head = b'{"type":"RECORD","stream":%b,"record":' % ENCODER.encode(stream)
        extracted = micros_form(datetime.now(timezone.utc)).encode()
        tail = b',"time_extracted":"%b"}\n' % extracted
        if version is not None:
            tail = b',"version":%d%b' % (version, tail)
        # One line a row; no row holds a raw newline, for JSON escapes it. The envelopes
        # go in with one copy: the head of a row that does not follow is left out.
        lines = ENCODER.encode_lines(rows).replace(b"\n", tail + head)
        self.record_bytes += len(lines)
        self.write_bytes(head, memoryview(lines)[: -len(head)])

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, StateMessage):
            line = b'{"type":"STATE","value":%b}\n' % ENCODER.encode(message.value)
            self.state_bytes += len(line)
        else:
            line = self.format_message(message).encode() + b"\n"
            self.record_bytes += len(line)
        self.write_bytes(line)

    def write_bytes(self, *parts: bytes | memoryview) -> None:
        """Write parts that together are whole lines to stdout and flush them."""
        with self._uninterrupted():
            write_out(sys.stdout, *parts)

    def terminate(self, signum: int) -> None:
        """Stop now, or as soon as the line that is being written is whole.

        Raises:
            Terminated: unless a write is under way; then that write raises it.
        """
        if self._writing:
            self._signum = signum
            return
        self._signum = None  # the last STATE is still to be written
        raise Terminated(signum)

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
        if self._signum is not None:
            signum, self._signum = self._signum, None
            raise Terminated(signum)


def write_out(stream: TextIO, *parts: bytes | memoryview) -> None:
    """Write parts that together are whole lines, all of them, and flush them."""
    # Tests and the SDK's runners put a text stream in stdout's place.
    binary = getattr(stream, "buffer", None)
    if isinstance(binary, (io.BufferedIOBase, io.RawIOBase)):
        stream.flush()
        for part in parts:
            _write_whole(binary, part)
        binary.flush()
    else:
        stream.write(b"".join(parts).decode())
        stream.flush()


def _write_whole(
    binary: io.BufferedIOBase | io.RawIOBase, part: bytes | memoryview
) -> None:
    """Write all of it: unbuffered, as with PYTHONUNBUFFERED, a signal cuts a write."""
    left = memoryview(part)
    while left:
        left = left[binary.write(left) or 0 :]

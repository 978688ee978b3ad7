"""Writing the tap's pages and bookmarks as Airbyte messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from singer_sdk.singerlib import Message, RecordMessage, StateMessage
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from typing_extensions import override

from tap_utility_intervals.airbyte.output import Output, now_ms
from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.singer.writer import Row, rendered

NO_CURSOR = "__ab_no_cursor_state_message"
"""What stands in the state of a stream that has no bookmark."""


@dataclass
class _Stream:
    """One stream while it is read."""

    name: str
    head: bytes
    is_running: bool = False
    uncounted: int = 0
    """Records since its last STATE."""
    waiting: bytes | None = None
    sent: bytes | None = None


class AirbyteWriter(GenericSingerWriter[bytes, Message]):
    """Takes what the tap writes, one stream at a time, and tells Airbyte.

    Two equal STATEs of a stream must not have records between them. So a STATE that the
    tap offers waits until another one follows, which then covers what lies between; the
    last one goes out at the end. A STATE that is late is true nonetheless.
    """

    def __init__(self, output: Output) -> None:
        """Write through `output`."""
        self.lines = self._output = output
        self.record_bytes = 0
        self._stream: _Stream | None = None

    @property
    def stream(self) -> str | None:
        """The stream that is being read."""
        return self._stream.name if self._stream else None

    def begin(self, stream: str) -> None:
        """From now on, everything belongs to `stream`."""
        head = b'{"type":"RECORD","record":{"stream":%b,"emitted_at":%%d,"data":'
        with self._output.whole():
            name = ENCODER.encode(stream).replace(b"%", b"%%")
            self._stream = _Stream(stream, head % name)
            self._output.status(stream, "STARTED")

    def end(self, bookmarks: Mapping[str, Any], *, is_complete: bool) -> None:
        """The stream is over: its last STATE, and how it went."""
        with self._output.whole():
            stream = self._stream
            if stream is None:
                return
            state = ENCODER.encode(bookmarks)
            if not bookmarks:
                state = ENCODER.encode({NO_CURSOR: True}) if is_complete else b""
            if state and (state != stream.sent or stream.uncounted):
                self._send_state(stream, state)
            status = "COMPLETE" if is_complete else "INCOMPLETE"
            self._stream = None
            self._output.status(stream.name, status)

    def write_page(
        self,
        stream: str,
        rows: Sequence[Row],
        version: int | None = None,  # noqa: ARG002 - Airbyte has generations of its own
    ) -> None:
        """Write one RECORD for each row, in order, as one buffer."""
        if rows:
            self._write_records(stream, rows)

    def flush(self) -> None:
        """Nothing: no row waits here."""

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, StateMessage):
            self._offer(message.value.get("bookmarks", {}))
        elif isinstance(message, RecordMessage):
            self._write_records(message.stream, [message.record])

    @override
    def serialize_message(self, message: Message) -> bytes:
        """A record alone on its line."""
        record = message.record if isinstance(message, RecordMessage) else {}
        return ENCODER.encode(record) + b"\n"

    def _write_records(self, name: str, rows: Sequence[Row]) -> None:
        stream = self._stream
        if stream is None or stream.name != name:
            text = f"records of {name}, which is not being read"
            raise RuntimeError(text)
        parts = rendered(rows, stream.head % now_ms(), b"}}\n")
        with self._output.whole():
            if not stream.is_running:
                stream.is_running = True
                self._output.status(name, "RUNNING")
            self.record_bytes += self._output.write(parts)
            stream.uncounted += len(rows)

    def _offer(self, bookmarks: Mapping[str, Any]) -> None:
        """Note a STATE; what waited is sent if this one differs from it."""
        stream = self._stream
        if stream is None or not bookmarks.get(stream.name):
            return
        state = ENCODER.encode(bookmarks[stream.name])
        if stream.waiting is not None and stream.waiting != state:
            self._send_state(stream, stream.waiting)
        stream.waiting = state

    def _send_state(self, stream: _Stream, state: bytes) -> None:
        line = (
            b'{"type":"STATE","state":{"type":"STREAM","stream":'
            b'{"stream_descriptor":{"name":%b},"stream_state":%b},'
            b'"sourceStats":{"recordCount":%d.0}}}\n'
        ) % (ENCODER.encode(stream.name), state, stream.uncounted)
        with self._output.whole():
            self._output.write([line])
            stream.sent, stream.uncounted = state, 0

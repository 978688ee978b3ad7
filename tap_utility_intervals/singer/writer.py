"""Writing Singer messages a page at a time.

A page of rows becomes one buffer and one write: the lines are the ones that the SDK's
own writer makes, at a fraction of the cost (`docs/decisions/0004-page-wise-path.md`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol, TypeAlias

import msgspec
from singer_sdk.singerlib import Message, StateMessage
from singer_sdk.singerlib.encoding import SimpleSingerWriter
from typing_extensions import override

from tap_utility_intervals.floor.blocks import ENCODER, RowBlock
from tap_utility_intervals.floor.instants import micros_form
from tap_utility_intervals.stdout import Lines

Row: TypeAlias = msgspec.Struct | dict[str, Any]
"""A record before it is encoded: a struct where the columns are ours."""


AT_ONCE = 100
"""Rows, about 70 kB: larger pieces of memory cost more than what is done with them."""


def rendered(rows: Sequence[Row], before: bytes, after: bytes) -> Iterable[bytes]:
    """The rows as JSON, each between two texts, in pieces to be written in order.

    Raises:
        UnicodeEncodeError: a map made a text of half a character.
    """
    if isinstance(rows, RowBlock):
        return map(str.encode, rows.lines(before.decode(), after.decode(), AT_ONCE))
    # One line a row; no row holds a raw newline, for JSON escapes it.
    pages = (rows[begin : begin + AT_ONCE] for begin in range(0, len(rows), AT_ONCE))
    return [
        before + ENCODER.encode_lines(page)[:-1].replace(b"\n", after + before) + after
        for page in pages
    ]


class PageWriter(Protocol):
    """What a stream needs of a message writer, whatever the protocol it speaks."""

    lines: Lines
    record_bytes: int

    def write_message(self, message: Message) -> None:
        """Write one message of the SDK's kinds."""

    def write_page(
        self, stream: str, rows: Sequence[Row], version: int | None = None
    ) -> None:
        """Write one record message for each row, in order."""

    def flush(self) -> None:
        """Write what was kept back, at the end of a stream."""


class SingerWriter(SimpleSingerWriter):
    """Writes Singer messages to standard output, whole lines only."""

    def __init__(self) -> None:
        """Start with nothing written."""
        super().__init__()
        self.lines = Lines()
        self.record_bytes = 0

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
        self.record_bytes += self.lines.write(rendered(rows, head, tail))

    def flush(self) -> None:
        """Nothing: no row waits here."""

    @override
    def write_message(self, message: Message) -> None:
        if isinstance(message, StateMessage):
            value = ENCODER.encode(message.value)
            self.lines.write([b'{"type":"STATE","value":', value, b"}\n"])
            return
        line = self.format_message(message).encode() + b"\n"
        self.record_bytes += self.lines.write([line])

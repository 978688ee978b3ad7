"""JSON text digit for digit, gzip out of ready-made pieces, requests and answers."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LAST_BLOCK = b"\x03\x00"


class Verbatim(str):
    """JSON text that goes onto the wire as it stands, such as the number `0.10`."""

    __slots__ = ()


def encode(value: object) -> str:
    """Compact JSON that keeps `Verbatim` and `Decimal` digit for digit."""
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json.dumps(k)}:{encode(v)}" for k, v in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(encode, value)) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class Piece:
    """Bytes that many answers share; deflated once."""

    raw: bytes

    @cached_property
    def deflated(self) -> bytes:
        """The bytes as deflate blocks that end on a byte, ready to be joined."""
        return deflate(self.raw)


Chunk = Piece | bytes


def deflate(raw: bytes) -> bytes:
    """Deflate blocks for `raw`, flushed in full so that others may follow."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(raw) + squeeze.flush(zlib.Z_FULL_FLUSH)


def plain(chunks: Sequence[Chunk]) -> bytes:
    """The body as it is."""
    return b"".join(c.raw if isinstance(c, Piece) else c for c in chunks)


def gzipped(chunks: Sequence[Chunk]) -> bytes:
    """The body as one gzip member, made without compressing any piece again."""
    parts, check, size = [GZIP_HEADER], 0, 0
    for chunk in chunks:
        raw = chunk.raw if isinstance(chunk, Piece) else chunk
        parts.append(chunk.deflated if isinstance(chunk, Piece) else deflate(chunk))
        check, size = zlib.crc32(raw, check), size + len(raw)
    parts += (LAST_BLOCK, struct.pack("<II", check, size & 0xFFFFFFFF))
    return b"".join(parts)


@dataclass(frozen=True)
class Request:
    """One request as the providers see it.

    A fault may hide parameters from them: then `sent` holds all that were sent.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    origin: str
    sent: Mapping[str, Sequence[str]] | None = None

    @property
    def whole_query(self) -> Mapping[str, Sequence[str]]:
        """The parameters that were sent, those that a fault hides as well."""
        return self.query if self.sent is None else self.sent

    def get(self, name: str) -> str | None:
        """The last value of a query parameter."""
        values = self.query.get(name)
        return values[-1] if values else None

    def names(self, name: str) -> list[str] | None:
        """A comma-separated list parameter, repeated ones joined; None if absent."""
        values = self.query.get(name)
        if values is None:
            return None
        return [part for value in values for part in value.split(",") if part]


@dataclass(frozen=True)
class Answer:
    """One answer: status, body in chunks, further headers."""

    status: int
    chunks: Sequence[Chunk] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cacheable: bool = False


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    """A JSON answer that is made anew each time."""
    return Answer(status, [encode(value).encode()], headers)


class Refusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """Raised by a provider to end a request with this answer."""

    def __init__(self, reply: Answer) -> None:
        super().__init__(reply.status)
        self.reply = reply

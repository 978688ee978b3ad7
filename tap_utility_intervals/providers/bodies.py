"""Bodies of answers: never more than allowed, and one large one in memory at a time.

Eight workers with a hundred megabytes each would take eight times what one needs. So
what is large lies in a file without a name until it is its turn; and one thread reads
all of them, as allocators keep for a thread what it has freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import TypeVar

T = TypeVar("T")

CHUNK = 1 << 16
LARGE = 4_000_000
"""Bytes of a body that are held in memory, whatever the other workers hold."""


class TooMuch(Exception):  # noqa: N818 - it says what happened
    """A body is larger than allowed; the rest of it was not read."""


class Bodies:
    """Reads and decodes bodies; safe to share between threads."""

    def __init__(self, most: int) -> None:
        """Allow so many bytes, unpacked, in one body."""
        self._most = most
        self._large = ThreadPoolExecutor(1, "large-bodies")

    def room(self) -> SpooledTemporaryFile[bytes]:
        """Room for one body; close it."""
        return SpooledTemporaryFile(max_size=LARGE)

    def fill(self, room: SpooledTemporaryFile[bytes], chunks: Iterable[bytes]) -> None:
        """Read a body.

        Raises:
            TooMuch: it goes beyond what is allowed.
        """
        for chunk in chunks:
            room.write(chunk)
            if room.tell() > self._most:
                raise TooMuch

    def decoded(
        self, room: SpooledTemporaryFile[bytes], decode: Callable[[bytes], T]
    ) -> T:
        """What a body says; a large one waits for those before it."""
        if room.tell() <= LARGE:
            return _decoded(room, decode)
        return self._large.submit(_decoded, room, decode).result()


def _decoded(room: SpooledTemporaryFile[bytes], decode: Callable[[bytes], T]) -> T:
    room.seek(0)
    return decode(room.read())


def is_packed_twice(headers: Mapping[str, str]) -> bool:
    """Whether a body is packed into another: a few bytes could become gigabytes."""
    return "," in headers.get("Content-Encoding", "")

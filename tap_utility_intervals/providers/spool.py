"""Answers that two streams need, kept from the first one's reading for the second's."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile

IN_MEMORY = 8_000_000
"""Bytes held in memory; beyond, they lie in a file without a name."""


@dataclass(frozen=True, slots=True)
class Shared:
    """An endpoint that one stream reads as some others do."""

    path: str
    by: str
    others: frozenset[str]


class Spool:
    """Bodies by URL, each handed over once; safe to share between threads.

    Whoever asks for a URL again, having read it before, wants to know what it says now:
    so a body is only given to another reader than the one it was kept from.
    """

    def __init__(self) -> None:
        """Begin with nothing shared: nothing is kept."""
        self._paths: tuple[str, ...] = ()
        self._kept: dict[str, tuple[str, int, int]] = {}
        """By URL: who read the body, where it is in the file, how long it is."""
        self._lock = threading.Lock()
        self._file: SpooledTemporaryFile[bytes] | None = None

    def share(self, endpoints: Iterable[Shared], selected: AbstractSet[str]) -> None:
        """Keep what two of the selected streams read."""
        self._paths = tuple(
            f"{shared.path}/"
            for shared in endpoints
            if shared.by in selected and shared.others & selected
        )

    def shares(self, path: str) -> bool:
        """Whether answers from a path are kept."""
        return f"{path}/".startswith(self._paths) if self._paths else False

    def keep(self, url: str, reader: str, body: bytes) -> None:
        """Keep a body for another reader, in the place of an older one."""
        packed = zlib.compress(body, 1)
        with self._lock:
            if not self._paths:
                return
            try:
                self._kept[url] = reader, self._append(packed), len(packed)
            except OSError:  # no room: then it is asked for twice
                self._drop()

    def take(self, url: str, reader: str) -> bytes | None:
        """The body that another reader got, once; None if there is none."""
        with self._lock:
            known_to, offset, size = self._kept.get(url, (reader, 0, 0))
            if known_to == reader or self._file is None:
                return None
            del self._kept[url]
            self._file.seek(offset)
            packed = self._file.read(size)
            if not self._kept:
                self._file.seek(0)
                self._file.truncate()
        return zlib.decompress(packed)

    def close(self) -> None:
        """Forget everything, and keep nothing more."""
        with self._lock:
            self._drop()

    def _append(self, packed: bytes) -> int:
        if self._file is None:
            self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by _drop
        offset = self._file.seek(0, 2)
        self._file.write(packed)
        return offset

    def _drop(self) -> None:
        self._paths = ()
        self._kept.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

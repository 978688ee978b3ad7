"""One meter's blocks, held back until its listing has come to its end.

Only then is it known which block is the newest for a reading: they are asked for oldest
first, and nothing promises that they come so (utilityapi.md#lists). Few are held
decoded; of many, the readings lie packed in a file without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec
from msgspec import Raw

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.ranges import Range, Window
from tap_utility_intervals.floor.values import TooDeep
from tap_utility_intervals.providers.utilityapi.intervals.twins import arranged
from tap_utility_intervals.providers.utilityapi.mapping.channels import Warn
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER, Meter
from tap_utility_intervals.providers.utilityapi.mapping.readings import Readings
from tap_utility_intervals.providers.utilityapi.objects import Block, block

HELD_READINGS = 10_000
"""So many readings are held side by side in a room; more are packed."""

IN_MEMORY = 1_000_000
"""Bytes held in memory of what readings say; and as packed before they are on disk."""

Decoded = tuple[Block, Readings]
"""A block without its readings, and these in ascending order."""


@dataclass(slots=True)
class _Held:
    """A block, with its readings or where they are."""

    first: datetime
    """When its earliest reading starts."""
    block: Block
    readings: Readings | None
    """None once they are packed."""
    place: tuple[int, int] = (0, 0)
    """Where they are in the file: offset and size in bytes."""


class Room:
    """What may be held decoded, and a file for the rest; meters may share it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._readings = HELD_READINGS
        self._bytes = IN_MEMORY
        self._file: SpooledTemporaryFile[bytes] | None = None

    def take(self, readings: int, size: int) -> bool:
        """Take so many readings that say so many bytes; tell whether it is full."""
        self._readings -= readings
        self._bytes -= size
        return self._readings < 0 or self._bytes < 0

    def pack(self, readings: Readings) -> tuple[int, int]:
        """Put readings into the file; return offset and size in bytes."""
        if self._file is None:
            self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by `close`
        body = _PACK.encode(readings)
        place = self._file.seek(0, 2), len(body)
        self._file.write(body)
        return place

    def unpack(self, place: tuple[int, int]) -> Readings:
        """Get readings out of the file again."""
        assert self._file is not None  # noqa: S101 - for mypy
        offset, size = place
        self._file.seek(offset)
        return _UNPACK.decode(self._file.read(size))

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()


class Held:
    """Takes blocks in any order, gives them back oldest first."""

    def __init__(
        self,
        meter: Meter,
        warn: Warn,
        zone: tzinfo | None = None,
        room: Room | None = None,
    ) -> None:
        """Hold the blocks of one meter, in a room that is shared if one is given."""
        self._meter = meter
        self._warn = warn
        self._zone = zone
        self._is_shared = room is not None
        self._room = room or Room()
        self._held: list[_Held] = []
        self._known: dict[int, tuple[Range, ...]] = {}
        self._lost: list[str] = []
        self.came: list[Range] = []
        """First start and last end of each block, as they came, repeats included."""
        self.spans: list[Range] = []
        """First and last start of each block."""
        self.updated: datetime | None = None
        """The newest `updated` of a block."""

    def add(self, item: Raw | dict[str, Any], read_at: str | None) -> None:
        """Take one block, unless it is held already.

        Raises:
            errors.BadAnswer: when nobody can tell what is in it.
        """
        if isinstance(item, Raw):
            # A restarted listing brings blocks again, which count as having come.
            # Hashes are keyed anew in each process: 64 bits that nobody can aim at.
            digest = hash(bytes(item))
            if digest in self._known:
                self.came += self._known[digest]
                return
            self._known[digest] = ()
        decoded = self._decoded(item)
        if decoded is None or not decoded[1].starts:
            return
        found, readings = decoded
        # From here on only the arranged ones are held.
        found.readings, found.read_at = [], read_at
        self.spans.append((readings.starts[0], readings.starts[-1]))
        # One may end before it starts.
        end = max(readings.starts[-1], readings.ends[-1])
        self.came.append((readings.starts[0], end))
        if isinstance(item, Raw):
            self._known[digest] = (self.came[-1],)
        if found.updated and (self.updated is None or found.updated > self.updated):
            self.updated = found.updated
        self._held.append(_Held(readings.starts[0], found, readings))
        size = sum(len(part.body) for part in readings.parts)
        if self._room.take(len(readings.starts), size):
            self._pack()

    def blocks(self, windows: Sequence[Window]) -> Iterator[Decoded]:
        """The blocks that may hold a reading of these windows, oldest first."""
        last = max(window.end for window in windows)
        for held in sorted(self._held, key=lambda one: one.first):
            if held.first < last:
                yield held.block, held.readings or self._room.unpack(held.place)

    def check(self) -> None:
        """Refuse to count the meter as read if a reading's time cannot be read.

        Raises:
            errors.BadAnswer: with some of these times as they were sent.
        """
        if self._lost:
            count, such = len(self._lost), self._lost[0]
            raise self._bad(f"sent {count} readings without readable times: {such}")

    def close(self) -> None:
        """Let go of the room, unless it is shared."""
        if not self._is_shared:
            self._room.close()

    def _decoded(self, item: Raw | dict[str, Any]) -> Decoded | None:
        """Return a block; None for none, or one of a meter that was not asked for.

        Raises:
            errors.BadAnswer: when it is nested too deeply to be read.
        """
        lose = self._lost.append
        try:
            found = block(item, lose)
            # One that names no meter can only be of the one that was asked for.
            if found.meter_uid in {self._meter.uid, None, ""}:
                return found, arranged(found.readings, lose, self._zone)
        except TooDeep:
            # It may hold readings; that they are left out must not pass unseen.
            raise self._bad(None) from None
        except ValueError:
            lose("an Interval object that is no object")
            return None
        self._warn("an Interval object of a meter not asked for was left out")
        return None

    def _bad(self, problem: str | None) -> errors.BadAnswer:
        source = f"meter {self._meter.uid}"
        return errors.BadAnswer(PROVIDER, "/intervals", source=source, problem=problem)

    def _pack(self) -> None:
        """Pack what is held side by side, and let go of it."""
        for held in self._held:
            if held.readings is not None:
                held.place = self._room.pack(held.readings)
                held.readings = None


_PACK = msgspec.msgpack.Encoder()
_UNPACK = msgspec.msgpack.Decoder(Readings)

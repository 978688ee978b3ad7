"""Pages of UtilityAPI's lists (https://utilityapi.com/docs/api).

Interval objects stay encoded, so that a page costs little more than its bytes; those of
a large page lie in a file, as each of them is looked at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from tempfile import TemporaryFile
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from typing_extensions import override

from tap_utility_intervals.floor.values import loads
from tap_utility_intervals.providers import bodies


class Page(Struct, gc=False):
    """`{"<plural>": […], "next": "https://…?after=234"}`; `next` is null at the end."""

    items: Sequence[Raw | dict[str, Any]]
    next: str | None = None
    is_incomplete: bool = False
    is_open_ended: bool = False
    """Whether it does not say if there is another page."""
    read_at: str | None = None
    """When it had arrived; set by the client."""

    def close(self) -> None:
        """Let go of the items' file, if they have one."""
        if isinstance(self.items, Filed):
            self.items.close()


class Filed(Sequence[Raw]):
    """Encoded objects in a file without a name; equal to others that hold the same."""

    def __init__(self, items: Iterable[Raw]) -> None:
        """Write the objects to a file."""
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._places: list[tuple[int, int]] = []
        self._sums: list[int] = []
        for item in items:
            self._places.append((self._file.tell(), len(memoryview(item))))
            self._sums.append(zlib.crc32(item))
            self._file.write(item)

    @override
    def __len__(self) -> int:
        return len(self._places)

    @override
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[at] for at in range(len(self))[place]]
        offset, size = self._places[place]
        self._file.seek(offset)
        return Raw(self._file.read(size))

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filed) and (self._places, self._sums) == (
            other._places,
            other._sums,
        )

    __hash__ = None  # type: ignore[assignment]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class _Intervals(Struct, gc=False):
    intervals: list[Raw]
    next: str | UnsetType | None = UNSET
    is_incomplete: bool | None = None


def intervals_page(body: bytes) -> Page:
    """Decode a page of Interval objects, leaving the objects themselves encoded."""
    try:
        page = msgspec.json.decode(body, type=_Intervals)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return page_of("intervals")(body)
    items: list[Raw | dict[str, Any]] = list(page.intervals)
    return Page(
        Filed(page.intervals) if len(body) > bodies.LARGE else items,
        page.next or None,
        bool(page.is_incomplete),
        is_open_ended=page.next is UNSET,
    )


def page_of(plural: str) -> Callable[[bytes], Page]:
    """A decoder of `{"<plural>": […], "next": …}` into dictionaries.

    The decoder raises `ValueError` when the body has another shape.
    """

    def decode(body: bytes) -> Page:
        document = loads(body)
        items = document.get(plural) if isinstance(document, dict) else None
        if not isinstance(items, list):
            raise ValueError("a list without its items")  # noqa: TRY004 - the body's fault
        link = document.get("next")
        if link is not None and not isinstance(link, str):
            raise ValueError("a next link that is no text")
        objects: list[Raw | dict[str, Any]] = [i for i in items if isinstance(i, dict)]
        if len(objects) != len(items):
            raise ValueError("an item that is no object")
        return Page(
            objects,
            link or None,
            bool(document.get("is_incomplete")),
            is_open_ended="next" not in document,
        )

    return decode

"""Nectar's JSON, decoded: typed where there is much of it, tolerant where it is odd.

Interval pages are decoded straight into structs. A strict decoder refuses a whole page
for one odd value, so such a page is decoded again, loosely, row by row. Lists of other
objects stay dictionaries as sent, digit for digit, without what must never be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct

from tap_utility_intervals.floor.values import exact, holds_nul, loads

T = TypeVar("T")

Entity: TypeAlias = Mapping[str, Any]
"""A company, connection, account, meter or usage entry as sent."""

SECRETS = ("connectionMagicLinkSecret",)
"""Never kept, wherever it appears at the top of an object."""

NULL = Raw(b"null")


class Interval(Struct, rename="camel", gc=False):
    """One reading as sent; `usage` and `identifiers` keep their exact JSON text."""

    id: str = ""
    created: str | None = None
    updated: str | None = None
    identifiers: Raw = NULL
    account: str | None = None
    start: str = ""
    end: str = ""
    usage: Raw = NULL
    usage_units: str | None = None
    quality: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, whatever it lists."""

    items: Sequence[T]
    number: int | None = None
    """The page the server says this is: its last one again, if we asked beyond."""
    pages: int | None = None
    total: int | None = None
    """How many there are on all pages."""
    has_next: bool = False
    read_at: str | None = None
    """When it had arrived; set by the client."""


class _IntervalPage(Struct, rename="camel"):
    total_intervals: int
    intervals: list[Interval]
    current_page: int | None = None
    total_pages: int | None = None
    has_next: bool = False


_INTERVAL_PAGE = msgspec.json.Decoder(_IntervalPage)


def interval_page(body: bytes) -> Page[Interval]:
    """Decode a page of intervals.

    Raises:
        ValueError: when it is no such page; odd rows and values are no reason.
    """
    try:
        page = None if holds_nul(body) else _INTERVAL_PAGE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        page = None
    if page is None:
        loose = entity_page("intervals", "totalIntervals")(body)
        if loose.total is None:
            raise ValueError("a page of intervals without its total")
        items = [_loose_interval(row) for row in loose.items]
        return Page(items, loose.number, loose.pages, loose.total, loose.has_next)
    return Page(
        page.intervals,
        page.current_page,
        page.total_pages,
        page.total_intervals,
        page.has_next,
    )


def entity_page(
    items: str, total: str = "", *, is_bare: bool = False
) -> Callable[[bytes], Page[Entity]]:
    """Make a decoder for lists: an envelope with `items`, or a bare array if it may be.

    The decoder raises ValueError when the body is neither.
    """

    def decode(body: bytes) -> Page[Entity]:
        envelope = loads(body)
        if is_bare and isinstance(envelope, list):
            return Page([_entity(row) for row in envelope])
        rows = envelope.get(items) if isinstance(envelope, dict) else None
        if not isinstance(rows, list):
            raise ValueError("an answer without its list")  # noqa: TRY004
        return Page(
            [_entity(row) for row in rows],
            _integer(envelope.get("currentPage")),
            _integer(envelope.get("totalPages")),
            _integer(envelope.get(total)),
            envelope.get("hasNext") is True,
        )

    return decode


def one_entity(body: bytes) -> Entity:
    """Decode a single object; raises ValueError when it is none."""
    found = loads(body)
    if not isinstance(found, dict):
        raise ValueError("an answer that is no object")  # noqa: TRY004
    return _entity(found)


def text(value: object) -> str | None:
    """A value as text; absent and empty are both None, and so is what is no text."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return str(value)


def objects(value: object) -> list[Entity]:
    """The objects in a list; what is no list has none."""
    rows = value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, dict)]


def _loose_interval(row: Entity) -> Interval:
    return Interval(
        id=text(row.get("id")) or "",
        created=_as_text(row.get("created")),
        updated=_as_text(row.get("updated")),
        identifiers=exact(row.get("identifiers")),
        account=text(row.get("account")),
        start=text(row.get("start")) or "",
        end=text(row.get("end")) or "",
        usage=exact(row.get("usage")),
        usage_units=_as_text(row.get("usageUnits")),
        quality=_as_text(row.get("quality")),
    )


def _as_text(value: object) -> str | None:
    """A value as text, as JSON if it is no text: it is passed on, never dropped."""
    if value is None or isinstance(value, str):
        return value
    return bytes(exact(value)).decode()


def _entity(row: object) -> Entity:
    """An object without secrets; a row that is no object becomes an empty one."""
    if not isinstance(row, dict):
        return {}
    for name in SECRETS:
        row.pop(name, None)
    return row


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None

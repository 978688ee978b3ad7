"""Nectar's page envelope, and the order of rows, which Nectar does not promise."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, TypeVar

from tap_utility_intervals.sandbox.nectar.params import whole
from tap_utility_intervals.sandbox.wire import Answer, Chunk, Request, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_utility_intervals.sandbox.options import NectarOptions

Row = TypeVar("Row")


def paged(  # noqa: PLR0913 - an envelope has many parts
    request: Request,
    name: str,
    rows: Sequence[Row],
    options: NectarOptions,
    text: Callable[[Row], str] = encode,
    *,
    size: int | None = None,
    total: int | None = None,
    cacheable: bool = False,
) -> Answer:
    """One page in the envelope; past the end the last page comes again.

    See nectar.md#lists.
    """
    size = size or options.page_size
    pages = max(1, -(-len(rows) // size))
    pages = min(pages, options.most_pages or pages)
    total = len(rows) if total is None else total
    page = min(whole(request, "page", 1), pages)
    body = ",".join(text(row) for row in rows[(page - 1) * size : page * size])
    envelope = {
        f"total{name[0].upper()}{name[1:]}": min(total, options.most_counted or total),
        "perPage": size,
        "totalPages": pages,
        "currentPage": page,
        "hasNext": page < pages,
        "hasPrevious": page > 1,
    }
    chunks: list[Chunk] = [f'{encode(envelope)[:-1]},"{name}":[{body}]}}'.encode()]
    return Answer(200, chunks, cacheable=cacheable)


def ordered(
    rows: list[Row],
    request: Request,
    options: NectarOptions,
    key: Callable[[Row], tuple[int, int, str]],
) -> list[Row]:
    """Rows by (start, created, id) as the world says; stable within one query."""
    if options.order == "start":
        return sorted(rows, key=key)
    if options.order == "created":
        return sorted(rows, key=lambda row: (key(row)[1], key(row)[2]))
    salt = repr(sorted((n, v) for n, v in request.query.items() if n != "page"))
    return sorted(rows, key=lambda row: zlib.crc32(f"{key(row)[2]}{salt}".encode()))

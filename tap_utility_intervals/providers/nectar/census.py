"""Was a list read whole? Counting rows and ids while its pages come. Pure.

Nectar promises no order, and a list may change while it is paged through; then a row is
seen twice and another one not at all. The number of different ids must be the total
that every page states.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST_BARREN_PAGES = 10
"""Pages without a new id, one after the other, before a list is given up."""


class Census:
    """Counts a list while it is read, to tell whether it was read whole."""

    def __init__(self) -> None:
        """Start before the first page."""
        self.total: int | None = None
        self.rows = 0
        self.nameless = 0
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.moved = False
        self.repeated = False
        self._pages: set[int] = set()
        self.barren = 0

    def count(self, total: int | None, ids: Iterable[str]) -> None:
        """Count a page: the total that it states, and the ids on it."""
        if self.rows == 0 and self.total is None:
            self.total = total
        self.moved = self.moved or total != self.total
        known = len(self.ids)
        ids = tuple(ids)
        page = hash(ids)
        self.repeated = self.repeated or (len(ids) > 1 and page in self._pages)
        self._pages.add(page)
        for name in ids:
            self.rows += 1
            if not name:
                self.nameless += 1
            elif name in self.ids:
                self.twice.add(name)
            else:
                self.ids.add(name)
        self.barren = 0 if len(self.ids) > known else self.barren + 1

    @property
    def is_endless(self) -> bool:
        """Whether there is no use in asking for further pages.

        Pages have brought nothing new for long, or there is more than all.
        """
        too_many = self.total is not None and len(self.ids) > self.total
        return too_many or self.barren >= MOST_BARREN_PAGES

    def is_whole(self, before: Census | None) -> bool:
        """Whether all rows came; `before` is the attempt before this one.

        A list may truly hold a row twice; so it seems if as many rows came as stated,
        and the very same ones twice, in two attempts. But a whole page that came twice
        stands in the place of another.
        """
        if self.moved or (self.repeated and self.total is None):
            return False
        if self.total is None or len(self.ids) + self.nameless == self.total:
            return True
        return (
            before is not None
            and not self.repeated
            and self.rows == self.total == before.total
            and self.twice == before.twice
        )

"""Bills and how they change, by the same rule as readings."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

ALWAYS = 10**11

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_utility_intervals.sandbox.readings import Series


class LineItem(NamedTuple):
    """One line of a bill; amounts are JSON number texts."""

    name: str
    cost: str | None
    volume: str | None = None
    rate: str | None = None
    kind: str = "delivery"
    start: int | None = None
    end: int | None = None
    """None: those of the bill."""


@dataclass(frozen=True)
class Bill:
    """What one meter is billed for one period, known from `available` on.

    A corrected bill is a second one with the same `number`, known later. A reissued
    bill has a number of its own and names the one that it `revises`. `withdrawn` is
    when a provider stops offering it. Amounts are JSON number texts.
    """

    number: str
    start: int
    end: int
    volume: str | None
    cost: str | None
    available: int
    withdrawn: int | None = None
    revises: str | None = None
    demand: str | None = None
    time_of_use: tuple[tuple[str, str], ...] = ()
    line_items: tuple[LineItem, ...] = ()
    estimated: bool = False


class Known(NamedTuple):
    """A bill as known at one instant, with when it was first known."""

    bill: Bill
    created: int
    withdrawn: bool
    replaced: int = 0

    @property
    def updated(self) -> int:
        """When it last changed; taking it back or replacing it is a change."""
        gone = (self.bill.withdrawn or 0) if self.withdrawn else 0
        return max(self.bill.available, self.replaced, gone)

    def since(self, moment: int) -> Known:
        """The same, known from `moment` at the earliest."""
        bill = replace(self.bill, available=max(self.bill.available, moment))
        return self._replace(bill=bill, created=max(self.created, moment))


def known_bills(bills: Iterable[Bill], now: int) -> list[Known]:
    """The newest word on every bill, by start; withdrawn ones are marked."""
    known: dict[str, Known] = {}
    for bill in sorted(bills, key=lambda b: (b.available, b.start)):
        if bill.available > now:
            break
        created = known[bill.number].created if bill.number in known else bill.available
        gone = bill.withdrawn is not None and bill.withdrawn <= now
        known[bill.number] = Known(bill, created, gone)
        if bill.revises in known and not gone:
            old = known[bill.revises]
            known[bill.revises] = old._replace(replaced=bill.available)
    return sorted(
        known.values(), key=lambda k: (k.bill.start, k.created, k.bill.number)
    )


def bills_from(
    series: Series, edges: list[int], *, channel: int = 0, lag: int = 3 * 86_400
) -> tuple[Bill, ...]:
    """Bills that add up exactly: one for each period between two edges."""
    final, found = series.at(ALWAYS).readings, []
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        total = sum(
            (
                Decimal(reading.values[channel] or 0)
                for reading in final
                if start <= reading.start < end
            ),
            Decimal(0),
        )
        cost = (total * Decimal("0.1531")).quantize(Decimal("0.01"))
        bill = Bill(str(number), start, end, str(total), str(cost), end + lag)
        found.append(with_line_items(bill))
    return tuple(found)


def with_line_items(bill: Bill) -> Bill:
    """The bill with its cost split into delivery, supply and tax."""
    whole = Decimal(bill.cost or 0)
    cent = Decimal("0.01")
    supply, tax = (whole * 6 / 10).quantize(cent), (whole / 20).quantize(cent)
    items = (
        LineItem("Delivery charge", str(whole - supply - tax), bill.volume, "0.0536"),
        LineItem("Supply charge", str(supply), bill.volume, "0.0919", "supply"),
        LineItem("Municipal tax", str(tax), kind="other"),
    )
    return replace(bill, line_items=items)

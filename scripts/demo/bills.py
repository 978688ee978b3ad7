"""Bills beside the sum of their meter's intervals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scripts.demo.errors import DemoError
from scripts.demo.warehouse import Warehouse, utc
from scripts.demo.world import PROVIDERS, Sandbox

ALLOWED = 0.15
"""How far a bill may be from the sum of its intervals, in its unit."""


@dataclass(frozen=True)
class Bill:
    """What was billed for a period, and what the intervals of that period add up to."""

    provider: str
    meter: str
    start: datetime
    end: datetime
    unit: str
    billed: float
    summed: float

    @property
    def difference(self) -> float:
        """What the intervals have more than the bill."""
        return round(self.summed - self.billed, 9)


def bills(source: Sandbox, warehouse: Warehouse) -> Iterator[Bill]:
    """Every bill beside its meter's net readings, oldest first.

    Nectar's periods are local dates; the sandbox tells the instants at which they begin
    and end where the meter is.

    Raises:
        DemoError: when a bill has nothing to be compared with.
    """
    for provider in PROVIDERS:
        told = {bill["usage_id"]: bill for bill in source.truth("bills", provider)}
        entries = warehouse.query(
            "select usage_id, meter_key, unit, quantity::double from usage"
            " where provider = ?"
            " order by meter_key, period_start_date",
            provider,
        )
        for usage_id, meter, unit, billed in entries:
            start, end = (utc(told[usage_id][edge]) for edge in ("start", "end"))
            ((summed,),) = warehouse.query(
                "select sum(quantity)::double from intervals"
                " where meter_key = ? and unit = ?"
                " and split_part(channel, '/', 1) in ('net', 'usage')"
                " and interval_start >= ? and interval_end <= ?",
                *(meter, unit, start, end),
            )
            if summed is None:
                msg = f"{provider}: bill {usage_id} of {meter} has no interval."
                raise DemoError(msg)
            yield Bill(provider, meter, start, end, unit, billed, summed)


def check_bills(compared: list[Bill]) -> Bill:
    """Find the bill that is furthest from its intervals.

    Raises:
        DemoError: when it is too far, or when a provider has no bill to compare.
    """
    missing = set(PROVIDERS) - {bill.provider for bill in compared}
    if missing:
        msg = f"No bill of {' or '.join(sorted(missing))} could be compared."
        raise DemoError(msg)
    furthest = max(compared, key=lambda bill: abs(bill.difference))
    if abs(furthest.difference) > ALLOWED:
        msg = f"A bill and its intervals disagree by more than {ALLOWED}: {furthest}"
        raise DemoError(msg)
    return furthest

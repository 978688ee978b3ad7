"""What each model must hold, worked out from the world in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tap_utility_intervals.sandbox import MeterTruth, World, truth
from tests.models.world import PROMISED, ZONES
from tests.oracle import channel, meter_key, naive
from tests.warehouses.worlds import GONE, OLD

Found = set[tuple[object, ...]]
FACTORS = {"kwh": 1.0, "therms": 29.3071070172222, "thm (us)": 29.3071070172222}
CHOICE = ("fwd", "usage", "net")
QUARTER, HOUR = timedelta(minutes=15), timedelta(hours=1)


class Reading(NamedTuple):
    """One reading; times in UTC."""

    provider: str
    meter: str
    channel: str
    start: datetime
    end: datetime
    kwh: float | None
    quantity: float

    @property
    def point(self) -> str:
        return self.channel.partition("/")[0]

    @property
    def seconds(self) -> int:
        return round((self.end - self.start).total_seconds())


def readings(before: World, after: World) -> list[Reading]:
    """What is on offer; of the meter that has vanished, what was."""
    offered = [
        *(r for r in truth.readings(before, "utilityapi") if r.meter_id == GONE),
        *truth.readings(after, "utilityapi"),
        *truth.readings(after, "nectar"),
    ]
    return [
        Reading(
            r.provider,
            meter_key(r),
            channel(r),
            naive(r.start),
            naive(r.end),
            float(r.value or 0) * FACTORS[r.unit.lower()]
            if r.unit.lower() in FACTORS
            else None,
            float(r.value or 0),
        )
        for r in offered
    ]  # fmt: skip


def zone(meter: str) -> ZoneInfo | None:
    name = ZONES.get(meter.rpartition(":")[2])
    return ZoneInfo(name) if name else None


def local(moment: datetime, meter: str) -> datetime | None:
    place = zone(meter)
    aware = moment.replace(tzinfo=ZoneInfo("UTC"))
    return aware.astimezone(place).replace(tzinfo=None) if place else None


def by_channel(rows: Iterable[Reading]) -> dict[tuple[str, str, str], list[Reading]]:
    found = defaultdict(list)
    for row in sorted(rows, key=lambda r: r.start):
        found[row.provider, row.meter, row.channel].append(row)
    return found


def chosen(rows: Iterable[Reading]) -> dict[tuple[str, str], list[Reading]]:
    """The readings of each meter's one channel."""
    best: dict[tuple[str, str], list[Reading]] = {}
    for (provider, meter, _), mine in by_channel(rows).items():
        if mine[0].point in CHOICE and mine[0].kwh is not None:
            key = (provider, meter)
            rank = CHOICE.index(mine[0].point)
            if key not in best or rank < CHOICE.index(best[key][0].point):
                best[key] = mine
    return best


def summed(  # noqa: C901 - one plain loop
    rows: list[Reading], period: Callable[[datetime], object]
) -> Found:
    """kWh by local hour or day, quarter hour after quarter hour of the meter's span."""
    places = by_channel(rows)
    found: Found = set()
    for (provider, meter), mine in chosen(rows).items():
        if zone(meter) is None:
            continue
        expected: defaultdict[object, int] = defaultdict(int)
        at = mine[0].start
        while at < mine[-1].end:
            moment = local(at, meter)
            assert moment
            expected[period(moment)] += 900
            at += QUARTER
        kwh: dict[str, dict[object, float]] = defaultdict(dict)
        seconds: defaultdict[object, int] = defaultdict(int)
        for (its, owner, _), others in places.items():
            if (its, owner) != (provider, meter) or others[0].kwh is None:
                continue
            for one in others:
                moment = local(one.start, meter)
                assert moment
                label, total = period(moment), kwh[one.point]
                total[label] = total.get(label, 0) + (one.kwh or 0)
                if others is mine or one.channel == mine[0].channel:
                    seconds[label] += one.seconds
        for label, want in expected.items():
            sums = [kwh[p].get(label) for p in ("fwd", "rev", "net", mine[0].point)]
            found.add((provider, meter, label, *map(shown, sums), mine[0].channel,
                       want, seconds[label]))  # fmt: skip
    return found


def shown(value: object) -> object:
    """Numbers to five digits, times as ISO 8601 has them."""
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, (str, bool)):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return round(float(value), 5)  # type: ignore[arg-type]


def hourly(rows: list[Reading]) -> Found:
    return summed(rows, lambda t: t.replace(minute=0).isoformat())


def daily(rows: list[Reading]) -> Found:
    return summed(rows, lambda t: t.date().isoformat())


def gaps(rows: list[Reading]) -> Found:
    found: Found = set()
    for key, mine in by_channel(rows).items():
        for one, other in pairwise(mine):
            missing = round((other.start - one.end).total_seconds() / one.seconds)
            if missing:
                span = (one.end.isoformat(), other.start.isoformat())
                found.add((*key, *span, missing, "never promised"))
        if key[1] == OLD:  # 24 hours after its last reading
            start, end = (text.rstrip("Z") for text in PROMISED)
            found.add((*key, start, end, 96, "meter stopped"))
    return found


def completeness(rows: list[Reading]) -> Found:
    found: Found = set()
    for (provider, meter), mine in chosen(rows).items():
        expected: defaultdict[str, int] = defaultdict(int)
        received: defaultdict[str, int] = defaultdict(int)
        at = mine[0].start
        while at < mine[-1].end:
            expected[month(at, meter)] += 900
            at += QUARTER
        for one in mine:
            received[month(one.start, meter)] += one.seconds
        for label, want in expected.items():
            got = received[label]
            percent = round(100 * got / want, 5)
            found.add((provider, meter, mine[0].channel, label, want, got, percent))
    return found


def month(moment: datetime, meter: str) -> str:
    return f"{local(moment, meter) or moment:%Y-%m}-01"


def peak_demand(rows: list[Reading]) -> Found:
    months: dict[tuple[str, str, str], list[Reading]] = defaultdict(list)
    for (provider, meter), mine in chosen(rows).items():
        for one in mine:
            if zone(meter):
                months[provider, meter, month(one.start, meter)].append(one)
    found: Found = set()
    for (provider, meter, label), mine in months.items():
        power = {one: (one.kwh or 0) * 3600 / one.seconds for one in mine}
        peak = max(power.values())
        first = min(one.start for one in mine if round(peak - power[one], 9) == 0)
        hours = sum(one.seconds for one in mine) / 3600
        factor = sum(one.kwh or 0 for one in mine) / hours / peak
        found.add((provider, meter, label, shown(peak), shown(first), shown(factor)))
    return found


def bill_check(rows: list[Reading], before: World, after: World) -> Found:
    """Every bill, its channel `net` or `usage`, reading by reading."""
    bills = {
        b.usage_id: b
        for world in (before, after)
        for provider in ("utilityapi", "nectar")
        for b in truth.bills(world, provider)
    }
    owners = {
        m.meter_id: m for p in ("utilityapi", "nectar") for m in truth.meters(before, p)
    }
    found: Found = set()
    for bill in bills.values():
        mine = [
            r for r in rows
            if r.point in {"net", "usage"}
            and r.meter.rpartition(":")[2] == _tail(bill.meter_id, owners)
        ]  # fmt: skip
        if bill.provider == "nectar" and zone(mine[0].meter) is None:
            found.add((bill.usage_id, None, None, "zone unknown"))
            continue
        start, end = naive(bill.start), naive(bill.end)
        inside = [r for r in mine if start <= r.start and r.end <= end]
        total = sum(r.quantity for r in inside) if inside else None
        billed = float(bill.volume or 0)
        share = sum(r.seconds for r in inside) / (end - start).total_seconds()
        if bill.superseded:
            cause = "superseded bill"
        elif total is not None and abs(total - billed) <= abs(billed) * 0.02:
            cause = None
        else:
            cause = "missing readings" if share < 0.999 else "unexplained"
        found.add((bill.usage_id, shown(total), shown(share), cause))
    return found


def _tail(meter_id: str, owners: dict[str, MeterTruth]) -> str:
    """The end of its key: the meter's number, without its dash, or its uid."""
    names = owners[meter_id].identifiers
    return names[0][1].replace("-", "") if names else meter_id

"""What each model must hold, worked out from the world in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tap_utility_intervals.sandbox import MeterTruth, World, truth
from tests.models.world import PROMISED, ZONES
from tests.oracle import channel, meter_key, naive
from tests.warehouses.worlds import GONE, OLD

Found = set[tuple[object, ...]]
FACTORS = {"kwh": 1.0, "therms": 29.3071070172222, "thm (us)": 29.3071070172222}
PROVIDERS = ("utilityapi", "nectar")
MEASURES = ("energy", "volume", "other", "power")
POINTS = ("fwd", "usage", "net")
QUARTER, MINUTE = timedelta(minutes=15), timedelta(minutes=1)
AN_HOUR, A_DAY = 3600, 90_000
"""The longest readings that hours and days take, in seconds."""


class Reading(NamedTuple):
    """One reading; times in UTC."""

    provider: str
    meter: str
    channel: str
    start: datetime
    end: datetime
    kwh: float | None
    quantity: float | None
    measure: str = "energy"
    quality: str | None = None
    commodity: str | None = "electricity"

    @property
    def point(self) -> str:
        return self.channel.partition("/")[0]

    @property
    def seconds(self) -> int:
        return round((self.end - self.start).total_seconds())


class Promise(NamedTuple):
    """A stretch that UtilityAPI lists and sent nothing of."""

    meter: str
    start: datetime
    end: datetime


class Billed(NamedTuple):
    """A bill, its period in UTC; without times where the zone is not known."""

    usage_id: str
    meter: str
    start: datetime | None
    end: datetime | None
    quantity: float | None
    unit: str | None = "kWh"
    flow: str | None = None
    is_estimated: bool = False
    is_superseded: bool = False


def readings(before: World, after: World) -> list[Reading]:
    """What is on offer; of the meter that has vanished, what was."""
    offered = [
        *(r for r in truth.readings(before, "utilityapi") if r.meter_id == GONE),
        *truth.readings(after, "utilityapi"),
        *truth.readings(after, "nectar"),
    ]
    found = []
    for r in offered:
        quantity, factor = float(r.value or 0), FACTORS.get(r.unit.lower())
        kwh = quantity * factor if factor else None
        times = (naive(r.start), naive(r.end))
        row = Reading(r.provider, meter_key(r), channel(r), *times, kwh, quantity)
        is_gas = r.unit.lower() in {"therms", "thm (us)"}
        found.append(row._replace(
            measure="energy" if kwh is not None else "power",
            commodity="gas" if is_gas else "electricity",
        ))  # fmt: skip
    return found


def promises() -> list[Promise]:
    """The one that the world lets nobody keep."""
    start, end = (datetime.fromisoformat(text.rstrip("Z")) for text in PROMISED)
    return [Promise(OLD, start, end)]


def bills(before: World, after: World) -> list[Billed]:
    """Every bill that is current, or was when its meter vanished."""
    both = [b for w in (before, after) for p in PROVIDERS for b in truth.bills(w, p)]
    owners = {m.meter_id: m for p in PROVIDERS for m in truth.meters(before, p)}
    rows = readings(before, after)
    keys = {r.meter.rpartition(":")[2]: r.meter for r in rows}
    found = {}
    for bill in both:
        meter = keys[_tail(bill.meter_id, owners)]
        is_known = bill.provider != "nectar" or zone(meter)
        found[bill.usage_id] = Billed(
            bill.usage_id,
            meter,
            naive(bill.start) if is_known else None,
            naive(bill.end) if is_known else None,
            float(bill.volume or 0),
            "kWh" if bill.unit.lower() == "kwh" else "therm",
            is_superseded=bill.superseded,
        )
    return list(found.values())


def _tail(meter_id: str, owners: dict[str, MeterTruth]) -> str:
    """The end of its key: the meter's number, without its dash, or its uid."""
    names = owners[meter_id].identifiers
    return names[0][1].replace("-", "") if names else meter_id


def zone(meter: str) -> ZoneInfo | None:
    name = ZONES.get(meter.rpartition(":")[2])
    return ZoneInfo(name) if name else None


def local(moment: datetime, meter: str) -> datetime | None:
    place = zone(meter)
    aware = moment.replace(tzinfo=ZoneInfo("UTC"))
    return aware.astimezone(place).replace(tzinfo=None) if place else None


def by_channel(rows: Iterable[Reading]) -> dict[tuple[str, str, str], list[Reading]]:
    """The readings of each channel that count; the longer of two comes first."""
    found = defaultdict(list)
    for row in sorted(rows, key=lambda r: (r.start, -r.seconds)):
        if "#" not in row.channel:
            found[row.provider, row.meter, row.channel].append(row)
    return found


def chosen(rows: Iterable[Reading]) -> dict[tuple[str, str], list[Reading]]:
    """The readings of each meter's one channel."""
    best: dict[tuple[str, str], tuple[tuple[object, ...], list[Reading]]] = {}
    for (provider, meter, name), mine in by_channel(rows).items():
        point, measure = mine[0].point, mine[0].measure
        place = POINTS.index(point) if point in POINTS else len(POINTS)
        rank = (MEASURES.index(measure), place, -len(mine), name)
        if (provider, meter) not in best or rank < best[provider, meter][0]:
            best[provider, meter] = (rank, mine)
    return {key: mine for key, (_, mine) in best.items()}


def usual(mine: list[Reading]) -> int:
    """The length that most have, of several the shortest."""
    lengths = Counter(r.seconds for r in mine)
    return min(lengths, key=lambda seconds: (-lengths[seconds], seconds))


def apart(mine: list[Reading], longest: int) -> list[Reading]:
    """Those of up to a length that begin within none before them."""
    counted = [r for r in mine if r.seconds <= longest]
    return [
        r for n, r in enumerate(counted)
        if not any(o.end > r.start for o in counted[max(0, n - 100) : n])
    ]  # fmt: skip


def spans(mine: list[Reading]) -> Iterable[tuple[datetime, int]]:
    """From the first reading to the last, in seconds of each quarter of an hour."""
    at, end = mine[0].start, max(r.end for r in mine)
    while at < end:
        yield at, round(min(QUARTER, end - at).total_seconds())
        at += QUARTER


def beside(at: datetime, mine: list[Reading]) -> timedelta:
    """How long after its hour, or day, begins what has the usual length by then."""
    length = usual(mine)
    first = next(r.start for r in mine if r.seconds == length)
    if at < first:
        return timedelta()
    length = 86_400 if length > 43_200 else length
    there = local(first, mine[0].meter) or first
    seconds = there - there.replace(hour=0, minute=0)
    is_even = length > 0 and 86_400 % length == 0
    return seconds % timedelta(seconds=length) if is_even else timedelta()


def summed(  # noqa: C901 - one plain loop
    rows: list[Reading], longest: int, period: Callable[[datetime], object]
) -> Found:
    """kWh by local hour or day."""
    places = by_channel(rows)
    found: Found = set()
    for (provider, meter), mine in chosen(rows).items():
        if not zone(meter) or mine[0].point not in POINTS or usual(mine) > longest:
            continue
        if mine[0].measure != "energy":
            continue

        def label(
            moment: datetime, less: timedelta = timedelta(), meter: str = meter
        ) -> object:
            there = local(moment, meter)
            assert there
            return period(there - less)

        expected: Counter[object] = Counter()
        for at, seconds in spans(mine):
            expected[label(at, beside(at, mine))] += seconds
        kwh: dict[str, dict[object, float]] = defaultdict(dict)
        received: Counter[object] = Counter()
        most: dict[str, tuple[int, str]] = {}
        for (its, owner, name), others in places.items():
            if (its, owner) == (provider, meter) and others[0].measure == "energy":
                rank = (-len(others), name)
                most[others[0].point] = min(most.get(others[0].point, rank), rank)
        for _, name in most.values():
            others = places[provider, meter, name]
            for one in apart(others, longest):
                if one.kwh is not None:
                    total = kwh[one.point]
                    total[label(one.start)] = total.get(label(one.start), 0) + one.kwh
                    received[label(one.start)] += one.seconds * (
                        name == mine[0].channel
                    )
        for place in {*expected}.union(*kwh.values()):
            sums = [kwh[p].get(place) for p in ("fwd", "rev", "net", mine[0].point)]
            found.add((provider, meter, place, *map(shown, sums), mine[0].channel,
                       expected[place], received[place]))  # fmt: skip
    return found


def shown(value: object) -> object:
    """Numbers to five digits, times as ISO 8601 has them."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return round(float(value), 5)  # type: ignore[arg-type]


def hourly(rows: list[Reading]) -> Found:
    return summed(rows, AN_HOUR, lambda t: t.replace(minute=0).isoformat())


def daily(rows: list[Reading]) -> Found:
    return summed(rows, A_DAY, lambda t: t.date().isoformat())


class Gap(NamedTuple):
    """A row of the model."""

    provider: str
    meter: str
    channel: str | None
    start: datetime
    end: datetime
    missing: int | None
    reason: str


def gaps(  # noqa: C901 - one plain loop
    rows: list[Reading], promised: list[Promise]
) -> list[Gap]:
    """Holes by going through each channel; what was promised, minute by minute."""
    minutes: dict[str, set[datetime]] = defaultdict(set)
    for meter, first, last in promised:
        length = round((last - first) / MINUTE)
        minutes[meter] |= {first + n * MINUTE for n in range(length)}
    found: list[Gap] = []
    places = by_channel(rows)
    spans = {meter: [r for r in rows if r.meter == meter] for meter in minutes}
    for (provider, meter, name), mine in places.items():
        length = usual(mine)

        def gap(start: datetime, end: datetime, reason: str) -> None:
            missing = max(1, round((end - start).total_seconds() / length))  # noqa: B023
            found.append(Gap(provider, meter, name, start, end, missing, reason))  # noqa: B023

        so_far = mine[0].end
        for one in mine[1:]:
            if one.start - so_far > MINUTE:
                there = any(so_far <= m < one.start for m in minutes[meter])
                reason = "promised, did not come" if there else "never promised"
                gap(so_far, one.start, reason)
            so_far = max(so_far, one.end)
        whole = spans.get(meter, [])
        if whole and mine[0].start == min(r.start for r in whole):
            for some in stretches({m for m in minutes[meter] if m < mine[0].start}):
                gap(*some, "before first")
        if whole and so_far == max(r.end for r in whole):
            for some in stretches({m for m in minutes[meter] if m >= so_far}):
                gap(*some, "meter stopped")
    for meter, its in minutes.items():
        if its and not spans.get(meter):
            found.append(Gap("utilityapi", meter, None, min(its), max(its) + MINUTE,
                             None, "promised, did not come"))  # fmt: skip
    return found


def stretches(minutes: set[datetime]) -> Iterable[tuple[datetime, datetime]]:
    """From when to when minutes follow one another."""
    starts = sorted(m for m in minutes if m - MINUTE not in minutes)
    ends = sorted(m + MINUTE for m in minutes if m + MINUTE not in minutes)
    return zip(starts, ends, strict=True)


def completeness(rows: list[Reading]) -> Found:
    found: Found = set()
    for (provider, meter), mine in chosen(rows).items():
        expected: Counter[str] = Counter()
        received: Counter[str] = Counter()
        for at, seconds in spans(mine):
            expected[month(at, meter, beside(at, mine))] += seconds
        for one in apart(mine, A_DAY):
            received[month(one.start, meter)] += one.seconds * (
                one.quantity is not None
            )
        for label, want in expected.items():
            got = received[label]
            percent = round(100 * got / want, 5)
            found.add((provider, meter, mine[0].channel, label, zone(meter) is not None,
                       want, got, percent))  # fmt: skip
    return found


def month(moment: datetime, meter: str, less: timedelta = timedelta()) -> str:
    return f"{(local(moment, meter) or moment) - less:%Y-%m}-01"


def peak_demand(rows: list[Reading]) -> Found:
    months: dict[tuple[str, str, str], list[Reading]] = defaultdict(list)
    for (provider, meter), mine in chosen(rows).items():
        for one in apart(mine, AN_HOUR):
            if zone(meter) and one.kwh is not None:
                months[provider, meter, month(one.start, meter)].append(one)
    found: Found = set()
    for (provider, meter, label), mine in months.items():
        power = {one: (one.kwh or 0) * 3600 / one.seconds for one in mine}
        peak = max(power.values())
        first = min(one.start for one in mine if round(peak - power[one], 9) == 0)
        hours = sum(one.seconds for one in mine) / 3600
        kwh = sum(one.kwh or 0 for one in mine)
        factor = kwh / hours / peak if peak > 0 else None
        measured = [
            one.quantity for (_, its, _), others in by_channel(rows).items()
            for one in apart(others, AN_HOUR) if its == meter
            and one.measure == "power" and month(one.start, meter) == label
            and one.quantity is not None
        ]  # fmt: skip
        found.add((provider, meter, label, mine[0].channel, shown(peak), shown(first),
                   shown(kwh), hours * 3600, shown(factor),
                   shown(max(measured, default=None))))  # fmt: skip
    return found


class Compared(NamedTuple):
    """A bill, and the intervals of its channel."""

    bill: Billed
    channel: str | None
    total: float | None
    share: float | None
    cause: str | None

    @property
    def percent(self) -> float | None:
        if self.total is None or not self.bill.quantity:
            return None
        return 100 * (self.total - self.bill.quantity) / self.bill.quantity


def bill_check(rows: list[Reading], billed: list[Billed]) -> list[Compared]:
    """Every bill beside each of the channels, reading by reading."""
    places = by_channel(rows)
    return [compared(bill, places) for bill in billed]


def compared(  # noqa: C901 - the causes, one after the other
    bill: Billed, places: dict[tuple[str, str, str], list[Reading]]
) -> Compared:
    if bill.start is None or bill.end is None:
        return Compared(bill, None, None, None, "zone unknown")
    of_flow = {"delivered": "fwd", "received": "rev"}.get(bill.flow or "")
    order = [of_flow, *(p for p in ("net", "usage", "fwd", "rev") if p != of_flow)]
    sums, units = [], set[str]()
    for (_, meter, name), mine in places.items():
        unit = name.partition("/")[2]
        if meter != bill.meter or mine[0].measure == "power":
            continue
        units |= {unit} | ({"kWh"} if mine[0].measure == "energy" else set())
        if bill.unit != unit and (bill.unit != "kWh" or mine[0].measure != "energy"):
            continue
        inside = [
            r for r in mine
            if bill.start <= r.start and r.end <= bill.end and r.quantity is not None
        ]  # fmt: skip
        long = [r for r in inside if r.seconds > A_DAY]
        inside = long + [
            r for r in apart(mine, A_DAY)
            if r in inside
            and not any(o.start < r.end and r.start < o.end for o in long)
        ]  # fmt: skip
        if inside:
            place = order.index(inside[0].point)
            total = sum(_in_unit(r, bill.unit) for r in inside)
            sums.append((place, -sum(r.seconds for r in inside), name, total, inside))
    sums.sort(key=lambda one: one[:3])
    inside = sums[0][-1] if sums else []
    length = (bill.end - bill.start).total_seconds()
    share = sum(r.seconds for r in inside) / length if length else None
    agreeing = [abs(t - (bill.quantity or 0)) * 100 <= abs(bill.quantity or 0) * 2
                for *_, t, _ in sums]  # fmt: skip
    guessed = bill.is_estimated or any(r.quality == "estimated" for r in inside)
    if bill.is_superseded:
        cause = "superseded bill"
    elif bill.quantity is None or any(agreeing[:1]):
        cause = None
    elif units and bill.unit not in units:
        cause = "other unit"
    elif share is None or share < 0.999:
        cause = "missing readings"
    elif guessed:
        cause = "estimated"
    else:
        cause = "other channel" if any(agreeing) else "unexplained"
    if not sums:
        return Compared(bill, None, None, share, cause)
    return Compared(bill, *sums[0][2:4], share, cause)


def _in_unit(one: Reading, unit: str | None) -> float:
    """The value in the unit of a bill."""
    value = one.kwh if unit == "kWh" else one.quantity
    assert value is not None
    return value

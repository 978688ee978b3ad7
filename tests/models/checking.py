"""What `utility_intervals__checks` must hold: each check as docs/models.md says it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

from tests.models.expected import (
    A_DAY,
    AN_HOUR,
    MINUTE,
    Compared,
    Gap,
    Reading,
    apart,
    by_channel,
    chosen,
    local,
    usual,
)

SENTINELS = {16777.215, 4294967.295}
DAYS_ALIKE = {82_800, 86_400, 90_000}


class Flag(NamedTuple):
    """A row of the model."""

    meter: str
    check: str
    local_date: date
    start: datetime
    end: datetime
    channel: str | None
    observed: float | None
    limit: float | None
    severity: str = "warning"


def worst(flags: Iterable[Flag]) -> list[Flag]:
    """Of several channels the one that is worst."""

    def rank(flag: Flag) -> tuple[object, ...]:
        beyond = float("inf")
        if flag.observed is not None:
            beyond = abs(flag.observed - (flag.limit or 0))
        return (flag.severity, -beyond, flag.end, flag.channel or "")

    groups = defaultdict(list)
    for flag in flags:
        groups[flag.meter, flag.check, flag.start].append(flag)
    return [min(some, key=rank) for some in groups.values()]


def checks(
    rows: list[Reading],
    gaps: list[Gap],
    bills: list[Compared],
    listed: set[str],
    as_of: datetime,
    never: Mapping[str, tuple[datetime | None, datetime]],
) -> list[Flag]:
    """Every flag; `never`: when meters without readings were made, and listed."""
    found = [
        Flag(g.meter, "gap_check", day(g.start, g.meter), g.start, g.end, g.channel,
             g.missing or 1, 0)
        for g in gaps
    ]  # fmt: skip
    found += by_day(rows)
    found += second_values(rows)
    found += spikes(rows)
    found += stretches(rows)
    for one in bills:
        if one.cause in {None, "superseded bill", "zone unknown"} or one.total is None:
            continue
        assert one.bill.start
        assert one.bill.end
        percent = None if one.percent is None else abs(one.percent)
        severity = "error" if one.cause == "unexplained" else "warning"
        found.append(
            Flag(one.bill.meter, "sum_check", day(one.bill.start, one.bill.meter),
                 one.bill.start, one.bill.end, one.channel, percent, 2, severity)
        )  # fmt: skip
    for meter in listed & {r.meter for r in rows}:
        last = max(r.end for r in rows if r.meter == meter and "#" not in r.channel)
        days = (as_of - last).total_seconds() / 86_400
        if days > 7:
            found.append(Flag(meter, "staleness_check", day(last, meter), last, as_of,
                              None, days, 7))  # fmt: skip
    for meter, (made, listed_at) in never.items():
        age = (as_of - made).total_seconds() / 86_400 if made else None
        if age is None or age > 7:
            start = made or listed_at
            found.append(Flag(meter, "staleness_check", start.date(), start, as_of,
                              None, age, 7))  # fmt: skip
    return worst(found)


def day(moment: datetime, meter: str) -> date:
    return (local(moment, meter) or moment).date()


def by_day(rows: list[Reading]) -> Iterator[Flag]:  # noqa: C901 - one plain loop
    """Lengths, overlaps, negative values, sentinels and units, by channel and day."""
    for (_, meter, name), mine in by_channel(rows).items():
        length, whole = usual(mine), set(apart(mine, A_DAY))
        days: dict[date, list[Reading]] = defaultdict(list)
        for one in mine:
            days[day(one.start, meter)].append(one)
        for when, some in days.items():
            span = (when, min(r.start for r in some), max(r.end for r in some), name)

            def flag(
                check: str, observed: float, limit: float | None, severity: str
            ) -> Flag:
                return Flag(meter, check, *span, observed, limit, severity)  # noqa: B023

            odd = [r.seconds for r in some if abs(r.seconds - length) > 60
                   and not {r.seconds, length} <= DAYS_ALIKE]  # fmt: skip
            if odd:
                yield flag("interval_size_check", max(odd), length, "warning")
            if within := [r for r in some if r.seconds <= A_DAY and r not in whole]:
                yield flag("overlap_check", len(within), 0, "warning")
            values = [r.quantity for r in some if r.quantity is not None]
            if mine[0].point != "net" and values and min(values) < 0:
                yield flag("negative_consumption_check", min(values), 0, "warning")
            if broken := [v for v in values if abs(v) in SENTINELS]:
                yield flag("spike_check", max(broken), None, "error")
            wrong = mine[0].measure == "other" or (
                mine[0].commodity == "electricity"
                and mine[0].measure not in {"energy", "power"}
            )
            if wrong and values:
                yield flag("unit_of_measure_check", len(values), 0, "warning")


def second_values(rows: list[Reading]) -> Iterator[Flag]:
    days: dict[tuple[str, str, date], list[Reading]] = defaultdict(list)
    for one in rows:
        name, _, number = one.channel.partition("#")
        if number:
            days[one.meter, name, day(one.start, one.meter)].append(one)
    for (meter, name, when), some in days.items():
        start, end = min(r.start for r in some), max(r.end for r in some)
        yield Flag(meter, "duplicate_check", when, start, end, name, len(some), 0)


def spikes(rows: list[Reading]) -> Iterator[Flag]:
    """The highest of a day beside its third highest."""
    for (_, meter), mine in chosen(rows).items():
        days: dict[date, list[Reading]] = defaultdict(list)
        for one in apart(mine, AN_HOUR):
            if one.quantity is not None:
                days[day(one.start, meter)].append(one)
        for when, some in days.items():
            some.sort(key=lambda r: (-(r.quantity or 0), r.start))
            if len(some) < 3:
                continue
            highest, third = some[0].quantity or 0, some[2].quantity or 0
            if third > 0 and highest - third > third * 1.8 + 1e-9:
                percent = 100 * (highest - third) / third
                yield Flag(meter, "spike_check", when, some[0].start, some[0].end,
                           some[0].channel, percent, 180)  # fmt: skip


def stretches(rows: list[Reading]) -> Iterator[Flag]:
    """Zeros, and estimated readings, on end."""
    for (_, meter), mine in chosen(rows).items():
        whole = apart(mine, A_DAY)
        is_electric = {r.commodity for r in mine} <= {None, "electricity"}
        is_electric = is_electric and mine[0].point != "rev"
        zeros = [r for r in whole if r.quantity == 0 and is_electric]
        guessed = [r for r in whole if r.quality == "estimated"]
        for check, limit, alike in (
            ("zero_consumption_check", 24, zeros),
            ("prolonged_estimation_check", 168, guessed),
        ):
            for run in runs(whole, alike):
                hours = sum(r.seconds for r in run) / 3600
                if hours >= limit:
                    yield Flag(meter, check, day(run[0].start, meter), run[0].start,
                               run[-1].end, mine[0].channel, hours, limit)  # fmt: skip


def runs(whole: list[Reading], alike: list[Reading]) -> Iterator[list[Reading]]:
    """Neighbours that are alike, without a hole between them."""
    wanted, run = set(alike), list[Reading]()
    for one in whole:
        if run and (one not in wanted or one.start - run[-1].end > MINUTE):
            yield run
            run = []
        if one in wanted:
            run.append(one)
    if run:
        yield run

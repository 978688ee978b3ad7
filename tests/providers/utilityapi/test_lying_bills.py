"""Bills behind servers that lie: the current ones are the world's, or it is told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tap_utility_intervals.sandbox import DAY, HOUR, Bill, Sandbox, World, epoch, truth
from tap_utility_intervals.sandbox.provider import Api, Provider
from tap_utility_intervals.sandbox.providers import PROVIDERS
from tests.clock import nobody_waits
from tests.oracle import Row
from tests.providers.contract import NOW, House
from tests.providers.lying import COUNTS, COVERAGE, Liar, Lies
from tests.providers.utilityapi.subject import SUBJECT

WORLDS = int(os.environ.get("WORLDS", "10"))
TODAY = epoch(NOW)
DAYS = 3
MONTH = 30 * DAY


@dataclass(frozen=True)
class BillLies(Lies):
    """What is wrong of bills besides."""

    late: int = 0
    """For so many days the newest bills are listed and not served."""
    incomplete: bool = False
    """Whether answers say that they are not complete."""
    nameless: bool = False
    """Whether the first bill of an answer has no uid."""
    unowned: bool = False
    """Whether bills name no meter."""

    def keeps(self, bill: Row, now: int) -> bool:
        """Whether a bill is not served."""
        if self.withheld and int(bill["uid"]) % self.withheld == 0:
            return True
        return self.late > 0 and epoch(bill["created"]) > now - self.late * DAY


@dataclass
class BillLiar(Liar):
    """An API whose bills are asked for through a liar."""

    lies: BillLies

    @override
    def told(self, body: Any) -> Any:
        found = super().told(body)
        if isinstance(found, dict) and "bills" in found:
            now = self.world.seconds
            bills = [one for one in found["bills"] if not self.lies.keeps(one, now)]
            for one in bills[:1] if self.lies.nameless else []:
                one["uid"] = None
            for one in bills if self.lies.unowned else []:
                one["meter_uid"] = None
            found["bills"] = bills[::-1] if self.lies.backwards else bills
            if self.lies.incomplete:
                found["is_incomplete"] = True
        return found


def table(lies: BillLies) -> list[Provider]:
    def through(make: Callable[[World, str], Api]) -> Callable[[World, str], Api]:
        return lambda world, token: BillLiar(make(world, token), lies, world)

    return [
        replace(one, api=through(one.api)) if one.name == SUBJECT.name else one
        for one in PROVIDERS
    ]


CHANGES = ("value", "withdrawn", "reissued", "late")


@dataclass(frozen=True)
class Change:
    """What becomes of a bill, counted back from the newest, on a day."""

    number: int
    day: int
    how: str


def history(count: int, changes: list[Change]) -> tuple[Bill, ...]:
    """Monthly bills, of which one comes in the days that are tried."""
    found: list[Bill] = []
    last = TODAY + DAY
    for number in range(count):
        end = last - number * MONTH
        bill = Bill(str(number), end - MONTH, end, f"{number + 1}.5", "9.99", end)
        mine = next((one for one in changes if one.number == number), None)
        at = TODAY + (mine.day if mine else 0) * DAY - HOUR
        if mine is None or at <= end:
            found.append(bill)
        elif mine.how == "value":
            found += [bill, replace(bill, volume="77.25", available=at)]
        elif mine.how == "withdrawn":
            found.append(replace(bill, withdrawn=at))
        elif mine.how == "reissued":
            again = replace(
                bill,
                number=f"{number}r",
                volume="88.5",
                available=at,
                revises=str(number),
            )
            found += [replace(bill, withdrawn=at), again]
        else:
            found.append(replace(bill, available=at))
    return tuple(found)


@dataclass(frozen=True)
class Scene:
    """Meters, lies and settings."""

    houses: tuple[tuple[int, tuple[Change, ...]], ...]
    lies: BillLies
    settings: Mapping[str, Any] = field(default_factory=dict)


changes = st.builds(
    Change,
    number=st.integers(0, 5),
    day=st.integers(1, DAYS),
    how=st.sampled_from(CHANGES),
)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    withheld = draw(st.sampled_from((0, 0, 0, 2, 3)))
    late = draw(st.sampled_from((0, 0, 1, 2)))
    # Who promises nothing, or less, can keep things back without a trace.
    hides = withheld or late
    lies = BillLies(
        ignored=frozenset(
            draw(st.sets(st.sampled_from(("meters", "order", "limit")), max_size=2))
        ),
        count=draw(st.sampled_from(("true", "one more") if hides else sorted(COUNTS))),
        coverage=draw(st.sampled_from(sorted(COVERAGE))),
        withheld=withheld,
        no_next=draw(st.booleans()),
        backwards=draw(st.booleans()),
        late=late,
        incomplete=draw(st.sampled_from((False, False, False, True))),
        nameless=draw(st.sampled_from((False, False, False, True))),
        unowned=draw(st.sampled_from((False, False, False, True))),
    )
    meters = st.tuples(st.integers(1, 6), st.lists(changes, max_size=3).map(tuple))
    return Scene(
        tuple(draw(st.lists(meters, min_size=1, max_size=3))),
        lies,
        {
            "full_rescan_days": draw(st.sampled_from((0, 2))),
            "max_concurrency": draw(st.sampled_from((1, 4))),
            "utilityapi_meters_per_request": draw(st.sampled_from((1, 2, 100))),
        },
    )


def served(world: World, lies: BillLies) -> dict[str, Decimal]:
    """What the server lets be known of the world's bills."""
    return {
        one.usage_id: Decimal(one.volume or 0)
        for one in truth.bills(world, SUBJECT.name)
        if not lies.keeps({"uid": one.usage_id, "created": one.created}, world.seconds)
    }


def current(rows: list[Row]) -> dict[str, Decimal]:
    """The bills that are not withdrawn, as docs/warehouses.md tells them."""
    newest: dict[str, str] = {}
    last: dict[str, Row] = {}
    for row in rows:
        last[row["usage_id"]] = row
        listed = row["listed_at"] or ""
        newest[row["meter_key"]] = max(newest.get(row["meter_key"], ""), listed)
    return {
        name: Decimal(row["quantity"])
        for name, row in last.items()
        if row["listed_at"] is None or row["listed_at"] == newest[row["meter_key"]]
    }


@settings(
    derandomize=True,
    deadline=None,
    max_examples=max(4, WORLDS // 2),
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(scenes())
@example(Scene(((6, (Change(2, 2, "withdrawn"), Change(3, 1, "late"))),), BillLies()))
@example(Scene(((4, ()), (5, (Change(0, 2, "value"),))), BillLies(withheld=2)))
def test_every_current_bill_is_the_worlds_or_it_is_told(scene: Scene) -> None:
    lies = scene.lies
    houses = [
        House(str(101 + n), bills=history(count, list(changed)))
        for n, (count, changed) in enumerate(scene.houses)
    ]
    world = SUBJECT.world(*houses)
    rows: list[Row] = []
    state: Row | None = None
    with Sandbox(world, providers=table(lies)) as sandbox, nobody_waits():
        for day in range(DAYS + 1):
            if day:
                world.advance(days=1)
            run = SUBJECT.sync(sandbox, state, **scene.settings)
            state, fresh = run.state, run.rows("usage")
            expected = served(world, lies)
            got = {row["usage_id"]: Decimal(row["quantity"]) for row in fresh}
            assert len(got) == len(fresh)
            assert got.items() <= expected.items()
            rows += fresh
            report = run.tap.report
            if run.failed:
                assert any([*report.reasons.values(), *report.stopped.values()])
                continue
            found = current(rows)
            if report.warnings or report.notes:
                # What is known not to come retires nothing: what was there stays.
                found = {name: one for name, one in found.items() if name in expected}
            assert found == expected, (day, dict(report.warnings), dict(report.notes))

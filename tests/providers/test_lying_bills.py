"""Bills behind servers that lie: the current ones are the world's, or it is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from tap_utility_intervals.sandbox import DAY, HOUR, Bill, Sandbox, World, epoch, truth
from tap_utility_intervals.sandbox.wire import Answer, Request
from tests.clock import nobody_waits
from tests.oracle import Row
from tests.providers.contract import NAMES, NOW, House, Subject, subject_of
from tests.providers.lying import COUNTS, COVERAGE, Liar, Lies, through

WORLDS = int(os.environ.get("WORLDS", "10"))
TODAY = epoch(NOW)
DAYS = 3
MONTH = 30 * DAY
LISTS = {"utilityapi": "bills", "nectar": "usageData"}
"""What the answers that hold bills call them."""
NAMED = {"utilityapi": ("uid", "meter_uid"), "nectar": ("id", "meter")}
"""What they call a bill's id and its meter."""
IGNORED = {
    "utilityapi": ("meters", "order", "limit"),
    "nectar": ("dateType", "startDate", "endDate"),
}

Bills = dict[str, tuple[Decimal, bool]]
"""By id: how much, and whether another bill stands in its place."""


@dataclass(frozen=True)
class BillLies(Lies):
    """What is wrong of bills besides."""

    late: int = 0
    """For so many days the newest bills are listed and not served."""
    incomplete: bool = False
    """Whether answers say that they are not complete."""
    nameless: bool = False
    """Whether the first bill of an answer has no id."""
    unowned: bool = False
    """Whether bills name no meter."""

    def keeps(self, name: str, created: str, now: int) -> bool:
        """Whether a bill is not served."""
        if self.withheld and sum(name.encode()) % self.withheld == 0:
            return True
        return self.late > 0 and epoch(created) > now - self.late * DAY

    def bills(self, world: World, provider: str) -> Bills:
        """What the server lets be known of the world's bills."""
        return {
            one.usage_id: (Decimal(one.volume or 0), one.superseded)
            for one in truth.bills(world, provider)
            if not self.keeps(one.usage_id, one.created.isoformat(), world.seconds)
        }


@dataclass
class BillLiar(Liar):
    """An API whose bills are asked for through a liar."""

    lies: BillLies

    @override
    def handle(self, request: Request) -> Answer:
        # Of readings the truth is told, so that runs fail because of bills alone.
        if "/interval" in request.path:
            return self.api.handle(request)
        return super().handle(request)

    @override
    def told(self, body: Any) -> Any:
        found = super().told(body)
        for provider, name in LISTS.items():
            if isinstance(found, dict) and name in found:
                found[name] = self._bills(found[name], *NAMED[provider])
                if self.lies.incomplete:
                    found["is_incomplete"] = True
        return found

    def _bills(self, bills: list[Row], named: str, owner: str) -> list[Row]:
        now, lies = self.world.seconds, self.lies
        kept = [x for x in bills if not lies.keeps(x[named], x["created"], now)]
        for one in kept[:1] if lies.nameless else []:
            one[named] = None
        for one in kept if lies.unowned else []:
            one[owner] = None
        return kept[::-1] if lies.backwards else kept


CHANGES = ("value", "withdrawn", "reissued", "late")


@dataclass(frozen=True)
class Change:
    """What becomes of a bill, counted back from the newest, on a day."""

    number: int
    day: int
    how: str


def history(provider: str, count: int, changes: list[Change]) -> tuple[Bill, ...]:
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
            # Nectar keeps the old one, and says which stands in its place.
            gone = at if provider == "utilityapi" else None
            found += [replace(bill, withdrawn=gone), again]
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
def scenes(draw: st.DrawFn, provider: str) -> Scene:
    withheld = draw(st.sampled_from((0, 0, 0, 2, 3)))
    late = draw(st.sampled_from((0, 0, 1, 2)))
    # Who promises nothing, or less, can keep things back without a trace.
    hides = withheld or late
    counts = ("true", "one more") if hides else ("true", "null", *sorted(COUNTS))
    lies = BillLies(
        ignored=frozenset(
            draw(st.sets(st.sampled_from(IGNORED[provider]), max_size=2))
        ),
        count=draw(st.sampled_from(counts)),
        coverage=draw(st.sampled_from(sorted(COVERAGE))),
        withheld=withheld,
        no_next=draw(st.booleans()),
        backwards=draw(st.booleans()),
        late=late,
        incomplete=draw(st.sampled_from((False, False, False, True))),
        nameless=draw(st.sampled_from((*[False] * 7, True))),
        unowned=draw(st.sampled_from((False, False, False, True))),
    )
    meters = st.tuples(st.integers(1, 6), st.lists(changes, max_size=3).map(tuple))
    more = {"utilityapi_meters_per_request": draw(st.sampled_from((1, 2, 100)))}
    return Scene(
        tuple(draw(st.lists(meters, min_size=1, max_size=3))),
        lies,
        {
            "full_rescan_days": draw(st.sampled_from((0, 2))),
            "max_concurrency": draw(st.sampled_from((1, 4))),
            **(more if provider == "utilityapi" else {}),
        },
    )


def current(rows: list[Row]) -> Bills:
    """The bills that are not withdrawn, as docs/warehouses.md tells them."""
    newest: dict[str, str] = {}
    last: dict[str, Row] = {}
    for row in rows:
        last[row["usage_id"]] = row
        listed = row["listed_at"] or ""
        newest[row["meter_key"]] = max(newest.get(row["meter_key"], ""), listed)
    return {
        name: (Decimal(row["quantity"]), row["is_superseded"] is True)
        for name, row in last.items()
        if row["provider"] != "utilityapi"
        or row["listed_at"] is None
        or row["listed_at"] == newest[row["meter_key"]]
    }


def follow(subject: Subject, scene: Scene) -> None:
    """Sync day by day; after each day the current bills are true, or it is told."""
    lies, name = scene.lies, subject.name
    houses = [
        House(str(101 + n), bills=history(name, count, list(changed)))
        for n, (count, changed) in enumerate(scene.houses)
    ]
    world = subject.world(*houses)
    rows: list[Row] = []
    state: Row | None = None
    table = through(name, lambda api: BillLiar(api, lies, world))
    with Sandbox(world, providers=table) as sandbox, nobody_waits():
        for day in range(DAYS + 1):
            if day:
                world.advance(days=1)
            run = subject.sync(sandbox, state, **scene.settings)
            state, fresh = run.state, run.rows("usage")
            expected = lies.bills(world, name)
            got = {one: told[0] for one, told in current(fresh).items()}
            assert len({row["usage_id"] for row in fresh}) == len(fresh)
            assert got.items() <= {k: one[0] for k, one in expected.items()}.items()
            rows += fresh
            report = run.tap.report
            if run.failed:
                assert any([*report.reasons.values(), *report.stopped.values()])
                continue
            found = current(rows)
            if name == "nectar" or report.warnings or report.notes:
                # What is known not to come retires nothing: what was there stays.
                # Nor does Nectar tell, between two whole reads, what it took back.
                found = {name: one for name, one in found.items() if name in expected}
            assert found == expected, (day, dict(report.warnings), dict(report.notes))


WITHDRAWN = Scene(((6, (Change(2, 2, "withdrawn"), Change(3, 1, "late"))),), BillLies())
HALF = Scene(((4, ()), (5, (Change(0, 2, "value"),))), BillLies(withheld=2))
REISSUED = Scene(((6, (Change(2, 2, "reissued"), Change(4, 1, "value"))),), BillLies())


NO_ONES = Scene(((3, ()), (4, ())), BillLies(unowned=True, count="null"))


@pytest.mark.parametrize("scene", [WITHDRAWN, HALF, REISSUED, NO_ONES])
@pytest.mark.parametrize("provider", NAMES)
def test_bills_that_change_are_told_anew(provider: str, scene: Scene) -> None:
    follow(subject_of(provider), scene)


@pytest.mark.parametrize("provider", NAMES)
@settings(
    derandomize=True,
    deadline=None,
    max_examples=max(4, WORLDS // 2),
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_every_current_bill_is_the_worlds_or_it_is_told(
    provider: str, data: st.DataObject
) -> None:
    follow(subject_of(provider), data.draw(scenes(provider)))

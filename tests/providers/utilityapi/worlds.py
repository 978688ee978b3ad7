"""Random small worlds of UtilityAPI, and what a sync of them must have delivered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Channel,
    Fault,
    Lifetime,
    Sandbox,
    Series,
    UtilityMeter,
    UtilityOptions,
    World,
    delayed,
    epoch,
    restated,
    synthetic,
    without,
)
from tests.oracle import Row, Values, utilityapi_values, values
from tests.syncing import Run, config, sync

CHANGES = ("2025-11-02T06:00:00Z", "2026-03-08T08:00:00Z", "2026-03-29T01:00:00Z")
"""When clocks change in New York and Chicago (autumn, spring) and in London."""

ZONES = ("America/New_York", "America/Chicago", "Europe/London", "Asia/Kolkata")
KINDS = (Channel("net"), Channel("max", "kw"), Channel("fwd"))

blocks: st.SearchStrategy[int | str] = st.sampled_from([1, 4, 20, 400, "random"])

BEFORE, AFTER = 40, 12
"""Days of history around the change of clocks, and days still to come."""


@dataclass(repr=False)
class Scene:
    """A world, how it is asked, and by how many days its clock moves between syncs."""

    world: World
    settings: Row
    steps: list[float]
    advances: bool

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: FBT001 - IPython's
        options = self.world.utilityapi_options
        printer.text(
            f"Scene({self.settings}, {self.steps}, {self.advances}, {options})"
        )

    @property
    def start_date(self) -> str | None:
        return self.settings.get("start_date")

    @property
    def lookback(self) -> timedelta:
        return timedelta(days=self.settings["lookback_days"])

    def truth(self) -> Values:
        """What UtilityAPI offers now of what is wanted."""
        first = f"{self.start_date or '0001-01-01'}T00:00:00Z"
        return {k: v for k, v in utilityapi_values(self.world).items() if k[1] >= first}


@st.composite
def series(draw: st.DrawFn, name: str, noon: int, channels: int) -> Series:
    """Readings with holes, late fills, history collected later, and restatements."""
    minutes = draw(st.sampled_from((60, 60, 180, 1440)))
    start = noon - draw(st.integers(2, BEFORE)) * DAY
    lag = draw(st.sampled_from((HOUR, 6 * HOUR, 2 * DAY)))
    end = noon + AFTER * DAY
    made = synthetic(
        0, name, _day(start), _day(end), minutes=minutes, channels=channels, lag=lag
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(start, noon))
        made = without(made, [(at, at + draw(st.integers(HOUR, 3 * DAY)))])
    days = (end - start) // DAY
    for _ in range(draw(st.integers(0, 2))):
        low = start + draw(st.integers(0, days)) * DAY
        span = draw(st.sampled_from((HOUR, 5 * HOUR, DAY, 20 * DAY)))
        known = noon + draw(st.integers(0, 8 * 24)) * HOUR
        made = delayed(made, low, low + span, known)
    if draw(st.booleans()) and made.readings:
        # History before some day was collected only later.
        known = noon + draw(st.integers(1, 6)) * DAY
        made = delayed(made, 0, start + draw(st.integers(1, 30)) * DAY, known)
    return _restated(draw, made, noon, channels)


def _restated(draw: st.DrawFn, made: Series, noon: int, channels: int) -> Series:
    """Some readings of the last days and some of any time get another value."""
    recent = [r for r in made.readings if noon - 12 * DAY <= r.start < noon]
    changes = []
    for pool in (recent, recent, made.readings):
        places = draw(st.lists(st.integers(0, 10**6), max_size=4, unique=True))
        for place in places if pool else ():
            reading = pool[place % len(pool)]
            known = noon + draw(st.integers(0, 8 * 24)) * HOUR
            known = max(known, reading.available) + 1
            value = f"{draw(st.integers(1, 99))}.5"
            changes.append((reading.start, known, (value,) * channels))
    return restated(made, {change[:2]: change for change in changes}.values())


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds - seconds % DAY, timezone.utc).isoformat()


@st.composite
def meters(draw: st.DrawFn, number: int, noon: int) -> UtilityMeter:
    channels = draw(st.integers(1, 3))
    life = Lifetime()
    if number and draw(st.booleans()):
        some = noon + draw(st.integers(1, 5)) * DAY
        life = draw(st.sampled_from((Lifetime(), Lifetime(some), Lifetime(0, some))))
    made = draw(series(f"m{number}", noon, channels))
    # The sandbox cannot overlap the objects of a meter that has none.
    overlap = draw(st.sampled_from((0, 0, 1, 30))) if made.at(noon).readings else 0
    return UtilityMeter(
        str(2_061_339 + number),
        made,
        zone=draw(st.sampled_from(ZONES)),
        channels=KINDS[:channels],
        block_days=draw(blocks),
        overlap=overlap,
        life=life,
        with_datapoints=draw(st.integers(0, 9)) > 0,
    )


@st.composite
def scenes(draw: st.DrawFn, *, full_rescan_days: int = 0) -> Scene:
    noon = epoch(draw(st.sampled_from(CHANGES))) + draw(st.integers(0, 20)) * DAY
    noon += 6 * HOUR
    options = UtilityOptions(
        page_size=draw(st.integers(1, 3)),
        interval_limit=draw(st.sampled_from((1, 2, 5, 100))),
        filter=draw(st.sampled_from(("cut", "contain", "overlap"))),
        cursors_die=draw(st.booleans()),
        dead_cursor_status=draw(st.sampled_from((400, 404))),
        unknown_meter_status=draw(st.sampled_from((200, 400, 404))),
    )
    count = draw(st.integers(1, 4))
    world = World(
        datetime.fromtimestamp(noon, timezone.utc),
        [draw(meters(number, noon)) for number in range(count)],
        utilityapi_options=options,
    )
    start = draw(st.sampled_from((None, None, 3, 25)))
    settings: Row = {
        "lookback_days": draw(st.sampled_from((0, 1, 3, 10))),
        "full_rescan_days": full_rescan_days,
        "utilityapi_meters_per_request": draw(st.sampled_from((1, 2, 10))),
        "max_concurrency": draw(st.sampled_from((1, 4))),
        "max_retries": 0,
    }
    if start is not None:
        day = datetime.fromtimestamp(noon - start * DAY, timezone.utc)
        settings["start_date"] = day.date().isoformat()
    steps = draw(
        st.lists(st.sampled_from((0.0, 0.04, 1.0, 1.0, 3.0)), min_size=2, max_size=4)
    )
    return Scene(world, settings, steps, advances=draw(st.booleans()))


@dataclass
class Follower:
    """A warehouse fed by one sync after the other, checked after each."""

    scene: Scene
    sandbox: Sandbox

    def __post_init__(self) -> None:
        self.known: Values = {}
        self.state: Row = {}
        self.reached: dict[str, str] = {}

    def sync(self, *, advancing: bool = False, **settings: Any) -> Run:
        """One sync; of one during which the clock moves, every value must be true
        before or after."""
        scene = self.scene
        before, started = scene.truth(), scene.world.now
        rule = Fault("advance", path="/intervals", seconds=5_400, skip=1, times=2)
        if advancing:
            self.sandbox.faults.add(rule)
        chosen = config(self.sandbox, "utilityapi", **(scene.settings | settings))
        run = sync(chosen, self.state)
        self.sandbox.faults.clear()
        after = scene.truth()
        got = values(run.rows("intervals"))
        for key, value in got.items():
            assert value in {before.get(key, "none"), after.get(key, "none")}, key
        stale = self.stale()
        self.known |= got
        assert not run.failed
        self._check_complete(before, after, stale)
        self.state = run.state
        self._check_bookmarks(started)
        return run

    def stale(self) -> dict[str, str]:
        """Where each meter's look-back begins: what lies before may have changed."""
        return {
            uid: _text(_moment(reached) - self.scene.lookback)
            for uid, reached in self.reached.items()
        }

    def _check_complete(
        self, before: Values, after: Values, stale: dict[str, str]
    ) -> None:
        for key, value in before.items():
            assert key in self.known, f"lost: {key}"
            if self.known[key] in {value, after.get(key, value)}:
                continue
            assert key[1] < stale.get(key[0], ""), f"not restated: {key}"

    def _check_bookmarks(self, started: datetime) -> None:
        stored = self.state.get("bookmarks", {}).get("intervals", {})
        for entry in stored.get("partitions", []):
            uid = entry["context"]["meter_key"]
            reached = entry.get("replication_key_value", "")
            assert self.reached.get(uid, "") <= reached <= _text(started)
            if reached:
                self.reached[uid] = reached


def _text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))

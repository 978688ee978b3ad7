"""What holds of every provider: one suite, each provider in its own words."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tap_utility_intervals.floor.outcomes import Outcome
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.sandbox import (
    DAY,
    HOUR,
    Bill,
    Sandbox,
    Series,
    delayed,
    epoch,
    restated,
    synthetic,
)
from tests.oracle import Row, by_key, values
from tests.providers.contract import (
    NAMES,
    NOW,
    Billed,
    House,
    Said,
    Subject,
    subject_of,
)
from tests.providers.tiny.joining import joined
from tests.syncing import Run, config, sync
from tests.tap.resuming import last_state, load

TODAY = epoch(NOW)
HOURLY = Said("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z")


@pytest.fixture(autouse=True)
def _third() -> Iterator[None]:
    """A third provider, in the two tables and nowhere else."""
    with joined():
        yield


@pytest.fixture(params=[*NAMES, "tiny"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(request.param)


def hourly(name: str, days: int = 4, minutes: int = 60) -> Series:
    """Readings from so many days ago to some days in the future."""
    start = NOW - timedelta(days=days)
    return synthetic(0, name, start, "2026-03-28T00:00:00Z", minutes=minutes)


def house(name: str, **more: Any) -> House:
    return House(name, hourly(name), a_bill(), **{"service_point": name, **more})


def a_bill() -> tuple[Bill, ...]:
    start = epoch("2026-02-01T05:00:00Z")
    return (Bill("1", start, start + 28 * DAY, "5.50", "1.20", TODAY - 5 * DAY),)


def came(run: Run, source: str) -> bool:
    """Whether readings of a source came: its id stands in them."""
    return any(source in row.values() for row in run.rows("intervals"))


def entry(run: Run | Row, source: str, stream: str = "intervals") -> Row | None:
    """The bookmark of a source."""
    state = run.state if isinstance(run, Run) else run
    found = state.get("bookmarks", {}).get(stream, {}).get("partitions", [])
    named = [e for e in found if source in e["context"].values()]
    return named[0] if named else None


# --- the rows -------------------------------------------------------------------------


def test_every_reading_comes_once_with_its_very_value(subject: Subject) -> None:
    world = subject.world(house("101"), house("102"))
    with Sandbox(world) as sandbox:
        run = subject.sync(sandbox)
    assert values(run.rows("intervals")) == subject.truth(world)
    assert len(run.rows("meters")) == len(run.rows("usage")) == 2
    keys = {row["meter_key"] for row in run.rows("meters")}
    for stream in ("intervals", "usage"):
        assert {row["meter_key"] for row in run.rows(stream)} == keys
        assert {row["provider"] for row in run.rows(stream)} == {subject.name}
    assert not run.failed
    assert not run.tap.report.warnings


@pytest.mark.parametrize(
    ("day", "hours"), [("2025-11-02", 25), ("2026-03-08", 23), ("2026-03-15", 24)]
)
def test_a_local_day_has_all_its_hours(subject: Subject, day: str, hours: int) -> None:
    midnight = datetime.fromisoformat(f"{day}T00:00:00-05:00")
    if day in {"2025-11-02", "2026-03-15"}:
        midnight -= timedelta(hours=1)
    start, end = midnight - timedelta(hours=5), midnight + timedelta(hours=30)
    world = subject.world(House("101", synthetic(0, "n", start, end.isoformat())))
    with Sandbox(world) as sandbox:
        rows = by_key(subject.sync(sandbox).rows("intervals")).values()
    assert len(rows) == 35
    starts = sorted(epoch(row["interval_start"]) for row in rows)
    assert {later - one for one, later in itertools.pairwise(starts)} == {HOUR}
    assert {row["interval_seconds"] for row in rows} == {3600}
    assert {row["channel"].partition("#")[1] for row in rows} == {""}
    first = epoch(midnight)
    assert sum(first <= start < first + hours * HOUR for start in starts) == hours


@pytest.mark.parametrize(
    ("unit", "raw"),
    [
        pytest.param(None, None, id="absent"),
        pytest.param("null", None, id="null"),
        pytest.param('""', None, id="empty"),
    ],
)
def test_without_a_unit_channel_and_measure_say_so(
    subject: Subject, unit: str | None, raw: str | None
) -> None:
    (row,) = told(subject, Said(HOURLY.start, HOURLY.end, unit=unit))
    point = row["channel"].partition("/")[0]
    assert point in {"fwd", "usage"}
    assert row["channel"] == f"{point}/unknown"
    assert (row["unit"], row["unit_raw"], row["measure"]) == (None, raw, None)
    assert (row["quantity_normalized"], row["unit_normalized"]) == (None, None)
    assert str(row["quantity"]) == "1.5"


def test_a_unit_that_nobody_knows_is_kept_and_measures_something_else(
    subject: Subject,
) -> None:
    (row,) = told(subject, Said(HOURLY.start, HOURLY.end, unit='"furlongs"'))
    assert row["channel"].endswith("/furlongs")
    assert (row["unit"], row["unit_raw"], row["measure"]) == (
        "furlongs",
        "furlongs",
        "other",
    )
    assert (row["quantity_normalized"], row["unit_normalized"]) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param('"1,234.5"', "1,234.5", id="text"),
        pytest.param("true", "true", id="flag"),
        pytest.param('"NaN"', "NaN", id="no number"),
    ],
)
def test_what_cannot_be_read_is_null_and_its_text_is_kept(
    subject: Subject, value: str, text: str
) -> None:
    (row,) = told(subject, Said(HOURLY.start, HOURLY.end, value))
    assert row["quantity"] is None
    assert row["unreadable"] == {"quantity": text}


def told(subject: Subject, *said: Said) -> list[Row]:
    """The rows that come of readings, word for word."""
    return heard(subject, *said).rows("intervals")


def heard(subject: Subject, *said: Said, **settings: Any) -> Run:
    """A sync of one house whose readings are these, word for word."""
    home = House("101")
    with Sandbox(subject.world(home)) as sandbox:
        subject.say(sandbox, home, *said)
        return subject.sync(sandbox, **settings)


def test_a_length_is_rounded_to_whole_seconds(subject: Subject) -> None:
    start = "2026-03-01T01:00:00Z"
    ends = ("01:14:59.999999Z", "01:15:00Z", "01:15:00.400000Z")
    for end in ends:
        (row,) = told(subject, Said(start, f"2026-03-01T{end}"))
        assert row["interval_seconds"] == 900


@pytest.mark.parametrize(
    "form",
    [
        "2026-03-01T01:00:00Z",
        "2026-02-28T20:00:00-05:00",
        "2026-02-28T20:00:00.000000-0500",
        "2026-03-01T01:00:00+00",
        "2026-03-01 01:00:00+00",
        "2026-03-01T01:00Z",
        "2026-03-01T01:00:00,000Z",
        "2026-03-01T01:00:00.000000000Z",
        "20260301T010000Z",
        "20260301T0100Z",
        "2026-02-28T24:00:00-01:00",
    ],
)
def test_an_instant_is_read_in_every_form_of_iso_8601(
    subject: Subject, form: str
) -> None:
    (row,) = told(subject, Said("2026-03-01T00:00:00Z", form))
    assert row["interval_end"] == "2026-03-01T01:00:00Z"
    (row,) = told(subject, Said(form, "2026-03-01T02:00:00Z"))
    assert row["interval_start"] == "2026-03-01T01:00:00Z"


@pytest.mark.parametrize("when", ["", "soon", "2026-13-01T00:00:00Z", "2026"])
def test_a_reading_whose_time_cannot_be_read_fails_its_source_and_is_told(
    subject: Subject, when: str
) -> None:
    home = House("101")
    run = heard(subject, HOURLY, Said("2026-03-01T01:00:00Z", when, "2.5"))
    source = subject.source(home)
    assert run.failed
    assert run.tap.report.sources(subject.name)[source] is Outcome.FAILED
    assert "replication_key_value" not in (entry(run, source) or {})
    assert when in run.tap.report.reasons[subject.name, source]
    assert len(run.rows("intervals")) <= 1


@pytest.mark.parametrize("provider", NAMES)
def test_two_bills_under_one_id_fail_their_source_and_are_told(provider: str) -> None:
    subject = subject_of(provider)
    house = House("101", bills=a_bill())
    days = ("2026-01-01", "2026-01-31"), ("2026-02-01", "2026-02-28")
    billed = [Billed(*period, name="same") for period in days]
    with Sandbox(subject.world(house)) as sandbox:
        subject.bill(sandbox, house, *billed, Billed("2025-12-01", "2025-12-31"))
        run = subject.sync(sandbox)
    assert run.failed
    assert "without a" in " ".join(run.tap.report.reasons.values())
    assert len(run.rows("usage")) == 2
    sources = [*run.tap.report.sources(subject.name).values()]
    assert Outcome.FAILED in sources


def test_readings_that_overlap_or_end_before_they_start_are_kept_and_told(
    subject: Subject,
) -> None:
    wide = Said("2026-03-01T00:00:00Z", "2026-03-01T03:00:00Z")
    run = heard(subject, wide, Said("2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"))
    assert len(run.rows("intervals")) == 2
    assert "overlap" in " ".join(run.tap.report.warnings)
    run = heard(subject, Said("2026-03-01T01:00:00Z", "2026-03-01T00:00:00Z"))
    assert len(run.rows("intervals")) == 1
    assert "does not end after its start" in " ".join(run.tap.report.warnings)


def test_a_start_date_behind_all_data_is_told(subject: Subject) -> None:
    world = subject.world(House("101", synthetic(0, "n", "2015-01-01", "2015-02-01")))
    with Sandbox(world) as sandbox:
        run = subject.sync(sandbox, start_date="2024-01-01")
        assert run.rows("intervals") == []
        assert not run.failed
        (warning,) = [w for w in run.tap.report.warnings if "before start_date" in w]
        assert "2015-01-31" in warning or "2015-02-01" in warning
        assert not subject.sync(sandbox).tap.report.warnings


@pytest.mark.parametrize(
    "text", ["00 12-ab_3,4/5", "0012\N{NO-BREAK SPACE}AB345", "12\u2003ab\u200934\t5"]
)
def test_a_service_point_is_the_same_however_it_is_written(
    subject: Subject, text: str
) -> None:
    home = House("101", hourly("1"), service_point=text)
    with Sandbox(subject.world(home)) as sandbox:
        (row,) = subject.sync(sandbox).rows("meters")
    assert row["service_point_key"].partition(":")[2] == "12AB345"


def test_nothing_there_is_nothing_wrong(subject: Subject) -> None:
    with Sandbox(subject.world()) as sandbox:
        nobody = subject.sync(sandbox)
    assert not nobody.failed
    assert not any(nobody.rows(s) for s in ("meters", "intervals", "usage"))
    with Sandbox(subject.world(House("101"))) as sandbox:
        empty = subject.sync(sandbox)
        again = subject.sync(sandbox, empty.state)
    for run in (empty, again):
        assert not run.failed
        assert len(run.rows("meters")) == 1
        assert not run.rows("intervals")
        assert not run.rows("usage")
        assert not run.tap.report.warnings


# --- bounds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "billed", "kept"),
    [
        pytest.param(
            {"end_date": "2025-01-01T12:00:00Z"},
            Billed("2025-01-01", "2025-02-01"),
            True,
            id="starts before the end, on its day",
        ),
        pytest.param(
            {"end_date": "2025-01-01"},
            Billed("2025-01-01", "2025-02-01"),
            False,
            id="starts at the end",
        ),
        pytest.param(
            {"end_date": "2025-01-01"},
            Billed("2024-12-31", "2025-01-31"),
            True,
            id="starts on the day before the end",
        ),
        pytest.param(
            {"end_date": "2025-01-01"}, Billed(None, "2025-01-31"), True, id="no start"
        ),
        pytest.param(
            {"start_date": "2025-01-01"},
            Billed("2024-11-01", None),
            True,
            id="starts before the start and has no end",
        ),
        pytest.param(
            {"start_date": "2025-01-01"},
            Billed("2024-11-01", "2024-12-30"),
            False,
            id="ends before the start",
        ),
        pytest.param(
            {"start_date": "2025-01-01"},
            Billed("2024-12-01", "2025-01-01"),
            True,
            id="ends on the day of the start",
        ),
        pytest.param(
            {"start_date": "2025-01-01"}, Billed(None, None), True, id="no dates"
        ),
    ],
)
def test_bills_are_wanted_that_reach_into_the_range(
    subject: Subject, bounds: Row, billed: Billed, *, kept: bool
) -> None:
    home = House("101", bills=a_bill())
    with Sandbox(subject.world(home)) as sandbox:
        subject.bill(sandbox, home, billed)
        rows = subject.sync(sandbox, **bounds).rows("usage")
        assert len(rows) == kept
        assert len(subject.sync(sandbox).rows("usage")) == 1


def test_readings_are_wanted_that_start_in_the_range(subject: Subject) -> None:
    world = subject.world(house("101"))
    bounds: Row = {
        "start_date": "2026-03-18T05:00:00Z",
        "end_date": "2026-03-19T03:00:00Z",
    }
    with Sandbox(world) as sandbox:
        got = values(subject.sync(sandbox, **bounds).rows("intervals"))
    assert got == {
        key: value
        for key, value in subject.truth(world).items()
        if bounds["start_date"] <= key[1] < bounds["end_date"]
    }
    assert len(got) == 22


# --- what fails -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404, 500])
def test_one_bad_source_costs_no_other(subject: Subject, status: int) -> None:
    bad, good = house("101"), house("102")
    with Sandbox(subject.world(bad, good)) as sandbox:
        subject.strike(sandbox, bad, status=status)
        run = subject.sync(sandbox)
        assert came(run, subject.source(good))
        assert not came(run, subject.source(bad))
        assert len(run.rows("usage")) == 1
        outcomes = run.tap.report.sources(subject.name)
        became = Outcome.FAILED if status == 500 else Outcome.GONE
        for stream in ("intervals", "usage"):
            assert outcomes[subject.source(bad, stream)] is became
            assert outcomes[subject.source(good, stream)] is Outcome.DONE
            assert entry(run, subject.source(bad, stream), stream) is None
            assert entry(run, subject.source(good, stream), stream)
        assert run.failed is (status == 500)

        sandbox.faults.clear()
        healed = subject.sync(sandbox, run.state)
        known = values(run.rows("intervals")) | values(healed.rows("intervals"))
        assert known == subject.truth(sandbox.world)
        assert not healed.failed


def test_all_sources_gone_is_a_failure(subject: Subject) -> None:
    homes = house("101"), house("102")
    with Sandbox(subject.world(*homes)) as sandbox:
        for home in homes:
            subject.strike(sandbox, home, status=404)
        assert subject.sync(sandbox).failed


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_refused_credential_ends_its_provider_alone(
    subject: Subject, sandbox: Sandbox, after: int
) -> None:
    sandbox.faults.add(provider=subject.name, status=401, times=None, skip=after)
    run = sync(config(sandbox, max_retries=0))
    assert run.failed
    assert list(run.tap.report.stopped) == [subject.name]
    (provider,) = [p for p in PROVIDERS if p.name == subject.name]
    assert (
        f"check the setting {provider.credential}"
        in run.tap.report.stopped[subject.name]
    )
    refused = [r for r in sandbox.requests if r.status == 401]
    assert len(refused) <= 4  # those in flight
    sandbox.faults.clear()
    others = [p.name for p in PROVIDERS if p.name != subject.name]
    whole = sync(config(sandbox, *others))
    for stream in ("meters", "intervals", "usage"):
        rows = [r for r in run.rows(stream) if r["provider"] in others]
        assert len(rows) == len(whole.rows(stream)) > 0
    healed = sync(config(sandbox, subject.name), run.state)
    known = [r for r in run.rows("intervals") if r["provider"] == subject.name]
    got = values(known) | values(healed.rows("intervals"))
    assert got == subject.truth(sandbox.world)


# --- again and again ------------------------------------------------------------------


def test_the_look_back_brings_what_was_late_and_what_was_restated(
    subject: Subject,
) -> None:
    series = hourly("101", 20)
    tomorrow = TODAY + DAY // 2
    late = TODAY - 2 * DAY
    changed = next(r for r in series.readings if r.start >= TODAY - 3 * DAY)
    made = delayed(series, late, late + 3 * HOUR, tomorrow)
    made = restated(made, [(changed.start, tomorrow, ("77.5",))])
    world = subject.world(House("101", made))
    with Sandbox(world) as sandbox:
        first = subject.sync(sandbox, lookback_days=4)
        known = values(first.rows("intervals"))
        assert known == subject.truth(world)
        world.advance(days=1)
        second = subject.sync(sandbox, first.state, lookback_days=4)
    got = values(second.rows("intervals"))
    assert known | got == subject.truth(world)
    assert len(got) < len(subject.truth(world))
    assert "77.5" in {str(value) for value in got.values()}


def test_a_bookmark_never_passes_the_runs_start_and_never_goes_back(
    subject: Subject,
) -> None:
    home = House("101", hourly("101"))
    source = subject.source(home)
    with Sandbox(subject.world(home)) as sandbox:
        first = subject.sync(sandbox)
        before = entry(first, source)
        assert before is not None
        sandbox.world.advance(days=1)
        future = Said("2099-01-01T00:00:00Z", "2099-01-01T01:00:00Z")
        subject.say(sandbox, home, HOURLY, future)
        second = subject.sync(sandbox, first.state)
    after = entry(second, source) or before
    bound = (NOW + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert before["replication_key_value"] <= after["replication_key_value"] <= bound


def test_interrupted_anywhere_and_resumed_nothing_is_lost(subject: Subject) -> None:
    world = subject.world(*[house(str(n)) for n in range(101, 106)])
    settings: Row = {"state_interval_seconds": 0, "max_concurrency": 1}
    with Sandbox(world) as sandbox:
        whole = subject.sync(sandbox, **settings)
        states = [n for n, m in enumerate(whole.messages) if m["type"] == "STATE"]
        assert len(states) > 5
        for cut in states[:-1]:
            # All that came before the next STATE is with the target, or nothing of it.
            held = whole.messages[: cut + 1]
            rest = subject.sync(sandbox, last_state(held), **settings).messages
            assert load(rest, load(held)) == load(whole.messages)


def test_sources_that_are_no_more_are_forgotten(subject: Subject) -> None:
    homes = house("101"), house("102")
    with Sandbox(subject.world(*homes)) as sandbox:
        first = subject.sync(sandbox)
    with Sandbox(subject.world(homes[0])) as sandbox:
        second = subject.sync(sandbox, first.state)
    for stream in ("intervals", "usage"):
        assert entry(first, subject.source(homes[1], stream), stream)
        assert entry(second, subject.source(homes[1], stream), stream) is None
        assert entry(second, subject.source(homes[0], stream), stream)


ODD: tuple[Any, ...] = (
    *({"odd": [1]}, [], [[{"odd": 1}]], ["2026-01-01T00:00:00Z"], True, -1, 0.5),
    *("", "yesterday", "2026-13-45T00:00:00Z", 10**400, None),
)
"""What no bookmark holds anywhere; some of it is what some may hold in some place."""


@pytest.mark.parametrize("stream", ["intervals", "usage"])
def test_a_source_whose_bookmark_is_odd_is_read_anew_and_told(
    subject: Subject, stream: str
) -> None:
    homes = [house(str(n)) for n in range(101, 201)]
    with Sandbox(subject.world(*homes)) as sandbox:
        state = subject.sync(sandbox).state
        partitions = state["bookmarks"][stream]["partitions"]
        strange = spoiled(partitions)
        sandbox.world.advance(days=1)
        healthy = subject.sync(sandbox, json.loads(json.dumps(state)))
        run = subject.sync(
            sandbox,
            {
                "bookmarks": {
                    **state["bookmarks"],
                    stream: {
                        **state["bookmarks"][stream],
                        "partitions": strange,
                    },
                }
            },
        )
        assert not run.failed
        truth = subject.truth(sandbox.world)
        if stream == "intervals":
            assert values(run.rows(stream)).keys() <= truth.keys()
    assert by_source(healthy, stream) <= by_source(run, stream)
    warned = sum(n for what, n in run.tap.report.warnings.items() if "bookmark" in what)
    wrong = [one for one in strange if is_never_right(one)]
    assert warned >= len(wrong) >= 2 * len([*places(strip(partitions[0]))]) > 3


def by_source(run: Run, stream: str) -> set[tuple[Any, ...]]:
    """What came, as it compares."""
    columns = ("meter_key", "interval_start", "usage_id", "quantity")
    return {tuple(row.get(c) for c in columns) for row in run.rows(stream)}


def is_never_right(bookmark: Row) -> bool:
    """Whether it holds the object that no place of a bookmark may hold."""
    return '{"odd": ' in json.dumps(bookmark)


def spoiled(partitions: list[Row]) -> list[Row]:
    """Each bookmark with one value odd: every odd value at every place there is."""
    ways = itertools.cycle(
        (path, odd) for odd in ODD for path in places(strip(partitions[0]))
    )
    return [
        {**one, **replaced(strip(one), path, odd)}
        for one, (path, odd) in zip(partitions, ways, strict=False)
    ]


def strip(bookmark: Row) -> Row:
    """What is the provider's of a bookmark."""
    ours = {"context", "replication_key"}
    return {name: value for name, value in bookmark.items() if name not in ours}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in a JSON value."""
    found: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, (dict, list)):
        found = value.items() if isinstance(value, dict) else enumerate(value)
    for name, one in found:
        yield (*path, name)
        yield from places(one, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with another one at a path, if it goes that far."""
    if not path:
        return odd
    try:
        inner = replaced(value[path[0]], path[1:], odd)
    except (LookupError, TypeError):
        return value
    copy = value.copy()
    copy[path[0]] = inner
    return copy

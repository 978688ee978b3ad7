"""A provider that is down or mute ends a run soon, by a clock that is simulated."""

from __future__ import annotations

import io
import itertools
import logging
import re
import threading
from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
import requests

from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.providers import connections
from tap_utility_intervals.sandbox import Sandbox, bench_world
from tests.syncing import Run, config, sync

QUARTER = 15 * 60
WHERE = ("/api/v2/", "/intervals")


class Time:
    """A clock for each thread; together they have taken no longer than `gone`.

    With one worker a provider is asked by one thread at a time.
    """

    def __init__(self) -> None:
        self.clocks: dict[int, float] = defaultdict(float)

    def now(self) -> float:
        return self.clocks[threading.get_ident()]

    def rest(self, seconds: float) -> None:
        self.clocks[threading.get_ident()] += seconds

    @property
    def gone(self) -> float:
        main = threading.main_thread().ident or 0
        others = [t for thread, t in self.clocks.items() if thread != main]
        return self.clocks[main] + max(others, default=0.0)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    defaults: Any = Limiter.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "clock", made.now)
    monkeypatch.setattr(Limiter, "_rest", lambda _self, seconds: made.rest(seconds))
    return made


def strike(patch: pytest.MonkeyPatch, time: Time, fault: str, where: str) -> list[str]:
    """Let a provider fail where a URL is like `where`; what was asked there."""
    healthy = connections._Session.get
    asked: list[str] = []

    def get(self: Any, url: Any, *, timeout: float, **options: Any) -> Any:
        if not re.search(where, str(url)):
            return healthy(self, url, timeout=timeout, **options)
        asked.append(str(url))
        if fault == "mute":
            time.rest(timeout)
            raise requests.ReadTimeout
        if fault == "down":
            raise requests.ConnectionError
        found = requests.Response()
        found.status_code = int(fault)
        found.raw = io.BytesIO()
        return found

    patch.setattr(connections._Session, "get", get)
    return asked


def settings(sandbox: Sandbox, provider: str = "utilityapi") -> dict[str, Any]:
    """The defaults, but for what the sandbox needs, and for one worker.

    One after the other is the slowest way; and how far several simulated clocks run
    apart depends on how busy the machine is.
    """
    chosen = config(sandbox, provider)
    del chosen["full_rescan_days"]
    return chosen | {"max_concurrency": 1}


def given_up(run: Run, meters: int) -> None:
    report = run.tap.report
    assert report.failed
    assert "utilityapi" in report.stopped
    assert not run.state.get("bookmarks", {}).get("intervals", {}).get("partitions")
    told = len(report.sources("utilityapi")) + report.untried["utilityapi"]
    assert told in {0, meters}


@pytest.mark.parametrize(
    ("fault", "where", "meters"),
    [
        *((f, w, 300) for f in ("mute", "down", "503") for w in WHERE),
        # One that is mute costs most, and it costs the same however many are left.
        pytest.param("mute", "/intervals", 10_000, marks=pytest.mark.slow),
    ],
)
def test_the_run_ends_in_a_quarter_of_an_hour_and_a_healthy_one_is_complete(
    time: Time, fault: str, where: str, meters: int
) -> None:
    world = bench_world(meters=meters, days=1, minutes=1440, channels=1, block_days=1)
    with Sandbox(world) as sandbox:
        with pytest.MonkeyPatch.context() as patch:
            strike(patch, time, fault, where)
            run = sync(settings(sandbox))
        given_up(run, meters)
        assert time.gone < QUARTER
        healthy = sync(settings(sandbox), run.state)
    assert not healthy.failed
    assert len({r["meter_key"] for r in healthy.rows("intervals")}) == meters


COMPANIES = 20
FAULTS = ("mute", "down", "503")
LISTS, ALL_BUT_COMPANIES = r"/connection/company", r"/v2\.2/(?!company\?)"
METERS, METERS_AND_INTERVALS = r"/meter/", r"/(meter|interval)/"
NECTAR = ("/v2", ALL_BUT_COMPANIES, LISTS, METERS, METERS_AND_INTERVALS, "/interval/")


@pytest.mark.parametrize(
    ("connections", "cases"),
    [
        pytest.param(300, [*itertools.product(NECTAR, FAULTS)], id="300"),
        pytest.param(
            10_000, [("/interval/", "mute")], id="10000", marks=pytest.mark.slow
        ),
    ],
)
def test_so_it_does_for_nectar_whatever_it_does_not_answer(
    time: Time, connections: int, cases: list[tuple[str, str]]
) -> None:
    world = bench_world(meters=0, days=1, minutes=1440, connections=connections)
    (whole,) = world.nectar
    companies = [
        replace(whole, id=f"co-{n}", connections=whole.connections[n::COMPANIES])
        for n in range(COMPANIES)
    ]
    sandbox = Sandbox(replace(world, nectar=companies))
    with sandbox:
        for where, fault in cases:
            time.clocks.clear()
            with pytest.MonkeyPatch.context() as patch:
                strike(patch, time, fault, where)
                run = sync(settings(sandbox, "nectar"))
            report, tried = run.tap.report, run.tap.report.sources("nectar")
            assert report.failed
            assert sum(time.clocks.values()) < QUARTER, (where, fault)
            assert (
                not run.state.get("bookmarks", {})
                .get("intervals", {})
                .get("partitions")
            )
            assert ("nectar" in report.stopped) is (where != METERS)
            left = report.untried["nectar"]
            if where in {LISTS, ALL_BUT_COMPANIES}:
                assert len(tried) + left == COMPANIES
            elif where == "/interval/":
                assert len(tried) + left == connections
            elif where == METERS:
                assert len(run.rows("intervals")) == connections
                assert left == COMPANIES - 4
            elif where == METERS_AND_INTERVALS:
                assert len(tried) + left == COMPANIES - 4 + connections
        healthy = sync(settings(sandbox, "nectar"), run.state)
    assert not healthy.failed
    assert len({r["meter_key"] for r in healthy.rows("intervals")}) == connections


@pytest.mark.usefixtures("time")
def test_a_few_bad_neighbours_do_not_cost_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ten meters in a row fail for ever, as those of one utility may."""
    caplog.set_level(logging.WARNING)
    world = bench_world(meters=40, days=1, minutes=1440, channels=1, block_days=1)
    with Sandbox(world) as sandbox:
        uids = [row["meter_key"] for row in sync(settings(sandbox)).rows("meters")]
        first = sync(settings(sandbox)).rows("intervals")
        order = list(dict.fromkeys(row["meter_key"] for row in first))
        bad = set(order[5:15])
        for uid in bad:
            sandbox.faults.add(
                path="/intervals$", query=f"meters={uid}($|&)", status=503, times=None
            )
        chosen = settings(sandbox) | {"utilityapi_meters_per_request": 1}
        run = sync(chosen)
    report = run.tap.report
    assert report.failed
    assert not report.stopped
    assert "one more is tried" in caplog.text
    assert {row["meter_key"] for row in run.rows("intervals")} == {*uids} - bad

"""Events come newest first, without a filter: how far they are read, and what stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, cast

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.providers.base import Finished, Lost, Reached, Rows
from tap_utility_intervals.providers.bookmarks import Rescan
from tap_utility_intervals.providers.own_shape import Shape
from tap_utility_intervals.providers.utilityapi.bookmarks import EventBookmark
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.events import EventJob
from tap_utility_intervals.providers.utilityapi.pages import Page
from tap_utility_intervals.providers.utilityapi.rules import Rules
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.oracle import Row
from tests.providers.reading import sync_of
from tests.syncing import config

NOW = datetime(2026, 3, 20, tzinfo=timezone.utc)


class Api:
    """Pages of events, each named by its day in March; counts what was asked for."""

    def __init__(self, *pages: list[int | None] | Page | Exception) -> None:
        self.pages = pages
        self.asked = 0

    def listing(self, _: str) -> Iterator[Page]:
        for page in self.pages:
            self.asked += 1
            if isinstance(page, Exception):
                raise page
            yield page if isinstance(page, Page) else Page(list(map(event, page)))


def event(day: int | None) -> Any:
    stamp = None if day is None else f"2026-03-{day:02d}T00:00:00.000000Z"
    return {"uid": str(day), "ts": stamp}


def job(
    api: Api,
    old: Row | None = None,
    start: str | None = None,
    end: str | None = None,
    warn: Any = None,
    only: Any = MappingProxyType({}),
) -> EventJob:
    rules = Rules(
        start_date=parse_instant(start) if start else None,
        end_date=parse_instant(end) if end else None,
        lookback=timedelta(days=5),
        rescan=Rescan(0, 0),
        allow_mixed=False,
        window=None,
        now=NOW,
        latest=NOW,
    )
    return EventJob(
        cast("UtilityApi", api),
        cast("Shape", lambda item: item),
        EventBookmark.parse(old),
        lambda: rules,
        warn or (lambda _: None),
        only,
    )


def told(job: EventJob) -> tuple[list[str], Row | None]:
    """The days of the events that came, and the bookmark."""
    days: list[str] = []
    bookmark = None
    events = list(job.events())
    for found in events:
        if isinstance(found, Rows):
            days += [cast("Row", row)["uid"] for row in found.rows]
        if isinstance(found, Reached):
            bookmark = dict(found.bookmark)
    assert isinstance(events[-1], Finished)
    return days, bookmark


def at(day: int) -> str:
    return f"2026-03-{day:02d}T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("pages", "old", "days", "asked", "newest"),
    [
        ([[19, 18], [17, 2]], None, "19 18 17 2", 2, at(19)),
        ([[]], None, "", 1, None),
        # to the first page that lies whole before the look-back
        ([[19, 18], [12, 2], [1]], at(18), "19 18", 2, at(19)),
        ([[19, 14], [12, 2], [1]], at(18), "19 14", 2, at(19)),
        # what lies beyond the run's start is no bookmark
        ([[25, 19]], None, "25 19", 1, at(19)),
        # one without a time is never too old
        ([[19], [None, 1], [2]], at(18), "19 None", 3, at(19)),
        # a list in another order is read to its end
        ([[1, 2], [18, 19]], at(18), "18 19", 2, at(19)),
    ],
)
def test_how_far_events_are_read(
    pages: list[Any], old: str | None, days: str, asked: int, newest: str | None
) -> None:
    api = Api(*pages)
    entry = {"replication_key_value": old} if old else None
    found, bookmark = told(job(api, entry))
    assert (" ".join(found), api.asked) == (days, asked)
    assert bookmark == ({"replication_key_value": newest} if newest else {})


def test_bounds_filter_and_an_earlier_start_reads_more() -> None:
    pages: list[list[int | None]] = [[19, 18], [12, 3], [2, 1]]
    found, first = told(job(Api(*pages), start="2026-03-10T00:00:00Z", end=at(19)))
    assert found == ["18", "12"]
    assert first == {
        "replication_key_value": at(18),
        "since": "2026-03-10T00:00:00Z",
    }
    found, _ = told(job(Api(*pages), first, start="2026-03-02T00:00:00Z"))
    assert found == ["19", "18", "12", "3", "2"]
    found, _ = told(job(Api(*pages), first, start="2026-03-10T00:00:00Z"))
    assert found == ["19", "18"]


def test_each_event_once_although_the_list_begins_again() -> None:
    assert told(job(Api([19, 18], [19, 18], [17])))[0] == ["19", "18", "17"]


def test_a_page_that_may_hide_others_moves_no_bookmark() -> None:
    open_ended = Page([event(19)], is_open_ended=True)
    old = {"replication_key_value": at(18)}
    assert told(job(Api(open_ended), old)) == (["19"], old)


def test_a_list_that_is_not_offered_is_empty_and_one_that_fails_is_lost() -> None:
    warnings: list[str] = []
    gone = errors.Gone("utilityapi", "/events", status=404)
    assert told(job(Api(gone), warn=warnings.append)) == ([], None)
    assert warnings == ["utilityapi: /events is not offered; it is empty"]
    broken = errors.Unavailable("utilityapi", "/events", status=503)
    rows, lost = job(Api([19], broken)).events()
    assert isinstance(rows, Rows)
    assert isinstance(lost, Lost)


@pytest.mark.parametrize(
    ("times", "warned"), [(1, 0), (None, 1)], ids=["once", "for ever"]
)
@pytest.mark.parametrize("path", ["meters", "events", "bills", "authorizations"])
def test_a_list_that_lacks_next_is_asked_again_and_then_taken_for_the_last_page(
    path: str, times: int | None, warned: int
) -> None:
    with Sandbox(tiny_world()) as sandbox:
        chosen = config(sandbox, "utilityapi")
        name = f"utilityapi_{path}"
        healthy = sync_of(chosen, name)
        rule = {"kind": "change", "lacking": ["next"], "times": times}
        sandbox.faults.add(path=f"/{path}$", **rule)
        run = sync_of(chosen, name)
    assert run.rows(name) == healthy.rows(name) != []
    assert not run.failed
    told_of = [w for w in run.tap.report.warnings if f"a page of /{path} lacks" in w]
    assert len(told_of) == warned
    assert json.dumps(run.state)


def test_events_of_other_meters_are_left_out_and_another_choice_reads_anew() -> None:
    pages = [Page([{**event(day), "meter_uid": str(day % 2)} for day in (19, 18, 2)])]
    found, bookmark = told(job(Api(*pages), only={"meter_uid": ["1"]}))
    assert found == ["19"]
    assert bookmark is not None
    again, same = told(job(Api(*pages), bookmark, only={"meter_uid": ["1"]}))
    assert (again, same) == (["19"], bookmark)
    # Whoever takes in another meter wants its history, too.
    more, other = told(job(Api(*pages), bookmark, only={"meter_uid": ["0", "1"]}))
    assert more == ["19", "18", "2"]
    assert other != bookmark
    everything, plain = told(job(Api(*pages), other))
    assert everything == ["19", "18", "2"]
    assert plain == {"replication_key_value": at(19)}


@pytest.mark.parametrize("setting", ["utilityapi_meters", "utilityapi_authorizations"])
def test_the_settings_choose_events(setting: str) -> None:
    with Sandbox(tiny_world()) as sandbox:
        chosen = config(sandbox, "utilityapi")
        everything = sync_of(chosen, "utilityapi_events").rows("utilityapi_events")
        name = {"utilityapi_meters": "meter_uid"}.get(setting, "authorization_uid")
        wanted = next(row[name] for row in everything if row[name])
        some = sync_of({**chosen, setting: [wanted]}, "utilityapi_events")
        none = sync_of({**chosen, setting: ["nobody"]}, "utilityapi_events")
    expected = [row for row in everything if row[name] == wanted]
    assert some.rows("utilityapi_events") == expected
    assert not none.rows("utilityapi_events")

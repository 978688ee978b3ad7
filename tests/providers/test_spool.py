"""What two streams need is asked for once in a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tap_utility_intervals.providers.spool import Shared, Spool
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.providers.reading import ALL, asked, sync_of
from tests.syncing import Run, config

PAIRS = [
    ("usage", "utilityapi_bills"),
    ("usage", "nectar_usage_data"),
    ("nectar_documents", "nectar_line_items"),
    ("meters", "utilityapi_meters"),
    ("meters", "nectar_meters"),
    ("utilityapi_bills", "utilityapi_meters"),
    ALL,
]


def in_pages() -> Sandbox:
    """A sandbox whose lists have several pages."""
    world = tiny_world()
    world.utilityapi_options.page_size = 1
    world.utilityapi_options.bill_limit = 1
    world.nectar_options.page_size = 3
    return Sandbox(world)


def of(run: Run, stream: str) -> list[str]:
    """Records of a stream, without what differs from one run to another."""
    rows = run.rows(stream)
    for row in rows:
        row.pop("listed_at", None)
        row.pop("url", None)
    return sorted(map(str, rows))


@pytest.mark.parametrize(
    "names", PAIRS, ids=lambda names: "all" if names is ALL else " + ".join(names)
)
@pytest.mark.parametrize("workers", [1, 8])
def test_no_page_is_asked_for_twice(names: tuple[str, ...], workers: int) -> None:
    with in_pages() as sandbox:
        run = sync_of(config(sandbox, max_concurrency=workers), *names)
        assert max(asked(sandbox).values()) == 1
        assert not run.failed
        assert all(run.rows(name) for name in names)


@pytest.mark.parametrize("names", PAIRS[:-1], ids=" + ".join)
def test_both_streams_deliver_what_they_deliver_alone(names: tuple[str, ...]) -> None:
    with in_pages() as sandbox:
        together = sync_of(config(sandbox), *names)
        for name in names:
            alone = sync_of(config(sandbox), name)
            assert of(together, name) == of(alone, name)
            ours = together.state["bookmarks"][name]
            assert ours == alone.state["bookmarks"][name]


def test_the_next_run_asks_once_too() -> None:
    with in_pages() as sandbox:
        settings = config(sandbox)
        state = sync_of(settings, *ALL).state
        sandbox.world.advance(days=40)
        sandbox.forget_requests()
        run = sync_of(settings, *ALL, state=state)
        assert max(asked(sandbox).values()) == 1
        assert any(r.path.endswith("/bills") for r in sandbox.requests)
        assert run.rows("utilityapi_bills")


def test_with_unequal_bookmarks_each_stream_asks_for_its_own() -> None:
    with in_pages() as sandbox:
        settings = config(sandbox, "nectar")
        state = sync_of(settings, "usage").state
        sandbox.forget_requests()
        run = sync_of(settings, "usage", "nectar_usage_data", state=state)
        kinds = {r.query["dateType"] for r in sandbox.requests if "/usage/" in r.path}
        assert kinds == {"UPDATED_DATE", "BILL_DATE"}
        assert len(run.rows("nectar_usage_data")) > len(run.rows("usage"))


def test_a_listing_that_begins_again_is_not_mended_with_what_was_kept() -> None:
    with in_pages() as sandbox:
        sandbox.faults.add(path="/bills", query="after=", status=404)
        names = ("usage", "utilityapi_bills")
        run = sync_of(config(sandbox, "utilityapi"), *names)
        assert not run.failed
        first = [r for r in sandbox.requests if r.path.endswith("/bills")]
        again = {key: n for key, n in asked(sandbox).items() if n > 1}
        assert sum(n - 1 for n in again.values()) <= 2
        assert len(first) < 20
        ids = {row["usage_id"] for row in run.rows("usage")}
        assert ids == {row["uid"] for row in run.rows("utilityapi_bills")}
        assert len(ids) == len(run.rows("utilityapi_bills"))


def test_a_retry_is_no_second_reading() -> None:
    with in_pages() as sandbox:
        sandbox.faults.add(path="/usage/", kind="truncate")
        run = sync_of(config(sandbox, "nectar"), "usage", "nectar_usage_data")
        assert not run.failed
        assert len(run.rows("usage")) == len(run.rows("nectar_usage_data"))


ONE = [Shared("/bills", "own", frozenset({"usage"}))]


@pytest.fixture
def kept() -> Iterator[Spool]:
    made = Spool()
    made.share(ONE, {"own", "usage"})
    yield made
    made.close()


def test_a_body_is_handed_to_another_reader_and_only_once(kept: Spool) -> None:
    kept.keep("a", "usage", b"body")
    assert kept.take("a", "usage") is None
    assert kept.take("b", "own") is None
    assert kept.take("a", "own") == b"body"
    assert kept.take("a", "own") is None


def test_a_body_that_was_read_again_takes_the_place_of_the_older_one(
    kept: Spool,
) -> None:
    kept.keep("a", "usage", b"old")
    kept.keep("a", "usage", b"new")
    assert kept.take("a", "own") == b"new"


def test_only_what_two_selected_streams_read_is_kept(kept: Spool) -> None:
    alone = Spool()
    alone.share(ONE, {"own"})
    assert not alone.shares("/bills")
    assert kept.shares("/bills")
    assert not kept.shares("/billsome")
    assert not kept.shares("/meters")


def test_large_bodies_leave_memory(
    kept: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_utility_intervals.providers.spool.IN_MEMORY", 100)
    bodies = {str(n): bytes([n]) * 10_000 + str(n).encode() * 90 for n in range(50)}
    for url, body in bodies.items():
        kept.keep(url, "usage", body)
    assert {url: kept.take(url, "own") for url in bodies} == bodies


def test_a_full_disk_costs_a_second_request_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def __init__(self, **_: object) -> None:
            raise OSError("No space left on device")

    monkeypatch.setattr(
        "tap_utility_intervals.providers.spool.SpooledTemporaryFile", Full
    )
    with in_pages() as sandbox:
        run = sync_of(config(sandbox, "nectar"), "usage", "nectar_usage_data")
        assert not run.failed
        assert set(asked(sandbox).values()) == {1, 2}
        assert run.rows("usage")


def test_after_closing_nothing_is_kept(kept: Spool) -> None:
    kept.keep("a", "usage", b"body")
    kept.close()
    kept.keep("b", "usage", b"body")
    assert kept.take("a", "own") is None
    assert kept.take("b", "own") is None

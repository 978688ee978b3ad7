"""Random envelopes: both pagers end, ask their own origin alone, and lose nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile.fuzz.delivering import (
    HOST,
    MOST_REQUESTS,
    Delivery,
    answered,
    page_asked,
    valid,
)
from tests.hostile.fuzz.replaying import check

few = settings(
    derandomize=True,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow],
)

HERE = f"{HOST['utilityapi']}/intervals"
LINKS = (
    *(None, "", " ", "#", "?", "//", "/api/v2/intervals?after=1", "?after=1", "\0"),
    *("https://[", "https://utilityapi.com:x/", "https://utilityapi.com:99999/a"),
    *("http://utilityapi.com/api/v2/intervals", "//utilityapi.com/api/v2/intervals"),
    *("https://evil.example/api/v2/intervals", "https://a:b@utilityapi.com/api/v2"),
    *("https://utilityapi.com.evil.example/", "https://utilityapi.com\\@evil.example/"),
    *("HTTPS://UTILITYAPI.COM/api/v2/intervals?after=1", f"{HERE}?after=\ud800"),
    *("javascript:alert(1)", "file:///etc/passwd", f"{HERE}?after=é#x", f" {HERE}"),
    *("https://utilityapi.com:443/api/v2/intervals?after=2", f"{HERE}?{'a' * 9000}"),
    *("https://utilityapi.com/api/v2/../../etc", "https://utilityapi.com/nowhere"),
    *(f"{HERE}?after=1\n", f"{HERE}\t?after=1", f"{HERE}?after=1", f"{HERE}?after=2"),
)
links = st.one_of(
    st.sampled_from(LINKS),
    st.sampled_from(LINKS),
    st.integers(0, 6).map(lambda n: f"{HERE}?after={n}"),
    st.sampled_from([5, True, [], {}, ["a"]]),
    st.text(max_size=12),
    st.text(max_size=12).map(lambda text: f"{HERE}?after={text}"),
)
flags: st.SearchStrategy[Any] = st.sampled_from(
    [True, False, None, "true", 1, 0, {}, "absent"]
)
counts = st.sampled_from([0, 1, 2, 3, 4, 5, -1, 10**12, None, "2", 1.5, True, "absent"])


def page(name: str, items: Sequence[Any], **more: Any) -> bytes:
    told = {key: value for key, value in more.items() if value != "absent"}
    return json.dumps({**told, name: items}).encode()


OBJECTS: list[Any] = json.loads(valid("utilityapi_intervals"))["intervals"]
ROWS: list[Any] = json.loads(valid("nectar_intervals"))["intervals"]


@few
@given(st.lists(links, min_size=1, max_size=6), st.booleans(), flags)
def test_next_links_of_every_shape(
    chain: list[Any],
    empties: bool,  # noqa: FBT001
    incomplete: Any,
) -> None:
    asked: dict[str, int] = {}

    def answer(entry: str, url: str) -> bytes:
        if entry != "utilityapi_intervals":
            return valid(entry)
        meter = parse_qs(urlsplit(url).query).get("meters", ["101"])[0]
        place = asked[meter] = asked.get(meter, -1) + 1
        items = [] if empties and place % 2 else OBJECTS
        link = chain[place % len(chain)]
        return page("intervals", items, next=link, is_incomplete=incomplete)

    delivery = answered("utilityapi_intervals", answer)
    assert_ended(delivery, "utilityapi")
    if chain[0] is None or chain[0] == "":
        assert len(delivery.rows["intervals"]) == 16


@few
@given(
    st.lists(st.tuples(counts, counts, counts, flags), min_size=1, max_size=5),
    st.lists(st.lists(st.integers(0, 7), max_size=5), min_size=1, max_size=5),
)
def test_pages_of_every_number(
    envelopes: list[tuple[Any, Any, Any, Any]], pages: list[list[int]]
) -> None:
    def answer(entry: str, url: str) -> bytes:
        if entry != "nectar_intervals":
            return valid(entry)
        place = page_asked(url) - 1
        total, number, last, more = envelopes[place % len(envelopes)]
        items = [ROWS[n] for n in pages[place % len(pages)]]
        return page(
            "intervals",
            items,
            totalIntervals=total,
            currentPage=number,
            totalPages=last,
            hasNext=more,
        )

    delivery = answered("nectar_intervals", answer)
    assert_ended(delivery, "nectar")
    source = delivery.report.sources("nectar")
    sent = {ROWS[n]["id"] for n in pages[0]}
    if "done" in {outcome.value for outcome in source.values()}:
        assert sent <= {row["source_id"] for row in delivery.rows["intervals"]}


@few
@given(st.integers(1, 4), st.integers(1, 8), st.permutations(range(8)))
def test_an_honest_pager_delivers_every_row(
    size: int, count: int, order: list[int]
) -> None:
    rows = [ROWS[n] for n in order[:count]]
    pages = [rows[at : at + size] for at in range(0, len(rows), size)]

    def answer(entry: str, url: str) -> bytes:
        if entry != "nectar_intervals":
            return valid(entry)
        number = min(page_asked(url), len(pages))
        return page(
            "intervals",
            pages[number - 1],
            totalIntervals=len(rows),
            currentPage=number,
            totalPages=len(pages),
            hasNext=number < len(pages),
        )

    delivery = answered("nectar_intervals", answer)
    assert_ended(delivery, "nectar")
    assert delivery.is_healthy
    found = [row["source_id"] for row in delivery.rows["intervals"]]
    assert sorted(found) == sorted(row["id"] for row in rows)


def assert_ended(delivery: Delivery, provider: str) -> None:
    check(delivery)
    assert len(delivery.asked) <= MOST_REQUESTS
    host = urlsplit(HOST[provider])
    for url in map(urlsplit, delivery.asked):
        assert (url.scheme, url.hostname, url.username) == (
            "https",
            host.hostname,
            None,
        )
        assert url.port in {None, 443}

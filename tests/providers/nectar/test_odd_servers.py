"""Servers that filter, count or page in their own way: every row comes, or is told.

Windows are cut as if memory were a tenth of what it is, so that lists may be short.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.clock import nobody_waits
from tests.syncing import Run, sync

BEGIN = datetime(2025, 1, 1, tzinfo=timezone.utc)
TODAY = datetime(2025, 6, 1, 7, 34, 39, tzinfo=timezone.utc)
"""By the servers' clock, whatever ours says: windows are cut from there."""
HOUR = timedelta(hours=1)

Row = dict[str, Any]
Query = dict[str, str]


def row_at(number: int, begin: datetime = BEGIN, step: timedelta = HOUR) -> Row:
    start = begin + number * step
    return {
        "id": f"i{number:06}",
        "account": "a1",
        "identifiers": [{"name": "METER", "value": "1"}],
        "start": start.isoformat().replace("+00:00", "Z"),
        "end": (start + step).isoformat().replace("+00:00", "Z"),
        "usage": str(number),
        "usageUnits": "kWh",
        "created": "2025-01-01T00:00:00Z",
        "updated": "2025-01-01T00:00:00Z",
    }


@dataclass
class Odd:
    """One connection of one company, and what is odd about how it is listed."""

    rows: list[Row]
    ignores: frozenset[str] = frozenset()
    cap: int | None = None
    """`totalIntervals` never says more."""
    page_cap: int | None = None
    """No page holds a row beyond so many."""
    shift: timedelta = timedelta(0)
    """Bounds are read so much later than they were meant."""
    order: Callable[[list[Row]], list[Row]] = list
    arrive: Callable[[Odd, int], None] | None = None
    asked: list[Query] = field(default_factory=list)
    meter_numbers: tuple[str, ...] = ("1",)
    today: datetime = TODAY
    turn: Lock = field(default_factory=Lock)
    """Held by the question that is answered: each has a number of its own."""

    @property
    def identifiers(self) -> list[Row]:
        """What names the only meter."""
        return [{"name": "METER", "value": one} for one in self.meter_numbers]

    def respond(self, path: str, query: Query) -> Any:
        if path == "/company":
            return [{"id": "co", "name": "Co", "sites": []}]
        if path == "/connection/company/co":
            accounts = [{"id": "a1", "meters": ["m1"]}]
            return envelope("connections", [{"id": "c1", "accounts": accounts}])
        if path == "/meter/company/co":
            meter = {"id": "m1", "account": "a1", "datasourceType": "ELECTRICITY"}
            meter["identifiers"] = self.identifiers  # type: ignore[assignment]
            return envelope("meters", [meter])
        if path == "/usage/company/co":
            return envelope("usageData", [])
        assert path == "/interval/connection/c1", path
        self.asked.append(query)
        if self.arrive is not None:
            self.arrive(self, len(self.asked))
        return self.page(query)

    def page(self, query: Query) -> Any:
        found = self.order([r for r in self.rows if self.lets_through(r, query)])
        total = len(found) if self.cap is None else min(len(found), self.cap)
        if self.page_cap is not None:
            found = found[: self.page_cap]
        pages = max(-(-min(len(found), total) // 100), 1)
        number = min(int(query.get("page", 1)), pages)
        return {
            "totalIntervals": total,
            "perPage": 100,
            "totalPages": pages,
            "currentPage": number,
            "hasNext": number < pages,
            "hasPrevious": number > 1,
            "intervals": found[100 * (number - 1) : 100 * number],
        }

    def lets_through(self, row: Row, query: Query) -> bool:
        start = query.get("startDate") if "startDate" not in self.ignores else None
        end = query.get("endDate") if "endDate" not in self.ignores else None
        return not (
            (start and moment(row["start"]) < moment(start) + self.shift)
            or (end and moment(row["end"]) > moment(end) + self.shift)
        )

    @contextmanager
    def serving(self) -> Iterator[str]:
        odd = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer in one piece: its second would wait for an ACK

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {n: v[0] for n, v in parse_qs(parts.query).items()}
                with odd.turn:
                    body = json.dumps(odd.respond(parts.path, query)).encode()
                self.send_response_only(200)
                self.send_header("Date", format_datetime(odd.today, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def sync(
        self, state: Row | None = None, out: StringIO | None = None, **settings: Any
    ) -> Run:
        with self.serving() as url:
            given = {
                "nectar_api_key": "k",
                "nectar_base_url": url,
                "max_retries": 0,
                "full_rescan_days": 0,
                **settings,
            }
            return sync(given, state, out=out)


def envelope(name: str, rows: list[Row]) -> Row:
    total = f"total{name[0].upper()}{name[1:]}"
    return {total: len(rows), "currentPage": 1, "hasNext": False, name: rows}


@cache
def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def numbers(run: Run) -> list[int]:
    """The readings that came, each as often as it came."""
    return sorted(int(row["quantity"]) for row in run.rows("intervals"))


def hours(count: int) -> list[Row]:
    return [row_at(number) for number in range(count)]


def newest_first(rows: list[Row]) -> list[Row]:
    return rows[::-1]


def shuffled(rows: list[Row]) -> list[Row]:
    return random.Random(7).sample(rows, len(rows))


@pytest.fixture(autouse=True)
def _small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    package = "tap_utility_intervals.providers.nectar"
    monkeypatch.setattr(f"{package}.intervals.windows.MOST_ROWS", 1_000)


ORDERS = [list, newest_first, shuffled]


@dataclass
class Endless(Odd):
    """After every page of a list comes a further one, with rows that are new."""

    name: str = ""
    promised: Callable[[int], Row] = lambda _: {}

    def respond(self, path: str, query: Query) -> Any:
        if not path.startswith(f"/{self.name}/"):
            return super().respond(path, query)
        self.asked.append(query)
        number = int(query.get("page", 1))
        fresh = [row_at(100 * number + one) for one in range(100)]
        names = {"interval": "intervals", "usage": "usageData"}
        page = {"currentPage": number, "hasNext": True} | self.promised(number)
        return page | {names.get(self.name, f"{self.name}s"): fresh}


@pytest.mark.parametrize("promised", [{}, {"totalPages": 10**9}], ids=["", "pages"])
@pytest.mark.parametrize("name", ["usage", "meter", "connection"])
def test_a_list_without_an_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, name: str, promised: Row
) -> None:
    package = "tap_utility_intervals.providers.nectar"
    monkeypatch.setattr(f"{package}.client.MOST_PAGES", 30)
    odd = Endless([], name=name, promised=lambda _: promised)
    run = odd.sync()
    told = " ".join(run.tap.report.reasons.values())
    assert "sent 30 pages of a list, and has more" in told
    assert run.tap.report.failed
    assert len(odd.asked) < 50


@pytest.mark.parametrize(
    "total", [lambda _: 250, lambda page: 100 * page + 1], ids=["fixed", "growing"]
)
def test_intervals_without_an_end_are_given_up(total: Callable[[int], int]) -> None:
    odd = Endless([], name="interval", promised=lambda n: {"totalIntervals": total(n)})
    with nobody_waits():
        run = odd.sync()
    assert run.tap.report.failed
    assert any("interval" in one for one in run.tap.report.reasons.values())
    assert len(odd.asked) < 500


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("cap", "rows"), [(2, 51), (25, 80), (50, 51), (50, 99)])
def test_a_short_list_that_ends_too_soon_costs_no_row_or_is_told(
    cap: int, rows: int, order: Callable[[list[Row]], list[Row]]
) -> None:
    odd = Odd(hours(rows), cap=cap, order=order, page_cap=cap)
    with nobody_waits():
        run = odd.sync()
    assert numbers(run) == list(range(rows)) or run.tap.report.failed


@pytest.mark.parametrize("count", [900, 1_001])
@pytest.mark.parametrize(
    "ignores", [{"startDate", "endDate"}, {"startDate"}, {"endDate"}], ids=sorted
)
@pytest.mark.parametrize("window_days", [None, 30])
def test_a_filter_that_is_ignored_costs_no_row(
    count: int, ignores: set[str], window_days: int | None
) -> None:
    odd = Odd(hours(count), ignores=frozenset(ignores))
    run = odd.sync(window_days=window_days)
    assert numbers(run) == list(range(count))
    assert not run.tap.report.failed


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("cap", "count"), [(200, 350), (1_000, 1_200), (300, 301)])
@pytest.mark.parametrize("pages", [False, True], ids=["totals", "totals and pages"])
def test_totals_that_end_at_some_number_cost_no_row(
    cap: int, count: int, order: Callable[[list[Row]], list[Row]], *, pages: bool
) -> None:
    odd = Odd(hours(count), cap=cap, order=order, page_cap=cap if pages else None)
    run = odd.sync()
    assert numbers(run) == list(range(count))
    assert not run.tap.report.failed


@pytest.mark.parametrize("shift", [-14, -8, -1, 1, 8, 14])
@pytest.mark.parametrize("window_days", [None, 10])
@pytest.mark.parametrize("start_date", [None, "2025-02-01"])
def test_bounds_that_are_read_in_another_zone_cost_no_row(
    shift: int, window_days: int | None, start_date: str | None
) -> None:
    odd = Odd(hours(1_200), shift=timedelta(hours=shift))
    run = odd.sync(window_days=window_days, start_date=start_date)
    first = 31 * 24 if start_date else 0
    assert numbers(run) == list(range(first, 1_200)) or run.tap.report.failed


def test_rows_that_arrive_while_windows_are_planned_come() -> None:
    late = [row_at(number) for number in range(300, 494)]

    def arrive(odd: Odd, number: int) -> None:
        if number == 20:
            odd.rows = [*odd.rows, *late]

    odd = Odd([r for r in hours(2_500) if r not in late], arrive=arrive)
    run = odd.sync(window_days=30)
    assert numbers(run) == list(range(2_500))
    assert not run.tap.report.failed


def test_a_month_that_arrives_while_it_is_counted_is_no_hole() -> None:
    month = range(1_000, 1_720)

    def arrive(odd: Odd, number: int) -> None:
        if number == 12:
            odd.rows = hours(3_000)

    odd = Odd([r for r in hours(3_000) if int(r["usage"]) not in month], arrive=arrive)
    run = odd.sync()
    assert numbers(run) == list(range(3_000))


def test_a_row_that_is_listed_twice_hides_no_hole() -> None:
    def arrive(odd: Odd, number: int) -> None:
        if number == 12:
            odd.rows = [*hours(3_000), row_at(5)]

    rows = [r for r in hours(3_000) if not 1_000 <= int(r["usage"]) < 1_720]
    run = Odd([*rows, row_at(5)], arrive=arrive).sync()
    assert numbers(run) == list(range(3_000))


@pytest.mark.parametrize("rows_of_an_id", [2, 7, 200])
def test_readings_that_share_an_id_all_come_or_it_is_told(rows_of_an_id: int) -> None:
    rows = [{**row, "id": f"i{n // rows_of_an_id}"} for n, row in enumerate(hours(200))]
    with nobody_waits():
        run = Odd(rows).sync()
    assert numbers(run) == list(range(200)) or run.tap.report.failed
    assert len(set(numbers(run))) == len(numbers(run))

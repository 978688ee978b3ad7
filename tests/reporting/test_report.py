"""`utility-intervals report` in a browser: its numbers are those of the models."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from scripts.browser import Browser, browser, chromium
from tap_utility_intervals.cli import main
from tap_utility_intervals.commands.report import report
from tap_utility_intervals.reporting import writing
from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.reporting.page import ASSETS, Page, number, observed
from tap_utility_intervals.reporting.series import rounded, series
from tap_utility_intervals.reporting.warehouse import Wanted, asked
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.store.base import Pending, Table
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.loading import load
from tap_utility_intervals.store.postgres import PostgreSQL
from tests.docs.test_analysis import BLOCK, PAGE
from tests.models.building import ZONED
from tests.models.world import AS_OF, models_world
from tests.oracle import KEYS, Row
from tests.syncing import config
from tests.warehouses.server import DATABASE, PASSWORD, USER, postgres
from tests.warehouses.worlds import GONE, OLD

HOSTILE = "</script><img src=x onerror=alert(1)>'\"{{ 7 * 7 }}"
TABLES = ("intervals", "meters", "usage", "coverage", "restatements", "zones")
SECTIONS = (
    *("Load by day and hour", "Load over time", "Average day", "Load duration"),
    *("Bills beside intervals", "Gaps", "Month by month", "Checks that did not pass"),
    "Restated and withdrawn",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse after two runs, with names that want to be more than names."""
    made = tmp_path_factory.mktemp("report")
    store = DuckDB(made / "warehouse.duckdb")
    with Sandbox(models_world()) as sandbox:
        load(config(sandbox), store)
        sandbox.world.advance(days=1)
        load(config(sandbox), store)
    with duckdb.connect(made / "warehouse.duckdb") as db:
        db.execute(ZONED.format(meters="meters"))
        for column in ("utility", "source_meter_id", "service_address"):
            sql = f"update meters set {column} = $1 where meter_key = '{OLD}'"
            db.execute(sql, [HOSTILE])
        db.execute(
            "insert into usage (provider, usage_id, meter_key, quantity, unit,"
            " listed_at) select provider, 'undated', meter_key, 7, 'kWh',"
            " max(listed_at) from usage"
            f" where meter_key = '{OLD}' group by provider, meter_key"
        )
    write(made)
    return made


def write(folder: Path, *more: str, of: str = "warehouse.duckdb") -> str:
    """Make a report there; the page."""
    words = ["--warehouse", str(folder / of), "--out", str(folder / "report.html")]
    words += ["--as-of", AS_OF, "--time-zone", "zones"]
    done = CliRunner().invoke(main, ["report", *words, *more])
    assert done.exit_code == 0, done.output
    return (folder / "report.html").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Opened:
    """The report in a browser, and the models as the package has them."""

    browser: Browser
    url: str
    models: duckdb.DuckDBPyConnection

    def rows(self, sql: str, *values: object) -> list[Row]:
        done = self.models.execute(sql, values)
        names = [column[0] for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def table(self, article: str, name: str) -> list[list[str]]:
        """The cells of one table of a meter."""
        rows = f"#{article} [aria-label='{name}'] tbody tr"
        found: list[list[str]] = self.browser.ask(
            f'[...document.querySelectorAll("{rows}")]'
            ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
        return found

    def show(self, article: str) -> None:
        """Go to a meter; what there is to draw of it is drawn."""
        one = f"document.getElementById('{article}')"
        self.browser.ask(f"{one}.scrollIntoView()")
        self.browser.until(
            f"!{one}.querySelector('script') || {one}.querySelector('.uplot canvas')"
        )
        self.browser.settle()


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[Opened]:
    try:
        chromium()
    except FileNotFoundError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    kept = folder / "opened.html"
    kept.write_bytes((folder / "report.html").read_bytes())
    variables = {
        "utility_intervals_as_of": AS_OF,
        "utility_intervals_time_zones": "w.main.zones",
        "utility_intervals_schema": "main",
    }
    with duckdb.connect() as db, browser() as tab:
        db.execute("set TimeZone = 'UTC'")
        db.execute(f"attach '{folder / 'warehouse.duckdb'}' as w (read_only)")
        for name in TABLES[:-1]:
            db.execute(f"create view {name} as from w.main.{name}")
        models = Models("duckdb", "memory", "main", variables)
        for name in models:
            db.execute(f'create table "{name}" as {models.sql(name)}')
        yield Opened(tab, kept.as_uri(), db)


def meters(opened: Opened) -> dict[str, str]:
    """The article of each meter, in the order of their keys."""
    listed = opened.rows(
        "select provider, meter_key from meters group by all order by all"
    )
    return {r["meter_key"]: f"meter-{n}" for n, r in enumerate(listed, 1)}


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_asks_nothing_of_the_network_and_fits(
    opened: Opened, width: int, *, dark: bool
) -> None:
    opened.browser.open(opened.url, width, dark=dark)
    for article in meters(opened).values():
        opened.show(article)
    assert opened.browser.complaints() == []
    assert opened.browser.requests() == [opened.url]
    root = "document.documentElement"
    assert opened.browser.ask(f"{root}.scrollWidth") == width
    wide = opened.browser.ask(
        "[...document.querySelectorAll('main *, header *, nav *')].filter(one =>"
        " !one.closest('.scroll, .strip') && one.getBoundingClientRect().right >"
        " innerWidth + 1).length"
    )
    assert wide == 0
    paper, ink = opened.browser.ask(
        "['backgroundColor', 'color'].map(name => Math.max(..."
        "getComputedStyle(document.body)[name].match(/\\d+/g)))"
    )
    assert (paper < 64, ink > 192) == (dark, dark)


def test_every_section_is_there_and_drawn(opened: Opened) -> None:
    opened.browser.open(opened.url)
    article = meters(opened)[OLD]
    opened.show(article)
    heads = f"[...document.querySelectorAll('#{article} h3')].map(h => h.innerText)"
    assert set(opened.browser.ask(heads)) == set(SECTIONS)
    colours = opened.browser.ask(f"""(() => {{
        const one = document.querySelector('#{article} .heat .plot canvas');
        const drawn = one.getContext('2d').getImageData(40, 4, one.width - 40, 200);
        return new Set(new Uint32Array(drawn.data.buffer)).size;
    }})()""")
    assert colours > 20
    plots = f"document.querySelectorAll('#{article} .uplot').length"
    assert opened.browser.ask(plots) >= 3
    unnamed = "[...document.querySelectorAll('canvas')].filter(one => !one.closest("
    unnamed += "'[role=img][aria-label], [aria-hidden]')).length"
    assert opened.browser.ask(unnamed) == 0


def test_zoom_by_mouse_by_button_and_from_the_heat_map(opened: Opened) -> None:
    browser = opened.browser
    browser.open(opened.url)
    article = meters(opened)[OLD]
    over = f"document.querySelector('#{article} .u-over')"
    told = f"document.querySelector('#{article} output').innerText"
    opened.show(article)
    browser.ask(f"{over}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
    browser.settle()
    whole = browser.ask(told)
    box = browser.ask(f"{over}.getBoundingClientRect().toJSON()")
    middle = box["y"] + box["height"] / 2
    places = [box["x"] + box["width"] * share for share in (0.4, 0.5, 0.6)]
    browser.mouse("mouseMoved", places[0], middle)
    browser.mouse("mousePressed", places[0], middle, held=True)
    browser.mouse("mouseMoved", places[1], middle, held=True)
    browser.mouse("mouseMoved", places[2], middle, held=True)
    browser.mouse("mouseReleased", places[2], middle, held=True)
    browser.settle()
    part = browser.ask(told)
    assert days(part) == pytest.approx(days(whole) / 5, abs=2)
    for button, wanted in (("week", 7), ("later", 7), ("month", 30)):
        browser.ask(
            f"document.querySelector('#{article} [data-zoom={button}]').click()"
        )
        browser.settle()
        assert days(browser.ask(told)) == pytest.approx(wanted, abs=1), button
    browser.ask(f"document.querySelector('#{article} [data-zoom=all]').click()")
    browser.settle()
    assert browser.ask(told) == whole
    heat = f"document.querySelector('#{article} .heat .plot canvas')"
    box = browser.ask(f"({heat}.scrollIntoView({{block: 'center'}}),"
                      f" {heat}.getBoundingClientRect().toJSON())")  # fmt: skip
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    browser.mouse("mouseMoved", x, y)
    tip = browser.ask(f"document.querySelector('#{article} .tip').innerText")
    browser.mouse("mousePressed", x, y, held=True)
    browser.mouse("mouseReleased", x, y, held=True)
    browser.settle()
    first, last = map(date.fromisoformat, browser.ask(told).split(" to "))
    (day,) = re.findall(r"\d{4}-\d\d-\d\d", tip)
    assert first < date.fromisoformat(day) < last <= first + timedelta(7)


def days(told: str) -> int:
    first, last = map(date.fromisoformat, told.split(" to "))
    return (last - first).days


def test_names_are_text_and_nothing_else(opened: Opened, folder: Path) -> None:
    opened.browser.open(opened.url)
    shown = f"document.querySelector('#{meters(opened)[OLD]} h2').innerText"
    assert opened.browser.ask(shown) == f"Meter {HOSTILE}"
    assert opened.browser.ask("document.querySelectorAll('img').length") == 0
    assert HOSTILE not in (folder / "opened.html").read_text(encoding="utf-8")


def test_its_numbers_are_those_of_the_models(opened: Opened) -> None:
    opened.browser.open(opened.url)
    for key, article in meters(opened).items():
        channels = "int_utility_intervals__channels where meter_key = $1"
        (last,) = opened.rows(f"select max(last_end) as at from {channels}", key)
        since = last["at"].date() - timedelta(366)
        pictured(opened, key, article, since)
        of = "where meter_key = $1 and"
        gaps = opened.rows(
            f"select distinct gap_start, gap_end, reason, max(missing_readings) over ("
            f"partition by gap_start, gap_end) as n from utility_intervals__gaps {of}"
            " gap_end >= $2", key, since,
        )  # fmt: skip
        assert sorted((row[0], row[1], row[3], row[4]) for row in
                      opened.table(article, "Gaps")) == sorted(
            (f"{r['gap_start']:%Y-%m-%d %H:%M}", f"{r['gap_end']:%Y-%m-%d %H:%M}",
             f"{r['n']:,}", r["reason"]) for r in gaps)  # fmt: skip
        bills = opened.rows(
            f"select * from utility_intervals__bill_check {of}"
            " coalesce(period_end_date, cast(period_end as date), $2) >= $2"
            " order by period_start_date, usage_id",
            key, since,
        )  # fmt: skip
        assert [(row[1], row[2], row[8]) for row in
                opened.table(article, "Bills beside intervals")] == [
            (f"{r['billed_quantity']:,.2f}", two(r["interval_quantity"]),
             r["cause"] or "agrees") for r in bills]  # fmt: skip
        checks = opened.rows(
            f"select check_name from utility_intervals__checks {of} period_end >= $2",
            key, since,
        )  # fmt: skip
        assert len(opened.table(article, "Checks")) == len(checks) < 200
        months = opened.rows(
            "select local_month, percent from utility_intervals__completeness"
            " join int_utility_intervals__channels using (provider, meter_key, channel)"
            f" {of} is_chosen and local_month >= date_trunc('month', $2) order by 1",
            key, since,
        )  # fmt: skip
        assert [(row[0][:7], row[-1]) for row in
                opened.table(article, "Month by month")] == [
            (f"{r['local_month']:%Y-%m}", f"{r['percent']:,.1f} %") for r in months
        ]  # fmt: skip
    restated = opened.rows("select count(*) as n from restatements")[0]["n"]
    tiles = opened.browser.ask(
        "Object.fromEntries([...document.querySelectorAll('#overview .tiles div')]"
        ".map(one => one.innerText.split('\\n')))"
    )
    assert tiles["Restated readings"] == str(restated) != "0"
    assert tiles["Meters"] == str(len(meters(opened)))
    withdrawn = opened.table(meters(opened)[OLD], "Withdrawn readings")
    assert {row[0] for row in withdrawn} == {"2026-03-18 12:00"}


def two(value: Any) -> str:
    return "\N{EN DASH}" if value is None else f"{value:,.2f}"


def pictured(opened: Opened, key: str, article: str, since: date) -> None:
    """What is drawn is the models' hours; the months' kWh are the sums of its days."""
    drawn = opened.browser.ask(f"JSON.parse(document.querySelector('#{article}"
                               " script')?.textContent ?? 'null')")  # fmt: skip
    of = "where meter_key = $1 and"
    hours = opened.rows(
        f"select * from utility_intervals__hourly {of} local_hour >= $2", key, since
    )
    if not hours:
        assert drawn is None or drawn["step"] == 86400
        return
    start = datetime.fromisoformat(drawn["start"])
    assert {
        start + timedelta(hours=n): kwh
        for n, kwh in enumerate(drawn["kwh"])
        if n not in drawn["absent"]
    } == {r["local_hour"]: rounded(r["chosen_kwh"]) for r in hours}
    sums: dict[str, Any] = defaultdict(int)
    for r in opened.rows(
        f"select * from utility_intervals__daily {of} local_date >= $2", key, since
    ):
        sums[f"{r['local_date']:%Y-%m}"] += r["chosen_kwh"] or 0
    months = opened.table(article, "Month by month")
    shown = {row[0]: row[1] for row in months if row[1] != "\N{EN DASH}"}
    assert shown == {name: f"{kwh:,.2f}" for name, kwh in sums.items() if kwh}


def test_whose_meters_they_are_is_said_only_when_asked(folder: Path) -> None:
    page = write(folder)
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as db:
        (addresses,), (numbers,), (keys,) = (
            db.execute(f"select list(distinct {sql}) from meters").fetchall()[0]
            for sql in ("service_address", "account_number",
                        "meter_key) filter (meter_key like '%:%'")
        )  # fmt: skip
    personal = {one for one in (*addresses, *numbers, *keys) if one and one != HOSTILE}
    assert len(personal) > 5
    assert {one for one in personal if one in page} == set()
    named = write(folder, "--names")
    assert {one for one in personal if one not in named} == set()
    assert HOSTILE not in named


def test_many_meters_are_a_table_and_a_file_each(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "TOGETHER", 3)
    page = write(folder)
    links = set(re.findall(r'href="(report/[^"]+)"', page))
    assert {f"report/{one.name}" for one in (folder / "report").iterdir()} == links
    assert len(links) > 3
    for link in links:
        one = (folder / link).read_text(encoding="utf-8")
        assert 'href="../report.html"' in one
        assert one.count("<article") == 1
    assert "<article" not in page


def test_one_meter_since_a_day(folder: Path) -> None:
    page = write(folder, "--meter", GONE, "--since", "2026-03-18")
    assert page.count("<article") == 1
    assert "since 2026-03-18" in page
    assert "no longer listed by the provider" in page


def test_a_meter_that_was_silent_before_still_needs_a_person(folder: Path) -> None:
    page = write(folder, "--meter", OLD, "--since", "2026-03-28")
    assert "silent for 8 days" in page
    assert "No readings since 2026-03-28" in page
    assert "tell the zone" not in page
    assert "\N{EN DASH} %" not in page


def test_what_a_check_saw_has_its_unit() -> None:
    """And nothing is less than zero that is none."""
    rows: list[Row] = [
        {"check_name": name, "observed": value, "limit_value": limit}
        for name, value, limit in (
            ("gap_check", 10752.0, 0.0), ("spike_check", 210.217, 180.0),
            ("spike_check", 16777.215, None), ("sum_check", None, 2.0),
            ("staleness_check", 60.75, 7.0), ("negative_consumption_check", -0.25, 0),
        )
    ]  # fmt: skip
    assert [(observed(row), observed(row, "limit_value")) for row in rows] == [
        ("10,752 readings", "0 readings"), ("210.22 %", "180 %"),
        ("16,777.22", "\N{EN DASH}"), ("\N{EN DASH}", "2 %"),
        ("60.75 days", "7 days"), ("-0.25", "0"),
    ]  # fmt: skip
    assert (number(Decimal("-0.001")), number(-0.001, 0)) == ("0.00", "0")


def test_a_lake_has_the_same_report(folder: Path) -> None:
    lake = folder / "lake" / "data" / "0000000001"
    lake.mkdir(parents=True)
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as db:
        db.execute("set TimeZone = 'UTC'")
        for name in TABLES:
            db.execute(f"copy {name} to '{lake / name}.parquet'")
    assert write(folder, of="lake").replace("lake", "warehouse.duckdb") == write(folder)


@pytest.mark.slow
def test_postgresql_has_the_same_report_and_the_same_answers(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    file = folder / "warehouse.duckdb"
    pending = Pending()
    with duckdb.connect(file, read_only=True) as db:
        db.execute("set TimeZone = 'UTC'")
        for name in TABLES:
            rows = db.sql(f"from {name}").to_arrow_table()
            for batch in rows.to_batches():
                pending.add(Table(name, rows.schema, tuple(KEYS.get(name, ()))), batch)
    wanted = Wanted(time_zone="zones", as_of=AS_OF)
    head = Page("both", datetime.fromisoformat(AS_OF), names=True)
    with postgres() as server:
        url = f"postgresql://{USER}@127.0.0.1:{server.port}/{DATABASE}"
        store = PostgreSQL(url)
        with store.alone():
            store.commit(pending)
        with asked(url, None, wanted) as one, asked(str(file), None, wanted) as other:
            (there,) = writing.write(one, head, folder / "postgres.html", None)
            (here,) = writing.write(other, head, folder / "duckdb.html", None)
            assert there.read_text(encoding="utf-8") == here.read_text(encoding="utf-8")
            for language, sql, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
                if language == "sql":
                    found = [[*map(plain, row.values())] for row in one.rows(sql)]
                    assert found == [
                        [*map(plain, row.values())] for row in other.rows(sql)
                    ], sql
                    assert found


def plain(value: Any) -> Any:
    """A number to six places, whatever its type; anything else as a text."""
    if isinstance(value, Decimal | float):
        return round(float(value), 6)
    return value and str(value)[:19]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.duckdb"], "There is no nowhere.duckdb."),
        (["empty.duckdb"], "There is no table intervals."),
        (["text.duckdb"], "text.duckdb: "),
        (["warehouse.duckdb", "--schema", "other"], "There is no table intervals."),
        (
            ["warehouse.duckdb", "--time-zone", "Mars"],
            "--time-zone Mars: neither a zone",
        ),
        (["warehouse.duckdb", "--meter", "none"], "There is no meter to report on."),
        (["warehouse.duckdb", "--out", "no/where.html"], "no/where.html: No such file"),
        (["postgresql://me:secret@h/d"], "leave the password out of the command line"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    duckdb.connect("empty.duckdb").close()
    Path("text.duckdb").write_text("no database\n")
    done = CliRunner().invoke(report, ["--warehouse", *words])
    assert done.exit_code in {1, 2}
    assert told in done.output
    assert "secret" not in done.output


def test_the_hours_of_a_picture() -> None:
    """What came, for how long, and what was never there: nights of spring, autumn."""
    at = partial(datetime, 2026, 3, 8)
    row = {"received_kwh": None, "received_seconds": 3600, "chosen_kwh": 0.25}
    rows = [
        {**row, "local_hour": at(1)},
        {**row, "local_hour": at(3), "chosen_kwh": 1234.5},
        {**row, "local_hour": at(4), "chosen_kwh": None,
         "received_seconds": 0},
        {**row, "local_hour": at(5), "received_seconds": 7200},
    ]  # fmt: skip
    found = json.loads(series(rows, [], [date(2026, 3, 8)]) or "")
    assert found["kwh"][:7] == [None, 0.25, None, 1234, None, 0.25, None]
    assert found["absent"] == [0, 2, *range(6, 24)]
    assert found["seconds"] == [[4, 0], [5, 7200]]
    assert (found["sent"], found["again"]) == (None, ["2026-03-08"])
    assert series([], [], []) is None


def test_uplot_is_the_released_file() -> None:
    """As `uplot` 1.6.32 has it at the npm registry."""
    wanted = {
        "uPlot.iife.min.js": "19c8d4c6ad88929a",
        "uPlot.min.css": "df630c6a8d6f8eea",
        "uPlot.LICENSE": "8f989229699b4fe2",
    }
    found = {n: hashlib.sha256((ASSETS / n).read_bytes()).hexdigest() for n in wanted}
    assert {name: digest[:16] for name, digest in found.items()} == wanted

"""`dbt build` in DuckDB and PostgreSQL: every model's rows are what the world says."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pytest

from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.sandbox import World
from tests.models import checking, expected, odd
from tests.models.expected import Compared, Found, Gap, Reading, shown
from tests.models.world import AS_OF, ODD, SENTINEL, ZONES, models_world, tables
from tests.oracle import KEYS, Row
from tests.packaging.tree import ROOT
from tests.warehouses.server import DATABASE, PASSWORD, USER, postgres
from tests.warehouses.stores import STREAMS, InDuckDB, InPostgreSQL
from tests.warehouses.worlds import GONE, NEW, OLD

pytestmark = pytest.mark.slow

VARIABLES = {
    "utility_intervals_schema": "utility_intervals",
    "utility_intervals_time_zones": "utility_intervals.zones",
    "utility_intervals_as_of": AS_OF,
}
"""DuckDB's tables lie in another schema than its models, PostgreSQL's in theirs."""
ZONED = " union all ".join(
    f"select distinct provider, meter_key, '{zone}' from meters"
    f" where meter_key like '%:{name}'"
    for name, zone in ZONES.items()
    if name.startswith("T")
)


CHECKS = {
    f"{name}_check"
    for name in (
        *("gap", "interval_size", "duplicate", "overlap", "sum", "spike"),
        *("zero_consumption", "negative_consumption", "prolonged_estimation"),
        *("unit_of_measure", "staleness"),
    )
}


@dataclass
class Built:
    """A warehouse after `dbt build`, the world, and where compiled models are."""

    ask: Callable[[str], list[Row]]
    before: World
    after: World
    rows: list[Reading]
    models: Models
    target: Path

    @cached_property
    def gaps(self) -> list[Gap]:
        return expected.gaps(self.rows, [*expected.promises(), *odd.promises()])

    @cached_property
    def bills(self) -> list[Compared]:
        billed = [*expected.bills(self.before, self.after), *odd.bills()]
        return expected.bill_check(self.rows, billed)

    def found(self, model: str, columns: str) -> Found:
        """All rows but those of the two nights."""
        rows = self.ask(
            f"select {columns} from {model} where meter_key not in {odd.NIGHTS}"
        )
        return {tuple(map(shown, row.values())) for row in rows}


def newest(stream: str, rows: Sequence[Row]) -> list[Row]:
    """Of each key the last row, as a loader keeps it that upserts."""
    return [*{tuple(row[name] for name in KEYS[stream]): row for row in rows}.values()]


def dbt(folder: Path, **environment: str) -> None:
    subprocess.run(["make", ".venvs/dbt/.installed"], cwd=ROOT, check=True)
    done = subprocess.run(
        [
            *(ROOT / ".venvs" / "dbt" / "bin" / "dbt", "--no-use-colors", "build"),
            *("--project-dir", ROOT / "dbt", "--profiles-dir", ROOT / "dbt"),
            *("--target-path", folder / "target", "--log-path", folder / "log"),
            *("--vars", json.dumps(VARIABLES)),
        ],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " WARN=0 ERROR=0 SKIP=0 " in done.stdout
    assert "3 unit tests" in done.stdout


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("dbt")
    before, after = models_world(), models_world()
    found = tables(after)
    listed_at = max(row["listed_at"] for row in found["meters"])
    for name, some in odd.tables(listed_at).items():
        found[name] = [*found[name], *some]
    rows = [*expected.readings(before, after), *odd.readings()]
    create = "create table zones (provider text, meter_key text, time_zone text);"
    if request.param == "duckdb":
        store = InDuckDB(folder, appends=True, bare=True)
        for name, some in found.items():
            store.load(name, some)
        store.execute(f"{create} insert into zones {ZONED}")
        file = folder / "it.duckdb"
        store.execute(f"attach '{file}' as it")
        store.execute("create schema it.utility_intervals")
        for name in (*STREAMS, "zones"):
            store.execute(f"create table it.utility_intervals.{name} as from {name}")
        store.execute("detach it")
        dbt(folder, DBT_TARGET="duckdb", DBT_DUCKDB_PATH=str(file))
        store.execute(f"attach '{file}' as it; use it")
        models = Models("duckdb", "it", "main", VARIABLES)
        yield Built(store.query, before, after, rows, models, folder / "target")
        return
    with postgres() as server:
        kept = InPostgreSQL(server, bare=True)
        for name, some in found.items():
            kept.load(name, newest(name, some))
        kept.execute(f"set search_path = utility_intervals; {create}"
                     f" insert into zones {ZONED}")  # fmt: skip
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": USER,
                 "PGPASSWORD": PASSWORD, "PGDATABASE": DATABASE}  # fmt: skip
        dbt(folder, DBT_TARGET="postgres", **where)
        models = Models("postgres", DATABASE, "utility_intervals", VARIABLES)
        yield Built(
            lambda sql: server.query(sql, "utility_intervals"),
            *(before, after, rows, models, folder / "target"),
        )


def test_current_and_local_are_what_is_on_offer(built: Built) -> None:
    columns = "provider, meter_key, channel, interval_start, interval_end, quantity"
    assert built.found("utility_intervals__local", f"{columns}, local_start") == {
        (*map(shown, (r.provider, r.meter, r.channel, r.start, r.end, r.quantity)),
         shown(expected.local(r.start, r.meter)))
        for r in built.rows
    }  # fmt: skip
    held = built.ask("select 1 as n from utility_intervals.intervals")
    assert len(held) > len(built.rows) + 9


@pytest.mark.parametrize("period", ["hourly", "daily"])
def test_sums_of_kwh(built: Built, period: str) -> None:
    label = {"hourly": "local_hour", "daily": "local_date"}[period]
    found = built.found(
        f"utility_intervals__{period}",
        f"provider, meter_key, {label}, delivered_kwh, received_kwh, net_kwh,"
        " chosen_kwh, chosen_channel, expected_seconds, received_seconds",
    )
    wanted = getattr(expected, period)(built.rows)
    assert found ^ wanted == set()
    if period == "daily":
        hours = {row[1:3]: row[-2:] for row in found}
        assert hours[OLD, "2025-11-02"] == (90000, 90000)
        assert hours[OLD, "2026-03-08"] == (82800, 82800)
        assert hours[OLD, "2025-12-24"] == (86400, 0)


def test_gaps_and_why(built: Built) -> None:
    found = built.found(
        "utility_intervals__gaps",
        "provider, meter_key, channel, gap_start, gap_end, missing_readings, reason",
    )
    assert found ^ {tuple(map(shown, gap)) for gap in built.gaps} == set()
    assert {row[-1] for row in found} == {
        *("before first", "meter stopped", "promised, did not come", "never promised"),
    }


def test_completeness_by_month(built: Built) -> None:
    found = built.found(
        "utility_intervals__completeness",
        "provider, meter_key, channel, local_month, expected_seconds,"
        " received_seconds, percent",
    )
    assert found ^ expected.completeness(built.rows) == set()


def test_bills_beside_their_intervals(built: Built) -> None:
    found = built.found(
        "utility_intervals__bill_check",
        "usage_id, channel, interval_quantity, difference_percent, covered_share,"
        " cause",
    )
    unknown = {row for row in found if row[-1] == "zone unknown"}
    found = (found - unknown) | {(r[0], *[None] * 4, r[-1]) for r in unknown}
    assert found ^ {
        tuple(map(shown, (c.bill.usage_id, c.channel, c.total, c.percent, c.share,
                          c.cause)))
        for c in built.bills
    } == set()  # fmt: skip
    assert {row[-1] for row in found} == {
        *(None, "missing readings", "estimated", "other channel", "unexplained"),
        *("superseded bill", "zone unknown"),
    }


def test_the_peak_of_each_month(built: Built) -> None:
    found = built.found(
        "utility_intervals__peak_demand",
        "provider, meter_key, local_month, peak_kw, peak_start, load_factor",
    )
    assert found ^ expected.peak_demand(built.rows) == set()


def test_a_renewed_meter_and_its_old_one_are_one_history(built: Built) -> None:
    found = built.found(
        "utility_intervals__service_point_history",
        "meter_key, channel, interval_start",
    )
    by_meter: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for r in built.rows:
        by_meter[r.meter].add((r.channel, shown(r.start)))
    by_meter[OLD] -= by_meter[NEW]
    for meter in {*by_meter} - {OLD, NEW, "old-device", "new-device"}:
        if meter in ODD:  # no service point is known
            del by_meter[meter]
    assert len(by_meter["old-device"]) == len(by_meter["new-device"]) - 5
    assert found == {(m, *place) for m, places in by_meter.items() for place in places}


def test_what_did_not_pass(built: Built) -> None:
    columns = (
        "meter_key, check_name, local_date, period_start, period_end, channel,"
        " observed, limit_value, severity"
    )
    found = built.found("utility_intervals__checks", columns)
    listed = {r.meter for r in built.rows} - {GONE}
    as_of = datetime.fromisoformat(AS_OF)
    flags = checking.checks(built.rows, built.gaps, built.bills, listed, as_of)
    assert found ^ {tuple(map(shown, flag)) for flag in flags} == set()
    assert {flag.check for flag in flags} == CHECKS
    assert (GONE, "spike_check", "2026-03-18", float(SENTINEL)) in {
        (*row[:3], row[6]) for row in found if row[-1] == "error"
    }


def test_the_second_hour_of_an_autumn_night_is_no_second_value(built: Built) -> None:
    found = built.ask(
        "select meter_key, cast(local_date as varchar) as local_date, observed"
        " from utility_intervals__checks"
        f" where check_name = 'duplicate_check' and meter_key in {odd.NIGHTS}"
    )
    assert [tuple(map(shown, row.values())) for row in found] == [
        ("autumn-twin", "2025-11-02", 1)
    ]
    sums = built.ask(
        "select meter_key, chosen_kwh, received_seconds from utility_intervals__daily"
        f" where meter_key in {odd.NIGHTS} order by meter_key"
    )
    assert [tuple(map(shown, row.values())) for row in sums] == [
        ("autumn", 5, 4 * 3600),
        ("autumn-twin", 4, 4 * 3600),
    ]


def test_the_package_renders_what_dbt_compiles(built: Built) -> None:
    compiled = built.target / "compiled" / "utility_intervals" / "models"
    sources = (ROOT / "dbt" / "models").rglob("*.sql")
    places = {p.stem: p.relative_to(ROOT / "dbt" / "models") for p in sources}
    files = {name: compiled / place for name, place in places.items()}
    names = list(built.models)
    assert len(names) == 20
    assert {name: built.models.sql(name) for name in names} == {
        name: files[name].read_text(encoding="utf-8").strip() for name in names
    }

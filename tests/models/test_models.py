"""In tables of every kind: every model's rows are what the world says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

import pytest
import yaml

from tests.models import checking, expected, odd
from tests.models.building import BUILDERS, Built, told
from tests.models.expected import shown
from tests.models.world import AS_OF, ODD, SENTINEL
from tests.packaging.tree import ROOT
from tests.warehouses.server import Server, postgres
from tests.warehouses.worlds import GONE, NEW, OLD

pytestmark = pytest.mark.slow

CHECKS = {
    f"{name}_check"
    for name in (
        *("gap", "interval_size", "duplicate", "overlap", "sum", "spike"),
        *("zero_consumption", "negative_consumption", "prolonged_estimation"),
        *("unit_of_measure", "staleness"),
    )
}


def utc(text: str) -> datetime:
    """Read an instant; in UTC, as models have it."""
    return datetime.fromisoformat(text.removesuffix("Z"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module", params=BUILDERS)
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    def its() -> Server:
        running: Server = request.getfixturevalue("server")
        return running

    with BUILDERS[request.param](tmp_path_factory.mktemp("models"), its) as found:
        yield found


def test_current_and_local_are_what_is_on_offer(built: Built) -> None:
    columns = "provider, meter_key, channel, interval_start, interval_end, quantity"
    assert built.found("utility_intervals__local", f"{columns}, local_start") == {
        (*map(shown, (r.provider, r.meter, r.channel, r.start, r.end, r.quantity)),
         shown(expected.local(r.start, r.meter)))
        for r in told().rows
    }  # fmt: skip
    held = built.ask("select 1 as n from stg_utility_intervals__intervals")
    assert len(held) > len(told().rows) + 9


@pytest.mark.parametrize("period", ["hourly", "daily"])
def test_sums_of_kwh(built: Built, period: str) -> None:
    label = {"hourly": "local_hour", "daily": "local_date"}[period]
    found = built.found(
        f"utility_intervals__{period}",
        f"provider, meter_key, {label}, delivered_kwh, received_kwh, net_kwh,"
        " chosen_kwh, chosen_channel, expected_seconds, received_seconds",
    )
    wanted = told().wanted(period)
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
    assert found ^ {tuple(map(shown, gap)) for gap in told().gaps} == set()
    assert {row[-1] for row in found} == {
        *("before first", "meter stopped", "promised, did not come", "never promised"),
    }


def test_completeness_by_month(built: Built) -> None:
    found = built.found(
        "utility_intervals__completeness",
        "provider, meter_key, channel, local_month, has_local_time, expected_seconds,"
        " received_seconds, percent",
    )
    assert found ^ told().wanted("completeness") == set()


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
        for c in told().bills
    } == set()  # fmt: skip
    assert {row[-1] for row in found} == {
        *(None, "missing readings", "estimated", "other channel", "unexplained"),
        *("superseded bill", "zone unknown", "other unit"),
    }


def test_the_peak_of_each_month(built: Built) -> None:
    found = built.found(
        "utility_intervals__peak_demand",
        "provider, meter_key, local_month, channel, peak_kw, peak_start, kwh,"
        " received_seconds, load_factor, measured_kw",
    )
    assert found ^ told().wanted("peak_demand") == set()


def test_a_renewed_meter_and_its_old_one_are_one_history(built: Built) -> None:
    found = built.found(
        "utility_intervals__service_point_history",
        "meter_key, channel, interval_start",
    )
    rows = built.ask("select 1 as n from utility_intervals__service_point_history")
    assert len(rows) == len(found)
    by_meter: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for r in told().rows:
        by_meter[r.meter].add((r.channel, shown(r.start)))
    by_meter[OLD] -= by_meter[NEW]
    by_meter["swap-b"] -= by_meter["swap-a"]
    by_meter["left-b"] -= by_meter["left-a"]
    for meter in {*by_meter} - {OLD, NEW, *odd.SERVICES}:
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
    listed = {r.meter for r in told().rows} - {GONE, "left-b"}
    as_of = datetime.fromisoformat(AS_OF)
    never = {
        meter: (utc(made) if made else None, utc(odd.LISTED))
        for meter, made in odd.NEVER.items()
    }
    flags = checking.checks(
        told().rows, told().gaps, told().bills, listed, as_of, never
    )
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
        "select meter_key, sum(chosen_kwh) as kwh, sum(received_seconds) as received,"
        " sum(expected_seconds) as expected from utility_intervals__daily"
        f" where meter_key in {odd.NIGHTS} group by meter_key order by meter_key"
    )
    assert [tuple(map(shown, row.values())) for row in sums] == [
        ("autumn", 5, 4 * 3600, 4 * 3600),
        ("autumn-twin", 4, 4 * 3600, 4 * 3600),
        ("nil", 1, 0, 0),
        ("wavering", 27, 27 * 3600, 27 * 3600),
    ]


@pytest.mark.parametrize("built", [n for n in BUILDERS if "dbt" in n], indirect=True)
def test_the_package_renders_what_dbt_compiles(built: Built) -> None:
    assert built.target
    compiled = built.target / "compiled" / "utility_intervals" / "models"
    sources = (ROOT / "dbt" / "models").rglob("*.sql")
    places = {p.stem: p.relative_to(ROOT / "dbt" / "models") for p in sources}
    files = {name: compiled / place for name, place in places.items()}
    names = list(built.models)
    assert len(names) == 23
    assert {name: built.models.sql(name) for name in names} == {
        name: files[name].read_text(encoding="utf-8").strip() for name in names
    }


@pytest.mark.parametrize("built", ["dbt, DuckDB"], indirect=True)
def test_a_reading_that_is_there_twice_fails_dbts_test(built: Built) -> None:
    assert built.target
    current = "utility_intervals__current"
    (file,) = built.target.rglob(f"compiled/**/unique_readings_{current}_.sql")
    test = file.read_text(encoding="utf-8")
    assert built.ask(test) == []
    built.ask("begin")
    twice = f"select distinct on (channel, interval_seconds) * from {current}"
    (added,) = built.ask(f"insert into {current} {twice}")[0].values()
    failed = built.ask(test)
    built.ask("rollback")
    assert len(failed) == added
    assert added > len({row["channel"] for row in failed})
    assert {row["rows_of_key"] for row in failed} == {2}


@pytest.mark.parametrize("built", ["load, DuckDB"], indirect=True)
def test_every_model_and_column_is_described(built: Built) -> None:
    described: dict[str, list[str]] = {}
    for path in (ROOT / "dbt" / "models").rglob("_*.yml"):
        for model in yaml.safe_load(path.read_text("utf-8")).get("models", ()):
            assert model["description"]
            assert all(column["description"] for column in model["columns"])
            described[model["name"]] = [one["name"] for one in model["columns"]]
    there = {
        name: sorted(row["column_name"] for row in built.ask(f"describe {name}"))
        for name in built.models
    }
    assert {name: sorted(columns) for name, columns in described.items()} == there


def test_every_variable_is_on_its_page() -> None:
    project = yaml.safe_load((ROOT / "dbt" / "dbt_project.yml").read_text("utf-8"))
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    missing = {n for n in project["vars"]["utility_intervals"] if f"{n}" not in page}
    assert missing == set()

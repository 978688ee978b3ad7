"""The page-wise path writes what the SDK's own path would have written."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from typing import Any, Literal

import msgspec
import pytest
from singer_sdk import Stream

from tap_utility_intervals.floor.records import (
    Commodity,
    Flow,
    IntervalRecord,
    Measure,
    MeterRecord,
    Quality,
    UsageRecord,
)
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.singer.streams import PagedStream
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import KEYS
from tests.syncing import config, sync

UNIFIED = ("intervals", "meters", "usage")
START = datetime(2026, 5, 27, 11, 45, tzinfo=timezone.utc)

IDENTIFIERS = [
    {
        "name": "METER",
        "value": "0012",
        "rawName": "Meter No.",
        "extra": {"x": [1, 0.5]},
    },
    {"name": "POD", "value": "ü\n🔌"},
]


def intervals() -> list[Sequence[msgspec.Struct]]:
    def row(number: int, **more: Any) -> IntervalRecord:
        start = START + timedelta(minutes=15 * number)
        return IntervalRecord(
            "utilityapi",
            f"m{number % 3}",
            "net/kWh",
            start,
            start + timedelta(minutes=15),
            interval_seconds=900,
            **more,
        )

    full = row(
        0,
        utc_offset_seconds=-14400,
        quantity=Decimal("0.10"),
        unit="kWh",
        unit_raw="kwh",
        quantity_normalized=Decimal("1E+3"),
        unit_normalized="kWh",
        measure=Measure.ENERGY,
        flow=Flow.NET,
        commodity=Commodity.ELECTRICITY,
        quality=Quality.ACTUAL,
        quality_raw="actual,validated",
        meter_number="E1",
        authorization_id="1",
        connection_id="c",
        account_id="a",
        site_id="s",
        identifiers=IDENTIFIERS,
        source_type="greenbutton_cmd",
        source_id="x",
        source_created_at="2026-05-27T16:48:25.301699Z",
        source_updated_at="2026-05-27T16:48:25.301699Z",
        unreadable={"cost": "1,5", "odd name.with dots": "\n"},
    )
    quantities = (
        Decimal("-0.166"),
        Decimal("123456789012345678901234567890.123456789"),
        Decimal(412),
        msgspec.Raw(b"412.50"),
        msgspec.Raw(b"1e-7"),
        None,
    )
    rest = [row(n + 1, quantity=q, unit="kWh") for n, q in enumerate(quantities)]
    return [[full, *rest[:3]], [], rest[3:]]


def meters() -> list[Sequence[msgspec.Struct]]:
    full = MeterRecord(
        "m0",
        "nectar",
        utility="PG&E",
        commodity=Commodity.GAS,
        service_address='1 "Main" St\nTown',
        meter_numbers=["a", "b"],
        identifiers=IDENTIFIERS,
        is_active=True,
        is_archived=False,
        reading_count=2_147_483_647,
        first_interval_start="2025-01-01T00:00:00Z",
        interval_coverage=[
            {"start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}
        ],
        bill_count=0,
        bill_coverage=[],
        listed_at="2026-05-27T16:48:25Z",
        unreadable={"status_at": "soon"},
    )
    return [[full, MeterRecord("m1", "utilityapi")]]


def usage() -> list[Sequence[msgspec.Struct]]:
    full = UsageRecord(
        "u0",
        "nectar",
        meter_key="m0",
        period_start_date="2026-05-01",
        period_end_date="2026-06-01",
        period_start_at="2026-05-01T04:00:00Z",
        quantity=Decimal("29.199"),
        cost=msgspec.Raw(b"4.470"),
        is_estimated=False,
        is_superseded=True,
        time_of_use="on-peak",
        time_of_use_breakdown=[{"name": "peak", "kwh": 1.25, "parts": [{"a": None}]}],
        source_updated_at="2026-05-27T16:48:25.301699Z",
    )
    later = UsageRecord(
        "u1",
        "utilityapi",
        cost=Decimal("0.00"),
        time_of_use_breakdown={"peak": {"kwh": 1}},
        source_updated_at="2026-05-28T16:48:25.301699Z",
    )
    return [[full], [later]]


PAGES: dict[str, Callable[[], list[Sequence[msgspec.Struct]]]] = {
    "intervals": intervals,
    "meters": meters,
    "usage": usage,
}


# --- what may be asked of the SDK -----------------------------------------------------

Catalog = dict[str, Any]
Alter = Callable[[Catalog, str], None]


def unaltered(_catalog: Catalog, _stream: str) -> None:
    """The catalog as `--discover` printed it."""


def entry(catalog: Catalog, stream: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        e for e in catalog["streams"] if e["tap_stream_id"] == stream
    )
    return found


def metadata(catalog: Catalog, stream: str, *breadcrumb: str) -> dict[str, Any]:
    for item in entry(catalog, stream)["metadata"]:
        if tuple(item["breadcrumb"]) == breadcrumb:
            found: dict[str, Any] = item["metadata"]
            return found
    fresh: dict[str, Any] = {"breadcrumb": list(breadcrumb), "metadata": {}}
    entry(catalog, stream)["metadata"].append(fresh)
    inner: dict[str, Any] = fresh["metadata"]
    return inner


def like_meltano(catalog: Catalog, stream: str) -> None:
    """Meltano marks the stream and each property selected, whatever it is."""
    found = entry(catalog, stream)
    metadata(catalog, stream)["selected"] = True
    for name in found["schema"]["properties"]:
        metadata(catalog, stream, "properties", name)["selected"] = True


def without(*names: str) -> Alter:
    def alter(catalog: Catalog, stream: str) -> None:
        like_meltano(catalog, stream)
        for name in names:
            breadcrumb = ["properties", *name.replace(".", ".properties.").split(".")]
            metadata(catalog, stream, *breadcrumb)["selected"] = False

    return alter


def without_metadata(catalog: Catalog, stream: str) -> None:
    """A catalog written by hand: only the stream itself is selected."""
    entry(catalog, stream)["metadata"] = [
        {"breadcrumb": [], "metadata": {"selected": True}}
    ]


def full_table(catalog: Catalog, stream: str) -> None:
    like_meltano(catalog, stream)
    metadata(catalog, stream)["forced-replication-method"] = "FULL_TABLE"
    entry(catalog, stream)["replication_method"] = "FULL_TABLE"


def lacking_a_column(catalog: Catalog, stream: str) -> None:
    like_meltano(catalog, stream)
    del entry(catalog, stream)["schema"]["properties"]["unreadable"]


def another_type(catalog: Catalog, stream: str) -> None:
    like_meltano(catalog, stream)
    properties = entry(catalog, stream)["schema"]["properties"]
    properties["provider"] = {"type": "boolean"}


def nested_schema(catalog: Catalog, stream: str) -> None:
    """A nested property of which only a part is declared."""
    like_meltano(catalog, stream)
    properties = entry(catalog, stream)["schema"]["properties"]
    properties["unreadable"] = {
        "type": ["object", "null"],
        "properties": {"cost": {"type": ["string", "null"]}},
    }


@dataclass(frozen=True)
class Case:
    """One way to run the tap, and whether records then go out as they are."""

    path: Literal["plain", "paged", "mapped"]
    """As they are; as pages with fewer columns; or each through the SDK."""
    settings: dict[str, Any] = field(default_factory=dict)
    alter: Alter | None = None
    version: int | None = None


def mapped(stream: str, **rules: Any) -> dict[str, Any]:
    return {"stream_maps": {stream: rules}}


CASES: dict[str, Callable[[str], Case]] = {
    "nothing": lambda _: Case("plain"),
    "catalog as discovered": lambda _: Case("plain", alter=unaltered),
    "catalog of Meltano": lambda _: Case("plain", alter=like_meltano),
    "catalog by hand": lambda _: Case("plain", alter=without_metadata),
    "full table": lambda _: Case("plain", alter=full_table),
    "a version": lambda _: Case("plain", version=1_700_000_000),
    "a map for another stream": lambda _: Case("plain", mapped("other*", x="'y'")),
    "a column deselected": lambda _: Case("paged", alter=without("unreadable")),
    "two columns and a key deselected": lambda s: Case(
        "paged",
        alter=without("provider", "commodity", {"meters": "utility"}.get(s, "unit")),
    ),
    "a nested one deselected": lambda _: Case(
        "mapped", alter=without("unreadable.cost", "identifiers.items.name")
    ),
    "a column not in the catalog": lambda _: Case("mapped", alter=lacking_a_column),
    "a column of another type": lambda _: Case("mapped", alter=another_type),
    "a nested schema": lambda _: Case("mapped", alter=nested_schema),
    "an alias": lambda s: Case("mapped", mapped(s, __alias__="renamed")),
    "a column dropped": lambda s: Case("mapped", mapped(s, unreadable=None)),
    "a column computed": lambda s: Case("mapped", mapped(s, who="provider + '!'")),
    "a number computed": lambda s: Case(
        "mapped", mapped(s, n="float(record.get('quantity') or 0) * 2")
    ),
    "a filter": lambda s: Case("mapped", mapped(s, __filter__="meter_key == 'm0'")),
    "only what is named": lambda s: Case(
        "mapped", mapped(s, **{key: key for key in KEYS[s]}, __else__="__NULL__")
    ),
    "the stream removed": lambda s: Case("mapped", {"stream_maps": {s: "__NULL__"}}),
    "all but another removed": lambda _: Case(
        "mapped", {"stream_maps": {"__else__": "__NULL__"}}
    ),
    "copied": lambda s: Case(
        "mapped", {"stream_maps": {"copy": {"__source__": s, "x": "'y'"}}}
    ),
    "flattening": lambda _: Case(
        "mapped", {"flattening_enabled": True, "flattening_max_depth": 2}
    ),
    "flattening of no depth": lambda _: Case(
        "plain", {"flattening_enabled": True, "flattening_max_depth": 0}
    ),
    "deselected and flattened": lambda _: Case(
        "mapped",
        {"flattening_enabled": True, "flattening_max_depth": 1},
        without("unreadable"),
    ),
    "deselected and mapped": lambda s: Case(
        "mapped", mapped(s, who="provider"), without("unreadable")
    ),
}

CREDENTIAL = {"utilityapi_api_token": "x"}


def discovered() -> Catalog:
    tap = TapUtilityIntervals(config={}, validate_config=False)
    loaded: Catalog = json.loads(tap.catalog_json_text)
    return loaded


def stream_of(case: Case, name: str) -> PagedStream:
    """The stream as the tap makes it, with pages of our own in the place of HTTP."""
    catalog = None
    if case.alter:
        catalog = discovered()
        case.alter(catalog, name)
    settings = copy.deepcopy(case.settings)  # the SDK takes pieces out of it
    tap = TapUtilityIntervals(config=CREDENTIAL | settings, catalog=catalog)
    stream = tap.streams[name]
    assert isinstance(stream, PagedStream)
    stream.__dict__["pages"] = lambda: iter(PAGES[name]())
    stream._stream_version = case.version
    return stream


def lines(run: Callable[[], Iterator[Any]]) -> list[Any]:
    out = StringIO()
    with redirect_stdout(out):
        for _ in run():
            pass
    messages = [json.loads(x, parse_float=Decimal) for x in out.getvalue().splitlines()]
    for message in messages:
        message.pop("time_extracted", None)
    return [message for message in messages if message["type"] == "RECORD"]


@pytest.mark.parametrize("name", UNIFIED)
@pytest.mark.parametrize("case", CASES)
def test_both_paths_write_the_same_records(case: str, name: str) -> None:
    how = CASES[case](name)
    by_us = lines(stream_of(how, name)._sync_records)
    reference = stream_of(how, name)
    by_the_sdk = lines(lambda: Stream._sync_records(reference))
    assert by_us == by_the_sdk
    # Also in the order of columns, which a header of a CSV follows.
    assert [list(m["record"]) for m in by_us] == [list(m["record"]) for m in by_the_sdk]
    if "removed" not in case:
        assert by_us


@pytest.mark.parametrize("name", UNIFIED)
@pytest.mark.parametrize("case", CASES)
def test_records_go_through_the_sdk_exactly_where_it_might_change_one(
    case: str, name: str
) -> None:
    how = CASES[case](name)
    stream = stream_of(how, name)
    seen: list[Any] = []
    for one in stream.stream_maps:
        note(one, seen)
    lines(stream._sync_records)
    assert bool(seen) is (how.path == "mapped")
    whole = stream.columns == frozenset(stream.schema["properties"])
    assert (stream.is_unmapped and whole) is (how.path == "plain")


def note(stream_map: Any, seen: list[Any]) -> None:
    """Note each record that a map is asked to transform."""
    transform = stream_map.transform

    def noting(record: Any) -> Any:
        seen.append(record)
        return transform(record)

    stream_map.transform = noting


@pytest.mark.parametrize(
    ("rule", "paged"),
    [
        ("float(quantity or 0) * 2", True),
        ("meter_key + '/' + channel", True),
        ("datetime.date.today()", False),
        ("[meter_key]", False),
        ("record", False),
    ],
)
def test_what_a_map_made_is_written_page_wise_where_both_encoders_agree(
    rule: str, *, paged: bool
) -> None:
    how = Case("mapped", mapped("intervals", x=rule))
    ours, reference = stream_of(how, "intervals"), stream_of(how, "intervals")
    for stream in (ours, reference):
        stream.__dict__["pages"] = lambda: iter(intervals()[2:])  # no lists in there
    writer: Any = ours._tap.message_writer
    pages: list[Sequence[Any]] = []
    write_page = writer.write_page

    def note(name: str, rows: Sequence[Any], version: int | None) -> None:
        pages.append(rows)
        write_page(name, rows, version)

    writer.write_page = note
    by_us = lines(ours._sync_records)
    assert by_us == lines(lambda: Stream._sync_records(reference))
    assert bool(pages) is paged


@pytest.mark.parametrize("name", UNIFIED)
def test_plain_records_keep_every_column_and_digit(name: str) -> None:
    found = lines(stream_of(Case("plain"), name)._sync_records)
    rows = [row for page in PAGES[name]() for row in page]
    assert len(found) == len(rows)
    for message, row in zip(found, rows, strict=True):
        assert list(message["record"]) == list(row.__struct_fields__)
    texts = [str(m["record"].get("quantity")) for m in found]
    if name == "intervals":
        assert texts == [
            "0.10",
            "-0.166",
            "123456789012345678901234567890.123456789",
            "412",
            "412.50",
            "1E-7",
            "None",
        ]


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 100])
@pytest.mark.parametrize("case", ["nothing", "a column dropped"])
def test_a_dry_run_writes_so_many_records(case: str, limit: int) -> None:
    name = "intervals"
    stream = stream_of(CASES[case](name), name)
    stream.ABORT_AT_RECORD_COUNT = limit
    out = StringIO()
    with redirect_stdout(out):
        stream._tap.run_sync_dry_run(limit, [stream])
    found = [json.loads(x)["type"] for x in out.getvalue().splitlines()]
    assert found.count("RECORD") == min(limit, 7)


def test_a_deselected_stream_writes_nothing() -> None:
    stream = stream_of(Case("plain"), "intervals")
    stream.selected = False
    assert lines(stream._sync_records) == []


@pytest.mark.parametrize("name", UNIFIED)
def test_full_table_reads_everything_and_leaves_the_bookmarks(
    sandbox: Sandbox, name: str
) -> None:
    """Else a target that replaces the table would keep the look-back alone."""
    settings = config(sandbox, "utilityapi", lookback_days=1)
    first = sync(settings)
    catalog = discovered()
    for stream in UNIFIED:
        full_table(catalog, stream)
    again = sync(settings, first.state, catalog)
    assert again.tap.streams[name].replication_method == "FULL_TABLE"
    assert len(again.rows(name)) == len(first.rows(name)) > 0
    for stream in UNIFIED:
        after = again.state["bookmarks"].get(stream, {})
        assert after == first.state["bookmarks"].get(stream, {})
    third = sync(settings, again.state)
    assert third.rows("intervals") == []

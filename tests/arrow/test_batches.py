"""Record batches hold what RECORD lines hold, column by column."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tap_utility_intervals.arrow import Batch, Bookmarks, read, schema
from tap_utility_intervals.arrow.batches import batch
from tap_utility_intervals.arrow.numbers import decimals
from tap_utility_intervals.arrow.schemas import UNIFIED
from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.floor.records import Flow, IntervalRecord
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.oracle import KEYS, Row
from tests.providers.reading import OWN, sync_of
from tests.syncing import config, sync
from tests.tap.resuming import load

STEP = Decimal("1e-18")


def plain(value: Any, kind: pa.DataType) -> Any:
    """A value of a RECORD line as Arrow gives it back."""
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if pa.types.is_date(kind):
        return date.fromisoformat(value)
    if pa.types.is_decimal(kind):
        return Decimal(str(value)).quantize(STEP)
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def same(stream: str, rows: pa.RecordBatch, records: list[Row]) -> None:
    assert rows.schema == schema(stream)
    assert rows.num_rows == len(records)
    for field in rows.schema:
        if field.name in {"read_at", "listed_at", "url"}:
            continue  # of another run, or signed anew
        came = rows.column(field.name).to_pylist()
        sent = [record[field.name] for record in records]
        if any(isinstance(value, (list, dict)) for value in sent):
            came = [value and json.loads(value, parse_float=Decimal) for value in came]
            assert came == sent, field.name
        else:
            assert came == [plain(v, field.type) for v in sent], field.name


def test_batches_hold_what_record_lines_hold() -> None:
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox)
        run = sync_of(settings, *UNIFIED, *OWN)
        streams = [*UNIFIED, *OWN]
        items = list(read(settings, streams=streams))
    for stream in streams:
        batches = [one for one in items if isinstance(one, Batch)]
        came = [one.rows for one in batches if one.stream == stream]
        records = run.rows(stream)
        assert bool(came) == bool(records)
        if came and stream != "coverage":  # it says when a run was
            whole = pa.Table.from_batches(came)
            # Providers are read side by side: each one's rows have an order.
            for provider in {record.get("provider") for record in records}:
                mine = [r for r in records if r.get("provider") == provider]
                part = whole
                if provider is not None:
                    part = whole.filter(pc.equal(whole["provider"], provider))
                same(stream, part.combine_chunks().to_batches()[0], mine)


def test_every_stream_has_one_schema_in_the_order_of_its_columns() -> None:
    for stream, key in KEYS.items():
        found = schema(stream)
        assert {field.name for field in found if not field.nullable} >= set(key)
    assert schema("usage").field("period_start_date").type == pa.date32()
    assert schema("nectar_documents").field("dueDate").type == pa.string()
    kinds = {str(field.type) for name in KEYS for field in schema(name)}
    assert kinds == {
        *("bool", "int32", "string", "date32[day]"),
        *("timestamp[us, tz=UTC]", "decimal128(38, 18)"),
    }


RAW = msgspec.Raw


@pytest.mark.parametrize(
    ("value", "fitted", "is_kept"),
    [
        (None, None, False),
        (Decimal("1.50"), "1.5", False),
        (RAW(b"-1e-18"), "-0.000000000000000001", False),
        (RAW(b"1E3"), "1000", False),
        (7, "7", False),
        (RAW(b"0.1000000000000000000000"), "0.1", False),
        (RAW(b"1.5e-18"), "2e-18", True),
        (RAW(b"2.5e-18"), "2e-18", True),
        (RAW(b"-0.1234567890123456789"), "-0.123456789012345679", True),
        (RAW(b"1e-400"), "0", True),
        (RAW(b"99999999999999999999.9"), "99999999999999999999.9", False),
        (RAW(b"99999999999999999999.9999999999999999999"), None, True),
        (RAW(b"100000000000000000000"), None, True),
        (RAW(b"1e299"), None, True),
        (RAW(b"1" * 60), None, True),
        (RAW(b"0e400"), "0", False),
    ],
)
def test_numbers_are_exact_or_told(
    value: Any,
    fitted: str | None,
    is_kept: bool,  # noqa: FBT001 - a parameter
) -> None:
    for beside in (None, RAW(b"0.25")):
        array, misfits = decimals([value, beside])
        assert array.type == pa.decimal128(38, 18)
        expected = None if fitted is None else Decimal(fitted)
        assert array.to_pylist() == [expected, beside and Decimal("0.25")]
        told = {**misfits.rounded, **misfits.too_large}
        assert told == ({0: bytes(value).decode()} if is_kept else {})
        assert bool(misfits) is is_kept


def reading(quantity: bytes, **more: Any) -> IntervalRecord:
    day = datetime.fromisoformat("2026-05-27T00:00:00+00:00")
    return IntervalRecord("nectar", "1", "c", day, day, quantity=RAW(quantity), **more)


def test_digits_without_a_place_are_counted_and_kept() -> None:
    told: list[tuple[str, int]] = []
    rows = [
        reading(b"0.5", quantity_normalized=Decimal("1e-28")),
        reading(b"1e299", unreadable={"unit": "?"}),
        reading(b"0.1234567890123456785"),
        reading(b"1" * 60),
    ]
    made = batch("intervals", [rows], lambda what, count: told.append((what, count)))
    kept = [text and json.loads(text) for text in made.column("unreadable").to_pylist()]
    assert kept == [
        None,
        {"unit": "?", "quantity": "1e299"},
        {"quantity": "0.1234567890123456785"},
        {"quantity": "1" * 60},
    ]
    assert made.column("quantity").to_pylist() == [
        *(Decimal("0.5"), None, Decimal("0.123456789012345678"), None),
    ]
    assert [count for _, count in told] == [1, 2]
    assert "18 decimals" in told[0][0]


# --- read -----------------------------------------------------------------------------


def test_what_was_saved_in_order_resumes_to_the_same_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tap_utility_intervals.arrow.reading.ROWS", 400)
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox, window_days=4)
        whole = load(sync(settings).messages)
        items = list(read(settings))
        cuts = range(0, len(items), 2)
        for cut in cuts:
            held: dict[tuple[Any, ...], Any] = {}
            for item in items[:cut]:
                if isinstance(item, Batch):
                    held |= rows_of(item)
            for item in read(settings, state_after(items[:cut])):
                held |= rows_of(item) if isinstance(item, Batch) else {}
            assert held == {
                (name, *key): Decimal(str(row["quantity"])).quantize(STEP)
                for (name, *key), row in whole.items()
                if name == "intervals"
            }
    assert len(cuts) >= 5


def rows_of(item: Batch) -> dict[tuple[Any, ...], Any]:
    if item.stream != "intervals":
        return {}
    key = ("meter_key", "interval_start", "channel", "interval_end", "provider")
    return {
        ("intervals", *(shown(row[name]) for name in key)): row["quantity"]
        for row in item.rows.to_pylist()
    }


def shown(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=None).isoformat() + "Z"


def state_after(items: list[Any]) -> Row:
    """STATE put together from changes, as a store does."""
    streams: Row = {}
    for item in items:
        if isinstance(item, Bookmarks):
            streams.setdefault(item.stream, {}).update(item.changes)
    return {
        "bookmarks": {
            name: {
                **(entries.get(()) or {"version": 2}),
                "partitions": [e for key, e in entries.items() if key and e],
            }
            for name, entries in streams.items()
        }
    }


def test_the_state_that_is_handed_over_is_that_of_singer() -> None:
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox)
        items = list(read(settings))
        (last,) = [one for one in items if isinstance(one, Bookmarks)][-1:]
        again = sync(settings, last.state)
        assert not again.failed
        look_back = len(again.rows("intervals"))
        first = sum(i.rows.num_rows for i in items if isinstance(i, Batch))
        assert 0 < look_back < first


def test_what_arrow_does_not_do_is_refused() -> None:
    with Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox)
        with pytest.raises(ConfigError, match="names bills; there are intervals"):
            next(read(settings, streams=["bills"]))
        maps = {"meters": {"service_address": "__NULL__"}}
        with pytest.raises(ConfigError, match="stream_maps has no effect"):
            next(read({**settings, "stream_maps": maps}))


def test_signals_are_left_to_the_caller() -> None:
    import signal  # noqa: PLC0415

    before = signal.getsignal(signal.SIGTERM)
    with Sandbox(tiny_world()) as sandbox:
        list(read(config(sandbox), streams=["meters"]))
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("last", ["0.5", "null", "1e299", "0.1234567890123456789"])
@pytest.mark.parametrize("normalized", ["7", "0.1234567890123456789"])
def test_a_block_gives_what_its_rows_give(last: str, normalized: str) -> None:
    one = reading(b"0", identifiers=[{"name": "METER"}], source_id="a")
    other = reading(b"0", flow=Flow.RECEIVED, quantity_normalized=Decimal(2))
    starts = [one.interval_start + timedelta(hours=hour) for hour in range(3)]
    for forms in ([one], [one, other]):
        rows = 3 * len(forms)
        block = RowBlock(
            forms,
            {"interval_start": starts, "utc_offset_seconds": [None, 0, 3600]},
            {
                "quantity": [*["1.25"] * (rows - 1), last],
                "quantity_normalized": [normalized] * rows,
            },
        )
        first, second = Counter[str](), Counter[str]()
        made = batch("intervals", [block], lambda what, n: first.update({what: n}))  # noqa: B023 - called at once
        again = batch(
            "intervals",
            [list(block)],
            lambda what, n: second.update({what: n}),  # noqa: B023
        )
        assert made.equals(again)
        assert made.num_rows == rows
        assert first == second


def test_blocks_that_are_joined_give_what_their_rows_give() -> None:
    """Of several meters, with one form and with two, one with a number too large."""
    one = reading(b"0", source_id="a")
    other = msgspec.structs.replace(one, flow=Flow.RECEIVED, channel="rev/kWh")
    later = [msgspec.structs.replace(form, source_id="b") for form in (one, other)]
    start = one.interval_start
    pages: list[Any] = []
    for forms in ([one], [one, other], [one, other], later, [*later[::-1]], [one]):
        times = [start + timedelta(hours=hour) for hour in range(len(pages) + 2)]
        texts = [f"{n}.5" for n in range(len(times) * len(forms))]
        numbers = {"quantity": texts, "quantity_normalized": texts}
        pages.append(RowBlock(forms, {"interval_start": times}, numbers))
    pages.insert(3, [other, one])
    odd = RowBlock([one], {}, {"quantity": ["1e299"], "quantity_normalized": ["0.1"]})
    for some in (pages, [*pages, odd, pages[0]]):
        told, again = Counter[str](), Counter[str]()
        made = batch("intervals", some, lambda what, n: told.update({what: n}))  # noqa: B023 - called at once
        rows = [[*page] for page in some]
        expected = batch("intervals", rows, lambda what, n: again.update({what: n}))  # noqa: B023
        assert made.equals(expected)
        assert told == again
        assert bool(told) == (some is not pages)

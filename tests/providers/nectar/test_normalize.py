from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.identifiers import canonical as canonical_form
from tap_utility_intervals.floor.records import Flow, Measure, Quality
from tap_utility_intervals.floor.values import loads
from tap_utility_intervals.providers.nectar import objects
from tap_utility_intervals.providers.nectar.mapping import bills, identity, values
from tap_utility_intervals.providers.nectar.mapping.intervals import Intervals
from tap_utility_intervals.providers.nectar.mapping.meters import Meter, meter_record
from tap_utility_intervals.providers.nectar.objects import Interval
from tests.providers.nectar.harness import number, page_of, row_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)


def reader_of() -> Intervals:
    return Intervals("c", {}, identity.Siblings([]))


def meter(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value, "rawName": name} for name, value in pairs]


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (" 00-12_ab/3 ", "12AB3"),
        ("0012", "12"),
        ("0-0-1", "1"),
        ("1,000", "1000"),
        ("A 0 B", "A0B"),
        ("000", ""),
        ("", ""),
        ("x+y", "X+Y"),
    ],
)
def test_canonical_is_how_nectar_searches(sent: str, canonical: str) -> None:
    assert canonical_form(sent) == canonical


@given(st.text())
def test_canonical_is_stable(text: str) -> None:
    once = canonical_form(text)
    assert canonical_form(once) == once


@given(st.permutations(["007", "0-8", "a_9", "A9"]))
def test_a_meter_key_does_not_depend_on_the_order_of_identifiers(
    values_: list[str],
) -> None:
    listed = meter(*(("METER", value) for value in values_), ("ACCOUNT", "1"))
    assert identity.meter_key("acc", listed) == "acc:7+8+A9"


def test_without_a_meter_number_all_identifiers_count() -> None:
    listed = meter(("pod", "0-5"), ("ACCOUNT", "a 1"))
    assert identity.meter_key("acc", listed) == "acc:ACCOUNT=A1+POD=5"
    assert identity.meter_key("acc", [{"name": "METER", "value": "0"}]) == "acc:METER="
    assert identity.meter_key("acc", None) == "acc:"


@given(json_values)
def test_a_meter_key_can_be_made_of_anything(sent: Any) -> None:
    assert identity.meter_key("acc", sent).startswith("acc:")
    assert identity.meter_key("acc", [sent, *meter(("METER", "1"))]) == "acc:1"


def test_the_service_point_needs_a_utility_and_a_name() -> None:
    assert identity.service_point(None, meter(("METER", "1"))) is None
    assert identity.service_point("PSE&G", meter(("ACCOUNT", "1"))) is None
    assert identity.service_point("PSE&G", meter(("ESI", "01"))) == "PSE&G:1"


@pytest.mark.parametrize(
    ("sent", "utc", "offset"),
    [
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00", None),
        ("2024-01-01T00:00:00", "2024-01-01T00:00:00", None),
        ("2024-01-01T00:00:00-05:00", "2024-01-01T05:00:00", -18000),
        ("2024-01-01T00:00:00+0530", "2023-12-31T18:30:00", 19800),
        ("2024-01-01T00:00:00+00:00", "2024-01-01T00:00:00", 0),
        ("2024-09-06T00:15:43.073014117", "2024-09-06T00:15:43.073014", None),
    ],
)
def test_instants_are_utc_and_an_offset_is_told_if_one_was_sent(
    sent: str, utc: str, offset: int | None
) -> None:
    moment = datetime.fromisoformat(utc).replace(tzinfo=timezone.utc)
    assert values.instant(sent) == (moment, offset)


@pytest.mark.parametrize(
    ("word", "quality"),
    [
        ("ACTUAL", Quality.ACTUAL),
        (" Estimated ", Quality.ESTIMATED),
        ("estimate", Quality.ESTIMATED),
        ("Validated", Quality.VALIDATED),
        ("A", None),
        ("good", None),
        (None, None),
    ],
)
def test_only_words_that_can_be_told_become_a_quality(
    word: str | None, quality: Quality | None
) -> None:
    assert values.quality(word) is quality


@given(
    value=st.decimals(
        allow_nan=False,
        allow_infinity=False,
        places=4,
        min_value=-(10**9),
        max_value=10**9,
    ),
    quoted=st.booleans(),
)
def test_quantities_keep_their_digits(value: Decimal, *, quoted: bool) -> None:
    text = f'"{value}"' if quoted else str(value)
    row = Interval(
        id="1",
        start="2024-01-01T00:00:00Z",
        end="2024-01-01T01:00:00Z",
        usage=msgspec.Raw(text.encode()),
        usage_units="MWh",
    )
    record = reader_of().record(row)
    assert str(number(record.quantity)) == str(value)
    assert number(record.quantity_normalized) == value * 1000
    assert (record.unit, record.unit_normalized) == ("MWh", "kWh")
    assert record.measure is Measure.ENERGY


def test_an_unknown_unit_is_passed_on_and_normalizes_to_nothing() -> None:
    (row,) = objects.interval_page(
        page_of(row_of(1, usageUnits='"furlongs"')).encode()
    ).items
    record = reader_of().record(row)
    assert record.channel == "usage/furlongs"
    assert (record.quantity_normalized, record.unit_normalized) == (None, None)


@given(st.dictionaries(st.sampled_from(list(json.loads(row_of(1)))), json_values))
def test_a_page_is_read_whatever_its_rows_hold(odd: dict[str, Any]) -> None:
    rows = [row_of(1), json.dumps({**json.loads(row_of(2)), **odd}), row_of(3)]
    try:
        body = page_of(*rows).encode()
    except UnicodeEncodeError:
        return
    page = objects.interval_page(body)
    assert len(page.items) == 3
    reader = reader_of()
    good = [reader.record(page.items[0]), reader.record(page.items[2])]
    assert [row.source_id for row in good] == ["i1", "i3"]
    assert msgspec.json.Encoder(decimal_format="number").encode(good)
    try:
        record = reader.record(page.items[1])
    except ValueError:
        return
    line = msgspec.json.Encoder(decimal_format="number").encode(record)
    assert b"\n" not in line
    json.loads(line)


times = st.sampled_from(
    (
        *("2026-03-08T00:00:00Z", "2026-03-08T00:15:00.25Z", "2026-03-08T00:30:00Z"),
        *("2026-03-08T00:00:00-05:00", "2026-03-08 00:00:00Z", "2026-03-08T00:00Z"),
        *("", "soon", "2026-03-08T24:00:00Z", "2026-03-08T00:00:00.1234567Z"),
    )
)
usual = st.sampled_from(["2026-03-08T00:00:00Z", "2026-03-08T00:15:00.251Z"])


@st.composite
def pages(draw: st.DrawFn) -> list[Interval]:
    """Intervals that are alike, or nearly so."""
    often = draw(st.sampled_from([0, 2, 20]))
    found = []
    for number_ in range(draw(st.integers(0, 12))):
        odd = bool(often) and draw(st.integers(0, often)) == 0
        moments = times if odd else usual
        usage_ = ['"1.50"', "2", "-0.10", "1" * 41]
        usage_ += ["null", '""', '"1,5"', "1e3", "{}", "0." + "1" * 60] if odd else []
        found.append(
            Interval(
                id=draw(st.sampled_from(["", f"i{number_}"])),
                created=draw(st.none() | moments) if odd else draw(usual),
                updated=draw(st.none() | moments) if odd else draw(usual),
                identifiers=msgspec.Raw(draw(st.sampled_from([b"null", b"[]", b"7"]))),
                account=draw(st.sampled_from([None, "", "a"])),
                start=draw(moments),
                end=draw(moments),
                usage=msgspec.Raw(draw(st.sampled_from(usage_)).encode()),
                usage_units=draw(st.sampled_from([None, "", "kWh", "therms", "kvar"])),
                quality=draw(st.sampled_from([None, "", "ACTUAL", "x"])),
            )
        )
    return found


@given(pages())
def test_a_page_gives_the_records_that_its_intervals_give(rows: list[Interval]) -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    at = "2026-03-09T00:00:00.000000Z"
    together = reader_of().records(rows, at)
    apart = [reader_of().records([row], at)[0] for row in rows]
    for (start, record), (other, alone), row in zip(together, apart, rows, strict=True):
        assert start == other
        assert encode(record) == encode(alone)
        if record is not None:
            assert encode(record) == encode(reader_of().record(row, at))


def test_loose_and_strict_decoding_agree() -> None:
    rows = [row_of(1), row_of(2, "0.10"), row_of(3, "null"), row_of(4, "-12")]
    strict = objects.interval_page(page_of(*rows).encode())
    loose = objects.interval_page(page_of(*rows, row_of(5, quality="1")).encode())
    reader = reader_of()
    encode = msgspec.json.Encoder(decimal_format="number").encode
    assert [encode(reader.record(row)) for row in strict.items] == [
        encode(reader.record(row)) for row in loose.items[:4]
    ]


def test_long_numbers_neither_break_a_page_nor_lose_a_digit() -> None:
    body = page_of(
        row_of(1, "1" * 5000), row_of(2, "1e400"), row_of(3, "0." + "1" * 60)
    )
    reader = reader_of()
    records = [reader.record(row) for row in objects.interval_page(body.encode()).items]
    assert [record.quantity is None for record in records] == [True, True, False]
    assert str(number(records[2].quantity)) == "0." + "1" * 60


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b"{}", b'{"totalIntervals":"x","intervals":[]}', b"\xff", b""]
)
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        objects.interval_page(body)


def test_a_bare_array_is_its_own_last_page() -> None:
    page = objects.entity_page("companies", is_bare=True)(
        b'[{"id":"1","connectionMagicLinkSecret":"s"}, 7]'
    )
    assert page.items == [{"id": "1"}, {}]
    assert (page.has_next, page.total) == (False, None)


@pytest.mark.parametrize("body", [b"{}", b'{"meters":{}}', b'{"meters":null}', b"7"])
def test_an_envelope_without_its_list_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        objects.entity_page("meters", "totalMeters")(body)
    if body == b"7":
        with pytest.raises(ValueError, match=r"\w"):
            objects.one_entity(body)


def usage(**fields: Any) -> Any:
    return bills.usage_record({"id": "u", **fields}, None, "2026-01-01T00:00:00Z")


def test_usage_needs_an_id() -> None:
    with pytest.raises(ValueError, match=r"\w"):
        bills.usage_record({}, None, "")


@pytest.mark.parametrize(
    ("sent", "flow"),
    [
        ("IMPORT", Flow.DELIVERED),
        ("export", Flow.RECEIVED),
        ("NET", None),
        (None, None),
    ],
)
def test_a_direction_only_where_nectar_states_it(sent: str, flow: Flow | None) -> None:
    assert usage(netMeteringType=sent, usage="-5").flow is flow


@pytest.mark.parametrize(
    ("electricity", "unit", "kind"),
    [
        ("USAGE", "kWh", "consumption"),
        ("DEMAND", "kWh", "demand"),
        (None, "KW", "demand"),
        (None, "kVA", "demand"),
        (None, "kVAh", "consumption"),
        (None, None, "consumption"),
    ],
)
def test_demand_is_told_from_consumption(
    electricity: str | None, unit: str | None, kind: str
) -> None:
    assert usage(electricityType=electricity, usageUnits=unit).usage_type == kind


def test_what_of_usage_cannot_be_read_is_kept_as_text() -> None:
    row = usage(usage="1,5", startDate="soon", isEstimated="maybe", updated=[1])
    assert row.unreadable == {
        "quantity": "1,5",
        "period_start_date": "soon",
        "is_estimated": "maybe",
        "source_updated_at": "[1]",
    }
    assert (row.quantity, row.period_start_date, row.is_estimated) == (None, None, None)


@pytest.mark.parametrize("nothing", [None, "", " "])
def test_usage_without_a_value_is_absent_and_not_unreadable(nothing: Any) -> None:
    row = usage(usage=nothing, startDate="", isEstimated="", updated="")
    assert (row.quantity, row.period_start_date, row.is_estimated) == (None, None, None)
    assert row.unreadable is None


def test_odd_but_readable_usage() -> None:
    row = usage(
        usage=loads(b"412.50"),
        startDate="2024-01-01T00:00:00Z",
        isEstimated="True",
        exclusion=True,
        site="s",
        document="d",
        timeOfUseBreakdown=loads(b'[{"usage": 0.10}]'),
    )
    assert (str(row.quantity), row.period_start_date) == ("412.50", "2024-01-01")
    assert (row.is_estimated, row.is_subtracted, row.is_superseded) == (
        True,
        True,
        None,
    )
    assert (row.site_id, row.bill_id) == ("s", "d")
    assert str(row.time_of_use_breakdown[0]["usage"]) == "0.10"


@pytest.mark.parametrize(
    ("document", "superseded"),
    [
        ({"revisedDocumentId": "x"}, True),
        ({"revisedDocumentId": None}, False),
        ({"revisedDocument": "x"}, True),
        ({"revisedDocumentId": None, "revisedDocument": "x"}, True),
        ({}, None),
    ],
)
def test_superseded_only_where_the_document_says(
    document: dict[str, Any],
    *,
    superseded: bool | None,
) -> None:
    assert usage(document=document).is_superseded is superseded


def test_a_meter_without_account_and_connection_is_named_by_its_company() -> None:
    row = {"id": "m", "identifiers": meter(("METER", "1")), "isTracked": "no"}
    record = meter_record(Meter(row, "company", {}, {}, {}), "2026-01-01T00:00:00Z")
    assert record.meter_key == "company:1"
    assert record.unreadable == {"is_active": "no"}
    assert (record.is_archived, record.utility) == (None, None)


def test_an_archived_site_archives_its_meters() -> None:
    site = {"id": "s", "dataCollectionStopDate": "2024-01-01"}
    row = {"id": "m", "site": {"id": "s"}}
    record = meter_record(Meter(row, "company", {"id": "c"}, {"id": "a"}, site), "")
    assert (record.is_archived, record.site_id, record.account_id) == (True, "s", "a")

"""Instants: read with their offset, written in one form."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor import instants
from tap_utility_intervals.floor.instants import (
    as_utc,
    micros_form,
    offset_seconds,
    parse_date,
    parse_instant,
    seconds_form,
)

UTC = timezone.utc
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(
    lambda minutes: timezone(timedelta(minutes=minutes))
)
moments = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=offsets,
)


@pytest.mark.parametrize(
    ("text", "utc", "offset"),
    [
        ("2026-05-27T07:45:00.000000-04:00", "2026-05-27T11:45:00Z", -14400),
        ("2026-05-27T11:45:00Z", "2026-05-27T11:45:00Z", 0),
        ("2026-05-27t11:45:00z", "2026-05-27T11:45:00Z", 0),
        ("2026-05-27 11:45:00+00:00", "2026-05-27T11:45:00Z", 0),
        ("2026-05-27T17:15:00+0530", "2026-05-27T11:45:00Z", 19800),
        ("2026-05-27 11:45:00 Z", "2026-05-27T11:45:00Z", 0),
        ("2026-05-27T11:45Z", "2026-05-27T11:45:00Z", 0),
        ("2026-05-27T11:45:00.5Z", "2026-05-27T11:45:00.500000Z", 0),
        ("2024-09-06T00:15:43.073014999Z", "2024-09-06T00:15:43.073014Z", 0),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", 0),
        # what else ISO 8601 allows
        ("2025-11-02T24:00:00-07:00", "2025-11-03T07:00:00Z", -25200),
        ("2025-12-31T24:00Z", "2026-01-01T00:00:00Z", 0),
        ("2024-02-28 24:00:00.000+00", "2024-02-29T00:00:00Z", 0),
        ("2025-11-01 10:00:00+00", "2025-11-01T10:00:00Z", 0),
        ("2025-11-01T10:00:00-07", "2025-11-01T17:00:00Z", -25200),
        ("2025-11-01T10:00:00\u221207:00", "2025-11-01T17:00:00Z", -25200),
        ("2025-11-01T10:00:00,5Z", "2025-11-01T10:00:00.500000Z", 0),
        ("2025-11-01T10:00:00.123456789-0700", "2025-11-01T17:00:00.123456Z", -25200),
        ("20251101T140000Z", "2025-11-01T14:00:00Z", 0),
        ("20251101T140000,25-0700", "2025-11-01T21:00:00.250000Z", -25200),
        ("20251101T1400+00", "2025-11-01T14:00:00Z", 0),
        ("2025-11-01T14Z", "2025-11-01T14:00:00Z", 0),
        ("20251101T240000Z", "2025-11-02T00:00:00Z", 0),
        ("2026-W22-3T11:45:00Z", "2026-05-27T11:45:00Z", 0),
        ("2026W223T114500-0400", "2026-05-27T15:45:00Z", -14400),
        ("2020-W53-7T24:00Z", "2021-01-04T00:00:00Z", 0),
        ("2026-147T11:45:00Z", "2026-05-27T11:45:00Z", 0),
        ("2024366T114500Z", "2024-12-31T11:45:00Z", 0),
        # the hour that comes twice is told apart by its offset
        ("2025-11-02T01:30:00-04:00", "2025-11-02T05:30:00Z", -14400),
        ("2025-11-02T01:30:00-05:00", "2025-11-02T06:30:00Z", -18000),
    ],
)
def test_instant_is_read_with_its_offset(text: str, utc: str, offset: int) -> None:
    moment = parse_instant(text)
    assert seconds_form(moment) == utc
    assert offset_seconds(moment) == offset


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "2026-05-27", "20260527", "2026-W22-3"),
        *("2026-W54-1T00Z", "2026-W22-8T00Z", "2026-W223T00Z", "2026W22-3T00Z"),
        *("2026-366T00Z", "2026-000T00Z", "9999-366T00Z", "x2026-147T00Z"),
        *("2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-05-27T24:00:01Z"),
        *("2026-05-27T24:01Z", "2026-05-27T25:00Z", "2026-05-27T24:00:00.1Z"),
        *("2026-0527T11:45Z", "202605-27T11:45Z", "2026-05-27T11:45.5Z"),
        *("2026-05-27T11:45:00+0", "2026-05-27T11:45:00+000", "9999-12-31T24:00Z"),
        *("2026-05-27T11:60:00Z", "2026-05-27T11:45:60Z", "0000-01-01T00:00:00Z"),
        *("10000-01-01T00:00:00Z", "2026-05-27T11:45:00+24:00", " 2026-05-27T11:45Z"),
        *("2026-05-27T11:45:00+05:60", "2026-05-27T11:45:00.Z", "2026-05-27T11:45:00"),
        *("2026-05-27T11:45:00.1234567890Z", "\uff12026-05-27T11:45:00Z", "soon"),
        *("2026-05-27T11:45:00Z\n", "0001-01-01T00:00:00+01:00"),
        *("9999-12-31T23:59:59-00:01", 1779882300, None, True, ["2026"]),
    ],
)
def test_anything_else_is_a_value_error(text: object) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        parse_instant(text)
    quoted = str(text) in str(caught.value)
    assert not quoted or str(text) in "not an instant such as 2026-05-27T11:45:00Z"


def test_missing_zone_means_utc_only_on_demand() -> None:
    text = "2024-09-06T00:15:43.073014117"
    with pytest.raises(ValueError, match="without a time zone"):
        parse_instant(text)
    found = parse_instant(text, naive_is_utc=True)
    assert micros_form(found) == "2024-09-06T00:15:43.073014Z"
    local = parse_instant("2024-09-06T00:15:43-04:00", naive_is_utc=True)
    assert offset_seconds(local) == -14400


@given(moments)
def test_iso_text_is_read_back(moment: datetime) -> None:
    found = parse_instant(moment.isoformat())
    assert found == moment
    assert found.utcoffset() == moment.utcoffset()


alphabet = st.sampled_from("0123456789+-:.TtZz _/")


@settings(max_examples=500)
@given(moments, st.integers(0, 35), alphabet, st.sampled_from(["change", "add", "cut"]))
def test_the_quick_path_reads_what_the_thorough_one_reads(
    moment: datetime, place: int, letter: str, how: str
) -> None:
    iso = moment.isoformat().replace("+00:00", "Z")
    text = iso[:place] + letter * (how != "cut") + iso[place + (how != "add") :]
    quick = instants._usual(text)
    if quick is not None:
        thorough = instants._unusual(text, naive_is_utc=False)
        assert (quick, quick.utcoffset()) == (thorough, thorough.utcoffset())


@given(moments)
def test_both_forms_hold_the_moment(moment: datetime) -> None:
    assert parse_instant(seconds_form(moment)) == moment
    assert parse_instant(micros_form(moment)) == moment
    assert len(micros_form(moment)) == len("2026-05-27T16:48:25.301699Z")
    assert ("." in seconds_form(moment)) == bool(moment.microsecond)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert (micros_form(one) < micros_form(other)) == (one < other)


@given(st.text(max_size=40))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    for parse in (parse_instant, parse_date):
        with suppress(ValueError):
            parse(text)


def test_naive_moment_is_refused_not_guessed() -> None:
    naive = datetime(2026, 5, 27)  # noqa: DTZ001 - the point of this test
    assert offset_seconds(naive) is None
    for form in (as_utc, seconds_form, micros_form):
        with pytest.raises(ValueError, match="without a time zone"):
            form(naive)


@pytest.mark.parametrize(("year", "hours"), [(1, 1), (9999, -1)], ids=["first", "last"])
def test_overflow_on_the_way_to_utc_is_a_value_error(year: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    day = (1, 1) if year == 1 else (12, 31)
    with pytest.raises(ValueError, match="outside the years"):
        as_utc(datetime(year, *day, 0 if year == 1 else 23, tzinfo=zone))


def test_date_is_checked() -> None:
    assert parse_date("2024-02-29") == "2024-02-29"


@pytest.mark.parametrize(
    "text",
    [
        *("", "2023-02-29", "2024-2-9", "20240229", "2024-02-29T00:00:00Z"),
        *("0000-01-01", "29/02/2024", "2024-02-29 ", 0, None),
    ],
)
def test_anything_but_a_date_is_a_value_error(text: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_date(text)

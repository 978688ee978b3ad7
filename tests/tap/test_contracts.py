"""`schemas/*.json` is the contract; records, streams and documents keep to it."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator
from singer_sdk.singerlib import StateMessage

from tap_utility_intervals.floor import records
from tap_utility_intervals.floor.records import (
    CoverageRecord,
    IntervalRecord,
    MeterRecord,
    UsageRecord,
)
from tap_utility_intervals.singer.state import StateOutlet
from tap_utility_intervals.singer.streams import PagedStream
from tap_utility_intervals.singer.writer import SingerWriter
from tap_utility_intervals.tap import TapUtilityIntervals

SCHEMAS = Path(__file__).parents[2] / "schemas"
UNIFIED: dict[str, type[msgspec.Struct]] = {
    "coverage": CoverageRecord,
    "intervals": IntervalRecord,
    "meters": MeterRecord,
    "usage": UsageRecord,
}
FILES = sorted(path.stem for path in SCHEMAS.glob("*.json"))
STREAMS = sorted(TapUtilityIntervals(config={}, validate_config=False).streams)
LARGEST = 2_147_483_647


def schema(stream: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / f"{stream}.json").read_text())
    return loaded


def types(prop: dict[str, Any]) -> set[str]:
    kinds = prop["type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


@pytest.fixture(scope="module")
def tap() -> TapUtilityIntervals:
    return TapUtilityIntervals(config={}, validate_config=False)


def test_there_is_a_schema_for_each_stream_and_a_stream_for_each_schema(
    tap: TapUtilityIntervals,
) -> None:
    assert sorted(tap.streams) == FILES


@pytest.mark.parametrize("stream", FILES)
def test_a_schema_is_valid_and_every_property_is_described(stream: str) -> None:
    found = schema(stream)
    Draft7Validator.check_schema(found)
    assert found["title"] == stream
    assert found["description"].endswith(".")
    for name, prop in found["properties"].items():
        assert prop.get("description", "").strip(), name
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)


@pytest.mark.parametrize("stream", FILES)
def test_integers_are_bounded(stream: str) -> None:
    """Some loaders make them 128 bits wide otherwise."""
    for name, prop in schema(stream)["properties"].items():
        if "integer" in types(prop):
            assert -LARGEST - 1 <= prop["minimum"] < prop["maximum"], name
            assert prop["maximum"] <= 2**63 - 1, name


@pytest.mark.parametrize("stream", FILES)
def test_no_array_holds_arrays(stream: str) -> None:
    """BigQuery has none, and its loaders fail on the whole stream."""
    assert not [*arrays_of_arrays(schema(stream))]


def arrays_of_arrays(found: Any, *path: str) -> Iterator[str]:
    """The paths of the arrays whose items may be arrays."""
    if isinstance(found, list):
        found = dict(enumerate(found))
    if not isinstance(found, dict):
        return
    items = found.get("items")
    if "type" in found and isinstance(items, dict) and "array" in types(items):
        yield "/".join(path)
    for name, inner in found.items():
        yield from arrays_of_arrays(inner, *path, str(name))


@pytest.mark.parametrize("stream", STREAMS)
def test_everything_but_the_keys_may_be_null(
    stream: str, tap: TapUtilityIntervals
) -> None:
    keys = set(tap.streams[stream].primary_keys)
    for name, prop in schema(stream)["properties"].items():
        assert ("null" in types(prop)) is (name not in keys), name


@pytest.mark.parametrize("stream", STREAMS)
def test_keys_are_columns(stream: str, tap: TapUtilityIntervals) -> None:
    found, columns = tap.streams[stream], schema(stream)["properties"]
    assert set(found.primary_keys) <= set(columns)
    assert found.primary_keys
    assert found.replication_key is None or found.replication_key in columns


@pytest.mark.parametrize("stream", STREAMS)
def test_only_the_unified_streams_are_selected_by_default(
    stream: str, tap: TapUtilityIntervals
) -> None:
    assert tap.streams[stream].selected is (stream in UNIFIED)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_stream_is_paged(stream: str, tap: TapUtilityIntervals) -> None:
    assert isinstance(tap.streams[stream], PagedStream)


@pytest.mark.parametrize("stream", UNIFIED)
def test_the_columns_are_those_of_the_record_in_the_same_order(stream: str) -> None:
    assert list(schema(stream)["properties"]) == list(UNIFIED[stream].__struct_fields__)


@pytest.mark.parametrize("stream", UNIFIED)
def test_the_types_are_those_of_the_record(stream: str) -> None:
    hints = typing.get_type_hints(UNIFIED[stream], vars(records))
    for name, prop in schema(stream)["properties"].items():
        hint = hints[name]
        kinds = {json_type(one) for one in members(hint)}
        if kinds == {"any"}:
            assert types(prop) & {"array", "object"}, name
        else:
            assert types(prop) == kinds, name


def members(hint: Any) -> list[Any]:
    return list(typing.get_args(hint)) if is_union(hint) else [hint]


def is_union(hint: Any) -> bool:
    return bool(typing.get_args(hint)) and typing.get_origin(hint) not in {
        list,
        dict,
        tuple,
    }


def json_type(hint: Any) -> str:
    plain = {
        str: "string",
        int: "integer",
        bool: "boolean",
        datetime: "string",
        type(None): "null",
        Decimal: "number",
        msgspec.Raw: "number",
        Any: "any",
    }
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "string"
    return {list: "array", dict: "object"}[typing.get_origin(hint) or hint]


@pytest.mark.parametrize("stream", UNIFIED)
def test_instants_and_dates_say_so_in_name_and_format(stream: str) -> None:
    for name, prop in schema(stream)["properties"].items():
        is_instant = bool(re.search(r"(_at|_start|_end)$", name))
        is_date = name.endswith("_date")
        assert (prop.get("format") == "date-time") is is_instant, name
        assert (prop.get("format") == "date") is is_date, name


@pytest.mark.parametrize("stream", UNIFIED)
def test_the_words_of_enumerated_columns_are_all_described(stream: str) -> None:
    hints = typing.get_type_hints(UNIFIED[stream], vars(records))
    enumerated = {
        name: {word.value for word in hint}
        for name in schema(stream)["properties"]
        for hint in members(hints[name])
        if isinstance(hint, type) and issubclass(hint, Enum)
    }
    assert enumerated or stream == "coverage"
    for name, words in enumerated.items():
        description = schema(stream)["properties"][name]["description"]
        assert words <= {*re.findall(r"`(\w+)`", description)}, name


def test_messages_go_out_through_our_writer_and_outlet(
    tap: TapUtilityIntervals,
) -> None:
    assert isinstance(tap.message_writer, SingerWriter)
    assert isinstance(tap.state_writer, StateOutlet)
    assert tap.state_writer._message_writer is tap.message_writer
    assert StateMessage({}).type.value == "STATE"

"""Making a record of an object, by its schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.floor.values import loads
from tap_utility_intervals.providers.own_shape import Shape, shaped
from tests.providers.reading import leaves

SCHEMA: dict[str, Any] = {
    "properties": {
        "uid": {"type": "string"},
        "ts": {"type": ["string", "null"], "format": "date-time"},
        "day": {"type": ["string", "null"], "format": "date"},
        "cost": {"type": ["number", "null"]},
        "count": {"type": ["integer", "null"]},
        "flag": {"type": ["boolean", "null"]},
        "word": {"type": ["string", "null"]},
        "open": {"type": ["object", "null"], "additionalProperties": True},
        "either": {"type": ["array", "object", "null"]},
        "base": {
            "type": ["object", "null"],
            "properties": {
                "name": {"type": ["string", "null"]},
                "at": {"type": ["string", "null"], "format": "date-time"},
            },
        },
        "lines": {
            "type": ["array", "null"],
            "items": {
                "type": ["object", "null"],
                "properties": {"cost": {"type": ["number", "null"]}},
            },
        },
        "ranges": {
            "type": ["array", "null"],
            "items": {
                "type": "object",
                "properties": {
                    name: {"type": ["string", "null"], "format": "date-time"}
                    for name in ("start", "end")
                },
            },
        },
        "extra": {"type": ["object", "null"], "additionalProperties": True},
    },
    "required": ["uid"],
}


def shape(**sent: Any) -> dict[str, Any]:
    """What became of some attributes, and `extra`."""
    record, _ = shaped({"uid": "1", **sent}, SCHEMA)
    return {name: record[name] for name in (*sent, "extra") if name in record}


@pytest.mark.parametrize(
    ("name", "sent", "becomes"),
    [
        ("ts", "2016-01-01T12:30:24.653422+00:00", "2016-01-01T12:30:24.653422Z"),
        ("ts", "2026-05-27T07:45:00-04:00", "2026-05-27T11:45:00.000000Z"),
        ("ts", "2024-09-06T00:15:43.073014117", "2024-09-06T00:15:43.073014Z"),
        ("ts", "", None),
        ("day", "2024-02-29", "2024-02-29"),
        ("cost", "412.50", Decimal("412.50")),
        ("cost", Decimal("0.10"), Decimal("0.10")),
        ("cost", 9, Decimal(9)),
        ("count", 7, 7),
        ("count", "8", 8),
        ("flag", True, True),
        ("flag", "false", False),
        ("word", "", ""),
        ("cost", "", None),
        ("word", 58, "58"),
        ("word", True, "true"),
        ("open", {"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}),
        ("either", [1], [1]),
        ("either", {"a": 1}, {"a": 1}),
        ("base", {"name": "x"}, {"name": "x", "at": None}),
        ("lines", [{"cost": "1.0"}, None], [{"cost": Decimal("1.0")}, None]),
        (
            "ranges",
            [["2026-01-01T00:00:00-05:00", None]],
            [{"start": "2026-01-01T05:00:00.000000Z", "end": None}],
        ),
    ],
)
def test_a_value_of_the_documented_type_keeps_its_place(
    name: str, sent: Any, becomes: Any
) -> None:
    found = shape(**{name: sent})
    assert found == {name: becomes, "extra": None}
    assert repr(found[name]) == repr(becomes)


@pytest.mark.parametrize(
    ("name", "sent", "path"),
    [
        ("ts", "soon", "ts"),
        ("ts", 12, "ts"),
        ("day", "2024-02-30", "day"),
        ("cost", "1,234.5", "cost"),
        ("cost", True, "cost"),
        ("cost", {"amount": 1}, "cost"),
        ("count", 2**31, "count"),
        ("count", Decimal("1.5"), "count"),
        ("flag", "perhaps", "flag"),
        ("word", ["a"], "word"),
        ("open", "closed", "open"),
        ("either", "neither", "either"),
        ("base", [1], "base"),
        ("lines", {"0": 1}, "lines"),
    ],
)
def test_a_value_of_another_type_is_null_and_stands_in_extra(
    name: str, sent: Any, path: str
) -> None:
    record, odd = shaped({"uid": "1", name: sent}, SCHEMA)
    assert record[name] is None
    assert record["extra"] == {path: sent}
    assert odd == [name]


def test_deep_in_a_list_the_path_has_the_place_and_the_warning_has_not() -> None:
    sent = {"uid": "1", "lines": [{"cost": "1"}, {"cost": "x", "new": 1}, 3]}
    record, odd = shaped(sent, SCHEMA)
    assert record["lines"] == [{"cost": Decimal(1)}, {"cost": None}, None]
    assert record["extra"] == {"lines.1.cost": "x", "lines.1.new": 1, "lines.2": 3}
    assert odd == ["lines.cost", "lines"]


def test_what_is_not_declared_stands_in_extra_as_sent() -> None:
    found = shape(new=[1, {"a": None}], base={"name": "x", "new": Decimal("1.10")})
    assert found["extra"] == {"new": [1, {"a": None}], "base.new": Decimal("1.10")}
    assert shape(new=None)["extra"] is None
    assert shape(extra={"a": 1})["extra"] == {"extra": {"a": 1}}


def test_an_instant_for_a_day_is_cut_and_kept() -> None:
    found = shape(day="2024-01-31T22:00:00-05:00")
    assert found == {"day": "2024-01-31", "extra": {"day": "2024-01-31T22:00:00-05:00"}}


@pytest.mark.parametrize(
    "name",
    [
        "connectionMagicLinkSecret",
        "access_token",
        "refreshToken",
        "password",
        "apiKey",
        "API-KEYS",
        "client_secret",
    ],
)
def test_secrets_stand_nowhere(name: str) -> None:
    secret = "PLANTED-SECRET"
    record, _ = shaped(
        {
            "uid": "1",
            name: secret,
            "open": {name: secret, "deep": [{name: secret}]},
            "base": {name: secret},
            "new": {"a": {name: {"x": secret}}},
            "cost": {name: secret},
            "lines": [{name: secret}],
        },
        SCHEMA,
    )
    assert secret not in str(record)


def test_a_token_in_a_link_is_cut_out_of_it() -> None:
    link = "https://utilityapi.com/files/1.pdf?access_token=PLANTED-SECRET&x=1"
    found = shape(word=link, new=[link])
    assert found["word"] == "https://utilityapi.com/files/1.pdf?access_token=***&x=1"
    assert "PLANTED" not in str(found)


def test_an_object_without_its_key_is_left_out_and_counted() -> None:
    warnings: list[str] = []
    make = Shape(SCHEMA, "utilityapi: things", warnings.append)
    assert make({"uid": None, "word": "x"}) is None
    assert make({"uid": ""}) is None
    assert warnings == ["utilityapi: things: an object without an id was left out"] * 2


def test_a_warning_names_the_column_and_never_the_value() -> None:
    warnings: list[str] = []
    record = Shape(SCHEMA, "utilityapi: things", warnings.append)(
        {"uid": 1, "cost": "PLANTED"}
    )
    assert record is not None
    assert record["uid"] == "1"
    (warning,) = warnings
    assert "things.cost" in warning
    assert "PLANTED" not in warning


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.sampled_from(sorted(SCHEMA["properties"])) | st.text()


@given(st.dictionaries(NAMES, JSON))
def test_any_object_becomes_a_record_that_can_be_written(sent: dict[str, Any]) -> None:
    sent = loads(msgspec.json.encode(_finite(sent)))
    record, _ = shaped(sent, SCHEMA)
    assert record.keys() == SCHEMA["properties"].keys()
    assert ENCODER.encode_lines([record]).count(b"\n") == 1
    kept = {path for path, _ in leaves(record)}
    for name, value in sent.items():
        gone = value is None or value == "" or "." in name or _is_secret(name)
        assert gone or name in record or name in (record["extra"] or {}), (name, kept)


def _is_secret(name: str) -> bool:
    return any(w in name.lower() for w in ("secret", "token", "passw", "key", "cred"))


def _finite(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list) else value

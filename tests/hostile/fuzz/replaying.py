"""What must hold of every delivery, however odd the answer was."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jsonschema import Draft7Validator

from tap_utility_intervals.singer.streams import SCHEMAS
from tests.hostile.fuzz.delivering import Delivery
from tests.oracle import KEYS, UNIFIED

UNIQUE = {
    **{stream: KEYS[stream] for stream in UNIFIED},
    # An answer that names no meter is taken for the one of whom it was asked.
    "usage": (*KEYS["usage"], "meter_key"),
}


def check(delivery: Delivery) -> None:
    """Rows are as their schema says, each key once, and nothing is lost in silence."""
    for stream, rows in delivery.rows.items():
        schema = validator(stream)
        for row in rows:
            for problem in schema.iter_errors(row):
                raise AssertionError(f"{stream}: {problem.message[:300]}")
        if stream in UNIQUE:
            keys = [tuple(row[name] for name in UNIQUE[stream]) for row in rows]
            assert len(set(keys)) == len(keys), f"{stream}: a key twice"


@lru_cache
def validator(stream: str) -> Any:
    return Draft7Validator(dict(SCHEMAS.get_schema(stream)))

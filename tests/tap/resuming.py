"""What a target holds after a run that was cut and one that resumed it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.oracle import KEYS, Row

OF_THE_RUN = ("listed_at", "read_at")
"""The columns that say when the run was, not what the provider has."""

OF_RUNS = "coverage"
"""The stream that says what runs have read, and so differs with each of them."""

Table = dict[tuple[str, ...], Row]


def parsed(lines: Iterable[str]) -> list[Row]:
    """Messages with all digits of their numbers; a cut line is none."""
    messages = []
    for line in lines:
        try:
            messages.append(json.loads(line, parse_float=Decimal))
        except ValueError:
            continue
    return messages


def undated(row: Mapping[str, Any]) -> Row:
    """A row, or a STATE, without when the run was."""
    return {
        name: undated(value) if isinstance(value, Mapping) else value
        for name, value in row.items()
        if name not in OF_THE_RUN
    }


def load(messages: Iterable[Row], before: Mapping[Any, Row] | None = None) -> Table:
    """The rows as a target keeps them: by stream and key, the last one stays."""
    table: Table = dict(before or {})
    for message in messages:
        if message["type"] == "RECORD" and message["stream"] != OF_RUNS:
            stream, row = message["stream"], dict(message["record"])
            key = (stream, *(row[column] for column in KEYS[stream]))
            table[key] = undated(row)
    return table


def last_state(messages: Iterable[Row], before: Row | None = None) -> Row | None:
    """The last STATE, as a target hands it back; `before` if there was none."""
    state = before
    for message in messages:
        if message["type"] == "STATE":
            state = message["value"]
    return json.loads(json.dumps(state, default=float)) if state else None

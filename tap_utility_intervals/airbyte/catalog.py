"""The streams that there are, and those that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from singer_sdk import Stream

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.tap import TapUtilityIntervals

SYNC_MODES = ("full_refresh", "incremental")


def catalog(tap: TapUtilityIntervals) -> dict[str, object]:
    """The body of the CATALOG message."""
    return {"streams": [_stream(stream) for stream in tap.streams.values()]}


def _stream(stream: Stream) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": stream.name,
        "json_schema": _schema(dict(stream.schema)),
        "supported_sync_modes": ["full_refresh"],
        "source_defined_primary_key": [[key] for key in stream.primary_keys or ()],
        "is_resumable": False,
    }
    if stream.replication_key:
        entry |= {
            "supported_sync_modes": list(SYNC_MODES),
            "source_defined_cursor": True,
            "default_cursor_field": [stream.replication_key],
            "is_resumable": True,
        }
    return entry


UNHEARD = {"$id", "$schema"}
"""What Airbyte knows nothing of."""


def _schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with Airbyte's types, which destinations turn into columns."""
    found = {key: value for key, value in schema.items() if key not in UNHEARD}
    if isinstance(found.get("type"), list):
        found |= _types(found.pop("type"))
    if found.get("format") == "date-time":
        found["airbyte_type"] = "timestamp_with_timezone"
    if "properties" in found:
        properties = found["properties"].items()
        found["properties"] = {name: _schema(part) for name, part in properties}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), Mapping):
            found[key] = _schema(found[key])
    return found


def _types(names: list[str]) -> dict[str, Any]:
    """Null first, as Airbyte writes it; several others are a union and say so."""
    names = sorted(names, key=lambda name: name != "null")
    if len([name for name in names if name != "null"]) > 1:
        return {"oneOf": [{"type": name} for name in names]}
    return {"type": names}


def wanted(configured: object) -> list[str]:
    """The names in a configured catalog, each once.

    How a stream is to be read is the platform's business: for a full refresh it passes
    no state, or that of the attempt before. So is which columns are kept.

    Raises:
        ConfigError: when it is no configured catalog.
    """
    try:
        streams = configured["streams"]  # type: ignore[index]
        found = {entry["stream"]["name"]: entry["sync_mode"] for entry in streams}
    except (KeyError, TypeError):
        raise ConfigError("catalog", "is not a configured Airbyte catalog") from None
    for name, mode in found.items():
        if mode not in SYNC_MODES:
            problem = f"asks to read {name} in the unknown mode {mode}"
            raise ConfigError("catalog", problem, f'"{SYNC_MODES[0]}"')
    return list(found)

"""The state that the platform kept, as the tap's bookmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tap_utility_intervals.airbyte.writer import NO_CURSOR
from tap_utility_intervals.floor.errors import ConfigError


def bookmarks(given: object) -> dict[str, Any]:
    """The STATE of the tap in what `--state` holds.

    That is a list of messages, one for each stream. A Singer STATE is taken as it is,
    and so is what the platform makes of one that is set by hand.

    Raises:
        ConfigError: when it is none of these: to start anew is not ours to decide.
    """
    if not given:
        return {}
    if isinstance(given, Mapping):
        return _whole(given)
    found: dict[str, Any] = {}
    try:
        for message in given:  # type: ignore[attr-defined]
            found |= _parts(message)
    except (KeyError, TypeError, AttributeError):
        raise _unknown() from None
    return {"bookmarks": found} if found else {}


def _whole(state: Mapping[str, Any]) -> dict[str, Any]:
    if set(state) == {"bookmarks"} and isinstance(state["bookmarks"], dict):
        return dict(state)
    if "type" in state:
        return bookmarks([state])
    raise _unknown()


def _parts(message: Mapping[str, Any]) -> dict[str, Any]:
    """The bookmarks in one message; members may be there and null."""
    if message.get("type") == "LEGACY" or message.get("data"):
        data = message.get("data") or {}
        parts: dict[str, Any] = bookmarks(data).get("bookmarks", {})
        return parts
    streams = (message.get("global") or {}).get("stream_states") or []
    if message.get("stream"):
        streams = [message["stream"], *streams]
    return {
        stream["stream_descriptor"]["name"]: stream["stream_state"]
        for stream in streams
        if stream.get("stream_state") and NO_CURSOR not in stream["stream_state"]
    }


def _unknown() -> ConfigError:
    problem = "is neither Airbyte's nor a Singer tap's"
    return ConfigError("state", problem, "reset the connection to start anew")

"""The connector's settings: the tap's own, in the form that Airbyte's pages need."""

from __future__ import annotations

import re
from typing import Any

from tap_utility_intervals import runs
from tap_utility_intervals.settings.shared import JSONSchema

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def settings() -> dict[str, JSONSchema]:
    """All settings by name, the credentials first.

    They come from where they are defined: the SDK adds settings of its own to the tap's
    schema, such as stream maps, which would write streams that no catalog names.
    """
    found = runs.own_settings().items()
    return dict(sorted(found, key=lambda item: not item[1].get("secret")))


def secrets(given: dict[str, Any]) -> list[object]:
    """What is secret in a configuration."""
    return [
        given[name]
        for name, schema in settings().items()
        if schema.get("secret") and given.get(name) is not None
    ]


def specification() -> dict[str, object]:
    """The body of the SPEC message."""
    properties = {
        name: {**_plain(schema), "order": order}
        for order, (name, schema) in enumerate(settings().items())
    }
    return {
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Utility Intervals",
            "type": "object",
            # Either credential will do, which only `oneOf` could say: `check` says it.
            "required": [],
            "properties": properties,
            "additionalProperties": True,
        },
        "supportsIncremental": True,
        "supported_destination_sync_modes": [],
    }


def _plain(schema: JSONSchema) -> JSONSchema:
    """A setting in draft-07 with one plain type: leaving it out is how to say null."""
    kept = {k: v for k, v in schema.items() if k not in {"secret", "writeOnly"}}
    if isinstance(kept.get("type"), list):
        kept["type"] = next(name for name in kept["type"] if name != "null")
    if isinstance(kept.get("items"), dict):
        kept["items"] = _plain(kept["items"])
    if kept.get("format") == "date-time" and "examples" in kept:
        # The page's date picker takes no plain days, though the connector does.
        kept["examples"] = [text for text in kept["examples"] if INSTANT.match(text)]
    if schema.get("secret"):
        kept |= {"airbyte_secret": True, "always_show": True}
    return kept

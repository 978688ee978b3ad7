"""The connector's settings: the tap's own, in the form that Airbyte's pages need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from itertools import count
from typing import Any

from tap_utility_intervals import runs
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.settings import shared
from tap_utility_intervals.settings.shared import JSONSchema

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


ELSEWHERE = {"batch_config", "metrics_file"}
"""Nobody would see files in the connector's container."""

PACKAGE = "tap-utility-intervals"


def groups() -> Iterator[tuple[str, str, dict[str, JSONSchema]]]:
    """The settings as a page shows them, group by group: its id, title and settings.

    They come from where they are defined: the SDK adds settings of its own to the tap's
    schema, such as stream maps, which would write streams that no catalog names.
    """
    found = runs.own_settings()
    secret = {name: schema for name, schema in found.items() if schema.get("secret")}
    yield "credentials", "Credentials: one or both", secret
    usable = {n: one for n, one in shared.SETTINGS.items() if n not in ELSEWHERE}
    yield "shared", "What is read, and how", usable
    for one in PROVIDERS:
        rest = {name: one.settings[name] for name in one.settings if name not in secret}
        yield one.name, one.title, rest


def settings() -> dict[str, JSONSchema]:
    """All settings by name, in the order in which a page shows them."""
    return {name: one for _, _, part in groups() for name, one in part.items()}


def secrets(given: dict[str, Any]) -> list[object]:
    """What is secret in a configuration."""
    return [
        given[name]
        for name, schema in settings().items()
        if schema.get("secret") and given.get(name) is not None
    ]


def specification() -> dict[str, object]:
    """The body of the SPEC message."""
    order = count()
    properties = {
        name: {**_plain(schema), "group": group, "order": next(order)}
        for group, _, part in groups()
        for name, schema in part.items()
    }
    return {
        **_links(),
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Utility Intervals",
            "type": "object",
            # Either credential will do, which only `oneOf` could say: `check` says it.
            "required": [],
            "groups": [{"id": group, "title": title} for group, title, _ in groups()],
            "properties": properties,
            "additionalProperties": True,
        },
        "supportsIncremental": True,
        "supported_destination_sync_modes": [],
    }


def _links() -> dict[str, str]:
    """Where the documentation and the changelog are, as the package says."""
    lines = metadata.metadata(PACKAGE).get_all("Project-URL") or []
    urls = dict(line.split(", ", 1) for line in lines)
    links = {}
    if docs := urls.get("Documentation"):
        links["documentationUrl"] = f"{docs}/airbyte.md"
    if changes := urls.get("Changelog"):
        links["changelogUrl"] = changes
    return links


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

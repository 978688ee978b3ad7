"""Nectar's settings: what they are, and what they were set to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tap_utility_intervals.providers.nectar.mapping import values
from tap_utility_intervals.settings import checks, shared
from tap_utility_intervals.settings.shared import JSONSchema, Settings

CREDENTIAL = "nectar_api_key"
BASE_URL = "nectar_base_url"

SETTINGS: dict[str, JSONSchema] = {
    CREDENTIAL: {
        "type": ["string", "null"],
        "secret": True,
        "writeOnly": True,
        "title": "Nectar API key",
        "description": (
            "Turns Nectar on. Made under Settings > Organization > API Keys; one key "
            "reads all companies of the organisation."
        ),
    },
    BASE_URL: {
        "type": ["string", "null"],
        "default": "https://external.nectarclimate.com/v2.2",
        "title": "Nectar base URL",
        "description": "Where Nectar is asked; versions v2, v2.1 and v2.2 work.",
        "examples": [
            "https://external.nectarclimate.com/v2.2",
            "https://external.nectarclimate.com/v2.1",
        ],
    },
    "nectar_companies": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "title": "Nectar companies",
        "description": "Read only the companies with these ids. Unset: all of them.",
        "examples": [["91c21c6b-5f3f-4d5f-9fb9-02530ef4b13c"]],
    },
    "nectar_datasource_types": {
        "type": ["array", "null"],
        "items": {"type": "string", "enum": list(values.DATASOURCE_TYPES)},
        "title": "Nectar datasource types",
        "description": "Read only these kinds of meters. Unset: all kinds.",
        "examples": [["ELECTRICITY", "GAS"]],
    },
}


@dataclass(frozen=True)
class NectarSettings:
    """The settings with the prefix `nectar_`, parsed."""

    api_key: str = field(repr=False)
    base_url: str
    companies: list[str]
    """Read these only, by id; none named: all."""
    datasource_types: list[str]
    """Read these kinds of meters only, each named once; none named: all."""

    @classmethod
    def parse(cls, config: Mapping[str, Any], common: Settings) -> NectarSettings:
        """Read Nectar's settings out of a checked configuration.

        Raises:
            ConfigError: naming the setting that cannot be used.
        """
        given = shared.filled(config, SETTINGS)
        url = checks.base_url(
            BASE_URL, given[BASE_URL], allow_insecure_http=common.allow_insecure_http
        )
        return cls(
            api_key=checks.credential(CREDENTIAL, given[CREDENTIAL]),
            base_url=url,
            companies=given.get("nectar_companies") or [],
            datasource_types=sorted({*(given.get("nectar_datasource_types") or ())}),
        )

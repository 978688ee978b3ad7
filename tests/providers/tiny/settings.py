"""Tiny's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self

from tap_utility_intervals.settings import checks, shared
from tap_utility_intervals.settings.shared import JSONSchema, Settings

NAME = "tiny"
CREDENTIAL = "tiny_api_key"
BASE_URL = "tiny_base_url"

SETTINGS: dict[str, JSONSchema] = {
    CREDENTIAL: {
        "type": ["string", "null"],
        "secret": True,
        "writeOnly": True,
        "title": "Tiny API key",
        "description": "Turns Tiny on.",
    },
    BASE_URL: {
        "type": "string",
        "default": "https://tiny.example.com",
        "title": "Tiny base URL",
        "description": "Where Tiny is asked.",
    },
}


@dataclass(frozen=True)
class TinySettings:
    """The settings with the prefix `tiny_`, parsed."""

    api_key: str
    base_url: str

    @classmethod
    def parse(cls, config: Mapping[str, Any], common: Settings) -> Self:
        """Read them out of a checked configuration."""
        given = shared.filled(config, SETTINGS)
        url = checks.base_url(
            BASE_URL, given[BASE_URL], allow_insecure_http=common.allow_insecure_http
        )
        return cls(checks.credential(CREDENTIAL, given[CREDENTIAL]), url)

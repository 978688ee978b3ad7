"""UtilityAPI's settings: what they are, and what they were set to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.settings import checks, shared
from tap_utility_intervals.settings.shared import JSONSchema, Settings

CREDENTIAL = "utilityapi_api_token"
BASE_URL = "utilityapi_base_url"
TIME_ZONE = "utilityapi_default_time_zone"
"""Gives a zone to times that have none."""
RATE = "utilityapi_requests_per_second"

HARD_LIMIT = 50
"""Requests a second above which UtilityAPI refuses (its API FAQ)."""

SETTINGS: dict[str, JSONSchema] = {
    CREDENTIAL: {
        "type": ["string", "null"],
        "secret": True,
        "writeOnly": True,
        "title": "UtilityAPI API token",
        "description": (
            "Turns UtilityAPI on. Made under Settings, API Tokens, in its dashboard."
        ),
    },
    BASE_URL: {
        "type": "string",
        "default": "https://utilityapi.com/api/v2",
        "title": "UtilityAPI base URL",
        "description": "Where UtilityAPI is asked; the token goes nowhere else.",
        "examples": ["https://utilityapi.com/api/v2"],
    },
    "utilityapi_authorizations": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "title": "UtilityAPI authorizations",
        "description": "Read the meters of these authorizations only, by uid.",
        "examples": [["579849"]],
    },
    "utilityapi_meters": {
        "type": ["array", "null"],
        "items": {"type": "string"},
        "title": "UtilityAPI meters",
        "description": "Read these meters only, by uid.",
        "examples": [["2061339", "2061340"]],
    },
    "utilityapi_allow_mixed": {
        "type": "boolean",
        "default": False,
        "title": "UtilityAPI mixed lengths",
        "description": (
            "Read readings of every length. By default UtilityAPI hides all but a "
            "meter's main length."
        ),
    },
    TIME_ZONE: {
        "type": ["string", "null"],
        "title": "UtilityAPI default time zone",
        "description": (
            "The zone of readings and coverage that are sent without one, by its name "
            "in the tz database. Unset: such a meter fails."
        ),
        "examples": ["America/New_York"],
    },
    RATE: {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1,
        "title": "UtilityAPI requests per second",
        "description": (
            "UtilityAPI asks for patience: about one request a second, and about one a "
            "minute for bills and intervals. 0.5 is one in two seconds. At most 50, "
            "its hard limit, except on this machine."
        ),
        "examples": [1, 0.5],
    },
    "utilityapi_meters_per_request": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 100,
        "title": "UtilityAPI meters per request",
        "description": (
            "How many meters may share a request for bills or recent intervals, as far "
            "as little is expected of each."
        ),
    },
}


@dataclass(frozen=True)
class UtilityApiSettings:
    """The settings with the prefix `utilityapi_`, parsed."""

    api_token: str = field(repr=False)
    base_url: str
    authorizations: list[str]
    """Read these only, by uid; none named: all."""
    meters: list[str]
    """Read these only, by uid; none named: all."""
    allow_mixed: bool
    requests_per_second: float
    meters_per_request: int
    zone: tzinfo | None = None
    """Of times that are sent without one."""

    @classmethod
    def parse(cls, config: Mapping[str, Any], common: Settings) -> UtilityApiSettings:
        """Read UtilityAPI's settings out of a checked configuration.

        Raises:
            ConfigError: naming the setting that cannot be used.
        """
        given = shared.filled(config, SETTINGS)
        url = checks.base_url(
            BASE_URL, given[BASE_URL], allow_insecure_http=common.allow_insecure_http
        )
        return cls(
            api_token=checks.credential(CREDENTIAL, given[CREDENTIAL]),
            base_url=url,
            authorizations=given.get("utilityapi_authorizations") or [],
            meters=given.get("utilityapi_meters") or [],
            allow_mixed=given["utilityapi_allow_mixed"],
            requests_per_second=_rate(given[RATE], url),
            meters_per_request=given["utilityapi_meters_per_request"],
            zone=_zone(given.get(TIME_ZONE)),
        )

    @property
    def is_filtered(self) -> bool:
        """Whether only some of the account's meters are read."""
        return bool(self.meters or self.authorizations)


def _rate(per_second: float, url: str) -> float:
    if per_second > HARD_LIMIT and not checks.is_loopback(urlsplit(url).hostname or ""):
        problem = f"must be at most {HARD_LIMIT}, UtilityAPI's hard limit"
        raise ConfigError(RATE, problem, "0.5")
    return per_second


def _zone(name: str | None) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = "must be the name of a zone of the tz database"
        raise ConfigError(TIME_ZONE, problem, '"America/New_York"') from None

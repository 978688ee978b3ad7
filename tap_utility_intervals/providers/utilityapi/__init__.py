"""UtilityAPI v2 (https://utilityapi.com/docs/api)."""

from __future__ import annotations

from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.providers.base import Provider, Run, Session
from tap_utility_intervals.providers.http import Endpoint, Transport
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER as NAME
from tap_utility_intervals.providers.utilityapi.session import UtilityApiSession
from tap_utility_intervals.providers.utilityapi.streams import STREAMS
from tap_utility_intervals.settings import shared as config
from tap_utility_intervals.settings.shared import JSONSchema, Settings

CREDENTIAL = "utilityapi_api_token"
BASE_URL = "utilityapi_base_url"

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
    "utilityapi_requests_per_second": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 1,
        "title": "UtilityAPI requests per second",
        "description": (
            "UtilityAPI asks for patience: about one request a second, and about one a "
            "minute for bills and intervals. Its hard limit is 50 a second."
        ),
    },
    "utilityapi_meters_per_request": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 10,
        "title": "UtilityAPI meters per request",
        "description": (
            "How many meters may share a request for bills or recent intervals."
        ),
    },
}


def check(settings: Settings) -> None:
    """Refuse what cannot be used before anything is asked.

    Raises:
        ConfigError: naming the setting.
    """
    config.base_url(
        BASE_URL,
        settings.raw[BASE_URL],
        allow_insecure_http=settings.allow_insecure_http,
    )
    config.credential(CREDENTIAL, settings.raw[CREDENTIAL])


def transport(settings: Settings, clock: Clock | None = None) -> Transport:
    """The way to UtilityAPI with the configured token."""
    endpoint = Endpoint(
        provider=NAME,
        base_url=settings.raw[BASE_URL].rstrip("/"),
        headers={"Authorization": f"Bearer {settings.raw[CREDENTIAL]}"},
        credential=CREDENTIAL,
    )
    limiter = Limiter(
        settings.raw["utilityapi_requests_per_second"], settings.max_concurrency
    )
    return Transport(endpoint, settings, limiter, clock)


def connect(run: Run) -> Session:
    """A session for one run."""
    return UtilityApiSession(run, transport(run.settings, run.clock))


PROVIDER = Provider(
    name=NAME,
    credential=CREDENTIAL,
    settings=SETTINGS,
    check=check,
    connect=connect,
    streams=STREAMS,
)

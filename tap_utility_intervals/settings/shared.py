"""The settings that all providers share, and how any setting is checked.

Each provider owns the settings with its own prefix; this module owns the rest. Every
value is validated before the first request; an error names the setting, what is wrong
and an example.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft7Validator, ValidationError

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.floor.instants import parse_instant

JSONSchema = dict[str, Any]

SETTINGS: dict[str, JSONSchema] = {
    "start_date": {
        "type": ["string", "null"],
        "format": "date-time",
        "title": "Start date",
        "description": (
            "Read nothing that lies before this instant or day (UTC). "
            "Unset: all history that the provider has."
        ),
        "examples": ["2024-01-01T00:00:00Z", "2024-01-01"],
    },
    "end_date": {
        "type": ["string", "null"],
        "format": "date-time",
        "title": "End date",
        "description": (
            "Read nothing that starts at or after this instant or day (UTC). "
            "Unset: up to now. Mostly for backfills."
        ),
        "examples": ["2025-01-01T00:00:00Z"],
    },
    "lookback_days": {
        "type": "integer",
        "minimum": 0,
        "maximum": 3650,
        "default": 30,
        "title": "Look-back (days)",
        "description": (
            "How far behind its bookmark each run reads again, because utilities "
            "deliver late and restate."
        ),
    },
    "full_rescan_days": {
        "type": "integer",
        "minimum": 0,
        "maximum": 3650,
        "default": 7,
        "title": "Full re-scan (days)",
        "description": (
            "Every source is read in full once in so many days, spread over the "
            "sources, to find silent restatements. 0: never."
        ),
    },
    "window_days": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 3650,
        "title": "Window (days)",
        "description": (
            "The widest span that one request for intervals covers. "
            "Unset: chosen by provider and volume."
        ),
        "examples": [30],
    },
    "max_concurrency": {
        "type": "integer",
        "minimum": 1,
        "maximum": 64,
        "default": 8,
        "title": "Maximum concurrency",
        "description": (
            "Requests in flight for each provider at once. Nectar never gets more "
            "than 10, as it asks."
        ),
    },
    "request_timeout": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 3600,
        "default": 300,
        "title": "Request time-out (seconds)",
        "description": "How long to wait for an answer to begin, or to go on.",
    },
    "max_retries": {
        "type": "integer",
        "minimum": 0,
        "maximum": 20,
        "default": 5,
        "title": "Maximum retries",
        "description": (
            "How often a request is repeated after a server error, a time-out, a "
            "broken connection or an unreadable answer."
        ),
    },
    "max_response_mb": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 4096,
        "default": 128,
        "title": "Maximum response (MB)",
        "description": "Refuse an answer whose decompressed body is larger than this.",
    },
    "allow_insecure_http": {
        "type": "boolean",
        "default": False,
        "title": "Allow insecure HTTP",
        "description": (
            "Send credentials over plain http to another machine. "
            "Loopback addresses are always allowed."
        ),
    },
    "state_interval_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": 300,
        "default": 10,
        "title": "STATE interval (seconds)",
        "description": (
            "At most one STATE message in so many seconds. "
            "0: one after every finished window."
        ),
    },
    "user_agent": {
        "type": ["string", "null"],
        "title": "User agent",
        "description": "Sent with every request, so that providers can reach you.",
        "examples": ["acme-energy-warehouse/1.0 (data@acme.example)"],
    },
}


def defaults(settings: Mapping[str, JSONSchema]) -> dict[str, Any]:
    """The default values of those settings that have one."""
    return {
        n: schema["default"] for n, schema in settings.items() if "default" in schema
    }


def filled(
    config: Mapping[str, Any], settings: Mapping[str, JSONSchema]
) -> dict[str, Any]:
    """Return those settings as given, the defaults where they are unset or null."""
    given = {n: v for n, v in config.items() if n in settings and v is not None}
    return defaults(settings) | given


@dataclass(frozen=True)
class Settings:
    """The shared settings, parsed."""

    start_date: datetime | None
    end_date: datetime | None
    lookback: timedelta
    full_rescan_days: int
    window: timedelta | None
    max_concurrency: int
    request_timeout: float
    max_retries: int
    max_response_bytes: int
    allow_insecure_http: bool
    user_agent: str | None

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> Settings:
        """Read the shared settings out of a flat configuration.

        Raises:
            ConfigError: when a value cannot be used; the text names the setting.
        """
        given = filled(config, SETTINGS)
        start = day_or_instant("start_date", given.get("start_date"))
        end = day_or_instant("end_date", given.get("end_date"))
        if start and end and end <= start:
            setting = "end_date"
            problem = "is not after start_date"
            raise ConfigError(setting, problem, '"2025-01-01"')
        agent = given.get("user_agent")
        if agent is not None and not (agent.isascii() and agent.isprintable()):
            setting, problem = "user_agent", "must be plain ASCII on one line"
            raise ConfigError(setting, problem, example_of(SETTINGS[setting]))
        days = given.get("window_days")
        return cls(
            start_date=start,
            end_date=end,
            lookback=timedelta(days=given["lookback_days"]),
            full_rescan_days=given["full_rescan_days"],
            window=timedelta(days=days) if days else None,
            max_concurrency=given["max_concurrency"],
            request_timeout=float(given["request_timeout"]),
            max_retries=given["max_retries"],
            max_response_bytes=int(given["max_response_mb"] * 1_000_000),
            allow_insecure_http=given["allow_insecure_http"],
            user_agent=agent,
        )


def day_or_instant(setting: str, value: str | None) -> datetime | None:
    """Parse `2024-01-01` (midnight UTC) or an ISO 8601 instant.

    Raises:
        ConfigError: when the text is neither.
    """
    if value is None:
        return None
    try:
        whole = value if len(value) > len("2024-01-01") else f"{value}T00:00:00"
        return parse_instant(whole, naive_is_utc=True).astimezone(timezone.utc)
    except ValueError:
        problem = "is not a date or an ISO 8601 instant"
        raise ConfigError(setting, problem, '"2024-01-01"') from None


def base_url(setting: str, value: str, *, allow_insecure_http: bool) -> str:
    """Check a provider's address: https, or http on this machine only.

    Raises:
        ConfigError: when it has no scheme or host, carries a user name or a query,
            or would send the credential in the clear to another machine.
    """
    example = '"https://example.com/api"'
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        problem = "is not an address"
        raise ConfigError(setting, problem, example) from None
    if not value.isprintable() or " " in value:
        problem = "holds a space or a line break"
        raise ConfigError(setting, problem, example)
    if parts.scheme not in {"http", "https"} or not host:
        problem = "needs a scheme (https://) and a host"
        raise ConfigError(setting, problem, example)
    if "@" in parts.netloc or parts.query or parts.fragment:
        problem = "must be a bare address, without user name, query or fragment"
        raise ConfigError(setting, problem, example)
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(host)):
        problem = (
            "would send the credential unencrypted; "
            "use https or set allow_insecure_http"
        )
        raise ConfigError(setting, problem, example)
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_unknown(config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse a setting that nobody reads: most often a slip of the pen.

    Raises:
        ConfigError: naming the setting and the nearest one that exists.
    """
    for name in config:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}" if near else "--about lists them all"
            problem = f"is not a setting of this tap; {hint}"
            raise ConfigError(name, problem)


def credential(setting: str, value: str) -> str:
    """Check that a credential can be sent at all; its text is never shown.

    Raises:
        ConfigError: when it holds characters that no header can carry.
    """
    if not value.isascii() or not value.isprintable() or " " in value:
        problem = "holds a space, a line break or a letter that no credential has"
        raise ConfigError(setting, problem)
    return value


KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list of texts",
    "object": "an object",
}
"""How the types of JSON Schema are called in a sentence."""

WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
"""How an environment variable spells a truth value."""


def problems(config: Mapping[str, Any], schema: JSONSchema) -> list[str]:
    """What is wrong with types and bounds: a sentence each, that shows no value."""
    found = (
        str(_problem(error, schema["properties"]))
        for error in Draft7Validator(schema).iter_errors(config)
    )
    return list(dict.fromkeys(found))  # of a list one sentence, not one an item


def _problem(error: ValidationError, known: Mapping[str, JSONSchema]) -> ConfigError:
    setting = str(error.absolute_path[0]) if error.absolute_path else "file"
    schema = known.get(setting, {})
    bound = error.validator_value
    wrong = {
        "minimum": f"must be at least {bound}",
        "exclusiveMinimum": f"must be more than {bound}",
        "maximum": f"must be at most {bound}",
        "enum": f"must be one of {bound}",
    }
    kinds = " or ".join(KINDS[kind] for kind in kinds_of(schema) if kind in KINDS)
    fits = f"must be {kinds}" if kinds else "is not as --about describes it"
    problem = wrong.get(str(error.validator), fits)
    return ConfigError(setting, problem, example_of(schema))


def example_of(schema: JSONSchema) -> str | None:
    """A value that would do, as JSON; None when the schema has none to show."""
    examples = schema.get("examples") or [schema.get("default")]
    return None if examples[0] is None else json.dumps(examples[0])


def kinds_of(schema: JSONSchema) -> list[str]:
    """The JSON types that a schema allows."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def tidied(
    config: Mapping[str, Any], known: Mapping[str, JSONSchema]
) -> dict[str, Any]:
    """A configuration with defaults for what is unset or null, and plain numbers."""
    given = {
        name: _plain_number(value, known.get(name, {}))
        for name, value in config.items()
        if value is not None
    }
    return defaults(known) | given


def _plain_number(value: Any, schema: JSONSchema) -> Any:  # noqa: ANN401 - JSON
    """The SDK reads 1.5 as Decimal; JSON knows no difference between 8 and 8.0."""
    kinds = kinds_of(schema)
    if not isinstance(value, (float, Decimal)) or not {"integer", "number"} & {*kinds}:
        return value
    number = float(value)
    if not math.isfinite(number):
        return str(value)  # no number after all: `problems` says so
    return int(number) if "integer" in kinds and number.is_integer() else number


def from_text(text: str, schema: JSONSchema) -> Any:  # noqa: ANN401 - JSON
    """A value as an environment variable holds it.

    What does not fit stays the text it is, so that `problems` can name the setting.
    """
    kinds = kinds_of(schema)
    if "string" in kinds:
        return text
    if "boolean" in kinds:
        return WORDS.get(text.strip().lower(), text)
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if "array" in kinds and not isinstance(value, list):
        return [item.strip() for item in text.split(",")]
    return value

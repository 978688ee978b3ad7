"""The settings that all providers share.

Each provider owns the settings with its own prefix; this module owns the rest. Every
value is validated before the first request; an error names the setting, what is wrong
and an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

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
        "default": 60,
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
    "credential_name": {
        "type": ["string", "null"],
        "title": "Credential name",
        "description": (
            "A name of your own for this configuration's credentials, once several of "
            "a provider fill one warehouse; rows of `meters` hold it. Not the "
            "credential itself."
        ),
        "examples": ["acme-west"],
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
    "max_failed_sources": {
        "type": "integer",
        "minimum": 0,
        "default": 0,
        "title": "Maximum failed sources",
        "description": (
            "How many sources (meters, connections, companies) may fail before the run "
            "exits with 1. They are told all the same, and their bookmarks stay."
        ),
    },
    "metrics_file": {
        "type": ["string", "null"],
        "title": "Metrics file",
        "description": (
            "Where each run writes what it did, as JSON; in Prometheus' text form if "
            "the name ends in .prom. Also the option --metrics."
        ),
        "examples": ["metrics.json", "/var/lib/node_exporter/acme-west.prom"],
    },
    "batch_config": {
        "type": ["object", "null"],
        "title": "Batches",
        "description": (
            "Hand the unified streams over as Arrow files, not as lines: in which "
            "folder, and what their names begin with. Needs the extra [arrow] and a "
            "target that takes BATCH of Arrow, on the same disk."
        ),
        "properties": {
            "encoding": {
                "type": "object",
                "properties": {"format": {"type": "string", "enum": ["arrow"]}},
                "required": ["format"],
                "additionalProperties": False,
            },
            "storage": {
                "type": "object",
                "properties": {
                    "root": {"type": "string", "pattern": "^file:///."},
                    "prefix": {"type": ["string", "null"]},
                },
                "required": ["root"],
                "additionalProperties": False,
            },
        },
        "required": ["encoding", "storage"],
        "additionalProperties": False,
        "examples": [
            {
                "encoding": {"format": "arrow"},
                "storage": {"root": "file:///var/lib/meltano/batches"},
            }
        ],
    },
    "user_agent": {
        "type": ["string", "null"],
        "title": "User agent",
        "description": "Sent with every request, so that providers can reach you.",
        "examples": ["acme-energy-warehouse/1.0 (data@acme.example)"],
    },
}

REWRITING = ("stream_maps", "stream_map_config", "flattening_enabled")
"""Settings that change what Singer's records look like. Ignored where there are none,
they would let out what somebody meant to hide."""


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
    credential_name: str | None
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
            raise ConfigError(setting, problem, '"acme-warehouse/1.0"')
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
            credential_name=given.get("credential_name"),
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

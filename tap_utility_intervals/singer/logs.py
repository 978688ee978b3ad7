"""The log of commands that are ours and not the SDK's."""

from __future__ import annotations

from singer_sdk._logging import _setup_console_logging
from singer_sdk.plugin_base import _plugin_log_level


def log_as(name: str) -> None:
    """Log to standard error as the tap `name` does, by the same variables."""
    _setup_console_logging(log_level=_plugin_log_level(plugin_name=name))

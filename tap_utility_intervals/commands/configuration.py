"""The tap's own configuration, for the commands: read and checked the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import click

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.settings.shared import Settings
from tap_utility_intervals.tap import TapUtilityIntervals

WRONG = 2
"""The exit code for a command line or a configuration that cannot be used."""


class Failed(click.ClickException):
    """The command could not do what was asked; exit code 1."""


class Wrong(click.ClickException):
    """The command line or the configuration is wrong; nothing was sent."""

    exit_code = WRONG


@dataclass(frozen=True)
class Configuration:
    """What was configured: checked, as a sync would."""

    config: Mapping[str, Any]
    settings: Settings
    providers: Sequence[Provider]
    """Those whose credential is set."""
    started: datetime


config_option = click.option(
    "--config",
    "sources",
    multiple=True,
    metavar="FILE|ENV",
    help=(
        "The tap's configuration file, or ENV for the environment variables "
        "TAP_UTILITY_INTERVALS_*. Several are merged. Default: ENV."
    ),
)
"""Says where the configuration is, as the tap has it."""


def config_words(sources: Sequence[str]) -> list[str]:
    """The options as they were given, for another command with the same ones."""
    return [word for source in sources for word in ("--config", source)]


def configured(sources: Sequence[str]) -> Configuration:
    """Read and check the configuration.

    Raises:
        Wrong: naming the setting.
    """
    try:
        given = TapUtilityIntervals.given(sources or ["ENV"])
    except errors.ConfigError as error:
        raise Wrong(str(error)) from None
    config, wrong = TapUtilityIntervals.checked(given)
    if wrong:
        raise Wrong(" ".join(wrong))
    used = [provider for provider in PROVIDERS if config.get(provider.credential)]
    return Configuration(
        config, Settings.parse(config), used, datetime.now(timezone.utc)
    )


def refuse_password(option: str, url: str) -> None:
    """Let no password stand on the command line, before the host or behind a `?`.

    Raises:
        Wrong: one does, or it is no URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Wrong(f"{option}: {error}.") from None
    named = {name for name, _ in parse_qsl(parts.query)}
    if parts.password is not None or not named.isdisjoint({"password", "sslpassword"}):
        raise Wrong(
            f"{option}: leave the password out of the command line, where others see"
            " it: PGPASSWORD, PGPASSFILE and PGSERVICE are read."
        )


def lacking(error: ImportError, extra: str) -> Failed:
    """Say which extra brings what is not installed."""
    extra = {"psycopg": "postgres"}.get(error.name or "", extra)
    named = f"tap-utility-intervals[{extra}]"
    return Failed(f"{error.name} is not installed: pip install '{named}'")


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a provider refuses into a sentence and exit code 1."""
    try:
        yield
    except errors.TapError as error:
        raise Failed(str(error)) from None

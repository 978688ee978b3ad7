"""The tap's own configuration, for the commands: read and checked the same way."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.settings.shared import Settings
from tap_utility_intervals.tap import TapUtilityIntervals

F = TypeVar("F", bound=Callable[..., Any])

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


def config_option(command: F) -> F:
    """The option that says where the configuration is, as the tap has it."""
    return click.option(
        "--config",
        "sources",
        multiple=True,
        metavar="FILE|ENV",
        help=(
            "The tap's configuration file, or ENV for the environment variables "
            "TAP_UTILITY_INTERVALS_*. Several are merged. Default: ENV."
        ),
    )(command)


def load(sources: Sequence[str]) -> Configuration:
    """Read and check the configuration.

    Raises:
        Wrong: naming the setting.
    """
    config: dict[str, Any] = {}
    for source in sources:
        if source != "ENV":
            config |= _file(source)
    from_environment = not sources or "ENV" in sources
    try:
        with _untouched():
            tap = TapUtilityIntervals(
                config=config, parse_env_config=from_environment, validate_config=True
            )
    except ConfigValidationError as error:
        raise Wrong(str(error)) from None
    return Configuration(
        tap.config,
        Settings.parse(tap.config),
        tap.providers,
        datetime.now(timezone.utc),
    )


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a provider refuses into a sentence and exit code 1."""
    try:
        yield
    except errors.TapError as error:
        raise Failed(str(error)) from None


def _file(name: str) -> dict[str, Any]:
    try:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise Wrong(f"{name} cannot be read: {error.strerror}.") from None
    except ValueError:
        # The decoder's own text would quote the file, which holds credentials.
        raise Wrong(f"{name} is not JSON.") from None
    if not isinstance(found, dict):
        raise Wrong(f"{name} holds no JSON object.")
    return found


@contextmanager
def _untouched() -> Iterator[None]:
    """Keep the tap from taking over Ctrl-C, and the SDK from logging."""
    taken = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in taken}
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)

"""What a run is given and how it ends, whatever the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.settings import shared
from tap_utility_intervals.settings.shared import JSONSchema

WELL, ILL = 0, 1

Parse: TypeAlias = Callable[[str, bytes], Any]
"""Makes something of a file, which the first argument names."""


class Absent(ConfigError):  # noqa: N818 - it says what happened
    """A file that is not there."""


def exit_code(report: Report) -> int:
    """0 if everything was read that there is, else 1."""
    return ILL if report.failed else WELL


def own_settings() -> dict[str, JSONSchema]:
    """Name to JSON Schema, without what the SDK adds for every tap."""
    parts = (*(provider.settings for provider in PROVIDERS), shared.SETTINGS)
    return {name: schema for part in parts for name, schema in part.items()}


def json_file(setting: str, path: str | Path, parse: Parse | None = None) -> Any:  # noqa: ANN401 - JSON
    """What a JSON file holds; None if it is empty.

    Args:
        setting: which file that is: `config`, `state` or `catalog`.
        path: where it lies.
        parse: reads it in the place of `json_text`.

    Raises:
        ConfigError: naming both; it never quotes the file, which may hold credentials.
    """
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        kind = Absent if isinstance(error, FileNotFoundError) else ConfigError
        raise kind(setting, f"cannot be read from {path} ({why})") from None
    return (parse or json_text)(f"{setting} in {path}", text)


def state_file(
    path: str | Path, tell: Callable[[str], object], parse: Parse | None = None
) -> Any:  # noqa: ANN401 - JSON
    """What the file of `--state` holds; none is there yet before the first run.

    Raises:
        ConfigError: as `json_file` does.
    """
    try:
        return json_file("state", path, parse)
    except Absent:
        tell(f"There is no {path} yet: this is a first run, which reads everything.")
        return None


def json_text(what: str, text: str | bytes) -> Any:  # noqa: ANN401 - JSON
    """What a JSON text holds; None if it is empty.

    Raises:
        ConfigError: naming `what`; it never quotes the text.
    """
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError:
        problem = "is not JSON"
    raise ConfigError(what, problem)


def json_object(what: str, found: object) -> dict[str, Any]:
    """What was found, which must be a JSON object.

    Raises:
        ConfigError: naming `what`.
    """
    if not isinstance(found, dict):
        raise ConfigError(what, "is not a JSON object")
    return found


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(constant)

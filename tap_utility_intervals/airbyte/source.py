"""`source-utility-intervals`: the commands of an Airbyte source."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from singer_sdk.exceptions import ConfigValidationError

from tap_utility_intervals import runs
from tap_utility_intervals.airbyte import catalog, spec, state
from tap_utility_intervals.airbyte.failures import failure_of
from tap_utility_intervals.airbyte.output import Output, logging_to
from tap_utility_intervals.airbyte.reading import Reading, make_tap
from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.limiter import Stopped
from tap_utility_intervals.settings.checks import refuse_unknown
from tap_utility_intervals.stdout import OutputGone, as_before
from tap_utility_intervals.tap import TapUtilityIntervals

CHECK_RETRIES = 2
"""Somebody waits for the answer of a `check`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 only if all of it went well."""
    options = _parser().parse_args(arguments)
    output = Output(sys.stdout)
    with redirect_stdout(sys.stderr), logging_to(output, debug=options.debug):
        try:
            return _run(options, output)
        except OutputGone as gone:
            sys.stderr.write(f"{gone}\n")
            return runs.ILL
        except KeyboardInterrupt:
            return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    name = "source-utility-intervals"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    files = {
        "spec": (),
        "check": ("config",),
        "discover": ("config",),
        "read": ("config", "catalog", "state"),
    }
    for command, needed in files.items():
        sub = commands.add_parser(command)
        sub.add_argument("--debug", action="store_true", help="log more")
        for file in needed:
            required = file != "state"
            sub.add_argument(f"--{file}", type=Path, required=required)
    return parser


def _run(options: argparse.Namespace, output: Output) -> int:
    commands = {"check": _check, "discover": _discover, "read": _read, "spec": _spec}
    try:
        return commands[options.command](options, output)
    except OutputGone:
        raise
    except Exception as error:  # noqa: BLE001 - the platform is told, and the exit code
        output.fail(failure_of(error))
        return 1


def _spec(_: argparse.Namespace, output: Output) -> int:
    output.send("SPEC", "spec", spec.specification())
    return 0


def _check(options: argparse.Namespace, output: Output) -> int:
    """Validate the settings and ask each provider one cheap question."""
    try:
        config = _config(options, output)
        retries = min(CHECK_RETRIES, config.get("max_retries", CHECK_RETRIES))
        problems = _ping(_asking({**config, "max_retries": retries}, output))
    except (errors.TapError, ConfigValidationError) as error:
        problems = [failure_of(error).message]
    status = {"status": "FAILED" if problems else "SUCCEEDED"}
    if problems:
        status["message"] = output.masked(" ".join(problems))
    output.send("CONNECTION_STATUS", "connectionStatus", status)
    return 0


def _asking(config: dict[str, Any], output: Output) -> TapUtilityIntervals:
    """A tap for one question: signals end it as they end any program.

    Nothing is to be saved, and PyAirbyte stops a connector once it has its answer,
    at a moment when an exception would be a traceback.

    Raises:
        ConfigValidationError: when a setting cannot be used.
    """
    with as_before(signal.SIGINT, signal.SIGTERM):
        return make_tap(config, {}, output)


def _ping(tap: TapUtilityIntervals) -> list[str]:
    """What each provider has against being read."""
    problems = []
    try:
        for session in tap.sessions:
            try:
                session.ping()
            except (errors.ProviderError, Stopped) as error:
                problems.append(str(error))
    finally:
        tap.close()
    return problems


def _discover(options: argparse.Namespace, output: Output) -> int:
    tap = _asking(_config(options, output), output)
    output.send("CATALOG", "catalog", catalog.catalog(tap))
    return 0


def _read(options: argparse.Namespace, output: Output) -> int:
    config = _config(options, output)
    wanted = catalog.wanted(runs.json_file("catalog", options.catalog))
    told = partial(output.log, "INFO")
    kept = runs.state_file(options.state, told) if options.state else None
    return Reading(
        make_tap(config, state.bookmarks(kept), output), wanted, output
    ).run()


def _config(options: argparse.Namespace, output: Output) -> dict[str, Any]:
    """The settings, whose secrets are masked from now on.

    Raises:
        ConfigError: when they cannot be read, or hold one that nobody knows.
    """
    found = runs.json_file("config", options.config)
    config = runs.json_object(f"config in {options.config}", found)
    output.hide(spec.secrets(config))
    refuse_unknown(config, spec.settings())
    return config


if __name__ == "__main__":
    sys.exit(main())

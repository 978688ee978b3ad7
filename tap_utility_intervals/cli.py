"""`utility-intervals`: the commands for people."""

from __future__ import annotations

from typing import Any

import click
from typing_extensions import override

from tap_utility_intervals.sandbox.__main__ import main as serve
from tap_utility_intervals.stdout import explained


class Commands(click.Group):
    """Loads what talks to providers only when asked for: the sandbox starts at once."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["collect", "doctor", "load", "models", "report", "sandbox"]

    @override
    def main(self, *args: Any, **kwargs: Any) -> Any:
        with explained():
            return super().main(*args, **kwargs)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "collect":
            from tap_utility_intervals.commands.collect.command import collect  # noqa: PLC0415

            return collect
        if cmd_name == "doctor":
            from tap_utility_intervals.commands.doctor import doctor  # noqa: PLC0415

            return doctor
        if cmd_name == "load":
            from tap_utility_intervals.commands.load import load_command  # noqa: PLC0415

            return load_command
        if cmd_name == "report":
            from tap_utility_intervals.commands.report import report  # noqa: PLC0415

            return report
        if cmd_name == "models":
            from tap_utility_intervals.commands.models import models_command  # noqa: PLC0415

            return models_command
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands)
@click.version_option(package_name="tap-utility-intervals")
def main() -> None:
    """Utility meter data: try it out, look after it."""


@main.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def sandbox(options: tuple[str, ...]) -> None:
    """Serve both providers' APIs on this machine, without an account."""
    raise SystemExit(serve(list(options)))

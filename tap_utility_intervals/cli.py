"""`utility-intervals`: the commands for people."""

from __future__ import annotations

import click

from tap_utility_intervals.sandbox.__main__ import main as serve


@click.group()
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

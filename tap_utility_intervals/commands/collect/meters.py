"""The option that names meters, and the table that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from tap_utility_intervals.commands.tables import table

F = TypeVar("F", bound=Callable[..., Any])


def _uids(_: click.Context, __: click.Parameter, value: Sequence[str]) -> list[str]:
    """The uids of all options, each once."""
    found = [uid.strip() for option in value for uid in option.split(",")]
    if value and not any(found):
        raise click.BadParameter("name at least one meter")
    return list(dict.fromkeys(uid for uid in found if uid))


def meters_option(*, required: bool) -> Callable[[F], F]:
    """The option that names meters, as `named`."""
    return click.option(
        "--meters",
        "named",
        callback=_uids,
        multiple=True,
        required=required,
        metavar="UID[,UID...]",
        help="These meters, by uid." + ("" if required else " Default: all."),
    )


def show_meters(
    headings: Mapping[str, str], rows: Sequence[Mapping[str, object]]
) -> None:
    """A table without the columns that hold nothing."""
    if not rows:
        click.echo("UtilityAPI lists no meter.")
        return
    shown = {
        name: heading
        for name, heading in headings.items()
        if any(row.get(name) is not None for row in rows)
    }
    for line in table(shown, rows):
        click.echo(line)

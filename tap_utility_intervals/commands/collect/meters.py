"""The options that name meters, and the table that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from tap_utility_intervals.commands.tables import table

F = TypeVar("F", bound=Callable[..., Any])


def _uids(_: click.Context, __: click.Parameter, value: Sequence[str]) -> list[str]:
    """Return the uids of all options, each once.

    Raises:
        click.BadParameter: when they name none.
    """
    found = [uid.strip() for option in value for uid in option.split(",")]
    if value and not any(found):
        raise click.BadParameter("name at least one meter")
    return list(dict.fromkeys(uid for uid in found if uid))


def _of_file(_: click.Context, __: click.Parameter, path: Path | None) -> list[str]:
    """Return the uids that a file holds, with commas or white space between them.

    Raises:
        click.BadParameter: when it cannot be read, or names none.
    """
    try:
        found = path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeError) as error:
        raise click.BadParameter(f"{path} cannot be read ({error})") from None
    if path and not found.strip(", \n"):
        raise click.BadParameter(f"{path} names no meter")
    return found.replace(",", " ").split()


def meters_option(*, required: bool) -> Callable[[F], F]:
    """Add the options that name meters; the command takes both as `named`."""
    by_uid = click.option(
        "--meters",
        "named",
        callback=_uids,
        multiple=True,
        metavar="UID[,UID...]",
        help="These meters, by uid." + ("" if required else " Default: all."),
    )
    by_file = click.option(
        "--meters-file",
        "of_file",
        callback=_of_file,
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="These meters: a file with their uids, such as `plan --write` makes.",
    )

    def decorated(command: F) -> F:
        @wraps(command)
        def both(*, named: list[str], of_file: list[str], **options: Any) -> object:  # noqa: ANN401 - click's
            found = list(dict.fromkeys([*named, *of_file]))
            if required and not found:
                raise click.UsageError("Name meters with --meters or --meters-file.")
            return command(named=found, **options)

        return by_uid(by_file(both))  # type: ignore[return-value]

    return decorated


def show_meters(
    headings: Mapping[str, str], rows: Sequence[Mapping[str, object]]
) -> None:
    """Print a table of meters, without the columns that hold nothing."""
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

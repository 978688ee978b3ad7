"""Asking before something is sent that costs money, and telling what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from tap_utility_intervals.commands.configuration import Wrong
from tap_utility_intervals.commands.tables import ROWS_SHOWN, counted, names
from tap_utility_intervals.floor.printable import printable
from tap_utility_intervals.providers.utilityapi.collecting.sending import Answer
from tap_utility_intervals.providers.utilityapi.entities import ListedMeter

COSTS = "This costs money at UtilityAPI, per meter; only demo meters are free."
"""Others may turn out free; then the answer says so: utilityapi.md#collecting."""


def tell_left_out(obstacles: Iterable[tuple[str, str | None]]) -> None:
    """Say which meters are not sent, and why; of very many, how many more."""
    found = [(uid, obstacle) for uid, obstacle in obstacles if obstacle is not None]
    for uid, obstacle in found[:ROWS_SHOWN]:
        click.echo(printable(f"Left out: meter {uid} {obstacle}."))
    if len(found) > ROWS_SHOWN:
        click.echo(f"Left out: {counted(len(found) - ROWS_SHOWN, 'more meter')}.")


def may_send(
    what: str,
    meters: Sequence[ListedMeter],
    most: int,
    *,
    sure: bool,
    costs: bool,
) -> bool:
    """Ask whether to send; tell whether there is something to send.

    Args:
        what: would be done, as a sentence begins with it.
        meters: to send.
        most: how many meters may be sent.
        sure: do not ask.
        costs: say that it costs money.

    Raises:
        Wrong: when it is more than allowed.
        SystemExit: 1, when the person does not want it.
    """
    if not meters:
        click.echo("There is nothing to do. Nothing was sent.")
        return False
    if len(meters) > most:
        raise Wrong(
            f"{len(meters)} meters are more than --max-meters allows, {most}. "
            "Nothing was sent."
        )
    of = f"{counted(len(meters), 'meter')}: {names(m.uid for m in meters)}"
    click.echo(f"{what} of {of}." + (f" {COSTS}" if costs else ""))
    if sure:
        return True
    try:
        if click.confirm("Send it?"):
            return True
    except click.Abort:
        click.echo()
    click.echo("Nothing was sent. (Scripts confirm with --yes.)")
    raise SystemExit(1)


def say(text: str) -> None:
    """Tell the person, beside the output."""
    click.echo(text, err=True)


def tell_taken(what: str, answer: Answer) -> None:
    """Say which meters UtilityAPI took."""
    if answer.overtaken:
        click.echo(
            f"Not sent again, after UtilityAPI asked to wait: {names(answer.overtaken)}"
            ". By now it looks as if it had been done."
        )
    taken = list(answer.meters)
    if taken or not answer.overtaken:
        click.echo(f"{what} {counted(len(taken), 'meter')}: {names(taken)}.")
    if answer.is_free:
        click.echo("UtilityAPI says that it is free.")


def end(answer: Answer) -> None:
    """Say which meters were dropped without a word: utilityapi.md#collecting.

    Raises:
        SystemExit: 1, if any were: it was not all done.
    """
    if answer.dropped:
        say(
            f"UtilityAPI left out without a word: {names(answer.dropped)}. Most often "
            "their authorization has expired or was revoked; ask the customer to "
            "authorize again."
        )
        raise SystemExit(1)

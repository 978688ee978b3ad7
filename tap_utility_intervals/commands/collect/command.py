"""`utility-intervals collect`: have UtilityAPI collect, which costs money."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tap_utility_intervals.commands.collect.account import Account
from tap_utility_intervals.commands.collect.meters import meters_option, show_meters
from tap_utility_intervals.commands.collect.sending import (
    COSTS,
    end,
    may_send,
    say,
    tell_left_out,
    tell_taken,
)
from tap_utility_intervals.commands.collect.status import status
from tap_utility_intervals.commands.configuration import (
    Failed,
    Wrong,
    config_option,
    config_words,
    configured,
    explained,
)
from tap_utility_intervals.commands.tables import counted, day, days, stretch
from tap_utility_intervals.providers.utilityapi.collecting.prospects import (
    FREQUENCIES,
    MOST_MONTHS,
    Prospect,
    monitoring_obstacle,
)
from tap_utility_intervals.providers.utilityapi.entities import ListedMeter

F = TypeVar("F", bound=Callable[..., Any])

MOST_METERS = 10
"""At once: a slip with more costs real money. `--max-meters` allows them."""
MANY = "meters.txt"
"""Where a plan of many meters proposes to write them: no command line holds them."""
PLANNED_MONTHS = 12
"""Of history: what is collected on per-month plans if nothing is said
(https://utilityapi.com/docs/api/meters/historical-collection)."""


def _guards(command: F) -> F:
    """The options of the two commands that send something."""
    yes = click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
    most = click.option(
        "--max-meters",
        type=click.IntRange(1),
        default=MOST_METERS,
        show_default=True,
        help="Refuse to send more meters than this.",
    )
    return most(yes(command))


def _months(**options: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's options
    return click.option("--months", type=click.IntRange(1, MOST_MONTHS), **options)


@click.group()
def collect() -> None:
    """Have UtilityAPI collect data. This costs money; reading them is free.

    The tap itself never does this: it reads what was collected.
    """


@collect.command()
@config_option
@meters_option(required=False)
@_months(default=PLANNED_MONTHS, show_default=True, help="How far to look back.")
@click.option(
    "--write",
    "into",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the uids of the meters that lack data, for `start --meters-file`.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def plan(
    *,
    sources: Sequence[str],
    named: list[str],
    months: int,
    into: Path | None,
    as_json: bool,
) -> None:
    """Show what a collection would add. Sends nothing."""
    with explained(), Account(configured(sources)) as account:
        found = account.prospects(account.meters(named), months)
        since, until = account.span(months)
    rows = [_prospect_row(item) for item in found]
    able = [item.listed.uid for item in found if item.obstacle is None]
    if into is not None:
        _write(into, able)
    if as_json:
        click.echo(json.dumps({"months": months, "meters": rows}, indent=2))
        return
    click.echo(f"The last {counted(months, 'month')}: {day(since)} to {day(until)}\n")
    show_meters(PLAN_HEADINGS, rows)
    click.echo()
    tell_left_out((item.listed.uid, item.obstacle) for item in found)
    if not able:
        click.echo("There is nothing to collect. Nothing was sent.")
        return
    click.echo(
        f"A collection would fill what {counted(len(able), 'meter')} of {len(found):,} "
        f"lack, as far as their utilities have it.\n{COSTS}\n"
        "Nothing was sent. To start it:"
    )
    rest = ("--months", months, *config_words(sources))
    file = into or (Path(MANY) if len(able) > MOST_METERS else None)
    if file is None:
        click.echo(_line("start", "--meters", ",".join(able), *rest))
        return
    if into is None:
        click.echo(_line("plan", "--write", file, *_given(named), *rest))
    more = ("--max-meters", len(able)) if len(able) > MOST_METERS else ()
    click.echo(_line("start", "--meters-file", file, *rest, *more))


def _line(command: str, *words: object) -> str:
    """A command as a shell takes it."""
    words = ("utility-intervals", "collect", command, *words)
    return "  " + shlex.join(map(str, words))


def _given(named: Sequence[str]) -> tuple[str, ...]:
    return ("--meters", ",".join(named)) if named else ()


def _write(file: Path, uids: Sequence[str]) -> None:
    """Write uids, one a line.

    Raises:
        Failed: when that cannot be done.
    """
    try:
        file.write_text("".join(f"{uid}\n" for uid in uids), encoding="utf-8")
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}.") from None


PLAN_HEADINGS = {
    "meter": "METER",
    "utility": "UTILITY",
    "status": "STATUS",
    "intervals": "INTERVALS",
    "intervals_missing": "LACKING",
    "bills": "BILLS",
    "bills_missing": "LACKING",
}


def _prospect_row(found: Prospect) -> dict[str, str | None]:
    meter = found.listed.meter
    return {
        "meter": found.listed.uid,
        "utility": found.listed.utility,
        "status": meter.status,
        "intervals": stretch(meter.interval_coverage),
        "intervals_missing": days(found.intervals),
        "bills": stretch(meter.bill_coverage),
        "bills_missing": days(found.bills),
        "obstacle": found.obstacle,
    }


@collect.command()
@config_option
@meters_option(required=True)
@_months(required=True, help="How far to look back, 1 to 36.")
@_guards
def start(
    *,
    sources: Sequence[str],
    named: list[str],
    months: int,
    max_meters: int,
    yes: bool,
) -> None:
    """Collect the last months of these meters. Costs money, and asks before.

    Meters that are being collected, that already cover the span, or whose authorization
    has ended are left out.
    """
    with explained(), Account(configured(sources)) as account, account.alone():
        meters = account.named(named)
        found = account.prospects(meters, months)
        tell_left_out((p.listed.uid, p.obstacle) for p in found)
        able = [item.listed for item in found if item.obstacle is None]
        what = f"Collect the last {counted(months, 'month')}"
        if may_send(what, able, max_meters, sure=yes, costs=True):

            def still_due(uids: Sequence[str]) -> list[str]:
                looked = account.prospects(account.meters(uids), months)
                return [item.listed.uid for item in looked if item.obstacle is None]

            uids = [meter.uid for meter in able]
            answer = account.collector(say).collect(uids, months, still_due)
            tell_taken("Collecting", answer)
            follow = _line("status", "--wait", *config_words(sources)).strip()
            click.echo(f"Follow it: {follow}")
            end(answer)


@collect.command()
@config_option
@meters_option(required=True)
@click.option(
    "--frequency",
    type=click.Choice(FREQUENCIES),
    required=True,
    help="How often UtilityAPI collects by itself.",
)
@click.option(
    "--refresh-day",
    type=click.IntRange(1, 31),
    help="The day of the month; for monthly only. Default: UtilityAPI chooses.",
)
@_guards
def monitor(  # noqa: PLR0913 - one for each option
    *,
    sources: Sequence[str],
    named: list[str],
    frequency: str,
    refresh_day: int | None,
    max_meters: int,
    yes: bool,
) -> None:
    """Set how often UtilityAPI collects these meters from now on.

    Anything but off costs money. History is not collected by it.
    """
    if refresh_day is not None and frequency != "monthly":
        raise Wrong("--refresh-day goes with --frequency monthly only.")
    with explained(), Account(configured(sources)) as account, account.alone():

        def obstacle(meter: ListedMeter) -> str | None:
            return monitoring_obstacle(meter, account.grants, frequency, refresh_day)

        def still_due(uids: Sequence[str]) -> list[str]:
            looked = account.meters(uids)
            return [meter.uid for meter in looked if obstacle(meter) is None]

        meters = account.named(named)
        tell_left_out((meter.uid, obstacle(meter)) for meter in meters)
        able = [meter for meter in meters if obstacle(meter) is None]
        is_off = frequency == "off"
        what = "Switch monitoring off" if is_off else f"Monitor {frequency}"
        if may_send(what, able, max_meters, sure=yes, costs=not is_off):
            uids = [meter.uid for meter in able]
            answer = account.collector(say).monitor(
                uids, frequency, refresh_day, still_due
            )
            tell_taken("Monitoring is off for" if is_off else "Monitoring", answer)
            end(answer)


collect.add_command(status)

"""`utility-intervals collect status`: how far the collections are."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from tap_utility_intervals.commands.collect import watching
from tap_utility_intervals.commands.collect.account import Account
from tap_utility_intervals.commands.collect.meters import meters_option, show_meters
from tap_utility_intervals.commands.configuration import (
    config_option,
    configured,
    explained,
)
from tap_utility_intervals.commands.tables import counted, names
from tap_utility_intervals.providers.utilityapi.entities import ListedMeter


@click.command()
@config_option
@meters_option(required=False)
@click.option("--wait", is_flag=True, help="Ask again until no meter is pending.")
@click.option(
    "--interval",
    type=click.FloatRange(0, 3600),
    default=30,
    show_default=True,
    help="Seconds between two questions; never faster than the configured rate.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    help="Give up after so many seconds. UtilityAPI itself tries for up to 7 days.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(  # noqa: PLR0913 - one for each option
    *,
    sources: Sequence[str],
    named: list[str],
    wait: bool,
    interval: float,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Show which meters are being collected, or wait until none is.

    Exit code 1: a collection failed, or was not done in time.
    """
    with explained(), Account(configured(sources)) as account:
        meters = account.named(named) if named else account.meters(None)
        if wait:
            watch = watching.lines if as_json else watching.best()
            meters = watching.until_done(
                account, meters, interval, timeout, watch(err=as_json)
            )
    rows = [_status_row(meter) for meter in meters]
    if as_json:
        click.echo(json.dumps({"meters": rows}, indent=2))
    else:
        show_meters(STATUS_HEADINGS, rows)
        click.echo("\n" + _status_sentence(meters))
    failed = any(meter.is_errored for meter in meters)
    late = wait and any(meter.is_pending for meter in meters)
    raise SystemExit(1 if failed or late else 0)


STATUS_HEADINGS = {
    "meter": "METER",
    "utility": "UTILITY",
    "status": "STATUS",
    "since": "SINCE",
    "monitoring": "MONITORING",
    "readings": "READINGS",
    "bills": "BILLS",
}


def _status_row(meter: ListedMeter) -> dict[str, str | int | None]:
    return {
        "meter": meter.uid,
        "utility": meter.utility,
        "status": meter.meter.status,
        "since": (meter.meter.status_ts or "")[:19].replace("T", " ") or None,
        "monitoring": meter.frequency,
        "readings": meter.meter.reading_count,
        "bills": meter.meter.bill_count,
    }


def _status_sentence(meters: Sequence[ListedMeter]) -> str:
    pending = [meter.uid for meter in meters if meter.is_pending]
    errored = [meter.uid for meter in meters if meter.is_errored]
    never = [meter.uid for meter in meters if not meter.was_collected]
    parts = [
        f"{counted(len(pending), 'meter')} pending."
        if pending
        else "No meter is pending."
    ]
    if errored:
        parts.append(
            f"Failed: {names(errored)}; UtilityAPI's dashboard says why, most often "
            "the customer must authorize again."
        )
    if never:
        parts.append(f"Never collected: {names(never)}.")
    return " ".join(parts)

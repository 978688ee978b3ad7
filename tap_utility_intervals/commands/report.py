"""`utility-intervals report`: what a warehouse says of its meters, as one HTML file."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from tap_utility_intervals.commands.configuration import (
    Failed,
    lacking,
    refuse_password,
)
from tap_utility_intervals.floor.errors import TapError

DAY = click.DateTime(["%Y-%m-%d"])
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.command("report")
@click.option(
    "--warehouse",
    required=True,
    metavar="WAREHOUSE",
    help="warehouse.duckdb, postgresql://user@host/database, or a folder lake/.",
)
@click.option(
    "--schema",
    help="Where the tables are. Default: main (DuckDB), public (PostgreSQL).",
)
@click.option(
    "--out",
    default="report.html",
    show_default=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
@click.option(
    "--meter", "meters", multiple=True, help="Only this meter_key; repeatable."
)
@click.option(
    "--since", type=DAY, help="From this day on. Default: the last year of each meter."
)
@click.option("--as-of", type=MOMENT, help='What "now" is, in UTC. Default: now.')
@click.option(
    "--time-zone",
    default="",
    metavar="ZONE|TABLE",
    help="Where meters are whose readings have no local time: America/Chicago, or a"
    " table with columns provider, meter_key, time_zone.",
)
@click.option(
    "--names", is_flag=True, help="Show addresses, account numbers and Nectar's keys."
)
def report(  # noqa: PLR0913 - its options
    *,
    warehouse: str,
    schema: str | None,
    out: Path,
    meters: tuple[str, ...],
    since: datetime | None,
    as_of: datetime | None,
    time_zone: str,
    names: bool,
) -> None:
    """Write one HTML file about the meters of a warehouse: load, gaps, bills, checks.

    It needs no network and no other program than a browser. Nothing in the warehouse is
    changed. More than 100 meters: a table of them, and one file for each beside it.
    """
    refuse_password("--warehouse", warehouse)
    try:
        from tap_utility_intervals.reporting.page import Page  # noqa: PLC0415 - extra
        from tap_utility_intervals.reporting.warehouse import (  # noqa: PLC0415
            Wanted,
            asked,
            name_of,
        )
        from tap_utility_intervals.reporting.writing import write  # noqa: PLC0415

        made = as_of or datetime.now(timezone.utc).replace(tzinfo=None)
        head = Page(name_of(warehouse), made, names)
        now = f"{as_of:%Y-%m-%d %H:%M:%S}" if as_of else ""
        wanted = Wanted(meters, time_zone, now)
        with asked(warehouse, schema, wanted) as database:
            first = since.date() if since else None
            files = list(write(database, head, out, first, meters))
    except ImportError as error:
        raise lacking(error, "report") from None
    except TapError as error:
        raise Failed(str(error)) from None
    beside = f", and {len(files) - 1} files in {files[0].parent}" if files[1:] else ""
    click.echo(f"{out}{beside}")

"""`utility-intervals load`: the whole way into a warehouse, in one process."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from singer_sdk.exceptions import ConfigValidationError

from tap_utility_intervals.commands.configuration import (
    Failed,
    Wrong,
    config_option,
    configured,
    lacking,
    refuse_password,
)
from tap_utility_intervals.floor.errors import ConfigError, TapError
from tap_utility_intervals.floor.garbage import collect_garbage_seldom

if TYPE_CHECKING:
    from tap_utility_intervals.store.base import Store

FILES = (".duckdb", ".ddb", ".db")
DATABASES = ("postgresql://", "postgres://")
INTO = "warehouse.duckdb"


@click.command("load")
@config_option
@click.option(
    "--into",
    "destination",
    required=True,
    metavar="DESTINATION",
    help=f"{INTO}, postgresql://user@host/database, or lake/ for Parquet files.",
)
@click.option(
    "--schema", help="Where the tables go. Default: main (DuckDB), public (PostgreSQL)."
)
@click.option(
    "--select",
    metavar="STREAM,…",
    help="Only these streams. Default: meters,intervals,usage,coverage.",
)
@click.option(
    "--full-refresh",
    is_flag=True,
    help="Read everything again, as if for the first time; nothing is dropped.",
)
@click.option(
    "--metrics",
    metavar="FILE",
    help="Write what the load did: JSON, or Prometheus' text form for a name in .prom.",
)
def load_command(  # noqa: PLR0913 - one for each option
    *,
    sources: Sequence[str],
    destination: str,
    schema: str | None,
    select: str | None,
    full_refresh: bool,
    metrics: str | None,
) -> None:
    """Load what is new into a warehouse; run it again to bring it up to date.

    Rows and bookmarks are stored together: whatever ends a load, the next one goes on.
    Exit code 1: something could not be read or stored.
    """
    configuration = configured(sources)
    from tap_utility_intervals.singer.logs import log_as  # noqa: PLC0415 - takes long

    log_as("tap-utility-intervals")
    try:
        store = _store(destination, schema, configuration.config)
        from tap_utility_intervals.store import loading  # noqa: PLC0415 - an extra's
    except ImportError as error:
        raise lacking(error, "duckdb") from None
    streams = [name.strip() for name in select.split(",")] if select else None
    collect_garbage_seldom()
    try:
        config = dict(configuration.config)
        if metrics:
            config["metrics_file"] = metrics
        code = loading.load(config, store, streams, full_refresh=full_refresh)
    except (ConfigError, ConfigValidationError) as error:
        raise Wrong(str(error)) from None
    except TapError as error:
        raise Failed(str(error)) from None
    raise SystemExit(code)


def _store(destination: str, schema: str | None, config: Mapping[str, Any]) -> Store:
    """The store that a destination names.

    Raises:
        Wrong: it names none, or holds a password.
        ImportError: what it needs is not installed.
    """
    if destination.endswith(FILES):
        from tap_utility_intervals.store.duckdb import DuckDB  # noqa: PLC0415 - extra

        return DuckDB(Path(destination), schema or "main")
    if destination.startswith(DATABASES):
        refuse_password("--into", destination)
        from tap_utility_intervals.store.postgres import PostgreSQL  # noqa: PLC0415
        from tap_utility_intervals.store.sources import claims  # noqa: PLC0415

        return PostgreSQL(destination, schema or "public", claims(config))
    if destination.endswith(("/", os.sep)) or Path(destination).is_dir():
        if schema:
            raise Wrong("--schema has no effect on a folder of Parquet files.")
        from tap_utility_intervals.store.parquet import Lake  # noqa: PLC0415 - extra

        return Lake(Path(destination))
    raise Wrong(
        f"--into {destination}: name a DuckDB file, such as {INTO}, a folder for"
        " Parquet files, such as lake/, or postgresql://user@host/database."
    )

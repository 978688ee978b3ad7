"""`utility-intervals models`: the models of the dbt package, for those without dbt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click

from tap_utility_intervals.commands.configuration import lacking

SCHEMAS = {"duckdb": "main", "postgres": "utility_intervals"}


@click.command("models")
@click.argument("database", type=click.Choice(sorted(SCHEMAS)))
@click.option("--schema", help="Where the models go. Default: as in dbt/profiles.yml.")
@click.option(
    "--var",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of docs/models.md, without its `utility_intervals_`.",
)
def models_command(
    *, database: Literal["duckdb", "postgres"], schema: str | None, pairs: Sequence[str]
) -> None:
    """Print the SQL that makes the models of docs/models.md, as one transaction.

    Run it after each load: utility-intervals models duckdb | duckdb warehouse.duckdb
    """
    try:
        from tap_utility_intervals.reporting import models  # noqa: PLC0415 - an extra's
    except ImportError as error:
        raise lacking(error, "report") from None
    try:
        known = models.Models(
            database, "", schema or SCHEMAS[database], models.variables(pairs)
        )
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--var") from None
    for statement in ("begin", *known.script(), "commit"):
        click.echo(f"{statement};\n")

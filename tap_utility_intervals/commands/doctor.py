"""`utility-intervals doctor`: is all well, and what would a sync take?"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from tap_utility_intervals.commands.configuration import (
    Configuration,
    config_option,
    configured,
)
from tap_utility_intervals.commands.tables import (
    counted,
    duration,
    names,
    table,
)
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.printable import printable
from tap_utility_intervals.providers.base import Run
from tap_utility_intervals.providers.checkup import (
    Checkup,
    Estimate,
    Finding,
)

STALE_DAYS = 7
"""A choice of ours, as `staleness_check` has it."""


@click.command()
@config_option
@click.option(
    "--stale-days",
    type=click.IntRange(1),
    default=STALE_DAYS,
    show_default=True,
    help="Warn when the newest interval is older than this.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(*, sources: Sequence[str], stale_days: int, as_json: bool) -> None:
    """Check the credentials, and show what they reach. Reads only.

    Exit code 1: something needs a person.
    """
    configuration = configured(sources)
    stale = timedelta(days=stale_days)
    checkups = [
        (provider.title, provider.examine(_run(configuration), stale))
        for provider in configuration.providers
    ]
    ill = any(checkup.needs_person for _, checkup in checkups)
    if as_json:
        shown = {
            "needs_person": ill,
            "providers": [_as_json(checkup) for _, checkup in checkups],
        }
        click.echo(json.dumps(shown, indent=2))
    else:
        for title, checkup in checkups:
            click.echo("\n".join(_lines(title, checkup)) + "\n")
        verdict = "Something needs you." if ill else "All is well."
        click.secho(verdict, bold=True, fg="red" if ill else "green")
    raise SystemExit(1 if ill else 0)


def _run(configuration: Configuration) -> Run:
    """A run of its own for each provider; nothing is logged."""
    logger = logging.getLogger("utility-intervals.doctor")
    logger.disabled = True
    return Run(
        configuration.config,
        configuration.settings,
        Report(logger),
        configuration.started,
    )


def _as_json(checkup: Checkup) -> dict[str, Any]:
    return {
        "provider": checkup.provider,
        "base_url": checkup.base_url,
        "is_reachable": checkup.is_reachable,
        "objects": {table.name: list(table.rows) for table in checkup.tables},
        "findings": [asdict(finding) for finding in checkup.findings],
        "estimate": asdict(checkup.estimate) if checkup.estimate else None,
    }


def _lines(title: str, checkup: Checkup) -> Iterator[str]:
    yield click.style(f"{title} ({checkup.base_url})", bold=True)
    for shown in checkup.tables:
        yield ""
        yield click.style(f"{shown.name.capitalize()}: {len(shown.rows):,}", bold=True)
        if shown.rows:
            yield from (f"  {line}" for line in table(shown.headings, shown.rows))
    for heading, needs_person, colour in (
        ("Needs a person", True, "red"),
        ("To know", False, "yellow"),
    ):
        chosen = [f for f in checkup.findings if f.needs_person is needs_person]
        if chosen:
            yield ""
            yield click.style(heading, bold=True, fg=colour)
            yield from (f"  {line}" for line in _findings(chosen))
    if checkup.estimate:
        yield ""
        yield from _estimate(checkup.estimate)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Two lines for each problem, however many sources have it."""
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        groups.setdefault((finding.problem, finding.advice), []).append(finding.source)
    for (problem, advice), sources in groups.items():
        yield f"{_sources(sources)}: {printable(problem)}"
        if advice:
            yield f"  -> {printable(advice)}"


def _sources(sources: Sequence[str]) -> str:
    """`meter 1, 2, 3`."""
    first, _, _ = sources[0].partition(" ")
    ids = [source.partition(" ")[2] for source in sources]
    return f"{first} {names(ids)}" if all(ids) else names(sources)


def _estimate(estimate: Estimate) -> Iterator[str]:
    rows = ", ".join(f"{count:,} {stream}" for stream, count in estimate.rows.items())
    yield (
        f"A first sync: {counted(estimate.requests, 'request')}, "
        f"{duration(estimate.seconds)}; rows: {rows}"
    )
    yield from (f"  {sentence}" for sentence in estimate.how)

"""Waiting until no meter is pending, and showing how it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import click
from typing_extensions import Self

from tap_utility_intervals.commands.collect.account import Account
from tap_utility_intervals.commands.configuration import Failed
from tap_utility_intervals.commands.tables import counted, names
from tap_utility_intervals.providers.utilityapi.entities import ListedMeter


class Watch(Protocol):
    """Shows how a collection goes."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def show(self, meters: Sequence[ListedMeter]) -> None:
        """Show where it stands now."""


class Lines:
    """One line whenever something changed; for logs."""

    def __init__(self, *, err: bool) -> None:
        """Write to stdout, or to stderr."""
        self._err = err
        self._last = ""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def show(self, meters: Sequence[ListedMeter]) -> None:
        """Write a line if it is another than before."""
        pending = [meter.uid for meter in meters if meter.is_pending]
        line = f"{_done(meters)}; {_readings(meters)}"
        if pending:
            line += f"; pending: {names(pending)}"
        if line != self._last:
            click.echo(line, err=self._err)
        self._last = line


class Bar:
    """A progress bar; for terminals."""

    def __init__(self, *, err: bool) -> None:
        """Draw to stdout, or to stderr."""
        self._err = err
        self._length = -1
        self._meters: Sequence[ListedMeter] = ()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it stands."""
        if self._length >= 0:
            click.echo(err=self._err)

    def show(self, meters: Sequence[ListedMeter]) -> None:
        """Draw it again, over the one before and all of its length."""
        whole, done = 24, sum(not meter.is_pending for meter in meters)
        filled = whole * done // max(1, len(meters))
        bar = "#" * filled + "-" * (whole - filled)
        line = f"[{bar}] {_done(meters)}; {_readings(meters)}"
        click.echo(f"\r{line.ljust(max(0, self._length))}", nl=False, err=self._err)
        self._length = len(line)


def lines(*, err: bool) -> Watch:
    """Lines."""
    return Lines(err=err)


def bar(*, err: bool) -> Watch:
    """A bar."""
    return Bar(err=err)


def best() -> Callable[..., Watch]:
    """A bar if stdout is a terminal, for then people look on; else lines."""
    return bar if sys.stdout.isatty() else lines


def until_done(
    account: Account,
    meters: list[ListedMeter],
    interval: float,
    timeout: float | None,
    watch: Watch,
) -> list[ListedMeter]:
    """Ask until no meter is pending or the time is over; return the last answer.

    Args:
        account: to ask.
        meters: as they were listed last.
        interval: seconds between two questions.
        timeout: seconds after which to give up; None for never.
        watch: shows each answer.

    Raises:
        Failed: when a meter is no longer listed.
        errors.ProviderError: as `Account.meters`.
    """
    end = time.monotonic() + timeout if timeout is not None else None
    uids = [meter.uid for meter in meters]
    with watch:
        watch.show(meters)
        while any(meter.is_pending for meter in meters):
            # Another question would come too late: why wait for it.
            if end is not None and time.monotonic() + interval > end:
                break
            account.transport.limiter.sleep(interval)
            meters = _listed_again(account, uids)
            watch.show(meters)
    return meters


def _listed_again(account: Account, uids: Sequence[str]) -> list[ListedMeter]:
    """List the same meters once more.

    Raises:
        Failed: when one is gone; revoking deletes meters: utilityapi.md#meter.
    """
    found = {meter.uid: meter for meter in account.meters(uids)}
    gone = [uid for uid in uids if uid not in found]
    if gone:
        raise Failed(
            f"No longer listed: {names(gone)}. Revoking an authorization deletes its "
            "meters and their data."
        )
    return [found[uid] for uid in uids]


def _done(meters: Sequence[ListedMeter]) -> str:
    done = sum(not meter.is_pending for meter in meters)
    return f"{done:,} of {counted(len(meters), 'meter')} done"


def _readings(meters: Sequence[ListedMeter]) -> str:
    return f"{sum(meter.meter.reading_count or 0 for meter in meters):,} readings"

"""The configured UtilityAPI account, as the commands look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from typing_extensions import Self

from tap_utility_intervals.commands.collect import guards
from tap_utility_intervals.commands.configuration import Configuration, Wrong
from tap_utility_intervals.commands.tables import names
from tap_utility_intervals.floor.instants import micros_form
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.providers import utilityapi
from tap_utility_intervals.providers.base import earlier_clock
from tap_utility_intervals.providers.links import origin
from tap_utility_intervals.providers.utilityapi import entities
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.collecting import prospects
from tap_utility_intervals.providers.utilityapi.collecting.sending import Collector
from tap_utility_intervals.providers.utilityapi.session import transport_of
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings


class Account:
    """UtilityAPI as configured; closes its connections at the end of its block."""

    def __init__(self, configuration: Configuration) -> None:
        """Prepare; nothing is asked yet.

        Raises:
            Wrong: when UtilityAPI is not configured.
            errors.ConfigError: when one of its settings cannot be used.
        """
        if utilityapi.PROVIDER not in configuration.providers:
            setting = utilityapi.PROVIDER.credential
            raise Wrong(f"Setting {setting} must be set: only UtilityAPI collects.")
        self.settings = configuration.settings
        self.own = UtilityApiSettings.parse(configuration.config, self.settings)
        self.started = configuration.started
        self.transport = transport_of(self.own, self.settings)
        self.api = UtilityApi(self.transport)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of its connections."""
        self.transport.close()

    @property
    def now(self) -> datetime:
        """The run's start by the earlier of the local clock and the server's."""
        return earlier_clock(self.started, self.transport.server_time)

    @cached_property
    def grants(self) -> dict[str, entities.Authorization]:
        """The authorizations by uid; asked for once. Raises `errors.ProviderError`."""
        return {grant.uid: grant for grant in entities.authorizations(self.api)}

    def meters(self, uids: Sequence[str] | None) -> list[entities.ListedMeter]:
        """List the meters named, else those that the configuration chooses.

        Raises:
            errors.ProviderError: as `entities.meters`.
        """
        wanted = self.own
        if uids:
            wanted = replace(wanted, meters=list(uids), authorizations=[])
        return entities.meters(self.api, micros_form(self.started), wanted)

    def named(self, uids: Sequence[str] | None) -> list[entities.ListedMeter]:
        """The meters named, in the order in which they are named.

        Raises:
            Wrong: when one of them is not there.
            errors.ProviderError: as `entities.meters`.
        """
        found = {meter.uid: meter for meter in self.meters(uids)}
        unknown = [uid for uid in uids or found if uid not in found]
        if unknown:
            raise Wrong(
                f"UtilityAPI does not list these meters: {names(unknown)}. Nothing was "
                "sent. `utility-intervals collect plan` shows those that it lists."
            )
        return [found[uid] for uid in uids or found]

    def span(self, months: int) -> Range:
        """The last so many months; see `prospects.span`."""
        return prospects.span(months, self.now)

    def prospects(
        self, meters: Sequence[entities.ListedMeter], months: int
    ) -> list[prospects.Prospect]:
        """What a collection would do for each of these meters."""
        wanted = self.span(months)
        return [prospects.prospect(meter, self.grants, wanted) for meter in meters]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else on this machine send meanwhile, and take SIGTERM for Ctrl-C.

        Raises:
            Failed: when somebody else may, or when that cannot be told.
        """
        where = str(origin(urlsplit(self.own.base_url)))
        with guards.alone(where, self.own.api_token), guards.interruptible():
            yield

    def collector(self, tell: Callable[[str], None]) -> Collector:
        """What may send requests that cost money."""
        return Collector(self.transport, self.settings, tell)

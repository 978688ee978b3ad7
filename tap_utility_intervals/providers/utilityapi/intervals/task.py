"""What is to be read of a meter's intervals, or of a few meters'."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tap_utility_intervals.providers.base import Event, Run
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.intervals.job import IntervalJob
from tap_utility_intervals.providers.utilityapi.intervals.plan import Plan
from tap_utility_intervals.providers.utilityapi.intervals.start_filter import (
    StartFilter,
)
from tap_utility_intervals.providers.utilityapi.intervals.together import Together
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.rules import Rules


@dataclass(frozen=True)
class IntervalTask:
    """The intervals of meters that share a request; see `providers.base.Task`."""

    plans: tuple[Plan, ...]
    filter: StartFilter
    rules: Rules

    def events(self, api: UtilityApi, run: Run) -> Iterator[Event]:
        """Read them: together, or whatever that does not bring, alone."""
        read_at = run.clock.now()
        together = Together(api, self.filter, self.rules, api.warn)
        for plan, held in together.read(list(self.plans)):
            if held is None and len(self.plans) > 1:
                why = "asked for alone: it did not come, or not whole, with others"
                run.report.decided(PROVIDER, plan.meter.uid, why)
            job = IntervalJob(api, self.filter, plan, self.rules, run.report)
            yield from job.events(read_at, held)

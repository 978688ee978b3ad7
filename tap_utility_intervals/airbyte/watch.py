"""The run's report, which also knows the stream that lost a source."""

from __future__ import annotations

import logging

from typing_extensions import override

from tap_utility_intervals.airbyte.failures import CONFIG, Loss, kind_of
from tap_utility_intervals.floor.outcomes import Outcome, Report


class StreamReport(Report):
    """The report of a run that is read stream by stream."""

    def __init__(self, logger: logging.Logger) -> None:
        """Start before the first stream."""
        super().__init__(logger)
        self._here: dict[tuple[str, str], Outcome] = {}
        self._errors: dict[tuple[str, str], Exception | str] = {}
        self._given_up: dict[str, Exception | str] = {}

    def begin(self) -> None:
        """Forget what became of the sources in the streams before."""
        with self._lock:
            self._here, self._errors = {}, {}

    @override
    def add(
        self,
        provider: str,
        source: str,
        outcome: Outcome,
        reason: Exception | str = "",
    ) -> None:
        super().add(provider, source, outcome, reason)
        key = (provider, source)
        with self._lock:
            if self._here.get(key) is not Outcome.FAILED:
                self._here[key] = outcome
                self._errors[key] = reason

    @override
    def stop(self, provider: str, reason: Exception | str) -> None:
        super().stop(provider, reason)
        with self._lock:
            self._given_up.setdefault(provider, reason)

    @property
    def losses(self) -> list[Loss]:
        """What this stream lacks.

        A provider that was given up is lost to every stream from then on. A source that
        is gone is no loss, unless all of its provider's are.
        """
        with self._lock:
            lost = [
                Loss(n, error, kind_of(error)) for n, error in self._given_up.items()
            ]
            for (provider, source), outcome in self._here.items():
                name, error = f"{provider} {source}", self._errors[provider, source]
                if outcome is Outcome.FAILED:
                    lost.append(Loss(name, error, kind_of(error)))
                elif outcome is Outcome.GONE and self._all_gone(provider):
                    lost.append(Loss(name, error, CONFIG))
            return lost

    def _all_gone(self, provider: str) -> bool:
        return all(
            outcome is Outcome.GONE
            for (name, _), outcome in self._here.items()
            if name == provider
        )

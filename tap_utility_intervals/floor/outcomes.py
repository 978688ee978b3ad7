"""What became of every source in a run: the summary, the warnings, the exit code."""

from __future__ import annotations

import logging
import threading
from collections import Counter, defaultdict
from collections.abc import Collection
from enum import Enum
from typing import NamedTuple

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.breaker import Breaker
from tap_utility_intervals.floor.printable import printable

SHOWN = 20
"""How many ids a summary line names; the rest is counted."""


class Outcome(str, Enum):
    """What became of one source."""

    DONE = "done"
    UNCHANGED = "unchanged"
    GONE = "gone"
    FAILED = "failed"
    NOT_TRIED = "not tried"
    """Its provider was given up before; only counted."""


WORSE = (Outcome.UNCHANGED, Outcome.DONE, Outcome.GONE, Outcome.FAILED)
"""Of two outcomes of one source the later one in this order counts."""


class End(NamedTuple):
    """What became of a source or of a whole provider, and why."""

    source: str
    """With its provider: `nectar c1`; or the provider alone."""
    reason: Exception | str
    outcome: Outcome = Outcome.FAILED


class Report:
    """Counts outcomes by provider and source; safe to use from any thread.

    A source that is read for several streams counts once, with its worst outcome.
    `losses` tells what the streams since the last `begin` lack.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Start empty; warnings and the summary go to `logger`."""
        self.logger = logger
        self.warnings: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self._dated: dict[str, str] = {}
        self.tolerated = 0
        """How many sources may fail without making the run fail."""
        self.expected: Counter[str] = Counter()
        """By provider, in the stream that is read; for the progress shown."""
        self.due: dict[str, set[str]] = defaultdict(set)
        """By provider, all sources that were to be read."""
        self.untried: Counter[str] = Counter()
        self.breakers: dict[str, Breaker] = defaultdict(Breaker)
        """By provider; what was lost in one stream counts in the next."""
        self._stopped: dict[str, Exception | str] = {}
        self._ends: dict[tuple[str, str], End] = {}
        self._here: dict[tuple[str, str], End] = {}
        self._lock = threading.Lock()

    def add(
        self,
        provider: str,
        source: str,
        outcome: Outcome,
        reason: Exception | str = "",
    ) -> None:
        """Record what became of `source`; of several outcomes the worst stays."""
        end, key = End(f"{provider} {source}", reason, outcome), (provider, source)
        with self._lock:
            for ends in (self._ends, self._here):
                known = ends.setdefault(key, end)
                if known is not end and WORSE.index(outcome) > WORSE.index(
                    known.outcome
                ):
                    ends[key] = end

    def lose(self, provider: str, source: str, error: Exception) -> None:
        """Record that `source` could not be read, or that it is gone."""
        is_gone = isinstance(error, errors.Gone)
        outcome = Outcome.GONE if is_gone else Outcome.FAILED
        self.add(provider, source, outcome, error)

    def expect(self, provider: str, sources: Collection[str]) -> None:
        """These sources are about to be read; for the progress shown, too."""
        with self._lock:
            self.expected[provider] += len(sources)
            self.due[provider] |= {*sources}

    def stop(self, provider: str, reason: Exception | str) -> None:
        """Record that a whole provider was given up, such as after a 401."""
        with self._lock:
            self._stopped.setdefault(provider, reason)

    def leave_out(self, provider: str, sources: int) -> None:
        """Record that so many sources of a provider were not tried any more."""
        with self._lock:
            self.untried[provider] += sources

    def warn(self, what: str, count: int = 1) -> None:
        """Count a warning; its first occurrence is logged, the total at the end."""
        what = printable(what)
        with self._lock:
            self.warnings[what] += count
            first = self.warnings[what] == count
        if first:
            self.logger.warning("%s (further ones are counted)", what)

    def warn_of(self, what: str, day: str) -> None:
        """Count a warning of things with a date: the newest stands with the total."""
        with self._lock:
            known = self._dated.get(what)
            newest = self._dated[what] = max(f"{what} (newest: {day})", known or "")
            before = self.warnings.pop(known, 0) if known else 0
            self.warnings[newest] = before + 1
        if not before:
            self.logger.warning("%s (further ones are counted)", what)

    def decided(self, provider: str, source: str, what: str) -> None:
        """Say at DEBUG why a source is read, left alone, or read again."""
        if self.logger.isEnabledFor(logging.DEBUG):
            self.logger.debug("%s %s is %s", provider, printable(source), what)

    def note(self, what: str) -> None:
        """Count what is worth a line in the summary, and no warning."""
        with self._lock:
            self.notes[printable(what)] += 1

    @property
    def stopped(self) -> dict[str, str]:
        """The providers that were given up, and why."""
        with self._lock:
            return {name: str(reason) for name, reason in self._stopped.items()}

    @property
    def reasons(self) -> dict[tuple[str, str], str]:
        """Why each source ended as it did, by provider and id."""
        with self._lock:
            return {key: str(end.reason) for key, end in self._ends.items()}

    def sources(self, provider: str | None = None) -> dict[str, Outcome]:
        """The outcome of every source, by id."""
        with self._lock:
            return {
                source: end.outcome
                for (name, source), end in self._ends.items()
                if provider in (None, name)
            }

    @property
    def providers(self) -> list[str]:
        """The providers that had a source or were given up."""
        return sorted({name for name, _ in self._ends} | set(self.stopped))

    @property
    def failed(self) -> bool:
        """Whether the run must exit with 1.

        So it must when more sources than are tolerated failed for another reason than
        being gone, when a whole provider was given up, or when all sources of one are
        gone.
        """
        if self.stopped or self._has_too_many:
            return True
        found = [{*self.sources(provider).values()} for provider in self.providers]
        return {Outcome.GONE} in found

    @property
    def _has_too_many(self) -> bool:
        """Whether more sources failed than are tolerated."""
        with self._lock:
            ends = [end.outcome for end in self._ends.values()]
        return ends.count(Outcome.FAILED) > self.tolerated

    def begin(self) -> None:
        """Let `losses` forget the streams before."""
        with self._lock:
            self._here = {}

    @property
    def losses(self) -> list[End]:
        """What the streams since `begin` lack.

        A provider that was given up is lost to every stream from then on. A source that
        is gone is no loss, unless all of its provider's are.
        """
        with self._lock:
            lost = [End(name, reason) for name, reason in self._stopped.items()]
            ends = list(self._here.items())
        is_lost = self._has_too_many
        alive = {name for (name, _), end in ends if end.outcome is not Outcome.GONE}
        return lost + [
            end
            for (name, _), end in ends
            if (end.outcome is Outcome.FAILED and is_lost)
            or (end.outcome is Outcome.GONE and name not in alive)
        ]

    def summarise(self, hint: str = "") -> None:
        """Log one line per kind of warning, per provider, per bad source; worst last.

        Args:
            hint: a sentence for whoever wonders why a provider was given up.
        """
        for what, count in self.notes.items():
            self.logger.info("%s: %s", _times(count), what)
        for what, count in self.warnings.items():
            self.logger.warning("%s: %s", _times(count), what)
        for provider in self.providers:
            counts = Counter(self.sources(provider).values())
            counts[Outcome.NOT_TRIED] = self.untried[provider]
            told = [one for one in Outcome if one in WORSE or counts[one]]
            text = ", ".join(f"{counts[one]:,} {one.value}" for one in told)
            if any(counts.values()):
                self.logger.info("%s, sources: %s", provider, text)
            for outcome in (Outcome.GONE, Outcome.FAILED):
                self._name_sources(provider, outcome)
        if self.tolerated and not self._has_too_many:
            self.logger.info(
                "Up to %s failed sources are tolerated (max_failed_sources)",
                f"{self.tolerated:,}",
            )
        for provider, reason in self.stopped.items():
            self.logger.error("%s was given up: %s%s", provider, reason, hint)

    def _name_sources(self, provider: str, outcome: Outcome) -> None:
        bad = [
            source
            for source, became in self.sources(provider).items()
            if became is outcome
        ]
        level = logging.ERROR if outcome is Outcome.FAILED else logging.WARNING
        for source in bad[:SHOWN]:
            reason = self._ends[provider, source].reason
            self.logger.log(
                level,
                "%s %s %s%s: %s",
                provider,
                printable(source),
                _became(outcome, 1),
                "" if isinstance(reason, errors.FallsShort) else "; its bookmark stays",
                printable(str(reason)),
            )
        if len(bad) > SHOWN:
            self.logger.log(
                level,
                "… and %s more %s",
                f"{len(bad) - SHOWN:,}",
                _became(outcome, len(bad) - SHOWN),
            )


def _became(outcome: Outcome, count: int) -> str:
    """`failed`, `is gone`, `are gone`."""
    if outcome is Outcome.FAILED:
        return "failed"
    return f"{'is' if count == 1 else 'are'} {outcome.value}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"

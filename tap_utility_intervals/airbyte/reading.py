"""Reading: the wanted streams of the tap, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from singer_sdk import Stream

from tap_utility_intervals import runs
from tap_utility_intervals.airbyte.failures import (
    TRANSIENT,
    Failure,
    failure_of,
    failures_of,
)
from tap_utility_intervals.airbyte.output import Output
from tap_utility_intervals.airbyte.writer import AirbyteWriter
from tap_utility_intervals.floor import errors
from tap_utility_intervals.stdout import OutputGone, Terminated
from tap_utility_intervals.tap import TapUtilityIntervals


def make_tap(
    config: dict[str, Any], state: dict[str, Any], output: Output
) -> TapUtilityIntervals:
    """The tap, writing Airbyte's messages; nothing is asked of a provider yet.

    Raises:
        ConfigValidationError: when a setting cannot be used.
    """
    writer = AirbyteWriter(output)
    return TapUtilityIntervals(config=config, state=state, message_writer=writer)


class Reading:
    """One `read`: what fails in one stream costs no other stream anything."""

    def __init__(
        self, tap: TapUtilityIntervals, wanted: Sequence[str], output: Output
    ) -> None:
        """Read `wanted` from `tap`."""
        self.tap = tap
        self.writer: AirbyteWriter = tap.message_writer  # type: ignore[assignment]
        self.output = output
        self.open = list(wanted)
        """The streams whose end was not told yet."""
        self.failures: list[tuple[str, Failure]] = []

    def run(self) -> int:
        """Read everything; 0 if every stream is complete, else 1.

        Errors are told after the last stream: some clients stop reading at the first.
        """
        self._refuse_unknown()
        try:
            for name, stream in self.tap.streams.items():
                if name in self.open:
                    self._read(stream)
        except Terminated:
            self._break_off()
        finally:
            self.tap.close()
        self.tap.report.summarise()
        for name, failure in self.failures:
            self.output.fail(failure, name)
        return runs.ILL if self.failures else runs.WELL

    def _refuse_unknown(self) -> None:
        for name in [name for name in self.open if name not in self.tap.streams]:
            problem = f"asks for {name}, which this connector does not have"
            example = "refresh the source's schema and remove it"
            error = errors.ConfigError("catalog", problem, example)
            self.failures.append((name, failure_of(error)))
            self._tell_incomplete(name)

    def _read(self, stream: Stream) -> None:
        stream.selected = True
        self.tap.report.begin()
        self.writer.begin(stream.name)
        found = self._sync(stream)
        with self.output.whole():
            self.failures += [(stream.name, failure) for failure in found]
            self.open.remove(stream.name)
            self.writer.end(self._bookmarks(stream.name), is_complete=not found)

    def _sync(self, stream: Stream) -> list[Failure]:
        found = []
        try:
            stream.sync()
            stream.finalize_state_progress_markers()
        except OutputGone:
            raise
        except Exception as error:  # the other streams go on
            self.tap.logger.exception("Reading %s was broken off", stream.name)
            found.append(failure_of(error))
        return found + failures_of(self.tap.report.losses)

    def _bookmarks(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.tap.state.get("bookmarks", {}).get(name, {})
        return found

    def _break_off(self) -> None:
        """Asked to stop: what was read is safe, the rest is for the next run."""
        message = "The connector was asked to stop; the next run resumes where it did."
        for name in list(self.open):
            failure = Failure(TRANSIENT, message, "Terminated")
            self.failures.append((name, failure))
            if self.writer.stream == name:
                self.writer.end(self._bookmarks(name), is_complete=False)
                self.open.remove(name)
            else:
                self._tell_incomplete(name)

    def _tell_incomplete(self, name: str) -> None:
        with self.output.whole():
            self.open.remove(name)
            self.output.status(name, "INCOMPLETE")

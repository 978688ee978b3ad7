"""Running the tap in a test, and what it wrote."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from msgspec import Raw

from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.singer.state import encoded
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import Row


@dataclass
class Run:
    """What one sync wrote, and what became of it."""

    lines: list[str]
    tap: TapUtilityIntervals

    @property
    def messages(self) -> list[Row]:
        """All messages, numbers with all their digits."""
        return [json.loads(line, parse_float=Decimal) for line in self.lines]

    def rows(self, stream: str) -> list[Row]:
        """The records of one stream, in order, one provider after the other.

        They are read side by side: how they interleave is left to chance.
        """
        found = [
            m["record"]
            for m in self.messages
            if m["type"] == "RECORD" and m["stream"] == stream
        ]
        return sorted(found, key=lambda row: row.get("provider", ""))

    @property
    def state(self) -> Row:
        """The last STATE, as a target would hand it back."""
        states = [m["value"] for m in self.messages if m["type"] == "STATE"]
        found: Row = json.loads(json.dumps(states[-1])) if states else {}
        for stream in found.get("bookmarks", {}).values():
            if "partitions" in stream:  # in chance's order, as `rows` says
                stream["partitions"].sort(key=lambda one: one["context"]["provider"])
        return found

    @property
    def failed(self) -> bool:
        """Whether the process would exit with 1."""
        return self.tap.report.failed


def config(sandbox: Sandbox, *providers: str, **settings: Any) -> Row:
    """A configuration for the sandbox; without providers, for all of them."""
    chosen = sandbox.settings(*providers)
    if "utilityapi_requests_per_second" in chosen:
        chosen["utilityapi_requests_per_second"] = 100_000
    return {**chosen, "max_concurrency": 4, "full_rescan_days": 0, **settings}


def sync(
    settings: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
    out: io.StringIO | None = None,
) -> Run:
    """Sync in this process; what a target would read is in the result."""
    out = out or io.StringIO()
    with redirect_stdout(out):
        tap = TapUtilityIntervals(
            config=dict(settings),
            state=encoded(json.dumps(state).encode()) if state else None,
            catalog=dict(catalog) if catalog else None,
        )
        try:
            tap.sync_all()
        finally:
            for session in tap.__dict__.get("sessions", ()):
                session.close()
    return Run(out.getvalue().splitlines(), tap)


def shown(value: object) -> str:
    """A parameter's name in a test's, the same in every process."""
    return bytes(value).decode() if isinstance(value, Raw) else repr(value)

"""Syncing from answers written down word for word, past the sandbox's own world."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tap_utility_intervals.sandbox import Sandbox, Series, UtilityMeter, World
from tests.oracle import Row
from tests.syncing import Run, config, sync

FIXTURES = Path(__file__).parents[2] / "fixtures" / "utilityapi"
NOW = datetime(2026, 5, 28, 12, tzinfo=timezone.utc)

START = "2026-05-27T07:45:00.000000-04:00"
END = "2026-05-27T08:00:00.000000-04:00"


@dataclass
class Synced:
    """The rows of one sync and what it warned of."""

    run: Run

    @property
    def rows(self) -> list[Row]:
        return self.run.rows("intervals")

    @property
    def warnings(self) -> Counter[str]:
        return self.run.tap.report.warnings

    def of(self, *columns: str) -> list[tuple[Any, ...]]:
        """Some columns of every row."""
        return [tuple(row[name] for name in columns) for row in self.rows]

    @property
    def bookmark(self) -> Row | None:
        state = self.run.state["bookmarks"].get("intervals", {})
        partitions = state.get("partitions", [])
        return partitions[0] if partitions else None

    @property
    def failure(self) -> str:
        """What the meter failed with; the run must have failed with it."""
        assert self.run.failed
        (reason,) = (one for one in self.run.tap.report.reasons.values() if one)
        return reason

    def warned(self, words: str) -> int:
        """How often a warning with these words was counted."""
        return sum(n for what, n in self.warnings.items() if words in what)


@contextmanager
def serving(*bodies: str | bytes, meter: str = "58") -> Iterator[Sandbox]:
    """A sandbox with one meter whose Interval pages are these bodies, in turn."""
    world = World(NOW, [UtilityMeter(meter, Series([]))])
    with Sandbox(world) as sandbox:
        for body in bodies:
            text = body if isinstance(body, str) else body.decode()
            sandbox.faults.add(path="/intervals", status=200, body=text)
        yield sandbox


def synced(*objects: Any, meter: str = "58", **settings: Any) -> Synced:
    """Sync one page that holds these Interval objects."""
    return synced_text(page(*objects), meter=meter, **settings)


def synced_text(*bodies: str, meter: str = "58", **settings: Any) -> Synced:
    with serving(*bodies, meter=meter) as sandbox:
        chosen = config(sandbox, "utilityapi", **{"max_retries": 0, **settings})
        return Synced(sync(chosen))


def page(*objects: Any, follow: str | None = None, **more: Any) -> str:
    return json.dumps({"intervals": objects, "next": follow, **more})


def held(*readings: Any, **more: Any) -> Row:
    """An Interval object of meter 58."""
    return {
        "uid": "58-2-1",
        "meter_uid": "58",
        "authorization_uid": "23",
        "created": "2026-05-24T16:47:41.205121+00:00",
        "updated": "2026-05-27T16:48:25.301699+00:00",
        "base": {"meter_numbers": [], "qualities": []},
        "sources": [{"type": "greenbutton_cmd", "raw_url": None}],
        "readings": list(readings),
        **more,
    }


def reading(value: Any = 0.5, start: Any = START, end: Any = END, **more: Any) -> Row:
    """A reading with one datapoint."""
    point = {"type": "net", "unit": "kwh", "value": value}
    return {"start": start, "end": end, "kwh": value, "datapoints": [point], **more}


def quarter(number: int) -> str:
    """The n-th quarter of an hour of a day in May, with its offset."""
    hour, minute = divmod(15 * number, 60)
    return f"2026-05-2{5 + hour // 24}T{hour % 24:02d}:{minute:02d}:00.000000-04:00"


def day_of(numbers: Sequence[int], value: Any = 0.25) -> list[Row]:
    """Readings of these quarters of an hour, newest first, as they are sent."""
    ordered = sorted(numbers, reverse=True)
    return [reading(value, quarter(n), quarter(n + 1)) for n in ordered]

"""Running the tap in a test, and comparing what it wrote with the sandbox's world."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from msgspec import Raw

from tap_utility_intervals.sandbox import ReadingTruth, Sandbox, World
from tap_utility_intervals.tap import TapUtilityIntervals

UNIT_NAMES = {
    "kwh": "kWh",
    "kw": "kW",
    "therms": "therm",
    "gallons": "gal",
    "ccf": "CCF",
    "m3": "m3",
}
"""How the spellings of the test worlds must come out; written down, not computed."""

Row = dict[str, Any]


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
        """The records of one stream, in order."""
        return [
            m["record"]
            for m in self.messages
            if m["type"] == "RECORD" and m["stream"] == stream
        ]

    @property
    def state(self) -> Row:
        """The last STATE, as a target would hand it back."""
        states = [m["value"] for m in self.messages if m["type"] == "STATE"]
        return json.loads(json.dumps(states[-1])) if states else {}

    @property
    def failed(self) -> bool:
        """Whether the process would exit with 1."""
        return self.tap.report.failed


def config(sandbox: Sandbox, *providers: str, **settings: Any) -> Row:
    """A configuration for the sandbox; without providers, for both."""
    both: dict[str, Row] = {
        "utilityapi": {
            "utilityapi_api_token": sandbox.token,
            "utilityapi_base_url": sandbox.utilityapi_url,
            "utilityapi_requests_per_second": 100_000,
        },
        "nectar": {
            "nectar_api_key": sandbox.api_key,
            "nectar_base_url": sandbox.nectar_url,
        },
    }
    chosen: Row = {}
    for provider in providers or both:
        chosen |= both[provider]
    return {**chosen, "max_concurrency": 4, "full_rescan_days": 0, **settings}


def sync(
    settings: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    catalog: Mapping[str, Any] | None = None,
) -> Run:
    """Sync in this process; what a target would read is in the result."""
    out = io.StringIO()
    with redirect_stdout(out):
        tap = TapUtilityIntervals(
            config=dict(settings),
            state=json.loads(json.dumps(state)) if state else None,
            catalog=dict(catalog) if catalog else None,
        )
        try:
            tap.sync_all()
        finally:
            for session in tap.__dict__.get("sessions", ()):
                session.close()
    return Run(out.getvalue().splitlines(), tap)


def instant(moment: datetime) -> str:
    """The form in which readings' times are written."""
    text = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return text.isoformat(timespec="seconds") + "Z"


Key = tuple[str, str, str, str, str]
"""meter_key, interval_start, channel, interval_end, provider."""


def key(row: Row) -> Key:
    """The primary key of an intervals row."""
    return (
        row["meter_key"],
        row["interval_start"],
        row["channel"],
        row["interval_end"],
        row["provider"],
    )


def by_key(rows: Iterable[Row]) -> dict[Key, Row]:
    """Rows by key; a key that comes twice is an error."""
    found: dict[Key, Row] = {}
    for row in rows:
        assert key(row) not in found, f"twice: {key(row)}"
        found[key(row)] = row
    return found


def expected_key(truth: ReadingTruth) -> Key:
    """The key that a reading of UtilityAPI must get."""
    assert truth.provider == "utilityapi"
    unit = UNIT_NAMES[truth.unit.lower()]
    return (
        truth.meter_id,
        instant(truth.start),
        f"{truth.type or 'usage'}/{unit}",
        instant(truth.end),
        "utilityapi",
    )


def utilityapi_values(world: World) -> dict[Key, Decimal | None]:
    """What UtilityAPI's intervals must hold now: key to value."""
    return {
        expected_key(t): None if t.value is None else Decimal(t.value)
        for t in world.truth("utilityapi")
        if not t.mixed
    }


def values(rows: Iterable[Row]) -> dict[Key, Decimal | None]:
    """Key to quantity of intervals rows, each key once."""
    return {
        k: None if row["quantity"] is None else Decimal(str(row["quantity"]))
        for k, row in by_key(rows).items()
    }


def shown(value: object) -> str:
    """A parameter's name in a test's, the same in every process."""
    return bytes(value).decode() if isinstance(value, Raw) else repr(value)

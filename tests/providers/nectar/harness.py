"""Reading the sandbox's Nectar in a test, and what its world says must come out."""

from __future__ import annotations

import itertools
import logging
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import IntervalRecord, MeterRecord, UsageRecord
from tap_utility_intervals.providers.base import (
    Context,
    Event,
    Finished,
    Lost,
    Reached,
    Rows,
    Run,
)
from tap_utility_intervals.providers.nectar.session import NectarSession, connect
from tap_utility_intervals.sandbox import (
    Account,
    Company,
    Connection,
    NectarMeter,
    NectarOptions,
    Sandbox,
    Series,
    Site,
    World,
    identifiers,
    make_uuid,
    synthetic,
)
from tap_utility_intervals.settings.shared import Settings
from tests.clock import Clock
from tests.oracle import Key, Values, instant, readings

NOW = "2026-03-20T12:00:00Z"


class Shelf:
    """Bookmarks in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, ...], dict[str, Any]] = {}

    def get(self, context: Context) -> dict[str, Any] | None:
        found = self.kept.get(tuple(context.values()))
        return None if found is None else dict(found)

    def put(self, context: Context, bookmark: Mapping[str, Any]) -> None:
        # What STATE cannot hold must not be put into it.
        stored = msgspec.json.decode(msgspec.json.encode(dict(bookmark)))
        assert len(msgspec.json.encode(stored)) < 400
        self.kept[tuple(context.values())] = stored

    def keep_only(self, provider: str, contexts: Iterable[Context]) -> None:
        keys = {tuple(context.values()) for context in contexts}
        self.kept = {
            key: value
            for key, value in self.kept.items()
            if key in keys or key[0] != provider
        }

    @property
    def only(self) -> dict[str, Any]:
        """The bookmark, if there is exactly one."""
        (found,) = self.kept.values()
        return found


@dataclass
class Result:
    """What one reading brought."""

    report: Report
    clock: Clock
    events: list[Event] = field(default_factory=list)

    @property
    def rows(self) -> list[Any]:
        return [row for e in self.events if isinstance(e, Rows) for row in e.rows]

    @property
    def lost(self) -> list[Exception]:
        return [e.error for e in self.events if isinstance(e, Lost)]

    @property
    def finished(self) -> int:
        return sum(isinstance(e, Finished) for e in self.events)

    @property
    def values(self) -> Values:
        """Key to quantity of intervals; a key that comes twice is an error."""
        found: Values = {}
        for row in self.rows:
            key = key_of(row)
            assert key not in found, f"twice: {key}"
            found[key] = number(row.quantity)
        return found


def session(
    sandbox: Sandbox, started: datetime | None = None, **settings: Any
) -> tuple[NectarSession, Clock]:
    config = {
        "nectar_api_key": sandbox.api_key,
        "nectar_base_url": sandbox.nectar_url,
        "max_retries": 0,
        "full_rescan_days": 0,
        **settings,
    }
    report = Report(logging.getLogger("tests.nectar"))
    parsed = Settings.parse(config)
    run = Run(config, parsed, report, started or datetime.now(timezone.utc))
    clock = Clock()
    limiter = clock.limiter(None, min(parsed.max_concurrency, 10))
    return connect(run, limiter), clock


def intervals(
    sandbox: Sandbox,
    shelf: Shelf | None = None,
    cut: int | None = None,
    **settings: Any,
) -> Result:
    """Sync intervals; with `cut`, only the first so many events count."""
    opened, clock = session(sandbox, **settings)
    result = Result(opened.run.report, clock)
    shelf = Shelf() if shelf is None else shelf
    try:
        _act(opened, opened.interval_tasks(shelf), shelf, result, cut)
    finally:
        opened.close()
    return result


def usage(sandbox: Sandbox, shelf: Shelf | None = None, **settings: Any) -> Result:
    """Sync usage."""
    opened, clock = session(sandbox, **settings)
    result = Result(opened.run.report, clock)
    shelf = Shelf() if shelf is None else shelf
    try:
        _act(opened, opened.usage_tasks(shelf), shelf, result, None)
    finally:
        opened.close()
    return result


def meters(sandbox: Sandbox, **settings: Any) -> list[MeterRecord]:
    opened, _ = session(sandbox, **settings)
    try:
        return [row for page in opened.meters() for row in page]
    finally:
        opened.close()


def _act(
    opened: NectarSession,
    tasks: Iterator[Any],
    shelf: Shelf,
    result: Result,
    cut: int | None,
) -> None:
    sent = (pickle.loads(pickle.dumps(task)) for task in tasks)  # as to a process
    events = (event for task in sent for event in opened.read(task))
    for event in itertools.islice(events, cut):
        result.events.append(event)
        if isinstance(event, Reached):
            shelf.put(event.context, event.bookmark)


def number(value: object) -> Decimal | None:
    if value is None:
        return None
    return Decimal(bytes(value).decode() if isinstance(value, msgspec.Raw) else value)  # type: ignore[arg-type]


def key_of(row: IntervalRecord) -> Key:
    start, end = instant(row.interval_start), instant(row.interval_end)
    return row.meter_key, start, row.channel, end, row.provider


def expected(world: World, since: str = "", until: str = "9") -> Values:
    """What a sync of what starts in `[since, until)` must deliver."""
    offered = readings(world, "nectar")
    return {key: value for key, value in offered.items() if since <= key[1] < until}


def kwh_meter(name: str, series: Series, *values: str, **settings: Any) -> NectarMeter:
    return NectarMeter(
        make_uuid("meter", name), series, identifiers(*(values or (name,))), **settings
    )


def connection(name: str, *meters_: NectarMeter, **settings: Any) -> Connection:
    account = Account(make_uuid("account", name), f"A-{name}", list(meters_))
    return Connection(make_uuid("connection", name), [account], **settings)


def world_of(
    *connections: Connection,
    now: str = NOW,
    companies: Sequence[Company] = (),
    **options: Any,
) -> World:
    company = Company(make_uuid("company"), "One", [Site("site-1")], list(connections))
    return World(
        datetime.fromisoformat(now.replace("Z", "+00:00")),
        (),
        companies or [company],
        nectar_options=NectarOptions(**options),
    )


def hourly(name: str, days: int = 30, *, end: str = "2026-04-20", **how: Any) -> Series:
    """Hourly readings from so many days before `NOW`, and a month into the future."""
    start = datetime.fromisoformat(NOW.replace("Z", "+00:00")) - timedelta(days=days)
    return synthetic(0, name, start, f"{end}T00:00:00Z", **how)


def usage_rows(result: Result) -> dict[str, UsageRecord]:
    """Usage rows by id; an id that comes twice is an error."""
    found: dict[str, UsageRecord] = {}
    for row in result.rows:
        assert row.usage_id not in found
        found[row.usage_id] = row
    return found


def page_of(*rows: str) -> str:
    return (
        f'{{"totalIntervals":{len(rows)},"perPage":100,"totalPages":1,"currentPage":1,'
        f'"hasNext":false,"hasPrevious":false,"intervals":[{",".join(rows)}]}}'
    )


def row_of(number: int, usage: str = '"1.50"', **other: str) -> str:
    fields = {
        "id": f'"i{number}"',
        "created": '"2026-03-01T00:00:00Z"',
        "updated": '"2026-03-01T00:00:00Z"',
        "identifiers": '[{"rawName":"No","value":"M-1","name":"METER"}]',
        "account": '"acc"',
        "start": f'"2026-03-0{number}T00:00:00Z"',
        "end": f'"2026-03-0{number}T01:00:00Z"',
        "usage": usage,
        "usageUnits": '"kWh"',
        "quality": '"ACTUAL"',
        **other,
    }
    return "{" + ",".join(f'"{k}":{v}' for k, v in fields.items() if v) + "}"

"""Tiny during one run: its client, its meters, and the jobs that read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from tap_utility_intervals.floor import errors, periods
from tap_utility_intervals.floor.channels import channel_name
from tap_utility_intervals.floor.identifiers import service_point_key
from tap_utility_intervals.floor.instants import (
    EARLIEST,
    as_utc,
    earlier,
    micros_form,
    parse_instant,
)
from tap_utility_intervals.floor.limiter import Limiter
from tap_utility_intervals.floor.ranges import whole_seconds
from tap_utility_intervals.floor.records import IntervalRecord, MeterRecord, UsageRecord
from tap_utility_intervals.floor.units import normalize, unit
from tap_utility_intervals.floor.values import Values, loads
from tap_utility_intervals.providers.base import (
    Bookmark,
    Bookmarks,
    Context,
    Event,
    Reached,
    Rows,
    Run,
    earlier_clock,
    source_events,
)
from tap_utility_intervals.providers.bookmarks import is_earlier, moment, shown
from tap_utility_intervals.providers.connections import Endpoint
from tap_utility_intervals.providers.http import Transport
from tests.providers.tiny.settings import CREDENTIAL, NAME, TinySettings

Entity = Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """A bookmark: how far a meter was read, and from which `start_date` on."""

    seen: datetime | None
    since: datetime | None

    @classmethod
    def parse(cls, entry: Bookmark) -> Mark | None:
        """Read a bookmark; None for anything odd."""
        try:
            return cls(
                moment(entry.get("replication_key_value")), moment(entry.get("since"))
            )
        except (TypeError, ValueError):
            return None

    def state(self) -> Bookmark:
        """The bookmark as STATE holds it."""
        return {"replication_key_value": shown(self.seen), "since": shown(self.since)}


@dataclass(frozen=True)
class TinyTask:
    """One list of one meter: data, without what is personal."""

    read: str
    """Which one: the method that reads it."""
    meter: str
    newest: str | None
    entry: Bookmark | None

    @property
    def context(self) -> Context:
        """The source that is read."""
        return {"provider": NAME, "meter_key": self.meter}


class TinySession:
    """See `providers.base.Session`."""

    name = NAME

    def __init__(self, run: Run) -> None:
        """Connect nowhere yet."""
        self.run = run
        self.workers = run.settings.max_concurrency
        self.readers = 1
        self.transport = transport_of(run)
        self.traffic = self.transport.traffic

    def ping(self) -> None:
        """Ask for the meters."""
        self._list("meters")

    def close(self) -> None:
        """Let go of connections."""
        self.transport.close()

    def meters(self) -> Iterator[Sequence[MeterRecord]]:
        """All meters, on one page."""
        yield [
            MeterRecord(
                meter_key=meter["id"],
                provider=NAME,
                source_meter_id=meter["id"],
                service_point_key=service_point_key("Tiny", [meter["point"]]),
                service_identifier=meter["point"],
                listed_at=micros_form(self.run.started),
            )
            for meter in self.listed
        ]

    @cached_property
    def listed(self) -> list[Entity]:
        """The meter list, read once a run."""
        return self._list("meters")

    def interval_tasks(self, bookmarks: Bookmarks) -> Iterator[TinyTask]:
        """One for each meter."""
        return self._tasks("_intervals", bookmarks)

    def usage_tasks(self, bookmarks: Bookmarks) -> Iterator[TinyTask]:
        """One for each meter."""
        return self._tasks("_usage", bookmarks)

    def read(self, task: TinyTask) -> Iterator[Event]:
        """Read a meter's list; what fails there is one source lost."""
        return source_events(task.context, getattr(self, task.read)(task))

    def _tasks(self, read: str, bookmarks: Bookmarks) -> Iterator[TinyTask]:
        tasks = [TinyTask(read, m["id"], m["newest"], None) for m in self.listed]
        bookmarks.keep_only(NAME, [task.context for task in tasks])
        self.run.report.expect(NAME, [task.meter for task in tasks])
        for task in tasks:
            yield replace(task, entry=bookmarks.get(task.context))

    def _intervals(self, task: TinyTask) -> Iterator[Rows | Reached]:
        old, settings = self._known(task.entry), self.run.settings
        start = settings.start_date
        if old and old.seen and not is_earlier(start, old.since):
            start = max(earlier(old.seen, settings.lookback), start or EARLIEST)
        rows = [
            row
            for reading in self._list("readings", task.meter, start)
            if self._is_wanted(row := _interval(task.meter, reading), start)
        ]
        self._warn_of(rows, task.newest, start)
        yield Rows(rows)
        yield Reached(
            task.context, self._reached(old, (r.interval_start for r in rows))
        )

    def _warn_of(
        self, rows: Sequence[IntervalRecord], newest: str | None, start: datetime | None
    ) -> None:
        warn = self.run.report.warn
        spans = sorted((row.interval_start, row.interval_end) for row in rows)
        if any(start < end for (_, end), (start, _) in pairwise(spans)):
            warn(f"{NAME}: a meter's readings overlap; all are kept")
        if any(end <= start for start, end in spans):
            warn(f"{NAME}: a meter has a reading that does not end after its start")
        if not rows and newest and newest < (shown(start) or ""):
            warn(f"{NAME}: meters have data only before start_date, up to {newest}")

    def _usage(self, task: TinyTask) -> Iterator[Rows | Reached]:
        old, settings = self._known(task.entry), self.run.settings
        rows = [
            _usage(task.meter, bill, micros_form(self.run.started))
            for bill in self._list("bills", task.meter)
            if periods.is_wanted(
                bill["first"], bill["last"], settings.start_date, settings.end_date
            )
        ]
        yield Rows(rows)
        updated = (parse_instant(row.source_updated_at) for row in rows)
        yield Reached(task.context, self._reached(old, updated))

    def _known(self, entry: Bookmark | None) -> Mark | None:
        mark = None if entry is None else Mark.parse(entry)
        if entry is not None and mark is None:
            self.run.report.warn(f"{NAME}: a bookmark is odd; its source is read anew")
        return mark

    def _reached(self, old: Mark | None, instants: Iterable[datetime]) -> Bookmark:
        now = earlier_clock(self.run.started, self.transport.server_time)
        past = [as_utc(instant) for instant in instants if instant <= now]
        known = [old.seen] if old and old.seen and old.seen <= now else []
        seen = max([*past, *known], default=None)
        return Mark(seen, self.run.settings.start_date).state()

    def _is_wanted(self, row: IntervalRecord, start: datetime | None) -> bool:
        end = self.run.settings.end_date
        begins = row.interval_start
        return (start is None or start <= begins) and (end is None or begins < end)

    def _list(
        self, what: str, meter: str | None = None, start: datetime | None = None
    ) -> list[Entity]:
        path = (
            f"/{what}" if meter is None else f"/meters/{quote(meter, safe='')}/{what}"
        )
        params = [] if start is None else [("from", shown(start) or "")]
        found = self.transport.get(path, params, decode=loads, source=meter)
        if not isinstance(found, dict) or not isinstance(found.get(what), list):
            raise errors.BadAnswer(NAME, path, source=meter)
        entities: list[Entity] = found[what]
        return entities


def _interval(meter: str, reading: Entity) -> IntervalRecord:
    """A reading as a row.

    Raises:
        errors.BadAnswer: when nobody can tell of which time it is.
    """
    read, sent = Values(), unit(reading.get("unit"))
    times = reading.get("from"), reading.get("to")
    try:
        start, end = (as_utc(parse_instant(time)) for time in times)
    except ValueError:
        problem = f"has a reading from {times[0]!r} to {times[1]!r}, which is no time"
        raise errors.BadAnswer(
            NAME, "/readings", source=meter, problem=problem
        ) from None
    quantity = read.number("quantity", reading.get("amount"))
    converted = None if quantity is None else normalize(quantity, sent)
    return IntervalRecord(
        provider=NAME,
        meter_key=meter,
        channel=channel_name(None, sent),
        interval_start=start,
        interval_end=end,
        interval_seconds=whole_seconds(end - start),
        quantity=quantity,
        unit=sent.name,
        unit_raw=reading.get("unit") or None,
        quantity_normalized=converted,
        unit_normalized=None if converted is None else sent.normalized,
        measure=sent.measure,
        unreadable=read.unreadable,
    )


def _usage(meter: str, bill: Entity, listed_at: str) -> UsageRecord:
    return UsageRecord(
        usage_id=bill["id"],
        provider=NAME,
        meter_key=meter,
        period_start_date=bill["first"],
        period_end_date=bill["last"],
        quantity=bill["amount"],
        source_updated_at=bill["updated"],
        listed_at=listed_at,
    )


def transport_of(run: Run) -> Transport:
    """The way to Tiny with the configured key."""
    own = TinySettings.parse(run.config, run.settings)
    endpoint = Endpoint(NAME, own.base_url, {"X-Tiny-Key": own.api_key}, CREDENTIAL)
    return Transport(
        endpoint, run.settings, Limiter(None, run.settings.max_concurrency)
    )

"""What UtilityAPI has collected of a meter, and jobs that collect more.

See utilityapi.md#collecting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tap_utility_intervals.sandbox.bills import Known, known_bills
from tap_utility_intervals.sandbox.readings import DAY, Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_utility_intervals.sandbox.accounts import Authorization, UtilityMeter
    from tap_utility_intervals.sandbox.options import UtilityOptions
    from tap_utility_intervals.sandbox.readings import Reading

ALWAYS = 10**11
MONTH = 365.25 * DAY / 12


class Ground(Protocol):
    """What collecting needs of the world that it is a part of."""

    seconds: int
    version: int
    utilityapi_options: UtilityOptions

    @property
    def authorizations_by_uid(self) -> Mapping[str, Authorization]:
        """Authorizations by uid."""
        ...

    def changed(self) -> None:
        """Tell that answers of before may no longer hold."""
        ...


class Span(NamedTuple):
    """A stretch of a meter's history that is offered.

    Readings from `low` to `high`, as they were known at `until` at the latest; nothing
    in it was collected before `since`.
    """

    low: int
    high: int
    since: int
    until: int


@dataclass
class Job:
    """A historical collection: it takes some reads of its meter, or some time."""

    span: Span
    started: int
    reads: int = 0
    finished: int | None = None


@dataclass
class State:
    """What became of one meter since the world began."""

    spans: list[Span]
    monitoring: str
    refresh_day: int | None = None
    jobs: list[Job] = field(default_factory=list)

    @property
    def job(self) -> Job | None:
        """The newest job."""
        return self.jobs[-1] if self.jobs else None


class Event(NamedTuple):
    """Something that UtilityAPI tells webhooks of."""

    seconds: int
    type: str
    meter_uid: str


class Collections:
    """The only part of the world that requests may change."""

    def __init__(self, world: Ground) -> None:
        self.world = world
        self.began = world.seconds
        self.events: list[Event] = []
        self._states: dict[str, State] = {}
        self._touched: set[str] = set()
        self._views: dict[tuple[str, bool, int], tuple[int, Snapshot]] = {}

    def state(self, meter: UtilityMeter) -> State:
        """What was collected of a meter and what is being collected."""
        state = self._states.get(meter.uid)
        if state is None:
            until = self.began if meter.monitoring == "off" else ALWAYS
            spans = [Span(-ALWAYS, ALWAYS, 0, until)] if meter.collected else []
            state = self._states[meter.uid] = State(spans, meter.monitoring)
        self._settle(meter, state)
        return state

    def activated(self, meter: UtilityMeter) -> bool:
        """Whether anything was ever collected of a meter, or is to be."""
        return meter.collected or meter.uid in self._touched

    def status(self, meter: UtilityMeter) -> tuple[str, int]:
        """`pending`, `updated` or `errored`, and since when."""
        job = self.state(meter).job
        if job is not None and job.finished is None:
            return "pending", job.started
        if job is not None and job.finished is not None:
            return "updated", job.finished
        if meter.errored:
            return "errored", meter.created
        return "updated", max(meter.created, self._moved(meter))

    def readings(self, meter: UtilityMeter, *, mixed: bool, lag: int = 0) -> Snapshot:
        """The readings on offer `lag` seconds ago; `mixed` adds other lengths."""
        mixed, now = mixed and meter.mixed is not None, self.world.seconds - lag
        if not mixed and self._is_plain(meter):
            return meter.series.at(now)
        key, version = (meter.uid, mixed, lag), self.world.version
        cached = self._views.get(key)
        if cached is None or cached[0] != version:
            view = self._readings(meter, now, mixed=mixed)
            cached = self._views[key] = (version, view)
        return cached[1]

    def bills(self, meter: UtilityMeter, *, lag: int = 0) -> list[Known]:
        """The bills on offer `lag` seconds ago."""
        found: dict[str, Known] = {}
        for span in self._spans(meter):
            now = min(self.world.seconds - lag, span.until)
            for known in known_bills(meter.bills, now):
                inside = span.low <= known.bill.start and known.bill.end <= span.high
                if inside and not known.withdrawn:
                    found[known.bill.number] = known.since(span.since)
        return list(found.values())

    def read(self, meters: Iterable[UtilityMeter]) -> None:
        """Tell that these meters were read: their running jobs get on by one step."""
        for meter in meters:
            state = self._states.get(meter.uid)
            if state and state.job and state.job.finished is None:
                state.job.reads += 1
                self.world.changed()

    def start(self, meter: UtilityMeter, months: int) -> None:
        """Begin to collect the last `months` of a meter."""
        now = self.world.seconds
        state = self.state(meter)
        self._touched.add(meter.uid)
        # DEMO readings lie in 2015, whatever is collected: utilityapi.md#interval
        first = -ALWAYS if meter.utility == "DEMO" else now - int(months * MONTH)
        state.jobs.append(Job(Span(first, now, now, now), now))
        self.events.append(Event(now, "meter_historical_collection_started", meter.uid))
        self.world.changed()

    def monitor(self, meter: UtilityMeter, frequency: str, day: int | None) -> None:
        """Switch ongoing monitoring: it offers what comes, not what was."""
        now = self.world.seconds
        state = self.state(meter)
        self._touched.add(meter.uid)
        if state.monitoring == "off" and frequency != "off":
            state.spans.append(Span(now, ALWAYS, now, ALWAYS))
        elif frequency == "off":
            state.spans = [
                span._replace(until=min(span.until, now)) for span in state.spans
            ]
        state.monitoring, state.refresh_day = frequency, day
        self.world.changed()

    def _moved(self, meter: UtilityMeter) -> int:
        """When the data last changed in a way that shows in `status_ts`."""
        moves = self.world.utilityapi_options.status_moves
        view, bills = self.readings(meter, mixed=False), self.bills(meter)
        if moves == "never" or not (view.readings or bills):
            return 0
        if moves == "growth":
            return max((view.grown, *(known.created for known in bills)))
        return max((view.updated or 0, *(known.updated for known in bills)))

    def _is_plain(self, meter: UtilityMeter) -> bool:
        expires = self.world.authorizations_by_uid[meter.authorization_uid].expires
        plain = meter.collected and meter.monitoring != "off" and expires is None
        return plain and meter.uid not in self._touched

    def _settle(self, meter: UtilityMeter, state: State) -> None:
        options, job = self.world.utilityapi_options, state.job
        if job is None or job.finished is not None:
            return
        timely = job.started + options.collection_seconds
        if job.reads < options.collection_reads and timely > self.world.seconds:
            return
        job.finished = min(timely, self.world.seconds)
        self.events.append(
            Event(
                job.finished,
                "meter_historical_collection_finished_successful",
                meter.uid,
            )
        )

    def _spans(self, meter: UtilityMeter) -> list[Span]:
        state, options = self.state(meter), self.world.utilityapi_options
        spans = list(state.spans)
        for job in state.jobs:
            low, high, since, until = job.span
            if job.finished is None:
                done = job.reads / max(1, options.collection_reads)
                low = max(low, 0)
                low = high - int((high - low) * done)
            spans.append(Span(low, high, since, until))
        expires = self.world.authorizations_by_uid[meter.authorization_uid].expires
        if expires is not None:
            spans = [span._replace(until=min(span.until, expires)) for span in spans]
        return spans

    def _readings(self, meter: UtilityMeter, now: int, *, mixed: bool) -> Snapshot:
        sources = [meter.series]
        if mixed and meter.mixed is not None:
            sources.append(meter.mixed)
        found: dict[tuple[int, int], tuple[Reading, int]] = {}
        for span in self._spans(meter):
            for series in sources:
                known = series.at(min(now, span.until))
                part = known.between(span.low, span.high)
                for reading, created in part.dated():
                    kept = reading._replace(
                        available=max(reading.available, span.since)
                    )
                    older = found.get((reading.start, reading.end))
                    if older is None:
                        found[(reading.start, reading.end)] = (
                            kept,
                            max(created, span.since),
                        )
                    elif older[0].values != kept.values:
                        found[(reading.start, reading.end)] = (kept, older[1])
        pairs = [found[key] for key in sorted(found)]
        return Snapshot(
            tuple(reading for reading, _ in pairs), tuple(at for _, at in pairs)
        )

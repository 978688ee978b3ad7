"""Counting what a sync does: clocks lie on a busy machine, counts do not."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

from tap_utility_intervals.sandbox import Sandbox, World, bench_world, truth
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.syncing import config


class Sink(io.TextIOBase):
    """Takes what the tap writes and keeps only its size."""

    def __init__(self) -> None:
        self.size = 0
        self.writes = 0

    def write(self, text: str) -> int:
        self.size += len(text)
        self.writes += 1
        return len(text)


@dataclass(frozen=True)
class Work:
    """What one sync took."""

    rows: int
    writes: int
    requests: int
    python_calls: int = 0
    all_calls: int = 0
    """Python's and C's, in the thread that writes; with one worker it does all."""
    peak: int = 0
    """Bytes of Python objects at the worst moment, beyond those before the sync."""

    def each(self, other: Work) -> tuple[float, float]:
        """Python calls and all calls for each row that `other` has more."""
        rows = other.rows - self.rows
        return (
            (other.python_calls - self.python_calls) / rows,
            (other.all_calls - self.all_calls) / rows,
        )


def utilityapi(meters: int, days: int, **more: Any) -> World:
    return bench_world(meters=meters, days=days, **more)


def nectar(connections: int, days: int) -> World:
    return bench_world(meters=0, connections=connections, days=days, channels=1)


def catalog(*without: str) -> dict[str, Any]:
    """All of `intervals` but some columns, and nothing of the other streams."""
    tap = TapUtilityIntervals(config={}, validate_config=False)
    found: dict[str, Any] = tap.catalog_dict
    for stream in found["streams"]:
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = stream["tap_stream_id"] == "intervals"
            elif entry["breadcrumb"][-1] in without:
                entry["metadata"]["selected"] = False
    return found


def count(
    world: World,
    *without: str,
    calls: bool = False,
    memory: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Work:
    """Sync the intervals of a world with one worker, and count."""
    counted: Counter[str] = Counter()

    def note(_frame: FrameType, event: str, _arg: object) -> None:
        counted[event] += 1

    with Sandbox(world) as sandbox:
        chosen = config(sandbox, provider_of(world), max_concurrency=1)
        tap = connected({**chosen, **(settings or {})}, without)
        if memory:  # the sandbox lives here, too: let it make its answers before
            written(tap)
            sandbox.forget_requests()
            tap = connected(chosen, without)
            tracemalloc.start()
        sys.setprofile(note if calls else None)
        try:
            sink = written(tap)
        finally:
            sys.setprofile(None)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return Work(
            sum(1 for _ in truth.readings(world, provider_of(world))),
            sink.writes,
            len(sandbox.requests),
            counted["call"],
            counted["call"] + counted["c_call"],
            peak,
        )


def connected(
    settings: Mapping[str, Any], without: Sequence[str]
) -> TapUtilityIntervals:
    return TapUtilityIntervals(config=dict(settings), catalog=catalog(*without))


def written(tap: TapUtilityIntervals) -> Sink:
    sink = Sink()
    try:
        with redirect_stdout(sink):
            tap.sync_all()
    finally:
        for session in tap.__dict__.get("sessions", ()):
            session.close()
    assert not tap.report.failed
    return sink


def provider_of(world: World) -> Literal["utilityapi", "nectar"]:
    return "utilityapi" if world.utilityapi else "nectar"

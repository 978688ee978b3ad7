"""The cases: which commands run over which world, and what was promised of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import (
    PLAIN,
    TAP,
    Command,
    Cost,
    Serving,
    Written,
    read,
    require_equal,
    server,
)
from benchmarks.tables import Result, Shown, Verdict

MANY = 1_000_000
"""Requests a second: the limiter is not what is measured."""

MAP = {
    "intervals": {
        "wh": "float(quantity) * 1000 if quantity is not None else None",
        "site": "meter_key + '/' + channel",
        "source_id": "__NULL__",
        "account_id": "__NULL__",
    }
}
"""A stream map as people write them: two columns more, two less."""


@dataclass(frozen=True)
class Setting:
    """Where a case may leave files, and how often it runs each command."""

    folder: Path
    runs: int


@dataclass(frozen=True)
class Measured:
    """A command that ran several times: the checked run's output, the others' cost."""

    name: str
    costs: Sequence[Cost]
    written: Written
    counts: Mapping[str, Any]

    @property
    def wall(self) -> float:
        """The median."""
        return median(cost.wall for cost in self.costs)

    @property
    def peak_mb(self) -> float:
        """The highest."""
        return max(cost.peak_mb for cost in self.costs)

    @property
    def rows(self) -> int:
        """Of `intervals`."""
        return sum(n for s, n in self.written.rows.items() if s == "intervals")

    def line(self) -> Shown:
        """As a line of a table."""
        walls = sorted(cost.wall for cost in self.costs)
        return {
            "": self.name,
            "rows": f"{self.rows:,}",
            "wall s": f"{self.wall:.2f}",
            "(range)": f"({walls[0]:.2f} to {walls[-1]:.2f})",
            "rows/s": f"{self.rows / self.wall:,.0f}",
            "CPU s": f"{median(cost.cpu for cost in self.costs):.2f}",
            "peak MB": f"{self.peak_mb:.0f}",
            "written MB": f"{self.written.bytes / 1e6:.1f}",
            "STATE bytes": f"{self.written.state_bytes:,}",
            "requests": str(self.counts["requests"]),
            "in flight": str(self.counts["most_in_flight"]),
        }


def beside(
    setting: Setting, source: Serving, provider: str, commands: Mapping[str, Command]
) -> list[Measured]:
    """Run commands in turn: once checked, then as often as wanted, alternating."""
    outputs: dict[str, Written] = {}
    counts: dict[str, Any] = {}
    for name, command in commands.items():
        output = setting.folder / "output"
        command.run(output)  # the server makes its answers now
        outputs[name] = read(output)
        output.unlink()
        require_equal(outputs[name], next(iter(outputs.values())))
        source.counts()
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(setting.runs):
        for name, command in commands.items():
            costs[name].append(command.run())
            counts[name] = source.counts()[provider]
    return [Measured(n, costs[n], outputs[n], counts[n]) for n in commands]


def ratio(slow: Measured, fast: Measured) -> float:
    """How many times faster; pair by pair, for the machine's speed drifts."""
    pairs = zip(slow.costs, fast.costs, strict=True)
    return median(one.wall / other.wall for one, other in pairs)


def beside_the_plain_tap(  # noqa: PLR0913 - the parts of a case
    setting: Setting,
    *,
    title: str,
    world: str,
    times: float,
    config: Mapping[str, Any] | None = None,
    columns: Callable[[Sequence[str]], Sequence[str]] = lambda _: (),
    promises: Callable[[Measured, Measured], Sequence[Verdict]] = lambda *_: (),
) -> Result:
    """This tap and the plain one: the same rows, the same map, the same columns."""
    with server(world) as source:
        shared = {**utilityapi(source), **(config or {})}
        own = {**shared, "utilityapi_requests_per_second": MANY}
        commands = {}
        for name, program, settings in (
            ("plain singer-sdk tap", PLAIN, shared),
            ("this tap", TAP, own),
        ):
            catalog = selection(setting.folder, program, settings, columns)
            commands[name] = Command.of(
                setting.folder, name.split()[0], program, settings, catalog=catalog
            )
        plain, ours = beside(setting, source, "utilityapi", commands)
    faster = ratio(plain, ours)
    first = Verdict(f"≥ {times:g} × the plain tap", f"{faster:.1f} ×", faster >= times)
    return Result(title, [plain.line(), ours.line()], [first, *promises(plain, ours)])


def utilityapi(source: Serving) -> dict[str, Any]:
    """The settings that lead to the benchmark server."""
    return {
        "utilityapi_api_token": "sandbox-utilityapi-token",
        "utilityapi_base_url": f"{source.url}/api/v2",
    }


def selection(
    folder: Path,
    program: Sequence[str],
    config: Mapping[str, Any],
    columns: Callable[[Sequence[str]], Sequence[str]] = lambda _: (),
) -> dict[str, Any]:
    """A catalog with `meters` and `intervals`, without some columns of `intervals`."""
    command = Command.of(folder, "discover", [*program, "--discover"], config)
    found = folder / "catalog"
    command.run(found)
    catalog: dict[str, Any] = json.loads(found.read_text())
    for stream in catalog["streams"]:
        wanted = stream["tap_stream_id"] in {"meters", "intervals"}
        names = list(stream["schema"]["properties"])
        without = columns(names) if stream["tap_stream_id"] == "intervals" else ()
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = wanted
            elif entry["breadcrumb"][-1] in without:
                entry["metadata"]["selected"] = False
    return catalog


def first_case(setting: Setting) -> Result:
    """20 meters, 90 days of 15-minute readings, two channels; no latency."""
    return beside_the_plain_tap(
        setting,
        title="UtilityAPI: 20 meters × 90 days × 15 min × 2 channels, no latency",
        world="utilityapi",
        times=12,
        promises=lambda _, ours: [
            Verdict("peak ≤ 150 MB", f"{ours.peak_mb:.0f} MB", ours.peak_mb <= 150)  # noqa: PLR2004
        ],
    )


def a_year(setting: Setting) -> Result:
    """The same meters with a year each, 1.4 million rows: starting is little of it."""
    return beside_the_plain_tap(
        setting,
        title="UtilityAPI: 20 meters × 365 days × 15 min × 2 channels",
        world="year",
        times=20,
    )


def many_meters(setting: Setting) -> Result:
    """2,000 meters with a day each: what parent and child cost."""

    def promises(plain: Measured, ours: Measured) -> list[Verdict]:
        share = plain.written.state_bytes / max(ours.written.state_bytes, 1)
        return [
            Verdict("≤ 1/20 of its STATE bytes", f"1/{share:.0f}", share >= 20)  # noqa: PLR2004
        ]

    return beside_the_plain_tap(
        setting,
        title="UtilityAPI: 2,000 meters × 1 day × 15 min × 2 channels",
        world="many",
        times=12,
        promises=promises,
    )


def with_a_map(setting: Setting) -> Result:
    """The first case with a stream map, in both taps."""
    return beside_the_plain_tap(
        setting,
        title="The same with a stream map: two columns added, two removed",
        world="utilityapi",
        times=2,
        config={"stream_maps": MAP},
    )


def with_half_the_columns(setting: Setting) -> Result:
    """The first case with every other column deselected, keys apart, in both taps."""

    def every_other(names: Sequence[str]) -> Sequence[str]:
        return sorted(names)[::2]

    return beside_the_plain_tap(
        setting,
        title="The same with half the columns deselected",
        world="utilityapi",
        times=2,
        columns=every_other,
    )


def nectar(setting: Setting) -> Result:
    """10 connections, 60 days, 50 ms for each answer; ten workers against one."""
    with server("nectar", latency=0.05) as source:
        config = {
            "nectar_api_key": "sandbox-nectar-key",
            "nectar_base_url": f"{source.url}/v2.2",
        }
        commands = {}
        for workers in (1, 10):
            settings = {**config, "max_concurrency": workers}
            catalog = selection(setting.folder, TAP, settings)
            commands[f"{workers} worker(s)"] = Command.of(
                setting.folder, f"workers-{workers}", TAP, settings, catalog=catalog
            )
        one, ten = beside(setting, source, "nectar", commands)
    faster = ratio(one, ten)
    most = ten.counts["most_in_flight"]
    return Result(
        "Nectar: 10 connections × 60 days × 15 min, 50 ms for each answer",
        [one.line(), ten.line()],
        [
            Verdict("wall ≤ 1/8 of one worker's", f"1/{faster:.1f}", faster >= 8),  # noqa: PLR2004
            Verdict("never more than 10 in flight", str(most), most <= 10),  # noqa: PLR2004
        ],
    )


CASES: dict[str, Callable[[Setting], Result]] = {
    "utilityapi": first_case,
    "year": a_year,
    "nectar": nectar,
    "many": many_meters,
    "map": with_a_map,
    "columns": with_half_the_columns,
}
"""Name to case: those that compare."""

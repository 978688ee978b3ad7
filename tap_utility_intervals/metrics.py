"""One document for each run: what was asked, what came, and how old the newest is.

It names sources by their ids, as STATE does; it holds no personal datum and no secret.
A file that ends in `.prom` is in Prometheus' text form, any other JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.floor.instants import micros_form, parse_instant
from tap_utility_intervals.floor.outcomes import Outcome, Report
from tap_utility_intervals.floor.tally import Tally, Traffic
from tap_utility_intervals.providers.bookmarks import moment

SETTING = "metrics_file"
DAY = 86_400
AGES = tuple(DAY * days for days in (1, 2, 3, 7, 14, 30, 90, 365))
"""The bounds of the histogram, in seconds."""

HELP = {
    "timestamp_seconds": "When the run ended.",
    "duration_seconds": "How long it took.",
    "exit_code": "0 if all is well.",
    "requests": "Requests that were sent.",
    "bytes": "Bytes of bodies that came, as packed.",
    "retries": "Requests that were sent again after a failure.",
    "waits": "Answers that asked for patience, by status.",
    "wait_seconds": "For how long, by status.",
    "rows": "Rows that were written, by stream.",
    "sources": "Sources by what became of them.",
    "given_up": "1 if the provider was given up, such as for a refused credential.",
}
"""The gauges, all with the prefix `utility_intervals_run_`."""

AGE = "utility_intervals_newest_reading_age_seconds"


@dataclass(frozen=True)
class Ran:
    """A run that has ended."""

    started: datetime
    code: int
    credential_name: str | None
    providers: Sequence[str]
    report: Report
    tally: Tally
    traffic: Mapping[str, Traffic]
    bookmarks: Iterable[Mapping[str, Any]]
    """Of `intervals`, as STATE has them."""


def usable(path: str) -> None:
    """Refuse a file that cannot be written, before a run begins.

    Raises:
        ConfigError: naming the folder.
    """
    folder = Path(path).parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        problem = f"lies in {folder}, where no file can be made"
        raise ConfigError(SETTING, problem, '"metrics.json"')


def write(path: str, ran: Ran) -> None:
    """Write the file, whole or not at all: whoever reads it meanwhile has the old one.

    Raises:
        OSError: it cannot be written.
    """
    found = document(ran)
    is_prometheus = path.endswith(".prom")
    text = prometheus(found) if is_prometheus else json.dumps(found, indent=1) + "\n"
    # The collector of node_exporter reads `*.prom` alone.
    beside = Path(f"{path}.{os.getpid()}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def document(ran: Ran) -> dict[str, Any]:
    """All of it, as JSON has it."""
    ended = datetime.now(timezone.utc)
    return {
        "version": 1,
        "credential_name": ran.credential_name,
        "started_at": micros_form(ran.started),
        "ended_at": micros_form(ended),
        "duration_seconds": round((ended - ran.started).total_seconds(), 3),
        "exit_code": ran.code,
        "providers": {name: _provider(name, ran) for name in ran.providers},
    }


def _provider(name: str, ran: Ran) -> dict[str, Any]:
    traffic = ran.traffic.get(name, Traffic())
    of_mine = ((s, n) for (p, s), n in ran.tally.rows.items() if p == name)
    return {
        "is_given_up": name in ran.report.stopped,
        "requests": traffic.requests,
        "bytes": traffic.bytes,
        "retries": traffic.retries,
        "waits": {str(status): n for status, n in sorted(traffic.waits.items())},
        "wait_seconds": {
            str(status): round(n, 3)
            for status, n in sorted(traffic.wait_seconds.items())
        },
        "rows": dict(sorted(of_mine)),
        "sources": _sources(name, ran),
        "newest_reading_age": _histogram(_ages(name, ran)),
    }


def _sources(name: str, ran: Ran) -> dict[str, list[str]]:
    """Ids by what became of them; those of a provider that was given up, too."""
    found: dict[str, list[str]] = {one.value.replace(" ", "_"): [] for one in Outcome}
    ends = ran.report.sources(name)
    for source, end in sorted(ends.items()):
        found[end.value].append(source)
    known = {*ran.report.due[name]}
    if name in ran.report.stopped:
        known |= {source for source, _ in _remembered(name, ran)}
    found["not_tried"] = sorted(known - ends.keys())
    return found


def _remembered(name: str, ran: Ran) -> Iterator[tuple[str, object]]:
    """Sources that have a bookmark, and how far they were read."""
    for entry in ran.bookmarks:
        context = dict(entry["context"])
        if context.pop("provider", None) == name:
            yield " ".join(context.values()), entry.get("replication_key_value")


def _ages(name: str, ran: Ran) -> Iterator[float]:
    """Seconds from the start of each meter's newest reading to that of the run.

    A source of which nothing came counts once, by its bookmark.
    """
    ends = ran.report.sources(name)
    came = {s: times for (p, s), times in ran.tally.newest.items() if p == name}
    starts: list[datetime] = [at for times in came.values() for at in times.values()]
    for source, value in _remembered(name, ran):
        if source in ends and source not in came and (at := _read(value)):
            starts.append(at)
    for at in starts:
        yield max((ran.started - at).total_seconds(), 0)


def _read(value: object) -> datetime | None:
    try:
        return moment(value)
    except (TypeError, ValueError):
        return None


def _histogram(ages: Iterable[float]) -> dict[str, Any]:
    """Cumulative, as Prometheus has histograms; of bounds in seconds."""
    found = list(ages)
    return {
        "buckets": [[bound, sum(age <= bound for age in found)] for bound in AGES],
        "count": len(found),
        "sum": round(sum(found), 3),
    }


def prometheus(found: Mapping[str, Any]) -> str:
    """The same in Prometheus' text form; ids of sources become counts."""
    of_run = {"credential_name": found["credential_name"] or ""}
    samples: dict[str, list[str]] = {name: [] for name in HELP}
    for name, value, labels in _of_run(found):
        full = f"utility_intervals_run_{name}"
        samples[name].append(_sample(full, value, {**of_run, **labels}))
    lines = []
    for name, told in HELP.items():
        full = f"utility_intervals_run_{name}"
        lines += [f"# HELP {full} {told}", f"# TYPE {full} gauge", *samples[name]]
    lines.append(f"# HELP {AGE} Age of the newest reading of each meter.")
    lines.append(f"# TYPE {AGE} histogram")
    for provider, one in found["providers"].items():
        lines += _buckets(one["newest_reading_age"], {**of_run, "provider": provider})
    return "\n".join(lines) + "\n"


Sample = tuple[str, float, dict[str, str]]
"""Name, value, labels."""


def _of_run(found: Mapping[str, Any]) -> Iterator[Sample]:
    ended = parse_instant(found["ended_at"])
    yield "timestamp_seconds", ended.timestamp(), {}
    yield "duration_seconds", found["duration_seconds"], {}
    yield "exit_code", found["exit_code"], {}
    for provider, one in found["providers"].items():
        for name, value, labels in _of_provider(one):
            yield name, value, {"provider": provider, **labels}


def _of_provider(one: Mapping[str, Any]) -> Iterator[Sample]:
    yield "given_up", int(one["is_given_up"]), {}
    for name in ("requests", "bytes", "retries"):
        yield name, one[name], {}
    for name, label in (
        ("waits", "status"),
        ("wait_seconds", "status"),
        ("rows", "stream"),
    ):
        for key, value in one[name].items():
            yield name, value, {label: key}
    for outcome, ids in one["sources"].items():
        yield "sources", len(ids), {"outcome": outcome}


def _buckets(ages: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[str]:
    for bound, count in (*ages["buckets"], ["+Inf", ages["count"]]):
        yield _sample(f"{AGE}_bucket", count, {**labels, "le": str(bound)})
    yield _sample(f"{AGE}_sum", ages["sum"], labels)
    yield _sample(f"{AGE}_count", ages["count"], labels)


def _sample(name: str, value: float, labels: Mapping[str, str]) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

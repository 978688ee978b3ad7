"""A strict reader of what an Airbyte source writes: every finding is a fault."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

Message = dict[str, Any]

FIELDS = {
    "RECORD": "record",
    "STATE": "state",
    "LOG": "log",
    "TRACE": "trace",
    "SPEC": "spec",
    "CATALOG": "catalog",
    "CONNECTION_STATUS": "connectionStatus",
}
LEVELS = {"FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"}
FAILURES = {"config_error", "transient_error", "system_error"}
STATUSES = {"STARTED", "RUNNING", "COMPLETE", "INCOMPLETE"}
ALLOWED = {
    "record": {"stream", "emitted_at", "data"},
    "log": {"level", "message", "stack_trace"},
    "state": {"type", "stream", "sourceStats"},
}
FORMATS = FormatChecker(())
NO_CURSOR = {"__ab_no_cursor_state_message": True}


@FORMATS.checks("date-time", ValueError)
def is_instant(value: object) -> bool:
    """UTC, as every destination reads it."""
    return not isinstance(value, str) or (
        value.endswith("Z") and datetime.fromisoformat(value[:-1]).tzinfo is None
    )


@FORMATS.checks("date", ValueError)
def is_date(value: object) -> bool:
    """A plain day."""
    return not isinstance(value, str) or bool(date.fromisoformat(value))


@dataclass
class Output:
    """What one command wrote and how it ended."""

    text: str
    code: int
    stderr: str = ""

    def __post_init__(self) -> None:
        self.messages = [
            json.loads(line, parse_float=Decimal) for line in self.text.splitlines()
        ]

    def of(self, kind: str) -> list[Any]:
        """The bodies of all messages of one type."""
        return [m[FIELDS[kind]] for m in self.messages if m["type"] == kind]

    def rows(self, stream: str) -> list[Message]:
        """The records of one stream."""
        return [r["data"] for r in self.of("RECORD") if r["stream"] == stream]

    @property
    def statuses(self) -> dict[str, list[str]]:
        """The statuses of every stream, in order."""
        found: dict[str, list[str]] = {}
        for trace in self.of("TRACE"):
            if trace["type"] == "STREAM_STATUS":
                status = trace["stream_status"]
                name = status["stream_descriptor"]["name"]
                found.setdefault(name, []).append(status["status"])
        return found

    @property
    def ends(self) -> dict[str, str]:
        """How every stream ended."""
        return {name: statuses[-1] for name, statuses in self.statuses.items()}

    @property
    def errors(self) -> list[Message]:
        """What went wrong."""
        return [t["error"] for t in self.of("TRACE") if t["type"] == "ERROR"]

    @property
    def failures(self) -> dict[str, str]:
        """The kind of failure by stream; the last one of each."""
        return {
            e.get("stream_descriptor", {}).get("name", ""): e["failure_type"]
            for e in self.errors
        }

    @property
    def states(self) -> dict[str, list[Message]]:
        """All STATEs by stream, in order."""
        found: dict[str, list[Message]] = {}
        for state in self.of("STATE"):
            name = state["stream"]["stream_descriptor"]["name"]
            found.setdefault(name, []).append(state)
        return found

    @property
    def kept(self) -> list[Message]:
        """What the platform stores: the last STATE of each stream."""
        found = [{**states[-1], "global": None} for states in self.states.values()]
        kept: list[Message] = json.loads(json.dumps(found, default=float))
        return kept

    @property
    def bookmarks(self) -> dict[str, Any]:
        """The last blob of each stream."""
        return {
            state["stream"]["stream_descriptor"]["name"]: state["stream"][
                "stream_state"
            ]
            for state in self.kept
        }


@dataclass
class Read:
    """What is followed of one stream."""

    statuses: list[str] = field(default_factory=list)
    records: int = 0
    uncounted: int = 0
    last: Any = None
    blobs: list[Any] = field(default_factory=list)


class Checker:
    """Goes through the lines of one `read`, in order."""

    def __init__(
        self,
        catalog: Mapping[str, Any],
        configured: Sequence[str],
        secrets: Iterable[str] = (),
    ) -> None:
        """Check against the streams of `catalog`, of which `configured` are wanted."""
        self.findings: list[str] = []
        self.secrets = list(secrets)
        self.configured = list(configured)
        self.reads: dict[str, Read] = {}
        self.failed: set[str] = set()
        self.has_error = False
        self.validators = {
            s["name"]: Draft7Validator(s["json_schema"], format_checker=FORMATS)
            for s in catalog["streams"]
        }

    def check(self, output: Output, *, cut: bool = False) -> list[str]:
        """All findings; `cut` output may end anywhere, but on a whole line."""
        for number, line in enumerate(output.text.split("\n"), 1):
            if line:
                self._line(number, line)
        if output.text and not output.text.endswith("\n"):
            self.find("the last line is not whole")
        if not cut:
            self._end(output.code)
        for secret in self.secrets:
            if secret in output.text + output.stderr:
                self.find("a secret was shown")
        return self.findings

    def find(self, text: str) -> None:
        """Note a fault."""
        self.findings.append(text)

    def _line(self, number: int, line: str) -> None:
        try:
            message = json.loads(line, parse_float=Decimal, parse_constant=_refuse)
        except ValueError as error:
            self.find(f"line {number} is no JSON: {error}: {line[:80]}")
            return
        kind = message.get("type")
        if set(message) != {"type", FIELDS.get(kind)}:
            self.find(f"line {number} has the members {sorted(message)}")
            return
        body = message[FIELDS[kind]]
        if extra := set(body) - ALLOWED.get(FIELDS[kind], set(body)):
            self.find(f"line {number}: {kind} with {sorted(extra)}")
        handler = getattr(self, f"_{kind.lower()}", None)
        if handler is None:
            self.find(f"line {number}: {kind} in a read")
        else:
            handler(body)

    def _record(self, record: Message) -> None:
        name = record["stream"]
        read = self.reads.setdefault(name, Read())
        if read.statuses[-1:] != ["RUNNING"]:
            self.find(f"a record of {name} while it is {read.statuses}")
        if type(record["emitted_at"]) is not int or record["emitted_at"] < 10**12:
            self.find(f"emitted_at is {record['emitted_at']!r}")
        read.records += 1
        read.uncounted += 1
        for error in self.validators[name].iter_errors(_floats(record["data"])):
            self.find(f"{name}: {error.json_path} {error.message}")

    def _state(self, state: Message) -> None:
        if state["type"] != "STREAM":
            self.find(f"a state of type {state['type']}")
            return
        name = state["stream"]["stream_descriptor"]["name"]
        blob = state["stream"]["stream_state"]
        read = self.reads.setdefault(name, Read())
        count = state["sourceStats"]["recordCount"]
        if type(count) is not Decimal:
            self.find(f"recordCount {count!r} is no float")
        if count != read.uncounted:
            self.find(f"{name}: recordCount {count} after {read.uncounted} records")
        if blob in read.blobs:
            self.find(f"{name}: a state for the second time")
        if not isinstance(blob, dict) or not blob:
            self.find(f"{name}: an empty state")
        if read.statuses[-1:] not in (["STARTED"], ["RUNNING"]):
            self.find(f"a state of {name} while it is {read.statuses}")
        read.blobs.append(blob)
        read.uncounted = 0

    def _log(self, log: Message) -> None:
        if log["level"] not in LEVELS or not isinstance(log["message"], str):
            self.find(f"a log {log}")
        if "METRIC" in log["message"]:
            self.find("a metric in the log")

    def _trace(self, trace: Message) -> None:
        if trace["type"] == "ERROR":
            self._error(trace["error"])
            return
        if trace["type"] != "STREAM_STATUS":
            self.find(f"a trace of type {trace['type']}")
            return
        name = trace["stream_status"]["stream_descriptor"]["name"]
        status = trace["stream_status"]["status"]
        statuses = self.reads.setdefault(name, Read()).statuses
        order = ["STARTED", "RUNNING", "COMPLETE"]
        fits = {
            "STARTED": statuses == [],
            "RUNNING": statuses == order[:1],
            "COMPLETE": statuses in (order[:1], order[:2]),
            "INCOMPLETE": statuses in ([], order[:1], order[:2]),
        }
        if not fits.get(status):
            self.find(f"{name}: {status} after {statuses}")
        statuses.append(status)

    def _error(self, error: Message) -> None:
        self.has_error = True
        if error["failure_type"] not in FAILURES or not error["message"]:
            self.find(f"an error {error}")
        if "stream_descriptor" in error:
            self.failed.add(error["stream_descriptor"]["name"])

    def _end(self, code: int) -> None:
        if self.has_error != (code != 0):
            self.find(f"exit {code}, error traces: {self.has_error}")
        if not self.reads and code:
            return  # refused before any stream
        if unasked := set(self.reads) - set(self.configured):
            self.find(f"{unasked} was not asked for")
        for name in self.configured:
            read = self.reads.get(name, Read())
            end = read.statuses[-1:]
            if end not in (["COMPLETE"], ["INCOMPLETE"]):
                self.find(f"{name} ends with {end}")
            if (end == ["INCOMPLETE"]) != (name in self.failed):
                self.find(f"{name} is {end}, errors name {sorted(self.failed)}")
            if end == ["COMPLETE"]:
                self._covered(name, read)

    def _covered(self, name: str, read: Read) -> None:
        if not read.blobs:
            self.find(f"{name} has no state")
        if read.uncounted:
            self.find(f"{name}: {read.uncounted} records without a state")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _floats(value: Any) -> Any:
    """Numbers as jsonschema knows them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _floats(part) for key, part in value.items()}
    return [_floats(part) for part in value] if isinstance(value, list) else value

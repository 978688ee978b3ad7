"""Running the Airbyte connector in a test: in this process, or as one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tap_utility_intervals.airbyte.source import main
from tests.airbyte.protocol import Checker, Output

SIGNALS = (signal.SIGINT, signal.SIGTERM)
UNIFIED = ("intervals", "meters", "usage", "coverage")


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """A command takes the signals; give them back."""
    before = [(signum, signal.getsignal(signum)) for signum in SIGNALS]
    try:
        yield
    finally:
        for signum, handler in before:
            signal.signal(signum, handler)


def run(*arguments: str) -> Output:
    """One command in this process."""
    out, err = io.StringIO(), io.StringIO()
    to = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with to[0], to[1], handlers_kept():
        code = main(arguments)
    return Output(out.getvalue(), code, err.getvalue())


class Connector:
    """The connector with one configuration; every `read` is checked strictly."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Keep the files of the commands in `folder`."""
        self.folder = folder
        self.settings = dict(settings)
        self.secrets = [
            str(value)
            for name, value in settings.items()
            if name.endswith(("token", "key"))
        ]

    def file(self, name: str, content: Any) -> str:
        """A JSON file's path."""
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(content))
        return str(path)

    @property
    def config(self) -> str:
        """The settings' file."""
        return self.file("config", self.settings)

    def check(self) -> Output:
        """The `check` command."""
        return run("check", "--config", self.config)

    def discover(self) -> Any:
        """The catalog."""
        [catalog] = run("discover", "--config", self.config).of("CATALOG")
        return catalog

    def arguments(
        self,
        streams: Iterable[str] = UNIFIED,
        state: Any = None,
        modes: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Those of a `read`."""
        catalog = configured(self.discover(), streams, modes or {})
        found = ["read", "--config", self.config]
        found += ["--catalog", self.file("catalog", catalog)]
        if state is not None:
            found += ["--state", self.file("state", state)]
        return found

    def read(
        self,
        streams: Sequence[str] = UNIFIED,
        state: Any = None,
        modes: Mapping[str, str] | None = None,
    ) -> Output:
        """The `read` command, which must keep the protocol."""
        output = run(*self.arguments(streams, state, modes))
        assert self.findings(output, streams) == []
        return output

    def findings(
        self, output: Output, streams: Sequence[str] = UNIFIED, *, cut: bool = False
    ) -> list[str]:
        """What the strict checker has against an output."""
        checker = Checker(self.discover(), streams, self.secrets)
        return checker.check(output, cut=cut)

    def start(
        self, streams: Sequence[str] = UNIFIED, state: Any = None
    ) -> subprocess.Popen[bytes]:
        """A `read` in a process of its own."""
        module = "tap_utility_intervals.airbyte.source"
        command = [sys.executable, "-m", module, *self.arguments(streams, state)]
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said)

    @property
    def said(self) -> str:
        """What the process wrote to its standard error."""
        return (self.folder / "said").read_text()


def configured(
    catalog: Mapping[str, Any], names: Iterable[str], modes: Mapping[str, str]
) -> dict[str, Any]:
    """A configured catalog as the platform makes one, unknown streams included."""
    known = {stream["name"]: stream for stream in catalog["streams"]}
    unknown = {"json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    return {
        "streams": [
            {
                "stream": known.get(name, {"name": name, **unknown}),
                "sync_mode": modes.get(
                    name, known.get(name, unknown)["supported_sync_modes"][-1]
                ),
                "destination_sync_mode": "append_dedup",
                "cursor_field": None,
                "primary_key": None,
            }
            for name in names
        ]
    }

"""The sandbox's own process, and what it knows."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from scripts.demo.errors import DemoError

PROVIDERS = ("utilityapi", "nectar")
PATIENCE = 60
"""Seconds that the sandbox may take to answer."""


class Sandbox:
    """Both APIs in a process of its own, and its control endpoints."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, method: str = "GET", **body: object) -> bytes:
        """Ask one control endpoint."""
        data = json.dumps(body).encode() if body else None
        url = f"{self.url}/_sandbox/{path}"
        headers = {"Content-Type": "application/json"}
        request = Request(url, data, headers, method=method)  # noqa: S310 - loopback
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            answered: bytes = answer.read()
        return answered

    def truth(self, what: str, provider: str) -> Iterator[dict[str, Any]]:
        """All readings, meters or bills on offer: from the data, not from the APIs."""
        for line in self.ask(f"truth?what={what}&provider={provider}").splitlines():
            yield json.loads(line)

    def requests(self) -> Counter[str]:
        """How many requests each provider answered since the log was last emptied."""
        logged = json.loads(self.ask("requests"))["requests"]
        self.ask("requests", "DELETE")
        return Counter(entry["provider"] for entry in logged)

    def move_clock(self, days: int) -> None:
        """Let time pass: new readings appear, older ones are restated."""
        self.ask("clock", "POST", advance_days=days)

    def now(self) -> datetime:
        """What the clock says, in UTC without its zone."""
        told = json.loads(self.ask("clock"))["now"]
        return datetime.fromisoformat(told).replace(tzinfo=None)

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("clock")
            except OSError:
                time.sleep(0.1)
            else:
                return
        msg = "The sandbox did not start."
        raise DemoError(msg)


@contextmanager
def sandbox(program: Path, log: Path) -> Iterator[Sandbox]:
    """Run the sandbox on a free port; it is stopped whatever happens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [program, "sandbox", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        started = Sandbox(process, port)
        started.wait()
        yield started
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask this one process to end, and see to it."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

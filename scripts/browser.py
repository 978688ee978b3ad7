"""Chromium without a window, spoken to by its DevTools protocol over two pipes.

Debian's package is installed if there is no Chromium and this is root; as a program,
that is all it does. No library is needed: a message is JSON and a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
PACKAGES = "chromium fonts-dejavu-core"
PATIENCE = 30
"""Seconds that a page may take for what it does at once."""


class Browser:
    """One tab, and what happened in it."""

    def __init__(self, commands: BinaryIO, answers: BinaryIO) -> None:
        """Take over the pipes of a Chromium that has just started."""
        self._commands = commands
        self._answers = answers
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        tab = self.send("Target.createTarget", url="about:blank")["targetId"]
        held = self.send("Target.attachToTarget", targetId=tab, flatten=True)
        self._session = held["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command; its result.

        Raises:
            RuntimeError: Chromium refuses it, or has ended.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended.")
            text += byte
        found: dict[str, Any] = json.loads(text)
        return found

    def open(
        self, url: str, width: int = 1280, height: int = 900, *, dark: bool = False
    ) -> None:
        """Show a page in a window of this size, and wait until it is loaded."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.send("Page.navigate", url=url)
        self.wait_for("Page.loadEventFired")
        self.settle()

    def wait_for(self, event: str) -> None:
        """Return once this event has come."""
        while all(one.get("method") != event for one in self.events):
            self.events.append(self._next())

    def settle(self) -> None:
        """Return after two more frames, when what was asked for is drawn."""
        self.ask("new Promise(done => requestAnimationFrame(() => "
                 "requestAnimationFrame(() => setTimeout(done))))")  # fmt: skip

    def until(self, condition: str) -> None:
        """Return when a condition holds, looked at in each frame.

        Raises:
            RuntimeError: it did not come to hold in half a minute.
        """
        self.ask(f"""new Promise((done, fail) => {{
            setTimeout(fail, {PATIENCE * 1000}, new Error("in vain"));
            const look = () => ({condition}) ? done() : requestAnimationFrame(look);
            look();
        }})""")

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - JSON
        """Return the value of an expression, or of what it promises.

        Raises:
            RuntimeError: it throws.
        """
        done = self.send(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def mouse(self, kind: str, x: float, y: float, *, held: bool = False) -> None:
        """Move, press or release the mouse."""
        button = "left" if held or kind != "mouseMoved" else "none"
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button,
                  buttons=int(held), clickCount=1)  # fmt: skip

    def picture(self, **clip: float) -> bytes:
        """Return a PNG of the window, or of a part of the page."""
        more = (
            {"clip": {**clip, "scale": 1}, "captureBeyondViewport": True}
            if clip
            else {}
        )
        shot = self.send("Page.captureScreenshot", format="png", **more)
        return base64.b64decode(shot["data"])

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console, and what scripts threw."""
        found = []
        for event in self.events:
            told = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(told["exceptionDetails"]))
            elif event.get("method") == "Log.entryAdded":
                found.append(told["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(str(told["args"]))
        return found

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]


def chromium() -> str:
    """Return the program; root gets Debian's package if there is none.

    Raises:
        FileNotFoundError: there is none, and it cannot be installed.
    """
    if not (found := _found()) and os.geteuid() == 0 and shutil.which("apt-get"):
        for words in ("update", f"install -y --no-install-recommends {PACKAGES}"):
            subprocess.run(
                ["apt-get", "-qq", *words.split()],  # noqa: S607 - Debian's own
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.DEVNULL,
                check=False,
            )
        found = _found()
    if not found:
        raise FileNotFoundError("There is no Chromium: install Debian's chromium.")
    return found


def _found() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a Chromium of our own; it and its profile are gone afterwards."""
    program = chromium()
    told, tell = os.pipe()
    hear, heard = os.pipe()
    with tempfile.TemporaryDirectory(
        prefix="chromium-", ignore_cleanup_errors=True
    ) as profile:
        # Chromium reads commands from descriptor 3 and answers on 4.
        process = subprocess.Popen(
            [
                *("bash", "-c", f'exec "$@" 3<&{told} 4>&{heard}', "bash"),
                *(program, *FLAGS, f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(told, heard),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(told)
        os.close(heard)
        try:
            with os.fdopen(tell, "wb") as commands, os.fdopen(hear, "rb") as answers:
                yield Browser(commands, answers)
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    try:
        chromium()
    except FileNotFoundError as missing:
        print(missing, "The tests that look at pages are left out.")

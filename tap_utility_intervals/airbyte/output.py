"""What is said besides records: in Airbyte's form, without a secret in it."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TextIO
from urllib.parse import quote

from typing_extensions import override

from tap_utility_intervals.airbyte.failures import Failure
from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.stdout import Lines, OutputGone

MASK = "****"

SHORTEST_SECRET = 3
"""A shorter one would turn up in any text, and is no secret anyway."""


def now_ms() -> int:
    """The clock as messages carry it."""
    return time.time_ns() // 1_000_000


class Output(Lines):
    """Standard output, and what is said on it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`, to its bytes where it has any."""
        super().__init__(stream)
        self._secrets: list[str] = []

    def hide(self, secrets: Iterable[object]) -> None:
        """From now on, mask these wherever they are said."""
        texts = [text if isinstance(text, str) else repr(text) for text in secrets]
        forms = {
            form
            for text in texts
            if len(text) >= SHORTEST_SECRET
            for form in (text, quote(text, safe=""), json.dumps(text)[1:-1])
        }
        self._secrets = sorted(forms, key=len, reverse=True)

    def masked(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def send(self, kind: str, field: str, body: Mapping[str, object]) -> None:
        """Write one message, such as `{"type": "SPEC", "spec": …}`."""
        self.write([ENCODER.encode({"type": kind, field: body}) + b"\n"])

    def log(self, level: str, message: str, stack: str | None = None) -> None:
        """Say something to people."""
        body = {"level": level, "message": self.masked(message)}
        if stack:
            body["stack_trace"] = self.masked(stack)
        self.send("LOG", "log", body)

    def status(self, stream: str, status: str) -> None:
        """Tell how far a stream is."""
        descriptor = {"name": stream}
        body = {"stream_descriptor": descriptor, "status": status}
        trace = {"type": "STREAM_STATUS", "emitted_at": now_ms(), "stream_status": body}
        self.send("TRACE", "trace", trace)

    def fail(self, failure: Failure, stream: str | None = None) -> None:
        """Tell what went wrong, and whose business it is."""
        error: dict[str, object] = {
            "message": self.masked(failure.message),
            "internal_message": self.masked(failure.internal),
            "failure_type": failure.kind,
        }
        if failure.stack:
            error["stack_trace"] = self.masked(failure.stack)
        if stream is not None:
            error["stream_descriptor"] = {"name": stream}
        trace = {"type": "ERROR", "emitted_at": now_ms(), "error": error}
        self.send("TRACE", "trace", trace)


class LogHandler(logging.Handler):
    """Turns what is logged into LOG messages."""

    def __init__(self, output: Output) -> None:
        """Say it through `output`."""
        super().__init__()
        self._output = output

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("singer_sdk.metrics"):
            return  # one for each request; the SDK resets that logger's own level
        stack = None
        if record.exc_info:
            stack = "".join(traceback.format_exception(*record.exc_info))
        with suppress(OutputGone):  # whoever writes records will notice
            self._output.log(_level(record.levelno), record.getMessage(), stack)


LEVELS = {
    logging.CRITICAL: "FATAL",
    logging.ERROR: "ERROR",
    logging.WARNING: "WARN",
    logging.INFO: "INFO",
}
"""Python's levels from the highest down, as the protocol calls them."""


def _level(number: int) -> str:
    return next((word for least, word in LEVELS.items() if number >= least), "DEBUG")


@contextmanager
def logging_to(output: Output, *, debug: bool) -> Iterator[None]:
    """Send all logging through `output` for as long as the block runs."""
    root, ours = logging.getLogger(), logging.getLogger("tap-utility-intervals")
    before = (root.handlers[:], root.level, ours.level)
    root.handlers = [LogHandler(output)]
    root.setLevel(logging.INFO)
    ours.setLevel(logging.DEBUG if debug else logging.INFO)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers, root.level, ours.level = before

"""What holds while something that costs money may be sent: one at a time, told if cut.

Two invocations that list the same meters at once would both see them without a running
collection, and both pay. A lock on this machine keeps them apart; between machines only
the meters' own status does.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

from tap_utility_intervals.commands.configuration import Failed
from tap_utility_intervals.floor.locked import locked
from tap_utility_intervals.providers.bookmarks import short_hash

FOLDER = "tap-utility-intervals"
"""Where the locks are, below one of `_folders`."""
BUSY = (
    "Another `utility-intervals collect` with this token is at work on this machine. "
    "Nothing was sent; try again when it has ended."
)


@contextmanager
def alone(*account: str) -> Iterator[None]:
    """Be the only one on this machine who may send for an account.

    Args:
        account: what names it: origin and token. The lock's name holds only their hash.

    Raises:
        Failed: when another one may, or when that cannot be told.
    """
    name = f"collect-{short_hash(account)}.lock"
    with _opened(name) as file:
        if not locked(file):
            raise Failed(BUSY)
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, so that it is told, too, what may have been accepted."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _opened(name: str) -> IO[bytes]:
    """Open the lock's file, which stays: who deletes a locked one lets a third in.

    Raises:
        Failed: when no folder can be written.
    """
    for folder in _folders():
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return (folder / name).open("ab")
        except OSError:
            continue  # the next one may be writable
    raise Failed(
        "No folder for a lock can be written, so two collections at once could not be "
        "told apart. Nothing was sent; set XDG_STATE_HOME to a folder that can be."
    )


def _folders() -> Iterator[Path]:
    """Where programs keep what is no configuration, and no cache."""
    chosen = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        home = Path(chosen) if chosen else Path.home() / ".local" / "state"
        yield home / FOLDER
    except RuntimeError:  # nobody knows where home is
        pass
    yield Path(tempfile.gettempdir()) / FOLDER

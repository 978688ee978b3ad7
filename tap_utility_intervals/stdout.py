"""Standard output: whole lines, whatever strikes meanwhile, and no word to nobody.

A signal that asks to stop is acted on between two lines: it raises `Terminated` in the
main thread, once. An output that can take no more is let go, so that the exit is quiet.
"""

from __future__ import annotations

import _thread
import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TextIO

PATIENCE = 5.0
"""Seconds that one write may still take after a signal; the reader may be busy."""


class Terminated(SystemExit):
    """The process was asked to stop; raised in the writing thread, between lines.

    Where nothing more can be saved it just ends the process with its exit code.
    """

    def __init__(self, signum: int) -> None:
        """Remember which signal asked."""
        super().__init__(128 + signum)
        self.signum = signum


class OutputGone(Exception):  # noqa: N818 - it says what happened
    """Output takes no more: nobody reads it, it is full, or it is closed."""

    def __init__(self, error: OSError) -> None:
        """Say it in one sentence."""
        if error.errno == errno.EPIPE:
            super().__init__("Nobody reads the output any more; run again to resume.")
        else:
            why = error.strerror or type(error).__name__
            what = error.filename or "Standard output"
            super().__init__(f"{what} cannot be written: {why}.")


class Lines:
    """The only way to standard output; safe to share between threads."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to `stream`; without one, to what standard output is at each write."""
        self._stream = stream
        self._lock = threading.Lock()
        self._depth = 0
        self._signum: int | None = None
        self._is_stopping = False
        self._code = 0
        self._writing: _thread.LockType | None = None
        self._gone: OSError | None = None

    def write(self, pieces: Iterable[bytes]) -> int:
        """Write pieces that together are whole lines, all of them, and flush them.

        Returns:
            How many bytes they were.

        Raises:
            OutputGone: it takes no more, now or since an earlier write.
            Terminated: a signal came meanwhile; the lines are written.
        """
        with self.whole(), self._lock:
            if self._gone is not None:
                raise OutputGone(self._gone)
            stream = sys.stdout if self._stream is None else self._stream
            try:
                return write_out(stream, pieces)
            except OSError as error:
                self._gone = error
                _let_go(stream)
                raise OutputGone(error) from None

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Put a signal off until the end of the block; blocks may lie in each other."""
        if threading.current_thread() is not threading.main_thread():
            yield  # signals are the main thread's business
            return
        self._depth += 1
        try:
            if self._is_stopping and self._depth == 1:
                self._watch()
            yield
        finally:
            self._depth -= 1
            if self._writing is not None and not self._depth:
                self._writing.release()
                self._writing = None
        if not self._depth:
            self._stop()

    def on_signal(self, signum: int, frame: FrameType | None = None) -> None:  # noqa: ARG002
        """Stop now, or as soon as the line that is being written is whole.

        Only the first signal counts: the end is under way then, and takes no time.
        """
        if self._is_stopping:
            return
        self._is_stopping = True
        self._signum, self._code = signum, 128 + signum
        if self._depth:
            self._watch()
        else:
            self._stop()

    def _stop(self) -> None:
        if self._signum is not None:
            signum, self._signum = self._signum, None
            raise Terminated(signum)

    def _watch(self) -> None:
        """End the process if the write that is under way does not end soon."""
        # Threading's own objects are out of bounds: a signal handler may have
        # interrupted the thread that holds their locks.
        if self._writing is None:
            self._writing = _thread.allocate_lock()
            self._writing.acquire()
            _thread.start_new_thread(_end_unless, (self._writing, self._code))


def _end_unless(released: _thread.LockType, code: int) -> None:
    if not released.acquire(timeout=PATIENCE):
        os._exit(code)


def write_out(stream: TextIO | None, pieces: Iterable[bytes]) -> int:
    """Write pieces that together are whole lines, all of them, and flush them.

    Raises:
        OSError: the stream is broken, full or closed.
    """
    if stream is None:  # closed before the interpreter started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    # Tests and the SDK's runners put a text stream in stdout's place.
    binary = getattr(stream, "buffer", None)
    if isinstance(binary, (io.BufferedIOBase, io.RawIOBase)):
        stream.flush()
        size = sum(_write_whole(binary, piece) for piece in pieces)
        binary.flush()
    else:
        whole = b"".join(pieces)
        size = len(whole)
        stream.write(whole.decode())
        stream.flush()
    return size


def _write_whole(binary: io.BufferedIOBase | io.RawIOBase, piece: bytes) -> int:
    """Write all of it: unbuffered, as with PYTHONUNBUFFERED, a signal cuts a write."""
    left = memoryview(piece)
    while left:
        left = left[binary.write(left) or 0 :]
    return len(piece)


@contextmanager
def as_before(*signals: int) -> Iterator[None]:
    """Leave the handlers of signals as they are; the SDK's plugins set their own."""
    before = {one: signal.getsignal(one) for one in signals}
    try:
        yield
    finally:
        with suppress(ValueError):  # not in the main thread: nobody has set any
            for one, handler in before.items():
                signal.signal(one, handler)


@contextmanager
def explained() -> Iterator[None]:
    """End a command for people in one sentence where its output takes no more."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_AN_OUTPUT:
            raise
        _let_go(sys.stdout)
        if error.errno != errno.EPIPE:  # `| head` is nobody's mistake
            sys.stderr.write(f"{OutputGone(error)}\n")
        raise SystemExit(1) from None


_OF_AN_OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF}
"""What a write to a disk or a pipe fails with."""


def _let_go(stream: TextIO | None) -> None:
    """Give what is still buffered a place to go, so that the exit is quiet."""
    # A test's standard output has no number.
    with suppress(OSError, AttributeError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())  # type: ignore[union-attr]

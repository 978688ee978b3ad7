"""`meltano run` into any loader, to its end or to a sudden one."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scripts.demo.pipeline import Pipeline

PATIENCE = 300


@dataclass(frozen=True)
class Pipe(Pipeline):
    """The Meltano project, which may be killed."""

    def sync(self, *options: str) -> None:
        """Sync to the end; the log tells when that fails."""
        with self.started(*options) as process:
            code = process.wait(PATIENCE)
        assert code == 0, self.told()

    def kill(self, when: Callable[[], bool]) -> None:
        """Sync, and kill Meltano, tap and loader at once as soon as `when` says so."""
        with self.started() as process:
            deadline = time.monotonic() + PATIENCE
            while not when():
                assert process.poll() is None, self.told()
                assert time.monotonic() < deadline, self.told()
                time.sleep(0.02)

    def told(self) -> str:
        """The end of the log; a loader's error may hold its whole batch in a line."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(line[:300] for line in lines[-60:])

    @contextmanager
    def started(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Meltano and all that it starts, as one session that does not outlive this."""
        with self.alone():
            with self.log.open("ab") as output:
                process = subprocess.Popen(
                    self.command(options),
                    **self.surroundings(output),
                    start_new_session=True,
                )
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

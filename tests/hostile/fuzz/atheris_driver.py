"""Coverage-guided fuzzing of both normalizes, from the answer to the written line.

`make fuzz` runs it in an environment of its own, for `FUZZ_SECONDS` (25). The corpus
begins with `tests/fixtures/fuzz/*/*` and stays in memory. What goes wrong is written to
a folder under /tmp; made smaller, it becomes a fixture that `test_found.py` replays.

The first byte of an input chooses its entry, the rest is the answer.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tap_utility_intervals"]):
    from tests.hostile.fuzz.delivering import ENTRIES, SEEDS, deliver
    from tests.hostile.fuzz.replaying import check


def one(data: bytes) -> None:
    """Deliver one answer; whatever is raised here is a bug."""
    if data:
        check(deliver(ENTRIES[data[0] % len(ENTRIES)], data[1:]))


def corpus(folder: Path) -> None:
    """Write the seeds as inputs."""
    for number, entry in enumerate(ENTRIES):
        for file in (SEEDS / entry).iterdir():
            (folder / f"{entry}-{file.stem}").write_bytes(
                bytes([number]) + file.read_bytes()
            )


def dictionary(file: Path) -> None:
    """Words of JSON and of the answers, for the mutator."""
    words = {
        '"next":',
        "null",
        "true",
        "[]",
        "{}",
        "1e999",
        '"',
        "\\\\ud800",
        "0001-01-01",
    }
    for entry in ENTRIES:
        words |= set((SEEDS / entry / "valid.json").read_text().split('"')[1:40:2])
    escaped = (word.replace('"', '\\"') for word in sorted(words) if len(word) < 40)
    file.write_text("".join(f'"{word}"\n' for word in escaped if word))


def main(arguments: Sequence[str]) -> None:
    """Fuzz for a while; the exit code tells whether something was found."""
    logging.disable(logging.CRITICAL)
    seconds = os.environ.get("FUZZ_SECONDS", "25")
    found = Path(tempfile.gettempdir()) / "fuzz-found"
    found.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as name:
        folder = Path(name)
        (folder / "seeds").mkdir()
        (folder / "new").mkdir()
        corpus(folder / "seeds")
        dictionary(folder / "words")
        options = [
            f"-max_total_time={seconds}",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-max_len=6000",
            f"-dict={folder / 'words'}",
            f"-artifact_prefix={found}/",
            str(folder / "new"),
            str(folder / "seeds"),
        ]
        atheris.Setup([arguments[0], *arguments[1:], *options], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)

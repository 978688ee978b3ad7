"""Environments for Airbyte's own tools, which bear neither ours nor each other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONNECTOR = Path(sys.executable).with_name("source-utility-intervals")
"""The connector of the environment that runs this, as any user would start it."""

PYTHONS = ("python3.12", "python3.11", "python3.10", "python3", "python")
FITS = "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))"


def environment(name: str, requirements: Path) -> Path:
    """The `bin` folder of an environment in `.venvs/`, made if it is not there yet."""
    folder = ROOT / ".venvs" / name
    stamp, wanted = folder / "requirements.txt", requirements.read_text()
    if not stamp.is_file() or stamp.read_text() != wanted:
        say(f"Making .venvs/{name}")
        shutil.rmtree(folder, ignore_errors=True)
        run([python(), "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet"]
        pip += ["--disable-pip-version-check", "install"]
        run([*pip, "--requirement", str(requirements)])
        stamp.write_text(wanted)
    return folder / "bin"


def python() -> str:
    """A Python that Airbyte's tools run on: 3.10 to 3.12."""
    for name in (sys.executable, *PYTHONS):
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", FITS], check=False).returncode == 0:
            return path
    sys.exit("Airbyte's own tools need Python 3.10, 3.11 or 3.12, and none was found.")


def say(text: str) -> None:
    """Tell whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(command: Sequence[str], **options: object) -> None:
    """Run it; if it fails, so do we."""
    done = subprocess.run(command, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(done.returncode)

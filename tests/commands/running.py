"""Running the installed command against a sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tap_utility_intervals.sandbox import Logged, Sandbox

COMMAND = Path(sys.executable).with_name("utility-intervals")
MEANWHILE = 60


@dataclass
class Shell:
    """A folder with a `config.json` for a sandbox, and the command."""

    sandbox: Sandbox
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Write the configuration; None takes a setting away."""
        self.settings = {
            "utilityapi_api_token": self.sandbox.token,
            "utilityapi_base_url": self.sandbox.utilityapi_url,
            "utilityapi_requests_per_second": 1000,
            "nectar_api_key": self.sandbox.api_key,
            "nectar_base_url": self.sandbox.nectar_url,
            "max_retries": 0,
            **self.settings,
            **settings,
        }
        text = json.dumps({k: v for k, v in self.settings.items() if v is not None})
        (self.folder / "config.json").write_text(text)

    def __call__(
        self,
        line: str,
        *,
        typed: str = "",
        env: dict[str, str] | None = None,
        config: str | None = "config.json",
    ) -> subprocess.CompletedProcess[str]:
        """Run `utility-intervals <line>`; nothing secret or personal may come out."""
        words = [*line.split(), *(("--config", config) if config else ())]
        done = subprocess.run(
            [COMMAND, *words],
            input=typed,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**os.environ, "XDG_STATE_HOME": str(self.folder), **(env or {})},
            timeout=MEANWHILE,
            check=False,
        )
        out = done.stdout + done.stderr
        assert "Traceback" not in out, out
        for secret in (self.sandbox.token, self.sandbox.api_key, "PLANTED"):
            assert secret not in out
        return done

    @property
    def posts(self) -> list[Logged]:
        """The POSTs that the sandbox got."""
        return [r for r in self.sandbox.requests if r.method == "POST"]

    @property
    def bodies(self) -> list[Any]:
        """What was POSTed."""
        return [json.loads(post.body) for post in self.posts]

"""Credentials side by side into one schema of PostgreSQL, by the page's scripts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tap_utility_intervals.reporting.models import Models
from tests.commands.running import COMMAND
from tests.current import current
from tests.oracle import Key, Row
from tests.packaging.tree import ROOT
from tests.warehouses.server import DATABASE, PASSWORD, USER, Server

PATIENCE = 300


def block(page: str, kind: str) -> str:
    """The one block of this kind in a page."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


@dataclass(frozen=True)
class Fleet(ABC):
    """A folder with a configuration for each credential, and what they fill."""

    folder: Path
    server: Server
    settings: dict[str, Row] = field(default_factory=dict)
    """Of each credential, without its name; a test may change them between runs."""
    schema: ClassVar[str]
    utc: ClassVar[str]
    """An instant of the tables as UTC without a zone."""

    @abstractmethod
    def first(self) -> int:
        """Run all for the first time; the exit code."""

    @abstractmethod
    def daily(self) -> int:
        """Run all side by side; the exit code."""

    def metrics(self, name: str) -> str:
        """What the last run said of itself, for Prometheus."""
        return (self.folder / "metrics" / f"{name}.prom").read_text()

    def sh(self, script: str, **environment: str) -> int:
        """Run a script as it stands; its exit code."""
        others = ("TAP_", "TARGET_", "MELTANO_", "PYTHON", "VIRTUAL_ENV", "PG")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(others)}
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env={**kept, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.returncode

    def listed(self) -> set[str]:
        """Meters that have not vanished."""
        schema = {"utility_intervals_schema": self.schema}
        models = Models("postgres", DATABASE, self.schema, schema)
        sql = models.sql("stg_utility_intervals__meters")
        rows = self.server.query(sql, self.schema)
        return {row["meter_key"] for row in rows if row["is_listed"]}

    def held(self) -> dict[Key, object]:
        """Current readings; instants as the oracle has them."""
        intervals = self._table(
            "intervals",
            "provider, meter_key, connection_id, channel, quantity, read_at",
            ("interval_start", "interval_end"),
        )
        coverage = self._table(
            "coverage",
            "provider, source, is_complete, read_at",
            ("range_start", "range_end"),
        )
        found: Mapping[Key, Row] = current(intervals, coverage)
        return {key: row["quantity"] for key, row in found.items()}

    def _table(self, name: str, columns: str, instants: tuple[str, ...]) -> list[Row]:
        form = '\'YYYY-MM-DD"T"HH24:MI:SS"Z"\''
        texts = [f"to_char({self.utc}, {form}) as {{0}}".format(n) for n in instants]
        return self.server.query(
            f"select {', '.join([columns, *texts])} from {name}", self.schema
        )


class ByLoad(Fleet):
    """`utility-intervals load`."""

    schema = "energy"
    utc = "{0} at time zone 'UTC'"

    def first(self) -> int:
        (self.folder / "metrics").mkdir()
        return self.daily()

    def daily(self) -> int:
        for name, chosen in self.settings.items():
            more = {"credential_name": name, "metrics_file": f"metrics/{name}.prom"}
            (self.folder / f"{name}.json").write_text(json.dumps({**chosen, **more}))
        here = f"{USER}@127.0.0.1:{self.server.port}/{DATABASE}"
        script = block("fleets.md", "sh load")
        script = script.replace("loader@db.example.com/warehouse", here)
        script = script.replace("utility-intervals load", f"{COMMAND} load")
        return self.sh(script, PGPASSWORD=PASSWORD)


class ByMeltano(Fleet):
    """Inherited plugins, in a project of one's own."""

    schema = "utility_intervals"
    utc = "{0}"

    def first(self) -> int:
        subprocess.run(["make", ".meltano/.installed"], cwd=ROOT, check=True)
        (self.folder / "meltano.yml").write_text(yaml.safe_dump(self._project()))
        return self._meltano("sh first")

    def daily(self) -> int:
        return self._meltano("sh daily")

    def _meltano(self, kind: str) -> int:
        settings = {
            "TARGET_POSTGRES_HOST": "127.0.0.1",
            "TARGET_POSTGRES_PORT": str(self.server.port),
            "TARGET_POSTGRES_USER": USER,
            "TARGET_POSTGRES_PASSWORD": PASSWORD,
            "TARGET_POSTGRES_DATABASE": DATABASE,
        }
        for name, chosen in self.settings.items():
            for key, value in chosen.items():
                settings[f"TAP_{name}_{key}".upper()] = str(value)
        lines = [f'{name}="{value}"\n' for name, value in settings.items()]
        (self.folder / ".env").write_text("".join(lines))
        programs = ROOT / ".venvs" / "meltano" / "bin"
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        return self.sh(block("fleets.md", kind), PATH=path)

    def _project(self) -> dict[str, Any]:
        """The repository's own tap and loader as they are installed, and the page's."""
        project: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text())
        more = yaml.safe_load(block("fleets.md", "yaml meltano"))
        plugins = project["plugins"]
        (tap,) = plugins["extractors"]
        tap["executable"] = str(Path(sys.executable).with_name(tap["name"]))
        (loader,) = (p for p in plugins["loaders"] if p["name"] == "target-postgres")
        programs = ROOT / ".meltano" / "loaders" / loader["name"] / "venv" / "bin"
        loader["executable"] = str(programs / loader["executable"])
        for one in (tap, loader):
            del one["pip_url"]
        more["plugins"] = {
            "extractors": [tap, *more["plugins"]["extractors"]],
            "loaders": [loader, *more["plugins"]["loaders"]],
        }
        return {**project, **more}

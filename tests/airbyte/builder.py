"""`docs/airbyte-builder.yaml` against the sandbox: `python -m tests.airbyte.builder`.

airbyte-cdk runs it, in `.venvs/airbyte-cdk`, as Airbyte Cloud's Builder would; every
reading and bill of the sandbox's world must come, also when an answer is late (202).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from tap_utility_intervals.sandbox import Sandbox, World, tiny_world, truth
from tests.airbyte.environments import ROOT, environment, say

MANIFEST = ROOT / "docs" / "airbyte-builder.yaml"
REQUIREMENTS = Path(__file__).parent / "standard" / "requirements.txt"
SECRET = "connectionMagicLinkSecret"


Message = dict[str, Any]
Rows = Mapping[str, list[Message]]


@dataclass
class Builder:
    """The manifest, run by airbyte-cdk; files lie in `folder`."""

    folder: Path
    config: Mapping[str, Any]

    def __call__(self, command: str, **files: Any) -> list[Message]:
        """The messages of one command."""
        tools = environment("airbyte-cdk", REQUIREMENTS)
        words: list[str | Path] = [tools / "source-declarative-manifest", command]
        for name, content in {"config": self.config, **files}.items():
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps(content))
            words += [f"--{name}", path]
        done = subprocess.run(
            [*words, "--manifest-path", MANIFEST],
            cwd=self.folder,
            env={**os.environ, "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(done.stdout[-3000:] + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self) -> str:
        """How a check ends."""
        (status,) = of(self("check"), "CONNECTION_STATUS")
        return str(status["connectionStatus"]["status"])

    def read(self, state: list[Any]) -> tuple[Rows, list[Any]]:
        """The rows of all streams, and the state to go on with."""
        (found,) = of(self("discover"), "CATALOG")
        streams = found["catalog"]["streams"]
        wanted = [
            {
                "stream": stream,
                "sync_mode": stream["supported_sync_modes"][-1],
                "destination_sync_mode": "append",
            }
            for stream in streams
        ]
        messages = self("read", catalog={"streams": wanted}, state=state)
        rows: dict[str, list[Message]] = {stream["name"]: [] for stream in streams}
        for message in of(messages, "RECORD"):
            rows[message["record"]["stream"]].append(message["record"]["data"])
        for stream in streams:
            declared = {*stream["json_schema"]["properties"]}
            expect({k for row in rows[stream["name"]] for k in row} - declared, set())
        states = [message["state"] for message in of(messages, "STATE")]
        newest = {one["stream"]["stream_descriptor"]["name"]: one for one in states}
        return rows, list(newest.values())


def of(messages: list[Message], kind: str) -> list[Message]:
    """The messages of one type."""
    return [message for message in messages if message["type"] == kind]


def expect(found: object, wanted: object) -> None:
    """End with both, if they differ."""
    if found != wanted:
        sys.exit(f"found  {found!s:.2000}\nwanted {wanted!s:.2000}")


def utc(text: str) -> datetime:
    """An instant as UTC."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def everything_is_there(rows: Rows, world: World) -> None:
    """Every reading and every bill, and no other one."""
    expect(
        {
            (r["meter_uid"], utc(r["start"]), utc(r["end"]))
            for r in rows["utilityapi_intervals"]
        },
        {(r.meter_id, r.start, r.end) for r in truth.readings(world, "utilityapi")},
    )
    expect(
        {r["id"]: r["usage"] and Decimal(r["usage"]) for r in rows["nectar_intervals"]},
        {
            r.interval_id: r.value and Decimal(r.value)
            for r in truth.readings(world, "nectar")
        },
    )
    for provider, stream, key in (
        ("utilityapi", "utilityapi_bills", "uid"),
        ("nectar", "nectar_usage_data", "id"),
    ):
        bills = {bill.usage_id for bill in truth.bills(world, provider)}
        expect({row[key] for row in rows[stream]}, bills)


def main() -> int:
    """Check, read, and read on a day later; 0 if everything came."""
    with tempfile.TemporaryDirectory() as parent, Sandbox(tiny_world()) as sandbox:
        config = {
            "utilityapi_api_token": sandbox.token,
            "utilityapi_base_url": sandbox.utilityapi_url,
            "nectar_api_key": sandbox.api_key,
            "nectar_base_url": sandbox.nectar_url,
            "start_date": "2025-10-01T00:00:00Z",
        }
        both = Builder(Path(parent), config)
        one = {k: v for k, v in config.items() if k != "utilityapi_api_token"}
        wrong = {**config, "utilityapi_api_token": "wrong"}
        checks = [Builder(Path(parent), it).check() for it in (config, one, wrong)]
        expect(checks, ["SUCCEEDED", "SUCCEEDED", "FAILED"])
        late = sandbox.faults.add(
            path="/intervals$", status=202, headers={"Retry-After": "1"}, body=""
        )
        rows, state = both.read([])
        expect(late.struck, 1)
        everything_is_there(rows, sandbox.world)
        expect(SECRET in json.dumps(rows), wanted=False)
        sandbox.world.advance(days=1)
        more, _ = both.read(state)
        both_runs = {name: [*rows[name], *more[name]] for name in rows}
        everything_is_there(both_runs, sandbox.world)
    say("docs/airbyte-builder.yaml: every reading and bill came, twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())

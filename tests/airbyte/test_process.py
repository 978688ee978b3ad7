"""The connector as the platform runs it: a process with pipes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tap_utility_intervals.sandbox import Sandbox, bench_world
from tests.airbyte.environments import CONNECTOR
from tests.airbyte.protocol import Output
from tests.airbyte.running import Connector
from tests.oracle import by_key
from tests.syncing import config

RECORD = b'{"type":"RECORD"'


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Connector]:
    """A connector whose sync takes long enough to be interrupted."""
    world = bench_world(meters=6, days=6, minutes=30, channels=1, block_days=1)
    with Sandbox(world, latency=0.1) as sandbox:
        settings = config(
            sandbox,
            "utilityapi",
            state_interval_seconds=0,
            utilityapi_meters_per_request=1,
            max_concurrency=2,
        )
        yield Connector(tmp_path, settings)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_keeps_what_it_read_and_the_next_run_resumes(
    slow: Connector, signum: int
) -> None:
    with slow.start(["intervals", "meters"]) as process:
        assert process.stdout
        lines: list[bytes] = []
        while sum(line.startswith(RECORD) for line in lines) < 500:
            lines.append(process.stdout.readline())
            assert lines[-1], "it ended by itself"
        process.send_signal(signum)
        lines.append(process.stdout.read())
        code = process.wait(timeout=30)
    killed = Output(b"".join(lines).decode(), code, slow.said)
    assert slow.findings(killed, ["intervals", "meters"]) == []
    assert killed.code == 1
    assert set(killed.ends.values()) == {"INCOMPLETE"}
    assert set(killed.failures.values()) == {"transient_error"}
    assert killed.bookmarks["intervals"]["partitions"]

    slow.settings |= {"state_interval_seconds": 10}
    resumed = slow.read(["intervals", "meters"], killed.kept)
    whole = by_key(slow.read(["intervals"]).rows("intervals"))
    again = by_key(resumed.rows("intervals"))
    assert len(again) < len(whole)
    assert {**by_key(killed.rows("intervals")), **again}.keys() == whole.keys()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_check_that_is_stopped_says_nothing(tmp_path: Path, signum: int) -> None:
    """As PyAirbyte stops it, whenever: no traceback, on standard error or as a LOG."""
    with Sandbox(bench_world(meters=1, days=1)) as sandbox:
        sandbox.faults.add(kind="slow", seconds=60, times=None)
        connector = Connector(tmp_path, config(sandbox, "utilityapi"))
        with subprocess.Popen(
            [CONNECTOR, "check", "--config", connector.config],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while not sandbox.faults.shown()[0]["struck"]:
                assert process.poll() is None
                threading.Event().wait(0.01)
            process.send_signal(signum)
            out, err = process.communicate()
    assert process.returncode in {-signum, 128 + signum}
    assert err == b""
    assert b"Traceback" not in out


def test_killed_outright_it_resumes_from_the_last_state(slow: Connector) -> None:
    with slow.start(["intervals"]) as process:
        assert process.stdout
        lines: list[bytes] = []
        while sum(line.startswith(b'{"type":"STATE"') for line in lines) < 3:
            lines.append(process.stdout.readline())
        process.kill()
    killed = Output(b"".join(lines).decode(), process.returncode)
    assert slow.findings(killed, ["intervals"], cut=True) == []
    resumed = slow.read(["intervals"], killed.kept)
    whole = by_key(slow.read(["intervals"]).rows("intervals"))
    again = by_key(resumed.rows("intervals"))
    assert len(again) < len(whole)
    assert {**by_key(killed.rows("intervals")), **again}.keys() == whole.keys()


def test_it_ends_by_itself_when_nobody_reads_any_more(slow: Connector) -> None:
    with slow.start(["intervals"]) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
    assert slow.said.startswith("Nobody reads")
    assert slow.said.count("\n") == 1


def test_the_entrypoint_works_from_another_directory(
    connector: Connector, tmp_path: Path
) -> None:
    """As the platform calls it: through a shell, by the image's variable."""
    entrypoint = Path(sys.executable).with_name("source-utility-intervals")
    command = f'cd / && eval "$AIRBYTE_ENTRYPOINT check --config {connector.config}"'
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "AIRBYTE_ENTRYPOINT": str(entrypoint)},
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    output = Output(done.stdout.decode(), done.returncode, done.stderr.decode())
    assert output.of("CONNECTION_STATUS") == [{"status": "SUCCEEDED"}]
    assert output.stderr == ""

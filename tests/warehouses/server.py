"""A PostgreSQL server of our own: in a temporary folder, on a free port, then gone."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

USER, PASSWORD, DATABASE = "loader", "not a secret", "warehouse"
FAR_ZONE = "America/New_York"
"""The server's time zone: not UTC, as on many an analyst's machine."""
PATIENCE = 30


@dataclass(frozen=True)
class Server:
    """Where it listens, and its programs."""

    programs: Path
    port: int

    def query(self, sql: str, path: str = "public") -> list[dict[str, Any]]:
        """Rows as JSON has them, numbers with all their digits."""
        asked = f"select row_to_json(found) from ({sql}) found"
        out = self.run("-c", f"set search_path = {path}", "-c", asked)
        return [json.loads(line, parse_float=Decimal) for line in out.splitlines()]

    def run(self, *options: str, script: str | None = None) -> str:
        """Ask by psql; its answer."""
        done = subprocess.run(
            [self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *options],
            env={
                **os.environ,
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.port),
                "PGUSER": USER,
                "PGPASSWORD": PASSWORD,
                "PGDATABASE": DATABASE,
                "PGCLIENTENCODING": "UTF8",
            },
            input=script,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def postgres() -> Iterator[Server]:
    """Start a server; it is stopped and its folder removed whatever happens."""
    found = subprocess.run(
        ["bash", Path(__file__).with_name("postgres.sh")],
        env={**os.environ, "PYTHON": sys.executable},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    programs = Path(found.stdout.strip())
    folder = Path(tempfile.mkdtemp(prefix="warehouse-postgres-"))
    owner = "nobody" if os.geteuid() == 0 else None  # the server refuses to be root
    try:
        if owner:
            shutil.chown(folder, owner)
        secret = folder / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o644)
        subprocess.run(
            [
                *(programs / "initdb", "--pgdata", folder / "data", "--no-sync"),
                *("--username", USER, "--pwfile", secret, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--locale", "C"),
            ],
            user=owner,
            group=group(owner),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        with started(programs, folder, owner) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def group(owner: str | None) -> int | None:
    """The first group of a user."""
    return pwd.getpwnam(owner).pw_gid if owner else None


@contextmanager
def started(programs: Path, folder: Path, owner: str | None) -> Iterator[Server]:
    """The server itself, as a child of this process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",
        "timezone": FAR_ZONE,
        "log_timezone": "UTC",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(programs / "postgres", "-D", folder / "data"),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            user=owner,
            group=group(owner),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        server = Server(programs, port)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                server.run("-d", "postgres", "-c", f"create database {DATABASE}")
                break
            except AssertionError:
                told = log.read_text(encoding="utf-8", errors="replace")
                assert process.poll() is None, told
                assert time.monotonic() < deadline, told
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()  # "smart" would wait for clients; there are none any more
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

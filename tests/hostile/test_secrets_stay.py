"""The credential goes to one origin only; secrets and personal data go nowhere else."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tests.airbyte.running import Connector
from tests.hostile.worlds import hostile_world, settings_for
from tests.oracle import Row, utilityapi_values, values
from tests.providers.reading import ALL, selecting, sync_of
from tests.syncing import config, sync
from tests.tap.running import Inside

TOKEN = "PLANTED-TOKEN-of-utilityapi"
API_KEY = "PLANTED-KEY-of-nectar"
CREDENTIALS = {"utilityapi": TOKEN, "nectar": API_KEY}


pytestmark = pytest.mark.usefixtures("no_waiting")


# --- the credential's origin ----------------------------------------------------------


class Trap:
    """Listens, and counts who comes."""

    def __init__(self) -> None:
        self.came = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def trap() -> Iterator[Trap]:
    with closing(Trap()) as listening:
        yield listening


LINKS = {
    "another port": "http://127.0.0.1:{trap}/api/v2/x?after=1",
    "another host": "http://localhost:{trap}/api/v2/x?after=1",
    "the same port at another host": "http://localhost:{port}/api/v2/x?after=1",
    "another scheme": "https://127.0.0.1:{trap}/api/v2/x?after=1",
    "the same place by https": "https://127.0.0.1:{port}/api/v2/x?after=1",
    "protocol-relative": "//127.0.0.1:{trap}/api/v2/x?after=1",
    "user-info that looks like us": "http://127.0.0.1:{port}@127.0.0.1:{trap}/x",
    "user-info at our own place": "http://me:pw@127.0.0.1:{port}/api/v2/x?after=1",
    "a backslash": "http://127.0.0.1:{trap}\\@127.0.0.1:{port}/x",
    "a path alone": "/api/v2/x?after=1",
    "a file": "file:///etc/passwd",
}
OURS = {"the same place by https": ("x",), "a path alone": ("x",)}
"""Links whose path is asked for, on the configured origin: proxies write them so."""

LISTS = ("meters", "intervals", "bills")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("name", LISTS)
def test_a_next_link_elsewhere_is_not_followed(
    trap: Trap, name: str, link: str
) -> None:
    with Sandbox(hostile_world(), credentials=CREDENTIALS) as sandbox:
        leads = LINKS[link].format(trap=trap.port, port=sandbox.port)
        sandbox.faults.add(
            kind="change", path=f"/{name}$", members={"next": leads}, times=None
        )
        run = sync(settings_for(sandbox, "utilityapi"))
        asked = {request.path for request in sandbox.requests}
        assert asked <= {f"/api/v2/{one}" for one in (*LISTS, *OURS.get(link, ()))}
    assert run.failed
    assert trap.came == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_a_redirect_elsewhere_is_not_followed(
    trap: Trap, provider: str, status: int
) -> None:
    with Sandbox(hostile_world(), credentials=CREDENTIALS) as sandbox:
        location = {"Location": f"http://127.0.0.1:{trap.port}/x?access_token={TOKEN}"}
        sandbox.faults.add(status=status, headers=location, times=None)
        run = sync(settings_for(sandbox, provider))
    assert run.failed
    assert trap.came == 0


@pytest.mark.parametrize("setting", ["utilityapi_base_url", "nectar_base_url"])
def test_a_credential_in_the_clear_is_refused(setting: str, tap: Inside) -> None:
    settings = {
        "utilityapi_api_token": TOKEN,
        "nectar_api_key": API_KEY,
        setting: "http://example.com/api",
    }
    done = tap.with_config(settings)
    assert done.code == 1
    assert setting in done.log
    assert "PLANTED" not in done.log + done.out


def test_a_token_in_a_next_link_is_not_sent_again_nor_logged() -> None:
    with (
        Sandbox(hostile_world(), credentials=CREDENTIALS) as sandbox,
        everything_said() as said,
    ):
        leads = f"{sandbox.utilityapi_url}/meters?access_token={TOKEN}&after=101"
        sandbox.faults.add(kind="change", path="/meters", members={"next": leads})
        run = sync(settings_for(sandbox, "utilityapi"))
        assert not run.failed
        followed = [r.query for r in sandbox.requests if "after" in r.query]
        assert {"after": "101"} in followed
    assert TOKEN not in "\n".join(said.lines)


# --- ids and filters in URLs ----------------------------------------------------------

ODD = ("PG&E", "a b", "a+b", "50%", "a/b", "ü", "x=y?z#")


@pytest.mark.parametrize("uid", ODD)
def test_odd_ids_arrive_as_they_are(uid: str) -> None:
    world = hostile_world()
    world.utilityapi = [replace(world.utilityapi[0], uid=uid)]
    company = world.nectar[0]
    # The sandbox reads a slash in a path as one, encoded or not.
    in_path = uid.replace("/", "-")
    connection = replace(company.connections[0], id=f"{in_path}-c")
    world.nectar = [replace(company, id=f"{in_path}-o", connections=[connection])]
    with Sandbox(world) as sandbox:
        run = sync(settings_for(sandbox, utilityapi_meters=[uid]))
        assert not run.failed, run.tap.report.reasons
        rows = run.rows("intervals")
        mine = [row for row in rows if row["provider"] == "utilityapi"]
        assert values(mine) == utilityapi_values(world)
        named = {request.query.get("meters") for request in sandbox.requests}
        assert named <= {uid, None}
        paths = {request.path for request in sandbox.requests}
        assert f"/v2.2/interval/connection/{in_path}-c" in paths
    assert {r["connection_id"] for r in rows if r["provider"] == "nectar"} == {
        f"{in_path}-c"
    }


# --- bodies ---------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
@pytest.mark.parametrize("opening", ["[", '{"a":', '{"next":null,"intervals":['])
def test_deeply_nested_json_is_told(provider: str, opening: str) -> None:
    with Sandbox(hostile_world()) as sandbox:
        body = opening * 60_000
        path = "/intervals" if provider == "utilityapi" else "/interval/"
        sandbox.faults.add(path=path, status=200, body=body, times=None)
        more: Row = {"max_response_mb": 10}
        run = sync(settings_for(sandbox, provider, **more))
    assert run.failed
    reasons = [one for one in run.tap.report.reasons.values() if one]
    assert reasons
    assert all("cannot be read" in one for one in reasons)


# --- all output -----------------------------------------------------------------------

SECRETS = (
    *(TOKEN, API_KEY, "PLANTED-SECRET", "MagicLinkSecret", "PLANTED-BODY"),
    *("Bearer ", "X-API-Key", "access_token=PLANTED"),
)
"""Nowhere at all."""
PERSONAL = ("PLANTED", "X-Amz", "A-0", "A-1", "SA-", "123 Main")
"""Nowhere but in records, whose columns are declared."""

QUOTING = (
    '{"error": "PLANTED-BODY PLANTED-EMAIL", "detail": "PLANTED-BODY A-0", '
    '"url": "https://x/?access_token=PLANTED-BODY"}'
)
TROUBLES: dict[str, Row] = {
    "healthy": {},
    **{f"HTTP {n}": {"status": n} for n in (400, 401, 402, 403, 404, 429, 500, 502)},
    "a redirect": {
        "status": 302,
        "headers": {"Location": "https://x/?access_token=PLANTED-BODY"},
    },
    "a strange body": {"status": 200},
    "a link that leads away": {
        "kind": "change",
        "members": {"next": "https://PLANTED-BODY.example/?access_token=PLANTED-BODY"},
    },
    "a strange header": {
        "status": 429,
        "headers": {"Retry-After": "PLANTED-BODY", "Set-Cookie": "PLANTED-BODY"},
    },
    "cut": {"kind": "truncate"},
    "reset": {"kind": "reset"},
    "garbage": {"kind": "garbage"},
    "flood": {"kind": "flood"},
}


class Everything(logging.Handler):
    """Whatever any logger says at any level, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
        self.lines: list[str] = []
        self._own = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        with self._own:
            self.lines.append(self.format(record))


@contextmanager
def everything_said() -> Iterator[Everything]:
    """All loggers at their most talkative, also those of libraries."""
    listener, root = Everything(), logging.getLogger()
    names = ("urllib3", "requests", "singer_sdk", "tap-utility-intervals", "backoff")
    loggers = [root, *(logging.getLogger(name) for name in names)]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    root.addHandler(listener)
    try:
        yield listener
    finally:
        root.removeHandler(listener)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextmanager
def troubled(trouble: str) -> Iterator[Sandbox]:
    """A sandbox full of marks, in which something is wrong after the lists."""
    with Sandbox(tiny_world(), credentials=CREDENTIALS) as sandbox:
        if TROUBLES[trouble]:
            fault = {"body": QUOTING, **TROUBLES[trouble]}
            path = "/intervals|/bills|/events|/interval/|/usage/|/document/|/ping"
            sandbox.faults.add(**{"path": path, "times": None, **fault})
        yield sandbox


def talkative(sandbox: Sandbox) -> Row:
    return config(sandbox, max_retries=1, max_response_mb=1)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_singer_says_no_secret_and_nothing_personal(trouble: str) -> None:
    with troubled(trouble) as sandbox, everything_said() as said:
        err = io.StringIO()
        with redirect_stderr(err):
            run = sync_of(talkative(sandbox), *ALL)
            run.tap.report.summarise()
    search(run.messages, "\n".join([*said.lines, err.getvalue()]))
    assert any(line.startswith("urllib3") for line in said.lines)
    reasons = [*run.tap.report.reasons.values(), *run.tap.report.stopped.values()]
    assert not marks(PERSONAL + SECRETS, " ".join(reasons))
    assert run.failed is (trouble != "healthy")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_airbyte_says_no_secret_and_nothing_personal(
    trouble: str, tmp_path: Path
) -> None:
    with troubled(trouble) as sandbox:
        connector = Connector(tmp_path, talkative(sandbox))
        with everything_said() as said:
            read = connector.read([*ALL])
            checked = connector.check()
    text = "\n".join([*said.lines, read.stderr, checked.stderr, checked.text])
    search(read.messages, text)


def search(messages: list[Any], said: str) -> None:
    """No secret in anything; nothing personal but in records."""
    told = [m for m in messages if m["type"] != "RECORD"]
    assert not marks(SECRETS, json.dumps(messages, default=str))
    assert not marks(PERSONAL, json.dumps(told, default=str))
    assert not marks(SECRETS + PERSONAL, said)


def marks(planted: tuple[str, ...], text: str) -> list[str]:
    """Where a mark stands, with what stands around it."""
    return [
        text[max(0, text.index(mark) - 150) :][:300] for mark in planted if mark in text
    ]


def test_a_defect_of_ours_shows_no_secret_in_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_: object) -> None:
        raise ZeroDivisionError(f"{TOKEN} and {API_KEY}")

    with troubled("healthy") as sandbox:
        connector = Connector(tmp_path, talkative(sandbox))
        catalog = selecting(talkative(sandbox), "intervals")
        assert catalog
        path = "tap_utility_intervals.providers.utilityapi.session.UtilityApi.meters"
        monkeypatch.setattr(path, burst)
        read = connector.read(["intervals"])
    assert read.code == 1
    assert not marks(SECRETS, read.text + read.stderr)

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tap_utility_intervals.commands.collect import guards
from tap_utility_intervals.commands.configuration import Failed
from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers.utilityapi.collecting.refusals import (
    MaybeStarted,
    Refused,
)
from tap_utility_intervals.providers.utilityapi.collecting.sending import Collector
from tap_utility_intervals.providers.utilityapi.session import transport_of
from tap_utility_intervals.providers.utilityapi.settings import UtilityApiSettings
from tap_utility_intervals.sandbox import World
from tap_utility_intervals.settings.shared import Settings
from tests.commands.running import COMMAND, Shell
from tests.syncing import sync

START = "collect start --meters 2001005 --months 12"
HISTORY = "/meters/historical-collection$"


def test_a_plan_shows_what_is_lacking_and_sends_nothing(shell: Shell) -> None:
    done = shell("collect plan --months 12")
    assert done.returncode == 0
    assert "The last 12 months: 2016-04-01 to 2017-04-01" in done.stdout
    assert "meter 2001001 already covers the span" in done.stdout
    assert "meter 2001006 cannot be collected: authorization 1003 is expired" in (
        done.stdout
    )
    assert "collect start --meters 2001003,2001005 --months 12" in done.stdout
    assert "costs money" in done.stdout
    assert shell.posts == []


def test_a_plan_repeats_the_options_it_was_given(shell: Shell) -> None:
    done = shell("collect plan --months 12 --config ENV")
    command = done.stdout.splitlines()[-1].split()
    assert command[-4:] == ["--config", "ENV", "--config", "config.json"]
    started = shell(" ".join([*command[1:], "--yes"]), config=None)
    assert started.returncode == 0
    follow = started.stdout.splitlines()[-1].partition("utility-intervals ")[2]
    assert shell(follow.replace(" --wait", ""), config=None).returncode == 0


def test_many_meters_are_planned_and_started_by_a_file(
    shell: Shell, world: World
) -> None:
    """The commands as they are printed, one after the other."""
    never = world.meters_by_uid["2001005"]
    uids = [str(3_000_000 + number) for number in range(1_200)]
    world.utilityapi = [replace(never, uid=uid) for uid in uids]
    world.meters_by_uid.update({meter.uid: meter for meter in world.utilityapi})
    plan = shell("collect plan").stdout
    assert max(map(len, plan.splitlines())) < 120
    write, start = (line.split()[1:] for line in plan.splitlines()[-2:])
    assert start[1:4] == ["start", "--meters-file", "meters.txt"]
    assert shell(" ".join(write), config=None).returncode == 0
    assert sorted((shell.folder / "meters.txt").read_text().split()) == uids
    done = shell(" ".join([*start, "--yes"]), config=None)
    assert done.returncode == 0
    assert "Collecting 1,200 meters: " in done.stdout
    assert sorted(shell.bodies[0]["meters"]) == uids


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("", "Name meters with --meters or --meters-file."),
        ("--meters-file none.txt", "none.txt cannot be read"),
        ("--meters-file empty.txt", "empty.txt names no meter"),
    ],
)
def test_meters_must_be_named(shell: Shell, options: str, told: str) -> None:
    (shell.folder / "empty.txt").write_text("\n,")
    done = shell(f"collect start --months 12 {options}")
    assert done.returncode == 2
    assert told in done.stderr
    assert shell.posts == []


def test_a_plan_for_programs_has_every_meter(shell: Shell) -> None:
    shown = json.loads(shell("collect plan --months 36 --json").stdout)
    assert shown["months"] == 36
    by_uid = {row["meter"]: row for row in shown["meters"]}
    assert by_uid["2001005"]["intervals_missing"] == "1,096 days"
    assert by_uid["2001001"]["intervals_missing"] == "693 days"
    assert by_uid["2001006"]["obstacle"] is not None


def test_a_plan_without_anything_to_collect_says_so(shell: Shell) -> None:
    done = shell("collect plan --meters 2001001")
    assert "There is nothing to collect" in done.stdout
    assert done.returncode == 0


def test_a_collection_is_started_once_and_seen_pending(shell: Shell) -> None:
    done = shell(f"{START} --yes")
    assert done.returncode == 0
    assert "Collecting 1 meter: 2001005." in done.stdout
    assert shell.bodies == [{"meters": ["2001005"], "collection_duration": 12}]
    status = shell("collect status")
    assert status.returncode == 0
    assert "1 meter pending." in status.stdout


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_a_declined_confirmation_sends_nothing(shell: Shell, typed: str) -> None:
    done = shell(START, typed=typed)
    assert done.returncode == 1
    assert "costs money" in done.stdout
    assert "Nothing was sent." in done.stdout
    assert shell.posts == []


def test_a_confirmed_start_is_sent(shell: Shell) -> None:
    assert shell(START, typed="y\n").returncode == 0
    assert len(shell.posts) == 1


def test_more_meters_than_allowed_are_refused(shell: Shell) -> None:
    two = "collect start --meters 2001003,2001005 --months 12 --yes"
    done = shell(f"{two} --max-meters 1")
    assert done.returncode == 2
    assert "2 meters are more than --max-meters allows, 1." in done.stderr
    assert shell.posts == []
    assert shell(f"{two} --max-meters 2").returncode == 0


def test_ten_meters_are_the_limit_unless_told_otherwise(
    shell: Shell, world: World
) -> None:
    never = world.meters_by_uid["2001005"]
    uids = [str(3_000_000 + number) for number in range(11)]
    world.utilityapi = [replace(never, uid=uid) for uid in uids]
    world.meters_by_uid.update({meter.uid: meter for meter in world.utilityapi})
    done = shell(f"collect start --meters {','.join(uids)} --months 12 --yes")
    assert done.returncode == 2
    assert "11 meters are more than --max-meters allows, 10." in done.stderr
    assert shell.posts == []


def test_a_pending_meter_is_never_sent_again(shell: Shell) -> None:
    shell(f"{START} --yes")
    done = shell(f"{START} --yes")
    assert "meter 2001005 is pending: a collection is running" in done.stdout
    assert "Nothing was sent." in done.stdout
    assert done.returncode == 0
    assert len(shell.posts) == 1


def test_meters_that_need_nothing_or_cannot_are_left_out(shell: Shell) -> None:
    meters = "--meters 2001001,2001006 --meters 2001005"
    done = shell(f"collect start {meters} --months 12 --yes")
    assert done.returncode == 0
    assert "Left out: meter 2001001 already covers the span." in done.stdout
    assert "Left out: meter 2001006 cannot be collected" in done.stdout
    assert shell.bodies[0]["meters"] == ["2001005"]


def test_an_unknown_meter_stops_everything(shell: Shell, world: World) -> None:
    for status in (200, 400, 404):
        world.utilityapi_options.unknown_meter_status = status
        done = shell("collect start --meters 2001005,999 --months 12 --yes")
        assert done.returncode == 2
        assert "does not list these meters: 999." in done.stderr
    assert shell.posts == []


@pytest.mark.parametrize("months", ["0", "37", "x"])
def test_months_go_from_1_to_36(shell: Shell, months: str) -> None:
    done = shell(f"collect start --meters 2001005 --months {months} --yes")
    assert done.returncode == 2
    assert shell.sandbox.requests == []


ERROR = '{"error": "%s", "error_description": "PLANTED-TEXT", "url": null}'
HTML = "<html><body>PLANTED-TEXT</body></html>"
REFUSALS = [
    (400, ERROR % "required_param_missing", "name meters with --meters"),
    (400, ERROR % "invalid_param", "compare the meters' uids with"),
    (400, ERROR % "expired_or_revoked", "ask the customers to authorize again"),
    (400, ERROR % "meter_asleep", "error type meter_asleep, which this version"),
    (400, ERROR % "PLANTED-TEXT a b", "without a readable error type"),
    (400, HTML, "without a readable error type"),
    (400, "[1]", "without a readable error type"),
    (401, ERROR % "unauthorized", "check the setting utilityapi_api_token"),
    (402, ERROR % "payment_required", "choose a pre-pay for data collections"),
    (403, "", "check the token's account"),
    (404, ERROR % "not_found", "compare their uids with"),
    (405, "", "check utilityapi_base_url"),
    (410, HTML, "check utilityapi_base_url"),
    (422, HTML, "check utilityapi_base_url"),
]


@pytest.mark.parametrize(("status", "body", "words"), REFUSALS)
def test_every_refusal_says_what_to_do(
    shell: Shell, status: int, body: str, words: str
) -> None:
    shell.sandbox.faults.add(status=status, body=body, method="POST", times=None)
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert words in done.stderr
    assert f"HTTP {status}" in done.stderr
    assert status == 401 or "nothing was started" in done.stderr
    assert len(shell.posts) == 1


OPEN = (301, 302, 303, 304, 307, 308, 408, 409, 418, 423, 424, 425, 444, 460, 499)
"""Statuses that do not say that nothing was done."""


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, HTML, "failed on its side"),
        (502, HTML, "failed on its side"),
        (503, HTML, "is down for maintenance"),
        (504, "", "took too long to answer"),
        (202, "", "without saying readably for which meters"),
        (200, HTML, "without saying readably for which meters"),
        (200, '{"success": false, "meters": []}', "without saying readably"),
        (200, '{"success": true}', "without saying readably"),
        *((status, HTML, "leaves it open") for status in OPEN),
    ],
)
def test_what_may_have_been_accepted_is_never_repeated(
    shell: Shell, status: int, body: str, words: str
) -> None:
    shell.configure(max_retries=5)
    shell.sandbox.faults.add(status=status, body=body, method="POST", times=None)
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert words in done.stderr
    assert "it may have been accepted all the same" in done.stderr
    assert "collect status" in done.stderr
    assert len(shell.posts) == 1


@pytest.mark.parametrize("kind", ["reset", "reset_in_body", "truncate", "garbage"])
def test_a_broken_connection_is_never_repeated(shell: Shell, kind: str) -> None:
    shell.configure(max_retries=5)
    shell.sandbox.faults.add(kind=kind, method="POST", times=None)
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert "it may have been accepted all the same" in done.stderr
    assert len(shell.posts) == 1


def test_a_time_out_is_never_repeated(shell: Shell) -> None:
    shell.configure(max_retries=5, request_timeout=0.5)
    slow = shell.sandbox.faults.add(kind="slow", seconds=2, method="POST", times=None)
    done = shell(f"{START} --yes")
    assert "broke off (ReadTimeout)" in done.stderr
    assert "it may have been accepted all the same" in done.stderr
    assert slow.struck == 1


def test_an_interrupted_request_may_have_been_accepted(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = direct(shell.sandbox.utilityapi_url)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    session = SimpleNamespace(post=interrupt)
    monkeypatch.setattr(collector._posts, "_session", lambda: session)
    with pytest.raises(MaybeStarted, match="was interrupted"):
        collector.collect(["1"], 1, list)


def test_where_nothing_listens_nothing_was_sent() -> None:
    collector = direct("http://127.0.0.1:9/api/v2")
    with pytest.raises(Refused, match="nothing was sent; check the network") as caught:
        collector.collect(["1"], 1, list)
    assert not isinstance(caught.value, MaybeStarted)
    assert isinstance(caught.value, errors.ProviderError)


def direct(base_url: str) -> Collector:
    config = {"utilityapi_api_token": "token", "utilityapi_base_url": base_url}
    settings = Settings.parse(config)
    own = UtilityApiSettings.parse(config, settings)
    return Collector(transport_of(own, settings), settings)


def test_a_429_waits_as_told_and_sends_again(shell: Shell) -> None:
    shell.sandbox.faults.add(
        status=429, headers={"Retry-After": "0"}, body=HTML, method="POST"
    )
    done = shell(f"{START} --yes")
    assert done.returncode == 0
    assert "UtilityAPI asks to wait 0 seconds." in done.stderr
    assert [post.status for post in shell.posts] == [429, 200]


def pending_by_then(shell: Shell, *uids: str) -> None:
    """These meters are pending when they are listed the second time."""
    listed = get(shell, "/meters")["meters"]
    changed = [
        {**meter, "status": "pending" if meter["uid"] in uids else meter["status"]}
        for meter in listed
    ]
    members = {"meters": changed}
    shell.sandbox.faults.add(
        kind="change", path="/meters$", members=members, skip=1, times=None
    )


def get(shell: Shell, path: str) -> Any:
    headers = {"Authorization": f"Bearer {shell.sandbox.token}"}
    url = shell.sandbox.utilityapi_url + path
    return requests.get(url, headers=headers, timeout=10).json()


LATER = {"status": 429, "headers": {"Retry-After": "0"}, "method": "POST"}


def test_what_is_pending_after_a_429_is_not_sent_again(shell: Shell) -> None:
    pending_by_then(shell, "2001005")
    shell.sandbox.faults.add(**LATER)
    done = shell(f"{START} --yes")
    assert done.returncode == 0
    assert "Not sent again" in done.stdout
    assert "2001005" in done.stdout
    assert [post.status for post in shell.posts] == [429]


def test_only_what_is_still_due_is_sent_again(shell: Shell) -> None:
    pending_by_then(shell, "2001005")
    shell.sandbox.faults.add(**LATER, times=2)
    done = shell("collect start --meters 2001003,2001005 --months 12 --yes")
    assert done.returncode == 0
    assert "Collecting 1 meter: 2001003." in done.stdout
    assert [body["meters"] for body in shell.bodies] == [
        ["2001003", "2001005"],
        ["2001003"],
        ["2001003"],
    ]


def test_without_a_look_nothing_is_sent_again(shell: Shell) -> None:
    shell.sandbox.faults.add(**LATER)
    shell.sandbox.faults.add(status=500, path="/meters$", skip=1, times=None)
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert "could not be looked at" in done.stderr
    assert len(shell.posts) == 1


def test_monitoring_that_is_set_after_a_429_is_not_set_again(shell: Shell) -> None:
    line = "collect monitor --meters 2001001 --frequency weekly --yes"
    (listed,) = get(shell, "/meters?uids=2001001")["meters"]
    monitoring = {**listed["ongoing_monitoring"], "frequency": "weekly"}
    members = {"meters": [{**listed, "ongoing_monitoring": monitoring}]}
    shell.sandbox.faults.add(
        kind="change", path="/meters$", members=members, skip=1, times=None
    )
    shell.sandbox.faults.add(**LATER)
    assert "Not sent again" in shell(line).stdout
    assert len(shell.posts) == 1


def test_two_at_once_are_kept_apart_by_a_sentence(shell: Shell) -> None:
    slow = {"kind": "slow", "seconds": 3, "method": "POST"}
    shell.sandbox.faults.add(**slow)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(shell, [f"{START} --yes"] * 2))
    (busy,) = [done for done in both if done.returncode]
    assert "Another `utility-intervals collect`" in busy.stderr
    assert "Nothing was sent" in busy.stderr
    assert len(shell.posts) == 1
    # What only reads is free at any time, and so is another account.
    assert shell("collect status").returncode == 0


def test_where_no_lock_can_be_written_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(file / "below"))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    with guards.alone("token"):
        pass
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(file))
    with pytest.raises(Failed, match="set XDG_STATE_HOME"), guards.alone("token"):
        pytest.fail("there is no lock")


def test_a_lock_is_of_one_account_and_ends_with_its_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with guards.alone("url", "secret"):
        with guards.alone("url", "another"):
            pass
        with pytest.raises(Failed, match="Another"), guards.alone("url", "secret"):
            pytest.fail("two at once")
    with guards.alone("url", "secret"):
        assert not any("secret" in path.name for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_is_sent_tells_what_may_have_been(
    shell: Shell, number: signal.Signals
) -> None:
    slow = shell.sandbox.faults.add(kind="slow", seconds=3, method="POST")
    words = [*START.split(), "--yes", "--config", "config.json"]
    with subprocess.Popen(
        [COMMAND, *words], stderr=subprocess.PIPE, cwd=shell.folder, text=True
    ) as process:
        while not slow.struck:
            time.sleep(0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "was interrupted" in said
    assert "it may have been accepted all the same" in said
    assert "Traceback" not in said


def test_a_free_collection_is_told(shell: Shell) -> None:
    body = '{"success": true, "meters": ["2001005"], "created_free_collection": true}'
    shell.sandbox.faults.add(status=200, body=body, method="POST")
    done = shell(f"{START} --yes")
    assert done.returncode == 0
    assert "UtilityAPI says that it is free." in done.stdout


@pytest.mark.parametrize(
    "hostile",
    [
        "1,2001005",
        "x\r\nLeft out: forged",
        "\x1b[2J",
        "\u202e5",
        "$(id)",
        "a b",
        ".;ls",
    ],
)
def test_a_hostile_uid_is_never_offered(
    shell: Shell, world: World, hostile: str
) -> None:
    never = replace(world.meters_by_uid["2001005"], uid=hostile)
    world.utilityapi = [*world.utilityapi, never]
    world.meters_by_uid[hostile] = never
    for command in ("plan", "status", "plan --json", "status --json"):
        done = shell(f"collect {command}")
        assert done.returncode == 0
        lines = done.stdout.splitlines()
        assert all(line.isprintable() for line in lines)
        assert not any(line.startswith("Left out: forged") for line in lines)
    offered = [
        line for line in shell("collect plan").stdout.splitlines() if "start" in line
    ]
    assert offered[-1].split()[4] == "2001003,2001005"


def test_a_429_that_stays_is_given_up(shell: Shell) -> None:
    shell.sandbox.faults.add(
        status=429, headers={"Retry-After": "now+0"}, method="POST", times=None
    )
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert "kept asking to wait" in done.stderr
    assert "send it again later" in done.stderr


def test_without_a_balance_utilityapi_asks_for_payment(
    shell: Shell, world: World
) -> None:
    world.utilityapi_options.balance = False
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert "the balance of the account is used up" in done.stderr


def expire_soon(world: World, *uids: str) -> None:
    """Authorizations that expire between the listing and the request."""
    soon = int(world.now.timestamp()) + 60
    world.authorizations = [
        replace(grant, expires=soon) if grant.uid in uids else grant
        for grant in world.authorizations
    ]
    world.__dict__.pop("authorizations_by_uid", None)


def test_meters_that_are_silently_dropped_are_told(shell: Shell, world: World) -> None:
    never = world.meters_by_uid["2001005"]
    other = replace(never, uid="2001007", authorization_uid="1001")
    world.utilityapi = [*world.utilityapi, other]
    world.meters_by_uid["2001007"] = other
    expire_soon(world, "1002")
    shell.sandbox.faults.add(kind="advance", seconds=120, method="POST")
    done = shell("collect start --meters 2001005,2001007 --months 12 --yes")
    assert done.returncode == 1
    assert "Collecting 1 meter: 2001007." in done.stdout
    assert "left out without a word: 2001005." in done.stderr


def test_when_all_authorizations_expired_meanwhile_it_says_so(
    shell: Shell, world: World
) -> None:
    expire_soon(world, "1002")
    shell.sandbox.faults.add(kind="advance", seconds=120, method="POST")
    done = shell(f"{START} --yes")
    assert done.returncode == 1
    assert "authorizations of all these meters are expired or revoked" in done.stderr


def test_waiting_ends_when_no_meter_is_pending(shell: Shell) -> None:
    shell(f"{START} --yes")
    shell.sandbox.faults.add(kind="advance", seconds=900, path="/meters$", skip=2)
    done = shell("collect status --wait --interval 0")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "3 of 4 meters done" in lines[0]
    assert lines[0].endswith("pending: 2001005")
    assert any("4 of 4 meters done" in line for line in lines)
    assert lines[-1].startswith("No meter is pending.")


def test_waiting_has_an_end(shell: Shell) -> None:
    shell(f"{START} --yes")
    done = shell("collect status --wait --interval 1 --timeout 0.5")
    assert done.returncode == 1
    assert "1 meter pending." in done.stdout


def test_waiting_for_a_meter_that_vanishes_ends(shell: Shell, world: World) -> None:
    shell(f"{START} --yes")
    world.authorizations = [
        replace(grant, revoked=int(world.now.timestamp()) + 60)
        for grant in world.authorizations
    ]
    world.__dict__.pop("authorizations_by_uid", None)
    shell.sandbox.faults.add(kind="advance", seconds=120, path="/meters$", skip=1)
    done = shell("collect status --meters 2001005 --wait --interval 0")
    assert done.returncode == 1
    assert "No longer listed: 2001005." in done.stderr


def test_a_failed_collection_needs_a_person(shell: Shell, world: World) -> None:
    meter = replace(world.meters_by_uid["2001001"], errored=True)
    world.utilityapi = [meter]
    world.meters_by_uid["2001001"] = meter
    done = shell("collect status")
    assert done.returncode == 1
    assert "Failed: 2001001" in done.stdout


def test_status_for_programs(shell: Shell) -> None:
    shell(f"{START} --yes")
    shell.sandbox.faults.add(kind="advance", seconds=900, path="/meters$", skip=2)
    done = shell("collect status --wait --interval 0 --json")
    rows = {row["meter"]: row for row in json.loads(done.stdout)["meters"]}
    assert rows["2001005"]["status"] == "updated"
    assert "pending: 2001005" in done.stderr
    named = shell("collect status --meters 2001003 --json")
    assert [row["meter"] for row in json.loads(named.stdout)["meters"]] == ["2001003"]


def test_on_a_terminal_there_is_a_progress_bar(shell: Shell, tmp_path: Path) -> None:
    shell(f"{START} --yes")
    shell.sandbox.faults.add(kind="advance", seconds=900, path="/meters$", skip=2)
    ours, theirs = pty.openpty()
    command = "collect status --wait --interval 0 --config config.json"
    with subprocess.Popen(
        [COMMAND, *command.split()], stdout=theirs, stderr=theirs, cwd=tmp_path
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                some = os.read(ours, 4096)
            except OSError:  # Linux: the other end is closed
                break
            if not some:
                break
            shown += some
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert "[##################------] 3 of 4 meters done" in text
    assert "\r[########################] 4 of 4 meters done" in text


MONITOR = "collect monitor --meters 2001005 --frequency weekly"


def test_monitoring_is_switched_on_and_off(shell: Shell) -> None:
    done = shell(f"{MONITOR} --yes")
    assert done.returncode == 0
    assert "Monitoring 1 meter: 2001005." in done.stdout
    again = shell(f"{MONITOR} --yes")
    assert "meter 2001005 is monitored weekly already" in again.stdout
    off = shell("collect monitor --meters 2001005 --frequency off --yes")
    assert "Monitoring is off for 1 meter: 2001005." in off.stdout
    assert "costs money" not in off.stdout
    assert shell.bodies == [
        {"meters": ["2001005"], "frequency": "weekly"},
        {"meters": ["2001005"], "frequency": "off"},
    ]
    assert (
        "meter 2001005 is off"
        in shell("collect monitor --meters 2001005 --frequency off --yes").stdout
    )


def test_monthly_monitoring_may_have_a_day(shell: Shell) -> None:
    line = "collect monitor --meters 2001005 --frequency {} --refresh-day 5 --yes"
    assert shell(line.format("weekly")).returncode == 2
    assert shell.sandbox.requests == []
    assert shell(line.format("monthly")).returncode == 0
    assert shell.bodies[0]["fixed_refresh_day"] == 5
    assert "monthly already" in shell(line.format("monthly")).stdout


@pytest.mark.parametrize(("status", "body", "words"), REFUSALS[3:9:3])
def test_monitoring_is_refused_with_the_same_sentences(
    shell: Shell, status: int, body: str, words: str
) -> None:
    shell.sandbox.faults.add(status=status, body=body, method="POST", times=None)
    done = shell(f"{MONITOR} --yes")
    assert done.returncode == 1
    assert words in done.stderr
    assert len(shell.posts) == 1


def test_monitoring_has_the_same_guards(shell: Shell) -> None:
    two = "collect monitor --meters 2001001,2001005 --frequency weekly"
    assert shell(two, typed="n\n").returncode == 1
    assert shell(f"{two} --max-meters 1 --yes").returncode == 2
    ended = shell("collect monitor --meters 2001006 --frequency weekly --yes")
    assert "authorization 1003 is expired" in ended.stdout
    assert ended.returncode == 0
    assert shell.posts == []


def test_a_list_whose_cursor_dies_is_begun_again(shell: Shell, world: World) -> None:
    world.utilityapi_options.page_size = 2
    shell.sandbox.faults.add(status=404, path="/meters$", query="after=", times=2)
    shown = json.loads(shell("collect status --json").stdout)
    assert len(shown["meters"]) == 4
    shell.sandbox.faults.add(status=404, path="/meters$", query="after=", times=None)
    done = shell("collect status")
    assert done.returncode == 1
    assert "ended the same listing again and again" in done.stderr


def test_what_was_collected_covers_its_span(shell: Shell) -> None:
    shell(f"{START} --yes")
    shell.sandbox.world.advance(seconds=1000)
    done = shell(f"{START} --yes")
    assert "meter 2001005 already covers the span" in done.stdout
    assert len(shell.posts) == 1


def test_a_sync_never_posts(shell: Shell) -> None:
    sync(shell.settings)
    assert shell.sandbox.requests
    assert {request.method for request in shell.sandbox.requests} == {"GET"}

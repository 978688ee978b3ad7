from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tap_utility_intervals.cli import main
from tap_utility_intervals.sandbox import (
    Account,
    Authorization,
    Company,
    Connection,
    Sandbox,
    World,
    make_uuid,
    tiny_world,
)
from tests.commands.running import Shell
from tests.syncing import sync

Found = dict[str, Any]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Shell]:
    with Sandbox(tiny_world()) as sandbox:
        yield Shell(sandbox, tmp_path)


def examined(shell: Shell, *options: str) -> Found:
    done = shell(" ".join(("doctor --json", *options)))
    found: Found = json.loads(done.stdout)
    assert done.returncode == (1 if found["needs_person"] else 0)
    assert {r.method for r in shell.sandbox.requests} <= {"GET"}
    return found


def provider(found: Found, name: str) -> Found:
    return next(p for p in found["providers"] if p["provider"] == name)


def kinds(found: Found, name: str) -> dict[str, str]:
    """Kind by source."""
    return {f["source"]: f["kind"] for f in provider(found, name)["findings"]}


def test_a_healthy_account_needs_nobody(tiny: Shell) -> None:
    done = tiny("doctor")
    assert done.returncode == 0
    assert "All is well." in done.stdout
    assert "Needs a person" not in done.stdout
    found = examined(tiny)
    assert [p["is_reachable"] for p in found["providers"]] == [True, True]
    assert kinds(found, "utilityapi") == kinds(found, "nectar") == {}


def test_a_terminal_has_colours_and_a_pipe_the_same_words_without(tiny: Shell) -> None:
    tiny.configure(nectar_api_key="refused")
    words = ["doctor", "--config", str(tiny.folder / "config.json")]
    terminal = CliRunner().invoke(main, words, color=True).stdout
    assert click.style("Needs a person", bold=True, fg="red") in terminal
    assert click.style("Something needs you.", bold=True, fg="red") in terminal
    assert click.unstyle(terminal) == tiny("doctor").stdout


def test_it_lists_what_is_reachable(tiny: Shell) -> None:
    found = examined(tiny)
    objects = provider(found, "utilityapi")["objects"]
    assert objects["authorizations"] == [
        {
            "authorization": "1001",
            "utility": "PG&E",
            "status": "active",
            "expires": "until revoked",
            "meters": 2,
        }
    ]
    by_uid = {row["meter"]: row for row in objects["meters"]}
    assert by_uid["101"]["readings"] == 968
    assert by_uid["101"]["first_day"] == "2025-10-25"
    assert by_uid["101"]["last_day"] == "2026-03-20"
    objects = provider(found, "nectar")["objects"]
    assert [row["name"] for row in objects["companies"]] == ["Tiny"]
    assert objects["connections"][0]["status"] == "CONNECTED"
    assert objects["connections"][0]["meters"] == 2
    assert {row["commodity"] for row in objects["meters"]} == {"ELECTRICITY", "GAS"}


@pytest.mark.parametrize("name", ["utilityapi", "nectar"])
def test_the_estimate_is_what_a_first_sync_then_takes(tiny: Shell, name: str) -> None:
    secret = {"utilityapi": "nectar_api_key", "nectar": "utilityapi_api_token"}
    tiny.configure(**{secret[name]: None})
    estimate = provider(examined(tiny), name)["estimate"]
    tiny.sandbox.forget_requests()
    run = sync({key: value for key, value in tiny.settings.items() if value})
    rows = {stream: len(run.rows(stream)) for stream in estimate["rows"]}
    assert estimate["rows"] == rows
    requests = len(tiny.sandbox.requests)
    assert abs(estimate["requests"] - requests) <= max(2, requests // 5)


def test_the_time_is_that_of_the_configured_rate(tiny: Shell) -> None:
    tiny.configure(utilityapi_requests_per_second=4)
    estimate = provider(examined(tiny), "utilityapi")["estimate"]
    assert estimate["seconds"] == estimate["requests"] / 4
    assert any("at 4 a second" in sentence for sentence in estimate["how"])


def test_a_start_date_makes_the_first_sync_smaller(tiny: Shell) -> None:
    whole = examined(tiny)
    tiny.configure(start_date="2026-03-17", end_date="2026-03-19")
    part = examined(tiny)
    for name in ("utilityapi", "nectar"):
        more = provider(whole, name)["estimate"]["rows"]["intervals"]
        less = provider(part, name)["estimate"]["rows"]["intervals"]
        assert 0 < less < more / 2
        how = " ".join(provider(part, name)["estimate"]["how"])
        assert "between start_date and end_date" in how


def grants(world: World, *more: Authorization) -> None:
    world.authorizations = [*world.authorizations, *more]
    world.__dict__.pop("authorizations_by_uid", None)


def test_authorizations_that_ended_need_a_person(tiny: Shell) -> None:
    world = tiny.sandbox.world
    now = int(world.now.timestamp())
    grants(
        world,
        Authorization("1", expires=now - 60),
        Authorization("2", revoked=now - 60),
        Authorization("3", declined=True),
        Authorization("4", expires=now - 60, archived=True),
        Authorization("5", expires=now + 86_400),
    )
    found = examined(tiny)
    assert kinds(found, "utilityapi") == {
        "authorization 1": "authorization_expired",
        "authorization 2": "authorization_revoked",
        "authorization 3": "authorization_declined",
        "authorization 5": "authorization_expires",
    }
    done = tiny("doctor")
    assert done.returncode == 1
    assert "authorization 1: expired, so nothing new is collected" in done.stdout
    assert "-> ask the customer to authorize again, or archive it" in done.stdout
    assert "Something needs you." in done.stdout


def test_an_authorization_that_ends_soon_is_only_told(tiny: Shell) -> None:
    world = tiny.sandbox.world
    grants(world, Authorization("5", expires=int(world.now.timestamp()) + 86_400))
    done = tiny("doctor")
    assert done.returncode == 0
    assert "authorization 5: expires within 30 days" in done.stdout


def meters(world: World, **changes: Any) -> None:
    """Change meter 101, and leave no other."""
    meter = replace(world.utilityapi[0], **changes)
    world.utilityapi = [meter]
    world.__dict__.pop("meters_by_uid", None)


def test_a_pending_meter_is_only_told(shell: Shell) -> None:
    shell("collect start --meters 2001005 --months 12 --yes")
    shell.sandbox.forget_requests()
    shell.configure(nectar_api_key=None, utilityapi_meters=["2001005"])
    done = shell("doctor --json")
    found = json.loads(done.stdout)
    assert kinds(found, "utilityapi")["meter 2001005"] == "meter_pending"
    findings = provider(found, "utilityapi")["findings"]
    told = next(f for f in findings if f["source"] == "meter 2001005")
    assert told["needs_person"] is False


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"errored": True}, "meter_errored"),
        ({"collected": False, "monitoring": "off"}, "never_collected"),
        ({"errored": True, "archived": True}, None),
    ],
)
def test_meters_that_need_a_person(
    tiny: Shell, changes: Found, kind: str | None
) -> None:
    meters(tiny.sandbox.world, **changes)
    found = examined(tiny)
    assert kinds(found, "utilityapi").get("meter 101") == kind
    assert found["needs_person"] is (kind is not None)


def test_old_intervals_need_a_person_unless_the_authorization_ended(
    tiny: Shell,
) -> None:
    world = tiny.sandbox.world
    meters(world, monitoring="off")
    examined(tiny)  # what was collected so far stays, nothing is added
    world.advance(days=8)
    found = examined(tiny)
    assert kinds(found, "utilityapi") == {"meter 101": "intervals_old"}
    advice = provider(found, "utilityapi")["findings"][0]["advice"]
    assert "collect monitor" in advice
    assert kinds(examined(tiny, "--stale-days 9"), "utilityapi") == {}
    world.authorizations = [Authorization("1001", expires=int(world.now.timestamp()))]
    world.__dict__.pop("authorizations_by_uid", None)
    world.changed()
    assert kinds(examined(tiny), "utilityapi") == {
        "authorization 1001": "authorization_expired"
    }


def test_a_monitored_meter_with_old_intervals_is_held_up(tiny: Shell) -> None:
    tiny.sandbox.world.advance(days=60)
    found = examined(tiny)
    assert kinds(found, "utilityapi") == {
        "meter 101": "intervals_old",
        "meter 102": "intervals_old",
    }
    assert "monitored daily" in provider(found, "utilityapi")["findings"][0]["advice"]
    assert set(kinds(found, "nectar").values()) == {"intervals_old"}
    done = tiny("doctor")
    assert "meter 101, 102: no interval of the last 7 days" in done.stdout


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ("PENDING", "connection_pending", "wait"),
        ("PASSWORD_INCORRECT", "connection_errored", "login's owner"),
        ("MFA_TOKEN_EXPIRED", "connection_errored", "login's owner"),
        ("WEBSITE_DOWN", "connection_errored", "the utility must mend it"),
        ("COMPANY_INACTIVE", "connection_errored", "activate the company"),
        ("SOMETHING_NEW", "connection_errored", "login's owner"),
    ],
)
def test_connections_that_are_not_connected(
    tiny: Shell, status: str, kind: str, words: str
) -> None:
    world = tiny.sandbox.world
    company = world.nectar[0]
    connection = replace(company.connections[0], status=status)
    world.nectar = [replace(company, connections=[connection])]
    world.__dict__.pop("connections", None)
    found = examined(tiny)
    [finding] = provider(found, "nectar")["findings"]
    assert finding["kind"] == kind
    assert finding["source"] == f"connection {connection.id}"
    assert words in finding["advice"]
    assert found["needs_person"] is (status != "PENDING")


def test_an_account_without_smart_meter_data_is_only_told(tiny: Shell) -> None:
    world = tiny.sandbox.world
    company = world.nectar[0]
    bare = Account(make_uuid("bare"), "B-1")
    connection = Connection(make_uuid("bare connection"), [bare])
    world.nectar = [replace(company, connections=[*company.connections, connection])]
    world.__dict__.pop("connections", None)
    found = examined(tiny)
    assert kinds(found, "nectar") == {f"account {bare.id}": "no_smart_meter_data"}
    assert found["needs_person"] is False


def test_a_refused_credential_does_not_hide_the_other_provider(tiny: Shell) -> None:
    tiny.configure(utilityapi_api_token="wrong-token")
    done = tiny("doctor")
    assert done.returncode == 1
    assert "check the setting utilityapi_api_token" in done.stdout
    assert "Companies: 1" in done.stdout
    tiny.configure(utilityapi_api_token=tiny.sandbox.token, nectar_api_key="wrong-key")
    done = tiny("doctor")
    assert done.returncode == 1
    assert "check the setting nectar_api_key" in done.stdout
    assert "Meters: 2" in done.stdout
    found = examined(tiny)
    assert provider(found, "nectar")["is_reachable"] is False
    assert provider(found, "utilityapi")["is_reachable"] is True


@pytest.mark.parametrize("name", ["utilityapi", "nectar"])
def test_a_provider_that_is_down_does_not_hide_the_other(
    tiny: Shell, name: str
) -> None:
    tiny.sandbox.faults.add(
        status=503, body="<html>PLANTED</html>", provider=name, times=None
    )
    found = examined(tiny)
    assert provider(found, name)["is_reachable"] is False
    assert set(kinds(found, name).values()) == {"unreachable"}
    other = "nectar" if name == "utilityapi" else "utilityapi"
    assert kinds(found, other) == {}


def test_one_list_that_fails_does_not_hide_the_other(tiny: Shell) -> None:
    tiny.sandbox.faults.add(status=500, path="/authorizations$", times=None)
    found = examined(tiny)
    assert kinds(found, "utilityapi") == {"authorizations": "unreachable"}
    assert len(provider(found, "utilityapi")["objects"]["meters"]) == 2


def test_an_estimate_that_cannot_look_into_meters_still_counts(tiny: Shell) -> None:
    tiny.sandbox.faults.add(status=500, path="/(intervals|usage)", times=None)
    found = examined(tiny)
    assert found["needs_person"] is False
    estimate = provider(found, "utilityapi")["estimate"]
    assert estimate["rows"]["intervals"] > 0
    assert provider(found, "nectar")["estimate"]["rows"]["usage"] == 0


def test_a_connection_that_cannot_be_counted_needs_a_person(tiny: Shell) -> None:
    tiny.sandbox.faults.add(status=502, path="/interval/", times=None)
    found = examined(tiny)
    assert set(kinds(found, "nectar").values()) == {"intervals_unreadable"}
    how = provider(found, "nectar")["estimate"]["how"]
    assert "Connections that could not be counted, and are not: 1." in how


def test_a_company_that_cannot_be_read_needs_a_person(tiny: Shell) -> None:
    world = tiny.sandbox.world
    other = Company(make_uuid("other company"), "Other")
    world.nectar = [*world.nectar, other]
    tiny.sandbox.faults.add(
        status=403, path=f"/connection/company/{other.id}", times=None
    )
    found = examined(tiny)
    assert kinds(found, "nectar") == {f"company {other.id}": "company_unreadable"}
    assert found["needs_person"] is True
    tiny.sandbox.faults.clear()
    tiny.sandbox.faults.add(status=500, path=f"/meter/company/{other.id}", times=None)
    assert kinds(examined(tiny), "nectar") == {
        f"company {other.id}": "meters_unreadable"
    }


def test_an_empty_account_is_told_how_to_begin(tmp_path: Path) -> None:
    world = replace(tiny_world(), utilityapi=[], nectar=[], authorizations=[])
    with Sandbox(world) as sandbox:
        shell = Shell(sandbox, tmp_path)
        done = shell("doctor")
        assert done.returncode == 0
        assert "no meter is listed" in done.stdout
        assert "no connection is listed" in done.stdout
        assert "UtilityAPI lists no meter." in shell("collect plan").stdout


def test_nectar_without_a_ping_is_asked_for_its_companies(tiny: Shell) -> None:
    tiny.sandbox.faults.add(status=404, path="/ping$", times=None)
    assert kinds(examined(tiny), "nectar") == {}


def test_many_rows_are_counted_rather_than_shown(tiny: Shell) -> None:
    world = tiny.sandbox.world
    one = replace(world.utilityapi[1], collected=False, monitoring="off")
    world.utilityapi = [replace(one, uid=str(number)) for number in range(1000, 1060)]
    world.__dict__.pop("meters_by_uid", None)
    done = tiny("doctor")
    assert "... and 10 more; --json has them all" in done.stdout
    assert "1000, 1001, 1002" in done.stdout
    assert "and 50 more: never collected" in done.stdout
    assert len(provider(examined(tiny), "utilityapi")["objects"]["meters"]) == 60

"""`--metrics`: what a run says of itself is what the server and the world say."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tap_utility_intervals.metrics import AGES, prometheus
from tap_utility_intervals.sandbox import Sandbox, truth
from tests.oracle import Row, meter_key
from tests.store.loads import Warehouse, small_world
from tests.syncing import config
from tests.tap.running import Inside, Outcome

pytestmark = pytest.mark.usefixtures("no_waiting")

PROVIDERS = ("nectar", "utilityapi")
NAME = 'acme "west" \\ 1'
PRIVATE = ("account_number", "service_address", "service_identifier", "meter_numbers")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(small_world()) as running:
        yield running


def ran(
    tap: Inside, sandbox: Sandbox, state: Row | None = None, **settings: Any
) -> tuple[Outcome, Row]:
    """Run the tap with `--metrics`, once for JSON; what it wrote there."""
    sandbox.forget_requests()
    path = tap.tmp_path / "metrics.json"
    path.unlink(missing_ok=True)
    given = config(sandbox, credential_name=NAME, **{"max_retries": 2, **settings})
    words = [f"--state={tap.file('state.json', state)}"] if state else []
    outcome = tap.with_config(given, f"--metrics={path}", *words)
    found: Row = json.loads(path.read_text())
    assert found["exit_code"] == outcome.code
    return outcome, found


def rows(outcome: Outcome) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in PROVIDERS}
    for message in outcome.messages:
        if message["type"] == "RECORD":
            counts[message["record"]["provider"]][message["stream"]] += 1
    return {name: dict(count) for name, count in counts.items()}


def ages(sandbox: Sandbox, provider: str, found: Row) -> Row:
    """The histogram that the world says."""
    started = datetime.fromisoformat(found["started_at"].replace("Z", "+00:00"))
    newest: dict[str, datetime] = {}
    for one in truth.readings(sandbox.world, provider):
        key = meter_key(one)
        newest[key] = max(one.start, newest.get(key, one.start))
    seconds = [(started - at).total_seconds() for at in newest.values()]
    return {
        "buckets": [[bound, sum(age <= bound for age in seconds)] for bound in AGES],
        "count": len(seconds),
        "sum": pytest.approx(sum(seconds), abs=0.01),
    }


def assert_served(sandbox: Sandbox, found: Row, lost: int = 0) -> None:
    """The counts are those of the server, at which so many requests were given up."""
    for provider in PROVIDERS:
        told, asked = found["providers"][provider], sandbox.requests
        mine = [one for one in asked if one.provider == provider]
        assert told["requests"] == len(mine)
        assert told["bytes"] == sum(one.bytes for one in mine if one.status == 200)
        waits = Counter(str(one.status) for one in mine if one.status in {202, 429})
        assert told["waits"] == waits
        failed = sum(one.status >= 500 for one in mine)
        assert told["retries"] == failed - (lost if failed else 0)


def assert_private(sandbox: Sandbox, found: Row, outcome: Outcome) -> None:
    """Neither form has a secret, or what `meters` has of a person or an account."""
    given = [
        message["record"][name]
        for message in outcome.messages
        if message["type"] == "RECORD" and message["stream"] == "meters"
        for name in PRIVATE
    ]
    flat = [one for it in given for one in (it if isinstance(it, list) else [it])]
    private = {str(one) for one in flat if one} | {sandbox.token, sandbox.api_key}
    assert len(private) > 5
    for text in (json.dumps(found), prometheus(found)):
        assert "PLANTED" not in text
        assert private.isdisjoint(re.findall(r'"([^"]*)"', text))


def test_it_is_what_the_server_and_the_world_say(tap: Inside, sandbox: Sandbox) -> None:
    patience = {"status": 429, "headers": {"Retry-After": "3"}}
    sandbox.faults.add(path="/intervals", times=2, **patience)
    sandbox.faults.add(path="/interval/", times=1, **patience)
    sandbox.faults.add(path="/meters", times=2, status=503)
    first, found = ran(tap, sandbox)
    assert first.code == 0
    assert_served(sandbox, found)
    told = found["providers"]
    assert {name: told[name]["rows"] for name in PROVIDERS} == rows(first)
    assert (told["utilityapi"]["waits"], told["nectar"]["waits"]) == (
        {"429": 2},
        {"429": 1},
    )
    assert told["utilityapi"]["wait_seconds"] == {"429": 6}
    assert told["utilityapi"]["sources"]["done"] == ["101", "102", "103"]
    assert len(told["nectar"]["sources"]["done"]) == 2  # the connection, the company
    for provider in PROVIDERS:
        histogram = ages(sandbox, provider, found)
        assert told[provider]["newest_reading_age"] == histogram
    assert found["credential_name"] == NAME
    assert_private(sandbox, found, first)

    # The next day nothing has changed: ages are those of the bookmarks.
    states = [m["value"] for m in first.messages if m["type"] == "STATE"]
    _, found = ran(tap, sandbox, states[-1])
    told = found["providers"]["utilityapi"]
    assert not any(one.path.endswith("/intervals") for one in sandbox.requests)
    assert "intervals" not in told["rows"]
    assert told["newest_reading_age"] == ages(sandbox, "utilityapi", found)


def test_it_is_written_when_a_run_fails(tap: Inside, sandbox: Sandbox) -> None:
    sandbox.faults.add(path="/intervals", query="meters=101", status=500, times=None)
    sandbox.faults.add(path="/intervals", query="meters=102", status=404, times=None)
    first, found = ran(tap, sandbox)
    assert first.code == 1
    assert_served(sandbox, found, lost=1)
    sources = found["providers"]["utilityapi"]["sources"]
    assert sources == {
        "done": ["103"],
        "unchanged": [],
        "gone": ["102"],
        "failed": ["101"],
        "not_tried": [],
    }
    states = [m["value"] for m in first.messages if m["type"] == "STATE"]
    refused, found = ran(tap, sandbox, states[-1], utilityapi_api_token="wrong")
    assert refused.code == 1
    assert_private(sandbox, found, first)
    told = found["providers"]["utilityapi"]
    assert told["is_given_up"]
    assert told["requests"] == 1
    assert told["sources"]["not_tried"] == ["103"]  # the others have no bookmark yet
    assert not found["providers"]["nectar"]["is_given_up"]
    outcome = tap.with_config(config(sandbox), "--metrics=/nowhere/metrics.json")
    assert outcome.code == 1
    assert "lies in /nowhere, where no file can be made" in outcome.log


def samples(text: str) -> Mapping[tuple[str, str, str], float]:
    """Prometheus' samples by name, provider and the label that is left."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in {"gauge", "histogram"}
        for one in family.samples:
            labels = dict(one.labels)
            assert labels.pop("credential_name") == NAME
            provider = labels.pop("provider", "")
            found[one.name, provider, "".join(labels.values())] = one.value
    return found


def test_load_writes_it_and_prometheus_reads_it(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    warehouse = Warehouse(tmp_path)
    texts: list[Any] = []
    for name in ("run.json", "run.prom"):
        path = tmp_path / name
        warehouse.settings = {"metrics_file": str(path), "credential_name": NAME}
        sandbox.forget_requests()
        assert warehouse.load(sandbox, full_refresh=True) == 0
        texts.append(path.read_text())
        if name == "run.json":
            document = json.loads(texts[0])
            assert_served(sandbox, document)
    assert not [*tmp_path.glob("*.new")]
    told = samples(texts[1])
    run = "utility_intervals_run_"
    assert told[f"{run}exit_code", "", ""] == 0
    for provider in PROVIDERS:
        one = document["providers"][provider]
        assert told[f"{run}requests", provider, ""] == one["requests"]
        assert told[f"{run}bytes", provider, ""] > 0
        for stream, count in one["rows"].items():
            (held,) = warehouse.query(
                f"select count(*) as n from {stream} where provider = '{provider}'"
            )
            assert told[f"{run}rows", provider, stream] == count
            assert held["n"] == count or stream == "coverage"
        for outcome, ids in one["sources"].items():
            assert told[f"{run}sources", provider, outcome] == len(ids)
        age = "utility_intervals_newest_reading_age_seconds"
        histogram: Sequence[Any] = one["newest_reading_age"]["buckets"]
        for bound, count in histogram:
            assert told[f"{age}_bucket", provider, str(bound)] == count
        count = one["newest_reading_age"]["count"]
        assert told[f"{age}_bucket", provider, "+Inf"] == count
        assert told[f"{age}_count", provider, ""] == count


def test_a_failed_source_that_is_tolerated_is_told(
    tap: Inside, sandbox: Sandbox
) -> None:
    sandbox.faults.add(path="/intervals", query="meters=101", status=500, times=None)
    first, found = ran(tap, sandbox, max_failed_sources=1)
    assert first.code == 0
    assert "utilityapi 101 failed; its bookmark stays" in first.log
    assert found["providers"]["utilityapi"]["sources"]["failed"] == ["101"]
    states = [m["value"] for m in first.messages if m["type"] == "STATE"]
    sandbox.faults.clear()
    second, found = ran(tap, sandbox, states[-1])
    offered = truth.readings(sandbox.world, "utilityapi")
    missed = sum(one.meter_id == "101" for one in offered)
    assert rows(second)["utilityapi"]["intervals"] == missed

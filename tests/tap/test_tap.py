"""The tap as a whole: what it lists, how it ends, what the SDK asks of every tap."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sysconfig
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_utility_intervals.floor import errors
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Session
from tap_utility_intervals.runs import own_settings
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.singer.state import StateOutlet
from tap_utility_intervals.stdout import OutputGone, Terminated
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import CATALOG, UNIFIED, Row
from tests.providers.reading import selecting
from tests.syncing import config, sync
from tests.tap.resuming import last_state, parsed, undated
from tests.tap.running import COMMAND, PATIENCE, Inside, command

SCHEMAS = Path(__file__).parents[2] / "schemas"

pytestmark = [
    # The SDK's tests warn of a column that is null in the whole of the tiny world.
    pytest.mark.filterwarnings("ignore:No records were available to test"),
]

# --- what the SDK asks of every tap ---------------------------------------------------

# The SDK's tests are made at import from a configuration, so the sandbox is there, too.
SANDBOX = Sandbox(tiny_world())


def all_selected(settings: Row) -> Row:
    """A catalog in which every stream and column is selected."""
    found: Row = TapUtilityIntervals(config=settings).catalog_dict
    for entry in found["streams"]:
        for item in entry["metadata"]:
            item["metadata"]["selected"] = True
    return found


OPEN: list[Session] = []


class Tap(TapUtilityIntervals):
    """The SDK's tests sync without end: what that leaves open is closed by ours."""

    @cached_property
    def sessions(self) -> Sequence[Session]:
        OPEN.extend(found := super().sessions)
        return found


def asked_by_the_sdk(*providers: str) -> type:
    settings = config(SANDBOX, *providers)
    made: type = get_tap_test_class(
        Tap,
        config=settings,
        catalog=all_selected(settings),
        # A sync that is cut off after so many records has read nothing whole.
        suite_config=SuiteConfig(
            max_records_limit=50, ignore_no_records_for_streams=["coverage"]
        ),
    )
    return made


TestUtilityApi = asked_by_the_sdk("utilityapi")
TestNectar = asked_by_the_sdk("nectar")
TestBoth = asked_by_the_sdk("utilityapi", "nectar")


@pytest.fixture(scope="module", autouse=True)
def _served() -> Iterator[None]:
    with SANDBOX:
        yield
        for session in OPEN:
            session.close()


# --- what it lists --------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog() -> Row:
    """What `--discover` prints without a configuration."""
    loaded: Row = json.loads(command("--discover").out)
    return loaded


STREAMS = sorted(TapUtilityIntervals(config={}, validate_config=False).streams)


def test_discovery_without_a_configuration_lists_all_streams(catalog: Row) -> None:
    names = [entry["tap_stream_id"] for entry in catalog["streams"]]
    assert sorted(names) == STREAMS
    assert names[-1] == "coverage"  # it speaks of what was written
    assert {*UNIFIED} < {*STREAMS}
    prefixes = {name.split("_")[0] for name in {*STREAMS} - {*UNIFIED}}
    assert prefixes == {provider.name for provider in PROVIDERS if provider.streams}


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
def test_a_provider_that_is_on_lists_its_own_streams_alone(provider: Any) -> None:
    tap = TapUtilityIntervals(config={provider.credential: "x"})
    others = {*tap.streams} - {*UNIFIED}
    assert others == {stream.name for stream in provider.streams}
    assert {name.split("_")[0] for name in others} <= {provider.name}


def test_the_catalog_is_as_it_was(catalog: Row) -> None:
    """`catalog.json` and `schemas/` are the contract; a change of it: see CHANGELOG."""
    assert sorted(CATALOG) == STREAMS
    for entry in catalog["streams"]:
        told = {tuple(m["breadcrumb"]): m["metadata"] for m in entry["metadata"]}
        inside = [told.pop(place) for place in [*told] if len(place) > 2]
        assert all(metadata == {"inclusion": "available"} for metadata in inside)
        assert {**entry, "metadata": told} == catalog_entry(entry["stream"])


def catalog_entry(stream: str) -> Row:
    """The whole of a stream's entry, by the two that say what it must be."""
    schema = json.loads((SCHEMAS / f"{stream}.json").read_text())
    line = CATALOG[stream]
    follows = {"replication_key": line["follows"]} if line["follows"] else {}
    automatic = {*line["key"], *follows.values()}
    root = {
        "inclusion": "available",
        "selected": line["selected"],
        "selected-by-default": line["selected"],
        "table-key-properties": line["key"],
    }
    if follows:
        root |= {
            "replication-key": line["follows"],
            "valid-replication-keys": [line["follows"]],
        }
    columns = {
        ("properties", name): {
            "inclusion": "automatic" if name in automatic else "available"
        }
        for name in schema["properties"]
    }
    return {
        "tap_stream_id": stream,
        "stream": stream,
        "schema": schema,
        "key_properties": line["key"],
        **follows,
        "replication_method": "INCREMENTAL" if follows else "FULL_TABLE",
        "metadata": {**columns, (): root},
    }


def test_only_the_unified_streams_are_selected_by_default(catalog: Row) -> None:
    chosen = [
        entry["tap_stream_id"]
        for entry in catalog["streams"]
        for item in entry["metadata"]
        if item["breadcrumb"] == [] and item["metadata"].get("selected")
    ]
    assert sorted(chosen) == UNIFIED


def test_a_sync_without_a_catalog_writes_the_unified_streams(sandbox: Sandbox) -> None:
    streams = {m["stream"] for m in sync(config(sandbox)).messages if "stream" in m}
    assert streams == {*UNIFIED}


def test_about_tells_every_setting() -> None:
    about = json.loads(command("--about", "--format=json").out)
    found = about["settings"]["properties"]
    assert {*own_settings()} <= {*found}
    for name, schema in own_settings().items():
        assert found[name] == schema
        assert schema["title"], name
        assert schema["description"].endswith("."), name
        assert schema.get("secret", False) is name.endswith(("_token", "_key"))


@pytest.mark.parametrize("options", [["--about"], ["--about", "--format=markdown"]])
def test_about_shows_every_setting_to_people(options: list[str]) -> None:
    outcome = command(*options)
    assert outcome.code == 0
    for name, schema in own_settings().items():
        assert name in outcome.out
        assert schema["description"] in outcome.out
    assert "    Type: integer\n    Default: 30\n" in outcome.out or options[1:]


# --- how it ends ----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_all_well_is_0(tap: Inside, sandbox: Sandbox) -> None:
    outcome = tap.with_config(config(sandbox))
    assert outcome.code == 0
    assert outcome.messages[-1]["type"] == "STATE"
    assert "utilityapi, sources: 2 done, 0 unchanged, 0 gone, 0 failed" in outcome.log


def test_a_failed_source_is_1_and_costs_no_other(tap: Inside, sandbox: Sandbox) -> None:
    sandbox.faults.add(path="/intervals$", query="meters=101", status=500, times=None)
    settings = config(
        sandbox, "utilityapi", max_retries=0, utilityapi_meters_per_request=1
    )
    outcome = tap.with_config(settings)
    assert outcome.code == 1
    assert "Traceback" not in outcome.log
    assert re.search(r"utilityapi 101 failed; its bookmark stays: .*500", outcome.log)
    assert {
        m["record"]["source"]
        for m in outcome.messages
        if m.get("stream") == "coverage" and "record" in m
    } == {"102"}
    marks = outcome.messages[-1]["value"]["bookmarks"]["intervals"]["partitions"]
    assert [mark["context"]["meter_key"] for mark in marks] == ["102"]
    sandbox.faults.clear()
    healed = sync(settings, outcome.messages[-1]["value"])
    assert not healed.failed
    assert {row["meter_key"] for row in healed.rows("intervals")} >= {"101"}


@pytest.mark.parametrize("status", [403, 404])
def test_one_source_gone_is_0_and_all_of_them_gone_is_1(
    tap: Inside, sandbox: Sandbox, status: int
) -> None:
    settings = config(sandbox, "utilityapi", utilityapi_meters_per_request=1)
    rule = {"path": "/(intervals|bills)$", "status": status, "times": None}
    sandbox.faults.add(**rule, query="meters=101")
    outcome = tap.with_config(settings)
    assert outcome.code == 0
    assert "utilityapi 101 is gone; its bookmark stays" in outcome.log
    sandbox.faults.add(**rule)
    assert tap.with_config(settings).code == 1


@pytest.mark.parametrize("provider", [p.name for p in PROVIDERS])
def test_a_refused_credential_ends_one_provider_and_lets_the_other_finish(
    tap: Inside, sandbox: Sandbox, provider: str
) -> None:
    sandbox.faults.add(provider=provider, status=401, times=None, skip=1)
    outcome = tap.with_config(config(sandbox))
    assert outcome.code == 1
    (setting,) = [p.credential for p in PROVIDERS if p.name == provider]
    assert f"{provider} was given up" in outcome.log
    assert f"check the setting {setting}" in outcome.log
    sandbox.faults.clear()
    others = [one.name for one in PROVIDERS if one.name != provider]
    expected = sync(config(sandbox, *others))
    for stream in UNIFIED:
        found = [
            m["record"]
            for m in parsed(outcome.out.splitlines())
            if m["type"] == "RECORD"
            and m["stream"] == stream
            and m["record"]["provider"] in others
        ]
        assert len(found) == len(expected.rows(stream)) > 0


def test_that_all_streams_are_selected_is_told(tap: Inside, sandbox: Sandbox) -> None:
    for names, told in ((STREAMS, True), (STREAMS[1:], False)):
        file = tap.file("catalog.json", selecting(config(sandbox), *names))
        outcome = tap.with_config(config(sandbox), f"--catalog={file}")
        assert ("select: [meters.*" in outcome.log) is told
    assert "select: [" not in tap.with_config(config(sandbox)).log


def test_both_refused_is_1_with_a_state(tap: Inside, sandbox: Sandbox) -> None:
    sandbox.faults.add(status=401, times=None)
    outcome = tap.with_config(config(sandbox))
    assert outcome.code == 1
    assert outcome.messages[-1]["type"] == "STATE"
    assert outcome.log.count("was given up") == len(PROVIDERS)
    last = outcome.log.splitlines()[-1]
    assert "refused the credential (HTTP 401 on" in last
    assert last.endswith("`utility-intervals doctor` checks it.")


@pytest.mark.parametrize("fine", [True, False])
def test_the_connection_test_tells_whether_the_credential_is_good(
    tap: Inside, sandbox: Sandbox, *, fine: bool
) -> None:
    if not fine:
        sandbox.faults.add(provider="utilityapi", status=401, times=None)
    outcome = tap.with_config(config(sandbox), "--test")
    assert outcome.code == (0 if fine else 1)
    assert "Traceback" not in outcome.log
    assert ("check the setting utilityapi_api_token" in outcome.log) is not fine
    counts = [m["stream"] for m in outcome.messages if m["type"] == "RECORD"]
    assert len(counts) == len({*counts})
    assert "nhandled error" not in outcome.log


def test_schemas_alone_cost_no_request(tap: Inside, sandbox: Sandbox) -> None:
    outcome = tap.with_config(config(sandbox), "--test=schema")
    assert outcome.code == 0
    assert sorted(m["stream"] for m in outcome.messages) == STREAMS
    assert not sandbox.requests


def test_a_state_of_a_newer_version_is_refused_before_anything_is_asked(
    tap: Inside, sandbox: Sandbox
) -> None:
    state = {"bookmarks": {"intervals": {"version": 99, "partitions": []}}}
    outcome = tap.with_config(
        config(sandbox), f"--state={tap.file('state.json', state)}"
    )
    assert outcome.code == 1
    assert outcome.out == ""
    assert "Setting state has version 99" in outcome.log
    assert "upgrade the tap" in outcome.log
    assert "Traceback" not in outcome.log
    assert not sandbox.requests


@pytest.mark.parametrize("option", ["state", "catalog"])
@pytest.mark.parametrize("text", ["{", "[1]", "7", "[" * 200_000], ids=range(4))
def test_a_file_that_is_no_json_object_is_refused(
    tap: Inside, sandbox: Sandbox, option: str, text: str
) -> None:
    file = tap.file("file.json", text)
    outcome = tap.with_config(config(sandbox), f"--{option}={file}")
    assert outcome.code == 1
    assert re.search(f"Setting {option}( in .*)? is (not|nested)", outcome.log)
    assert "Traceback" not in outcome.log


@pytest.mark.parametrize(
    "state", ["", "{}", '{"bookmarks": {"intervals": {"partitions": null}}}']
)
def test_an_empty_or_odd_state_is_none(
    tap: Inside, sandbox: Sandbox, state: str
) -> None:
    file = tap.file("state.json", state)
    outcome = tap.with_config(config(sandbox, "utilityapi"), f"--state={file}")
    assert outcome.code == 0
    assert len(outcome.messages) > 100


def test_a_state_file_that_is_not_there_yet_is_a_first_run(
    tap: Inside, sandbox: Sandbox
) -> None:
    file = tap.tmp_path / "none.json"
    outcome = tap.with_config(config(sandbox, "utilityapi"), f"--state={file}")
    assert outcome.code == 0
    assert f"There is no {file} yet: this is a first run" in outcome.log
    assert len(outcome.messages) > 100
    assert tap("--state", tap.tmp_path).code == 2  # a folder is no file


def test_the_environment_may_hold_half_a_request_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "utilityapi_requests_per_second"
    monkeypatch.setenv(f"TAP_UTILITY_INTERVALS_{name.upper()}", "0.5")
    monkeypatch.setenv("TAP_UTILITY_INTERVALS_UTILITYAPI_API_TOKEN", "token")
    tap = TapUtilityIntervals(config={}, parse_env_config=True)
    assert tap.config[name] == 0.5


def test_an_unexpected_error_writes_the_state_and_is_not_swallowed(
    tap: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tap_utility_intervals.unified.Meters.pages", raising(ZeroDivisionError())
    )
    settings = config(sandbox, "utilityapi")
    with pytest.raises(ZeroDivisionError):
        tap.with_config(settings)
    state = last_state(parsed(tap.capsys.readouterr().out.splitlines()))
    assert state is not None
    assert len(state["bookmarks"]["intervals"]["partitions"]) == 2


def raising(error: BaseException) -> Any:
    def pages(_: Any) -> Iterator[Any]:
        raise error
        yield

    return pages


def test_an_error_of_ours_is_one_sentence_and_1(
    tap: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tap_utility_intervals.unified.Meters.pages",
        raising(errors.ConfigError("x", "is wrong")),
    )
    outcome = tap.with_config(config(sandbox, "utilityapi"))
    assert outcome.code == 1
    assert "Setting x is wrong." in outcome.log
    assert "Traceback" not in outcome.log
    assert last_state(outcome.messages) is not None


def test_a_target_that_is_gone_at_the_last_state_is_no_traceback(
    tap: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_self: StateOutlet, _state: Any) -> None:
        raise OutputGone(BrokenPipeError(32, "Broken pipe"))

    def stop(_: Any) -> Iterator[Any]:
        monkeypatch.setattr(StateOutlet, "write_state", gone)
        raise Terminated(signal.SIGTERM)
        yield

    monkeypatch.setattr("tap_utility_intervals.unified.Meters.pages", stop)
    outcome = tap.with_config(config(sandbox, "utilityapi"))
    assert outcome.code == 128 + signal.SIGTERM
    assert "Nobody reads the output" in outcome.log


def test_a_signal_while_the_tap_is_being_made_ends_it() -> None:
    tap = TapUtilityIntervals(config={"utilityapi_api_token": "x"})
    del tap.message_writer  # the SDK takes the signals before it makes one
    with pytest.raises(Terminated) as stopped:
        tap._handle_termination(signal.SIGTERM, None)
    assert stopped.value.code == 143


def test_a_signal_before_the_first_request_is_143_without_a_traceback(
    tap: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(self: TapUtilityIntervals, _: Any) -> None:
        self._handle_termination(signal.SIGTERM, None)

    monkeypatch.setattr(TapUtilityIntervals, "load_state", load)
    for option in ([], ["--discover"], ["--test"]):
        outcome = tap.with_config(config(sandbox), *option)
        assert outcome.code == 143
        assert "Traceback" not in outcome.log
    assert not sandbox.requests


def test_a_second_signal_changes_nothing(
    tap: Inside, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(self: Any) -> Iterator[Any]:
        self.tap._handle_termination(signal.SIGTERM, None)
        yield

    write = TapUtilityIntervals.write_last_state

    def strike_again(self: TapUtilityIntervals) -> None:
        self._handle_termination(signal.SIGINT, None)
        write(self)

    monkeypatch.setattr("tap_utility_intervals.unified.Meters.pages", strike)
    monkeypatch.setattr(TapUtilityIntervals, "write_last_state", strike_again)
    outcome = tap.with_config(config(sandbox, "utilityapi"))
    assert outcome.code == 143
    assert "Traceback" not in outcome.log
    assert last_state(outcome.messages) is not None


@pytest.mark.parametrize("options", ["--about", "--about --format=json", "--version"])
@pytest.mark.parametrize(("shell", "code"), [("> /dev/full", 1), (">&-", 0)])
def test_what_people_ask_is_no_traceback_either(
    options: str, shell: str, code: int
) -> None:
    done = subprocess.run(
        f"{COMMAND} {options} {shell}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    told = "Standard output cannot be written: No space left on device.\n"
    assert (done.returncode, done.stderr) == (code, told if code else "")


@pytest.mark.parametrize("streams", [["--discover"], []])
@pytest.mark.parametrize("shell", ["> /dev/full", ">&-"])
def test_an_output_that_takes_nothing_is_one_sentence(
    tap: Inside, sandbox: Sandbox, streams: list[str], shell: str
) -> None:
    file = tap.file("config.json", config(sandbox, "utilityapi"))
    done = subprocess.run(
        f"{COMMAND} --config {file} {' '.join(streams)} {shell}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert "Standard output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_signal_between_lines_is_143_with_the_state_so_far(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """All workers wait; the main thread waits for them."""
    sandbox.faults.add(
        path="/bills$", status=429, headers={"Retry-After": "3000"}, times=None
    )
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config(sandbox, "utilityapi")))
    process = subprocess.Popen(
        [COMMAND, "--config", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if b'"stream":"usage"' in line:
            break
    while not any(request.status == 429 for request in sandbox.requests):
        threading.Event().wait(0.001)
    process.send_signal(signal.SIGTERM)
    rest, log = process.communicate(timeout=PATIENCE)  # far less than 3000 s
    assert process.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in log
    state = last_state(parsed(line.decode() for line in (*lines, *rest.splitlines())))
    assert state is not None
    assert len(state["bookmarks"]["intervals"]["partitions"]) == 2


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("provider", ["utilityapi", "nectar"])
def test_any_number_of_workers_writes_the_same_lines(
    sandbox: Sandbox, provider: str, workers: int
) -> None:
    def lines(number: int) -> list[Row]:
        chosen = {"max_concurrency": number, "state_interval_seconds": 0}
        run = sync(config(sandbox, provider, **chosen))
        messages = run.messages
        for message in messages:
            message.pop("time_extracted", None)
        return [undated(message) for message in messages]

    assert lines(workers) == lines(4)


def test_no_credential_is_in_any_line_or_log_at_any_level(
    tap: Inside, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = tap.with_config(config(sandbox))
    for secret in (sandbox.token, sandbox.api_key):
        assert secret not in outcome.out
        assert secret not in outcome.log


def test_the_version_is_told() -> None:
    outcome = command("--version")
    assert outcome.code == 0
    assert outcome.out.startswith("tap-utility-intervals v")


# --- the sandbox of people ------------------------------------------------------------


def test_the_sandbox_starts_serves_and_stops() -> None:
    executable = Path(sysconfig.get_path("scripts")) / "utility-intervals"
    process = subprocess.Popen(
        [executable, "sandbox", "--port=0", "--scenario=tiny"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        shown = ""
        while "Stop with Ctrl-C" not in shown:
            line = process.stdout.readline()
            assert line, "it ended before it served"
            shown += line
        found = re.search(r"(http://127\.0\.0\.1:\d+)/_sandbox/", shown)
        assert found is not None
        with urllib.request.urlopen(f"{found[1]}/_sandbox/summary") as response:
            summary = json.load(response)
        assert summary["utilityapi"]["meters"] == 2
    finally:
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_people_are_told_the_commands() -> None:
    executable = Path(sysconfig.get_path("scripts")) / "utility-intervals"
    done = subprocess.run(
        [executable, "--help"], capture_output=True, text=True, check=True
    )
    assert "sandbox" in done.stdout

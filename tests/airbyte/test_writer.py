from __future__ import annotations

import io
import json
import logging
import signal
import threading
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.singerlib import RecordMessage, SchemaMessage, StateMessage

from tap_utility_intervals.airbyte import failures, source, spec
from tap_utility_intervals.airbyte.output import MASK, Output, logging_to
from tap_utility_intervals.airbyte.writer import NO_CURSOR, AirbyteWriter
from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import End, Outcome, Report
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.stdout import OutputGone, Terminated

ROW = MeterRecord(meter_key='a "b"\n', provider="nectar")


class Written(io.StringIO):
    """What was written, as messages."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    @property
    def states(self) -> list[tuple[Any, float]]:
        return [
            (
                m["state"]["stream"]["stream_state"],
                m["state"]["sourceStats"]["recordCount"],
            )
            for m in self.messages
            if m["type"] == "STATE"
        ]


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def output(written: Written) -> Output:
    return Output(written)


@pytest.fixture
def writer(output: Output) -> AirbyteWriter:
    return AirbyteWriter(output)


def offer(writer: AirbyteWriter, blob: Any) -> None:
    writer.write_message(StateMessage(value={"bookmarks": {"s": blob, "other": {}}}))


def test_equal_states_never_have_records_between_them(
    writer: AirbyteWriter, written: Written
) -> None:
    writer.begin("s")
    writer.write_page("s", [ROW])
    offer(writer, {"at": 1})
    writer.write_page("s", [ROW, ROW])
    offer(writer, {"at": 1})
    writer.write_page("s", [ROW])
    writer.end({"at": 1}, is_complete=True)
    assert written.states == [({"at": 1}, 4.0)]


def test_a_state_goes_out_when_another_follows(
    writer: AirbyteWriter, written: Written
) -> None:
    writer.begin("s")
    for at in (1, 2, 3):
        writer.write_page("s", [ROW])
        offer(writer, {"at": at})
    writer.end({"at": 3}, is_complete=True)
    assert written.states == [({"at": 1}, 2.0), ({"at": 2}, 1.0), ({"at": 3}, 0.0)]


def test_a_bookmark_that_changes_in_place_changes_no_state(
    writer: AirbyteWriter, written: Written
) -> None:
    blob = {"at": 1}
    writer.begin("s")
    offer(writer, blob)
    blob["at"] = 2
    offer(writer, blob)
    blob["at"] = 3
    writer.end(blob, is_complete=True)
    assert [state for state, _ in written.states] == [{"at": 1}, {"at": 3}]


def test_a_broken_stream_without_bookmarks_claims_nothing(
    writer: AirbyteWriter, written: Written
) -> None:
    writer.begin("s")
    writer.write_page("s", [ROW])
    writer.end({}, is_complete=False)
    writer.begin("t")
    writer.end({}, is_complete=True)
    assert written.states == [({NO_CURSOR: True}, 0.0)]


def test_records_by_page_and_one_by_one_are_alike(
    writer: AirbyteWriter, written: Written
) -> None:
    writer.begin('%d "s"')
    writer.write_page('%d "s"', [ROW])
    record = {"kwh": Decimal("0.10")}
    writer.write_message(RecordMessage(stream='%d "s"', record=record))
    writer.write_message(SchemaMessage(stream='%d "s"', schema={"properties": {}}))
    writer.write_page('%d "s"', [])
    records = [m["record"] for m in written.messages if m["type"] == "RECORD"]
    assert [r["stream"] for r in records] == ['%d "s"'] * 2
    assert records[0]["data"]["meter_key"] == 'a "b"\n'
    assert '"kwh":0.10' in written.getvalue()
    assert writer.record_bytes == sum(
        len(line) + 1
        for line in written.getvalue().splitlines()
        if line.startswith('{"type":"RECORD"')
    )


def test_records_of_another_stream_are_refused(writer: AirbyteWriter) -> None:
    writer.begin("s")
    with pytest.raises(RuntimeError, match="not being read"):
        writer.write_page("t", [ROW])


def test_secrets_are_masked_in_all_that_is_said(
    output: Output, written: Written
) -> None:
    output.hide(["s3cr3t/value", "s3cr3t/value-longer", "", "x", 47114711])
    failure = failures.Failure("system_error", "s3cr3t/value", "x", "47114711")
    with logging_to(output, debug=True):
        logging.getLogger("any").error("at ?t=s3cr3t%%2Fvalue-longer and %s", "x")
    output.fail(failure, "s")
    text = written.getvalue()
    assert "s3cr3t" not in text
    assert "4711" not in text
    assert f"t={MASK} and x" in text


def test_logs_have_the_levels_of_the_protocol_and_no_metrics(
    output: Output, written: Written
) -> None:
    with logging_to(output, debug=False):
        log = logging.getLogger("tap-utility-intervals")
        for level in (10, 20, 30, 40, 50):
            log.log(level, "level %d", level)
        logging.getLogger("singer_sdk.metrics").info("METRIC")
        log.error("broken", exc_info=KeyError("x"))
    logs = [m["log"] for m in written.messages]
    assert [m["level"] for m in logs] == ["INFO", "WARN", "ERROR", "FATAL", "ERROR"]
    assert "KeyError" in logs[-1]["stack_trace"]


def test_a_signal_waits_for_the_end_of_a_message(
    output: Output, written: Written
) -> None:
    def say() -> None:
        with output.whole():
            output.on_signal(signal.SIGTERM, None)
            output.log("INFO", "whole")

    with pytest.raises(Terminated) as stopped:
        say()
    assert stopped.value.signum == signal.SIGTERM
    assert written.messages[0]["log"]["message"] == "whole"
    output.on_signal(signal.SIGINT, None)
    output.log("INFO", "once")


def test_a_signal_is_never_raised_in_a_worker(output: Output) -> None:
    raised: list[BaseException] = []

    def work() -> None:
        try:
            with output.whole():
                output.log("INFO", "from a worker")
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=work)

    def wait() -> None:
        with output.whole():
            output.on_signal(signal.SIGTERM, None)
            thread.start()
            thread.join()

    with pytest.raises(Terminated):
        wait()
    assert raised == []


class Broken(io.StringIO):
    """A pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def test_a_broken_pipe_is_told_to_the_writer_and_spared_the_logs() -> None:
    output = Output(Broken())
    with logging_to(output, debug=False):
        logging.getLogger("any").warning("nobody hears it")
    with pytest.raises(OutputGone):
        output.write([b"{}\n"])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.ConfigError("a", "is wrong"), "config_error"),
        (errors.Unauthorized("nectar", "/x", setting="nectar_api_key"), "config_error"),
        (errors.Gone("nectar", "/x", status=404), "config_error"),
        (errors.TooLarge("nectar", "/x"), "config_error"),
        (errors.Unavailable("nectar", "/x", status=503), "transient_error"),
        (errors.TooWide("nectar", "/x", status=504), "transient_error"),
        (errors.BadAnswer("nectar", "/x"), "system_error"),
        (errors.BadRequest("nectar", "/x", status=400), "system_error"),
        (ValueError("x"), "system_error"),
        ("a reason in words", "system_error"),
    ],
)
def test_every_error_is_somebodys_business(error: Exception | str, kind: str) -> None:
    assert failures.kind_of(error) == kind


def test_many_lost_sources_make_one_failure_for_each_kind() -> None:
    down = errors.Unavailable("utilityapi", "/intervals", status=503)
    lost = [End(f"m{n}", down) for n in range(30)]
    found = failures.failures_of([*lost, End("m30", "is odd")])
    assert [f.kind for f in found] == ["transient_error", "system_error"]
    assert "Likewise for 29 more" in found[0].message
    assert found[1].message == "m30: is odd."
    assert "m19" in found[0].internal
    assert "and 10 more" in found[0].internal


@pytest.fixture
def report() -> Report:
    made = Report(logging.getLogger("test"))
    made.begin()
    return made


def test_a_stream_lacks_what_failed_in_it_and_not_before(report: Report) -> None:
    report.add("utilityapi", "1", Outcome.FAILED, "first")
    report.add("utilityapi", "1", Outcome.DONE)
    assert report.losses == [End("utilityapi 1", "first")]
    report.begin()
    report.add("utilityapi", "1", Outcome.DONE)
    assert report.losses == []


def test_a_source_that_is_gone_is_no_loss_unless_all_are(report: Report) -> None:
    report.add("utilityapi", "1", Outcome.GONE, "gone")
    report.add("utilityapi", "2", Outcome.UNCHANGED)
    assert report.losses == []
    report.add("nectar", "3", Outcome.GONE, "gone too")
    assert report.losses == [End("nectar 3", "gone too", Outcome.GONE)]


def test_a_provider_that_was_given_up_is_lost_from_then_on(
    report: Report,
) -> None:
    report.stop("nectar", "refused")
    lost = [End("nectar", "refused")]
    assert report.losses == lost
    report.begin()
    assert report.losses == lost


def test_stray_prints_never_reach_the_protocol(
    capsys: pytest.CaptureFixture[str],
) -> None:

    def chatty() -> dict[str, object]:
        print("stray")  # noqa: T201
        return {}

    original, spec.specification = spec.specification, chatty
    try:
        assert source.main(["spec"]) == 0
    finally:
        spec.specification = original
    out, err = capsys.readouterr()
    assert json.loads(out) == {"type": "SPEC", "spec": {}}
    assert err == "stray\n"

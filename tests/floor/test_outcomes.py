"""What became of the sources: counted once each, told once, and worth an exit code."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from tap_utility_intervals.floor.outcomes import SHOWN, Outcome, Report

DONE, UNCHANGED, GONE, FAILED, NOT_TRIED = Outcome


@pytest.fixture
def report(caplog: pytest.LogCaptureFixture) -> Report:
    caplog.set_level(logging.INFO)
    return Report(logging.getLogger("report"))


def of(report: Report, *outcomes: Outcome, provider: str = "acme") -> Report:
    for number, outcome in enumerate(outcomes):
        report.add(provider, str(number), outcome, f"because {number}")
    return report


@pytest.mark.parametrize(
    ("outcomes", "failed"),
    [
        ((), False),
        ((DONE,), False),
        ((UNCHANGED,), False),
        ((DONE, UNCHANGED), False),
        ((DONE, GONE), False),
        ((UNCHANGED, GONE, GONE), False),
        ((GONE,), True),
        ((GONE, GONE), True),
        ((DONE, FAILED), True),
        ((UNCHANGED, GONE, FAILED), True),
        ((FAILED,), True),
    ],
)
def test_the_exit_code_follows_the_outcomes(
    report: Report,
    outcomes: tuple[Outcome, ...],
    failed: bool,  # noqa: FBT001
) -> None:
    assert of(report, *outcomes).failed is failed


def test_each_provider_is_judged_alone(report: Report) -> None:
    of(report, DONE, DONE)
    assert not report.failed
    of(report, GONE, provider="bmce")
    assert report.failed


def test_a_provider_that_was_given_up_is_a_failure(report: Report) -> None:
    of(report, DONE).stop("bmce", "refused the credential")
    assert report.failed
    assert report.providers == ["acme", "bmce"]


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        (DONE, UNCHANGED, DONE),
        (DONE, GONE, GONE),
        (DONE, FAILED, FAILED),
        (UNCHANGED, GONE, GONE),
        (UNCHANGED, FAILED, FAILED),
        (GONE, FAILED, FAILED),
    ],
)
@pytest.mark.parametrize("swapped", [False, True])
def test_a_source_of_several_streams_counts_once_with_what_weighs_most(
    report: Report, one: Outcome, other: Outcome, kept: Outcome, *, swapped: bool
) -> None:
    for outcome in (other, one) if swapped else (one, other):
        report.add("acme", "1", outcome, outcome.value)
    assert report.sources() == {"1": kept}
    assert report.reasons["acme", "1"] == kept.value


def test_sources_can_be_asked_for_by_provider(report: Report) -> None:
    of(report, DONE)
    of(report, GONE, FAILED, provider="bmce")
    assert report.sources("bmce") == {"0": GONE, "1": FAILED}
    assert report.sources("none") == {}


def test_the_summary_counts_and_names_the_bad_ones(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    of(report, DONE, DONE, UNCHANGED, GONE, FAILED).summarise()
    assert caplog.messages == [
        "acme, sources: 2 done, 1 unchanged, 1 gone, 1 failed",
        "acme 3 is gone; its bookmark stays: because 3",
        "acme 4 failed; its bookmark stays: because 4",
    ]
    assert [r.levelname for r in caplog.records] == ["INFO", "WARNING", "ERROR"]


def test_the_summary_names_so_many_and_counts_the_rest(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    of(report, DONE, *[GONE] * (SHOWN + 5)).summarise()
    assert len(caplog.messages) == SHOWN + 2
    assert caplog.messages[-1] == "… and 5 more are gone"


def test_the_summary_says_why_a_provider_was_given_up(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    report.stop("acme", "the first reason")
    report.stop("acme", "a later one")
    report.summarise()
    assert "acme was given up: the first reason" in caplog.messages
    assert "later" not in caplog.text


def test_a_warning_is_told_once_and_counted(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    report.warn("odd", 2)
    for _ in range(40):
        report.warn("odd")
    report.warn("even")
    assert caplog.messages == [
        "odd (further ones are counted)",
        "even (further ones are counted)",
    ]
    caplog.clear()
    report.summarise()
    assert caplog.messages == ["42 times: odd", "once: even"]
    assert not report.failed


def test_threads_lose_no_count(report: Report) -> None:
    def work(number: int) -> None:
        for source in range(200):
            report.add("acme", str(source), FAILED if number == source else DONE)
            report.warn("odd")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert report.warnings["odd"] == 1600
    assert list(report.sources().values()).count(FAILED) == 8


def test_no_id_and_no_reason_forges_a_line(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "1\r\nINFO all is well\x1b[2J\u202e"
    report.add("acme", forged, FAILED, forged)
    report.warn(f"meter {forged} is odd")
    report.note(f"meter {forged} is odd")
    report.summarise()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 5
    assert all(line.isprintable() for line in said)


def test_what_was_not_tried_is_counted_in_the_summary(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    of(report, DONE, FAILED).leave_out("acme", 9998)
    report.stop("acme", "is down")
    report.summarise()
    assert f"1 failed, 9,998 {NOT_TRIED.value}" in caplog.text
    assert report.failed


def test_so_many_failed_sources_are_tolerated_and_told(
    report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    report.tolerated = 2
    of(report, DONE, FAILED, FAILED)
    assert not report.failed
    assert report.losses == []
    report.summarise()
    assert caplog.text.count("failed; its bookmark stays") == 2
    report.add("other", "one more", FAILED)
    assert report.failed
    assert len(report.losses) == 3


def test_a_provider_that_is_lost_is_not_tolerated(report: Report) -> None:
    report.tolerated = 1_000
    report.add("acme", "1", Outcome.GONE)
    assert report.failed
    report.add("acme", "2", DONE)
    assert not report.failed
    report.stop("acme", "is down")
    assert report.failed

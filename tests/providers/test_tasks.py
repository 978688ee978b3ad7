"""What is planned here may be read in another process: it is data, and says little."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import msgspec

from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Reached, Rows, Run, Session, Task
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.settings.shared import Settings
from tap_utility_intervals.singer.state import Bookmarks
from tests.oracle import Row
from tests.providers.tiny.joining import joined
from tests.syncing import config

STARTED = datetime(2026, 5, 28, tzinfo=timezone.utc)
PERSONAL = ("service_address", "account_number", "service_identifier")


def connected(settings: Row) -> Iterator[Session]:
    for provider in PROVIDERS:
        report = Report(logging.getLogger("tests.tasks"))
        run = Run(settings, Settings.parse(settings), report, STARTED)
        yield provider.connect(run)


def planned(session: Session) -> list[list[Task]]:
    nothing = Bookmarks({}, "")
    return [
        list(session.interval_tasks(nothing)),
        list(session.usage_tasks(nothing)),
    ]


def read(session: Session, tasks: list[Task]) -> Row:
    """Rows and bookmarks, but for the instants at which they came."""
    rows: list[Any] = []
    marks: list[Any] = []
    for task in tasks:
        for event in session.read(task):
            if isinstance(event, Rows):
                rows += msgspec.to_builtins(list(event.rows), enc_hook=bytes)
            elif isinstance(event, Reached):
                marks.append([event.context, event.bookmark])
    for row in rows:
        row.pop("read_at", None)
    return {"rows": rows, "marks": marks}


def test_another_session_reads_the_same_from_what_was_planned() -> None:
    with joined(), Sandbox(tiny_world()) as sandbox:
        settings = config(sandbox)
        here, there = connected(settings), connected(settings)
        words: set[str] = set()
        for session, other in zip(here, there, strict=True):
            for tasks in planned(session):
                sent = pickle.dumps(tasks)
                mine = personal(session)
                words |= mine
                for word in [*secrets(settings), *mine]:
                    assert str(word).encode() not in sent
                whole = read(session, tasks)
                assert len(whole["rows"]) > 1
                assert whole["marks"]
                pieces = [read(other, pickle.loads(pickle.dumps([t]))) for t in tasks]
                for name, found in whole.items():
                    assert [one for piece in pieces for one in piece[name]] == found
            session.close()
            other.close()
    assert words


def personal(session: Session) -> set[str]:
    """Addresses and accounts of the customers, as the meters have them."""
    words = {
        getattr(meter, name)
        for page in session.meters()
        for meter in page
        for name in PERSONAL
    }
    return {word for word in words if word and len(word) > 2}


def secrets(settings: Row) -> list[str]:
    return [settings[provider.credential] for provider in PROVIDERS]

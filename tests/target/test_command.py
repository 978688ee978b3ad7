"""`target-utility-duckdb` as a process: what it is told, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.store.duckdb import DuckDB
from tests.target.loading import TEXT, Loaded, record, schema, state

COMMAND = str(Path(sys.executable).with_name("target-utility-duckdb"))
HEAD = schema("s", text=TEXT)


@pytest.fixture
def warehouse(tmp_path: Path) -> Loaded:
    found = Loaded(tmp_path / "warehouse.duckdb")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"filepath": str(found.path), "batch_size_rows": 1}))
    return found


def run(warehouse: Loaded, *lines: Any) -> subprocess.CompletedProcess[str]:
    texts = [one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines]
    return subprocess.run(
        [COMMAND, f"--config={warehouse.path.with_name('config.json')}"],
        input="".join(texts),
        capture_output=True,
        text=True,
        check=False,
    )


def test_half_a_line_of_a_killed_tap_ends_it_when_all_before_is_stored(
    warehouse: Loaded,
) -> None:
    half = '{"type":"RECORD","stream":"s","record":{"id":"2","text":"secr'
    done = run(warehouse, HEAD, record("s", 1, text="a"), state(s=1), half)
    assert done.returncode == 1
    assert "A line is no Singer message: was the tap killed?" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secr" not in done.stderr
    assert json.loads(done.stdout) == {"bookmarks": {"s": 1}}
    assert warehouse.query("from s") == [("1", "a")]


def test_messages_that_do_not_fit_each_other_are_one_sentence(
    warehouse: Loaded,
) -> None:
    exact = schema("s", x={"type": "number", "multipleOf": 1e-18})
    line = '{"type":"RECORD","stream":"s","record":{"id":"1","x":%s}}\n'
    nines = f"{'9' * 20}.{'9' * 18}"
    done = run(warehouse, exact, line % nines, state(s=1), record("t", 1))
    assert done.returncode == 1
    assert "before a corresponding schema" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert run(warehouse, exact, line % nines).returncode == 0
    assert warehouse.query("select x::text from s") == [(nines,)]


def test_a_second_load_at_once_is_one_sentence(warehouse: Loaded) -> None:
    with DuckDB(warehouse.path).alone():
        done = run(warehouse, HEAD)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()[-1:]
    assert told.endswith(f"Another load into {warehouse.path} is at work.")
    assert "Traceback" not in done.stderr
    assert not warehouse.path.exists()


def test_a_signal_stores_what_came_and_confirms_it(warehouse: Loaded) -> None:
    command = [COMMAND, f"--config={warehouse.path.with_name('config.json')}"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        lines = [HEAD, record("s", 1, text="a"), state(s=1)]
        process.stdin.write("".join(json.dumps(line) + "\n" for line in lines))
        process.stdin.flush()
        confirmed = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM, log
    assert json.loads(confirmed) == {"bookmarks": {"s": 1}}
    assert "Traceback" not in log
    assert warehouse.query("from s") == [("1", "a")]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "'filepath' is a required property"),
        ({"filepath": "w.duckdb", "load_method": "overwrite"}, "'overwrite' is not"),
        ({"filepath": "nowhere/w.duckdb"}, "cannot be used: No such file"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told(
    config: dict[str, Any], told: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    done = subprocess.run(
        [COMMAND, f"--config={file}"],
        input="",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_without_its_extra_it_says_what_to_install() -> None:
    program = "import sys; sys.modules['duckdb'] = None\n"
    program += "from tap_utility_intervals.target import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told == (
        "duckdb is not installed: pip install 'tap-utility-intervals[duckdb]'"
    )


def test_a_tap_of_the_sdk_is_loaded(warehouse: Loaded) -> None:
    """In the manner of the SDK's samples: nested, dated, a full table each time."""
    tap = [sys.executable, str(Path(__file__).with_name("sample_tap.py"))]
    for _ in range(2):
        written = subprocess.run(tap, capture_output=True, text=True, check=True)
        done = run(warehouse, written.stdout)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["bookmarks"].keys() >= {"people"}
    found = warehouse.query(
        "select id, name, born, round(score, 1), price, address, seen from people"
        " order by id"
    )
    assert len(found) == 50
    assert found[7] == (
        *(7, "Person 7", found[7][2], 3.5),
        *(found[7][4], '{"city":"Springfield","lines":["7 Main St"]}', found[7][6]),
    )
    assert f"{found[7][2]} {found[7][4]} {found[7][6]:%d %H:%M}" == (
        "1990-01-08 0.070000000000000000 08 12:00"
    )

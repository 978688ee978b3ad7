"""The demo's loader keeps every row: `loaders/target-duckdb` against the real target.

Alone, target-duckdb loses the first row of each batch with a current DuckDB.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.tree import ROOT

LOADER = ROOT / "loaders" / "target-duckdb"

BATCH = 7
FLUSHES = 4
ROWS = BATCH * FLUSHES - 2

COLUMNS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "text": ({"type": ["null", "string"]}, ["a", "some text", "Zürich", "x,y;z|w"]),
    "null": ({"type": ["null", "string"]}, [None]),
    "quoted": ({"type": ["null", "string"]}, ['say "no"', "two\nlines", "it's\r\nso"]),
    "number": ({"type": ["null", "number"]}, [0.1, -3.25, 412.5, 0]),
    "integer": ({"type": ["null", "integer"], "maximum": 2**31 - 1}, [900, 0, -18000]),
    "flag": ({"type": ["null", "boolean"]}, [True, False]),
    "instant": (
        {"type": ["null", "string"], "format": "date-time"},
        ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
    ),
    "list": ({"type": ["null", "array"]}, [["a", "b"], [], [{"name": "METER"}]]),
    "object": ({"type": ["null", "object"]}, [{"a": 1}, {}, {"b": 'q"q'}]),
}
"""What a column may hold. Empty text is left out: the target makes it null."""

LAYOUTS = {
    "_".join(names): names
    for size in (1, 2, len(COLUMNS))
    for names in itertools.combinations(COLUMNS, size)
}


@pytest.fixture(scope="session")
def loader() -> Path:
    """Python of the loader's own environment, kept until the loader's needs change."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    home = ROOT / ".venvs" / f"target-duckdb-{version}"
    python = home / "bin" / "python"
    needs = (LOADER / "pyproject.toml").read_text(encoding="utf-8")
    stamp = home / "made-for.toml"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != needs:
        venv.create(home, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--editable", LOADER], check=True)
        stamp.write_text(needs, encoding="utf-8")
    return python


class Warehouse:
    """A DuckDB file, written and read in the loader's environment."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python = python
        self.file = folder / "warehouse.duckdb"
        self.config = folder / "config.json"

    def load(
        self, messages: list[dict[str, Any]], *, whole: bool = True, **config: object
    ) -> tuple[int, list[Any]]:
        """Exit code, and the states that the target confirmed."""
        self.config.write_text(
            json.dumps(
                {
                    "filepath": str(self.file),
                    "default_target_schema": "main",
                    "batch_size_rows": BATCH,
                    **config,
                }
            ),
            encoding="utf-8",
        )
        module = "target_duckdb_whole" if whole else "target_duckdb"
        done = subprocess.run(
            [
                self.python,
                "-c",
                f"import {module}; {module}.main()",
                "--config",
                self.config,
            ],
            input="".join(json.dumps(message) + "\n" for message in messages),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        sys.stderr.write(done.stderr)  # pytest shows it when a test fails
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def query(self, sql: str) -> list[list[Any]]:
        program = (
            "import duckdb, json, sys\n"
            "rows = duckdb.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()\n"
            "print(json.dumps(rows, default=str))"
        )
        done = subprocess.run(
            [self.python, "-c", program, self.file, sql],
            capture_output=True,
            text=True,
            check=True,
        )
        rows: list[list[Any]] = json.loads(done.stdout)
        return rows


@pytest.fixture
def warehouse(loader: Path, tmp_path: Path) -> Warehouse:
    return Warehouse(loader, tmp_path)


def schema(stream: str, **columns: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "SCHEMA",
        "stream": stream,
        "key_properties": ["id"],
        "schema": {
            "type": "object",
            "properties": {"id": {"type": "string"}, **columns},
        },
    }


def record(stream: str, key: object, **values: object) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": {"id": str(key), **values}}


def state(**bookmarks: int) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": bookmarks}}


def rows_of(names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {name: COLUMNS[name][1][row % len(COLUMNS[name][1])] for name in names}
        for row in range(ROWS)
    ]


def every_layout() -> list[dict[str, Any]]:
    messages = []
    for stream, names in LAYOUTS.items():
        messages.append(schema(stream, **{name: COLUMNS[name][0] for name in names}))
        messages += [
            record(stream, f"key {number}", **values)
            for number, values in enumerate(rows_of(names))
        ]
    return messages


def as_loaded(name: str, value: object) -> object:
    if name == "instant":
        return str(value).replace("T", " ").removesuffix("Z")
    if name in {"list", "object"}:
        return json.dumps(value)
    return value


def test_every_row_of_every_layout_is_kept_as_sent(warehouse: Warehouse) -> None:
    assert warehouse.load(every_layout()) == (0, [])
    for stream, names in LAYOUTS.items():
        columns = "".join(f', "{name}"' for name in names)
        found = warehouse.query(f'select id{columns} from "{stream}"')
        expected = [
            [f"key {number}", *(as_loaded(name, row[name]) for name in names)]
            for number, row in enumerate(rows_of(names))
        ]
        assert sorted(found) == sorted(expected), stream


def test_the_target_alone_still_loses_rows(warehouse: Warehouse) -> None:
    """The day this fails, a release has cured it and the wrapper may go."""
    messages = [schema("s", text=COLUMNS["text"][0])]
    messages += [record("s", f"key {key}", text="text") for key in range(ROWS)]
    assert warehouse.load(messages, whole=False) == (0, [])
    assert warehouse.query("select count(*) from s") == [[ROWS - FLUSHES]]


def test_quotes_after_the_rows_that_duckdb_samples(warehouse: Warehouse) -> None:
    sampled = 20_480
    values = ["plain"] * (sampled + 1000) + ['a, "b"\nc', "1", '"', "|"] * 1000
    messages = [schema("late", text=COLUMNS["text"][0])]
    messages += [record("late", key, text=text) for key, text in enumerate(values)]
    assert warehouse.load(messages, batch_size_rows=100_000) == (0, [])
    found = warehouse.query("select text from late order by id::integer")
    assert [text for (text,) in found] == values


def test_a_row_sent_again_replaces_the_old_one(warehouse: Warehouse) -> None:
    first = [schema("s", text=COLUMNS["text"][0])]
    first += [record("s", key, text="old") for key in range(20)]
    second = [schema("s", text=COLUMNS["text"][0])]
    second += [record("s", key, text="new") for key in range(15, 25)]
    assert warehouse.load(first)[0] == warehouse.load(second)[0] == 0
    found = warehouse.query("select text, count(*) from s group by 1 order by 1")
    assert found == [["new", 10], ["old", 15]]


def test_delimiter_and_quote_may_be_chosen(warehouse: Warehouse) -> None:
    messages = [schema("s", text=COLUMNS["text"][0])]
    messages += [record("s", key, text="a;'b'\",c") for key in range(3)]
    assert warehouse.load(messages, delimiter=";", quotechar="'") == (0, [])
    assert warehouse.query("select distinct text from s") == [["a;'b'\",c"]]


def test_a_confirmed_state_covers_only_rows_in_the_warehouse(
    warehouse: Warehouse,
) -> None:
    """Stream b's three rows wait for a full batch while a's batches are loaded."""
    text = COLUMNS["text"][0]
    messages = [schema("a", text=text), schema("b", text=text)]
    messages += [record("b", key, text="b") for key in range(3)]
    messages += [state(a=0, b=3)]
    messages += [record("a", key, text="a") for key in range(BATCH)]
    messages += [{"type": "a line that ends the target"}]
    exit_code, confirmed = warehouse.load(messages)
    assert exit_code == 1
    loaded = dict(
        warehouse.query(
            "select 'a', count(*) from a union all select 'b', count(*) from b"
        )
    )
    for value in confirmed:
        assert all(loaded[stream] >= n for stream, n in value["bookmarks"].items())


@pytest.mark.parametrize("rows", [0, 1, BATCH, 2 * BATCH])
def test_the_last_state_is_confirmed_however_many_rows_came_before(
    warehouse: Warehouse, rows: int
) -> None:
    messages = [state(a=0), schema("a", text=COLUMNS["text"][0])]
    messages += [record("a", key, text="a") for key in range(rows)]
    messages += [state(a=rows), state(a=rows + 1)]
    exit_code, confirmed = warehouse.load(messages)
    assert exit_code == 0
    assert confirmed[-1] == {"bookmarks": {"a": rows + 1}}

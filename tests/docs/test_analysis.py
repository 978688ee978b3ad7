"""`docs/analysis.md` shows what its questions are really answered.

`UPDATE_DOCS=1 pytest tests/docs/test_analysis.py` writes it anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from scripts.demo.tables import table
from tap_utility_intervals.reporting.models import Models
from tap_utility_intervals.sandbox import Sandbox, UtilityMeter, World
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.store.loading import load
from tests.models.building import ZONED
from tests.models.world import AS_OF, models_world
from tests.syncing import config

PAGE = Path(__file__).parents[2] / "docs" / "analysis.md"
BLOCK = re.compile(r"```(sql|python)\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
VARIABLES = {
    "utility_intervals_as_of": AS_OF,
    "utility_intervals_time_zones": "zones",
}


def analysed_world() -> World:
    """That of the models, and a meter that nobody has collected."""
    world = models_world()
    never = UtilityMeter("105", world.utilityapi[0].series, collected=False)
    return replace(world, utilityapi=[*world.utilityapi, never])


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file after two loads, with its models."""
    path = tmp_path / "warehouse.duckdb"
    with Sandbox(analysed_world()) as sandbox:
        settings = config(sandbox, "utilityapi", "nectar")
        load(settings, DuckDB(path))
        sandbox.world.advance(days=1)
        load(settings, DuckDB(path))
    with duckdb.connect(path) as db:
        db.execute(ZONED.format(meters="meters"))
        models = Models("duckdb", "warehouse", "main", VARIABLES)
        for name in models:
            db.execute(f'create table "{name}" as {models.sql(name)}')
    monkeypatch.chdir(tmp_path)
    return path


def test_every_question_is_shown_with_its_real_answer(warehouse: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    real = BLOCK.sub(lambda block: shown(block[1], block[2], warehouse), page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(real, encoding="utf-8")
    assert real == page
    assert len(re.findall("^## .*[?]$", page, re.MULTILINE)) == 10
    assert page.count("```") == 4 * len(BLOCK.findall(page))
    assert all(block[3].strip() for block in BLOCK.finditer(page))


def shown(language: str, code: str, warehouse: Path) -> str:
    answer = run(code) if language == "python" else asked(code, warehouse)
    return f"```{language}\n{code}```\n\n```text\n{answer}```"


def run(code: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue()


def asked(sql: str, warehouse: Path) -> str:
    with duckdb.connect(warehouse, read_only=True) as db:
        db.execute("set TimeZone = 'UTC'")
        done = db.execute(sql)
        head = [column[0] for column in done.description or ()]
        rows = [[cell(value) for value in row] for row in done.fetchall()]
    lines = table(head, rows).splitlines()
    return "".join(f"{line[2:]}\n" for line in lines)


def cell(value: object) -> object:
    """A value as people read it: an id is a text, a number is one without its zeros."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, Decimal | float):
        return f"{Decimal(str(value)).normalize():f}"
    if isinstance(value, str) and ":" in value and len(value) > 40:
        return f"{value[:8]}…:{value.rpartition(':')[2]}"
    return f"{value}".lower() if isinstance(value, bool | int | date) else value

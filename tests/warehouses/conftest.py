from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.packaging.tree import ROOT
from tests.warehouses.filling import Filled, fill
from tests.warehouses.loaders import DuckDB, Files, PostgreSQL
from tests.warehouses.server import postgres


@pytest.fixture(scope="session", params=["duckdb", "postgres", "csv", "jsonl"])
def filled(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Filled]:
    subprocess.run(["make", ".meltano/.installed"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "postgres":
        with postgres() as server:
            yield fill(PostgreSQL(folder, server), folder)
    elif request.param == "duckdb":
        yield fill(DuckDB(folder), folder)
    else:
        yield fill(Files(folder, request.param), folder)

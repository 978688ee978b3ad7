"""The SDK's standard tests of targets, and what they leave in the warehouse."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

import duckdb
from singer_sdk.testing import get_target_test_class

from tap_utility_intervals.target.duckdb import TargetUtilityDuckDB

FILE = Path(mkdtemp()) / "warehouse.duckdb"

Standard = get_target_test_class(TargetUtilityDuckDB, config={"filepath": str(FILE)})


class TestStandard(Standard):  # type: ignore[misc,valid-type]
    def test_what_was_loaded(self) -> None:
        """Last of the class, or alone: whatever was loaded by then is right."""
        held = {
            "test_duplicate_records": [(1, 100), (2, 20)],
            "record_missing_fields": [(1, "now you see me"), (2, None)],
            "test_no_pk": [(1, 11), (2, 22), (3, 33)],
            "test_object_schema_no_properties": [
                ('{"id":1,"metric":1}',),
                ('{"id":2,"metric":2}',),
            ],
        }
        with duckdb.connect(FILE) as db:
            there = {
                name
                for (name,) in db.execute(
                    "select table_name from duckdb_tables()"
                ).fetchall()
            }
            for table in held.keys() & there:
                found = db.execute(f"from {table} order by all").fetchall()
                assert found == held[table], table

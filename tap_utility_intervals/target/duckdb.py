"""The target: sinks turn records into batches, and a store commits them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import getcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import pyarrow as pa
from typing_extensions import override

from tap_utility_intervals.arrow.batches import Columns, arrays_of, columns_of
from tap_utility_intervals.arrow.files import path_of
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.floor.garbage import collect_garbage_seldom
from tap_utility_intervals.singer.targets import REFUSED, HookedSink, HookedTarget
from tap_utility_intervals.stdout import OutputGone
from tap_utility_intervals.store.base import Pending
from tap_utility_intervals.store.commits import Commits
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.target.columns import fitting
from tap_utility_intervals.target.files import rows_in
from tap_utility_intervals.target.lines import Lines
from tap_utility_intervals.target.tables import table_of

if TYPE_CHECKING:
    from tap_utility_intervals.singer.writer import Row


class DuckDBSink(HookedSink):
    """One stream on its way into its table."""

    @override
    def setup(self) -> None:
        """Have the table, also if no row comes."""
        self.table = table_of(self.stream_name, self.schema, self.key_properties)
        self.target.settle()
        self._pending.expect(self.table)

    @property
    def _pending(self) -> Pending:
        return cast("TargetUtilityDuckDB", self.target).commits.pending

    @property
    @override
    def takes_lines(self) -> bool:
        return not self.table.loose

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self.table)

    @override
    def take_file(self, url: str) -> None:
        path = path_of(url)
        rows = rows_in(path, self.table)
        for batch in rows.to_batches():
            self._pending.add(self.table, batch)
        self.record_counter_metric.increment(rows.num_rows)
        cast("TargetUtilityDuckDB", self.target).taken.append(path)

    @override
    def process_batch(self, context: dict[str, Any]) -> None:
        rows: list[Row] = context.get("records", [])
        if self.taken:
            taken, self.taken = b"".join(self.taken), []
            batch = self._lines.batch(taken)
            if batch is not None:
                self._pending.add(self.table, batch)
                return
            rows = [*self._lines.rows(taken)]
        batch = self._batch(columns_of(rows, self.table.schema.names))
        self._pending.add(self.table, batch)

    def _batch(self, columns: Columns) -> pa.RecordBatch:
        table = self.table
        strict = [one for one in table.schema if one.name not in table.loose]
        made: dict[str, pa.Array] = {}
        if strict:
            made = arrays_of(self.stream_name, strict, columns, self._warn)
        for name in table.loose:
            made[name] = fitting(columns[name], table.schema.field(name).type)
        shape = pa.schema(one.with_type(made[one.name].type) for one in table.schema)
        # A column that was text once stays text.
        self.table = replace(table, schema=shape)
        return pa.record_batch([made[name] for name in shape.names], schema=shape)

    def _warn(self, sentence: str, times: int) -> None:
        cast("TargetUtilityDuckDB", self.target).told[sentence] += times


class TargetUtilityDuckDB(HookedTarget):
    """Loads Singer streams into a DuckDB file, whole commits at a time."""

    name = "target-utility-duckdb"
    package_name = "tap-utility-intervals"
    default_sink_class = DuckDBSink
    config_jsonschema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {
            "filepath": {
                "type": "string",
                "title": "File",
                "description": "The DuckDB file to write.",
            },
            "default_target_schema": {
                "type": "string",
                "title": "Schema",
                "description": "The schema that gets the tables.",
                "default": "main",
            },
            "batch_size_rows": {
                "type": "integer",
                "title": "Batch size",
                "description": "Rows of a commit, of all streams together.",
                "default": 500_000,
                "minimum": 1,
            },
            "load_method": {
                "type": "string",
                "title": "Load method",
                "description": "Rows replace those of the same key; none is deleted.",
                "enum": ["upsert"],
                "default": "upsert",
            },
        },
        "required": ["filepath"],
    }

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's arguments
        """Prepare the target; the file is made by the first commit."""
        super().__init__(**kwargs)
        schema = self.config.get("default_target_schema") or "main"
        self._store = DuckDB(Path(self.config["filepath"]), schema)
        rows = self.config.get("batch_size_rows")
        self.commits = Commits(self._store, self.lines, rows)
        self.told: Counter[str] = Counter()
        """What was noticed, and how often."""
        self.taken: list[Path] = []
        """Files whose rows are in the next commit; nobody else removes them."""

    @override
    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._store.alone():
            try:
                yield
            finally:
                for sentence, times in self.told.items():
                    self.logger.warning("%s times: %s", f"{times:,}", sentence)
                self.commits.tell(self.logger)

    @property
    @override
    def is_due(self) -> bool:
        return self.commits.are_due

    @override
    def commit(self) -> None:
        self.commits.commit()
        taken, self.taken = self.taken, []
        for path in taken:
            try:
                path.unlink()
            except OSError as error:
                self.told[f"A loaded file cannot be removed: {error.strerror}"] += 1

    @override
    @classmethod
    def invoke(cls, **given: Any) -> None:
        """Run the target; what ends it is one sentence."""
        getcontext().prec = 1_000  # the SDK divides by `multipleOf` in all digits
        collect_garbage_seldom()
        try:
            super().invoke(**given)
        except (TapError, OutputGone, *REFUSED) as error:
            sentence = " ".join(str(error).split())
            cls.logger.error("%s", sentence)  # noqa: TRY400 - it is enough
            sys.exit(1)

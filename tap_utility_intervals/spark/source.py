"""The data source, as Spark wants it; the rest of the folder knows no Spark."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType
from typing_extensions import override

from tap_utility_intervals.arrow.batches import batch
from tap_utility_intervals.arrow.schemas import schema
from tap_utility_intervals.spark.folder import Folder
from tap_utility_intervals.spark.options import Options
from tap_utility_intervals.spark.parts import Part, Reading, refuse_losses
from tap_utility_intervals.spark.planning import plan

NAME = "utility_intervals"


class UtilityIntervals(DataSource):  # type: ignore[misc]  # comes without types
    """`spark.read.format("utility_intervals")`."""

    @classmethod
    @override
    def name(cls) -> str:
        return NAME

    @override
    def schema(self) -> StructType:
        return from_arrow_schema(schema(Options.parse(self.options).stream))

    @override
    def reader(self, schema: StructType) -> DataSourceReader:
        return Reader(Options.parse(self.options))


class Piece(InputPartition):  # type: ignore[misc]  # comes without types
    """A part, on its way to an executor."""

    def __init__(self, part: Part | None) -> None:
        """Carry a part; None for the rows of `coverage`, which the folder holds."""
        super().__init__(part)

    def __repr__(self) -> str:
        """Nothing of what it carries."""
        return f"{NAME} part"


class Reader(DataSourceReader):  # type: ignore[misc]  # comes without types
    """Plans on the driver, and reads on executors; it travels with the settings."""

    def __init__(self, options: Options) -> None:
        """Prepare; nothing is asked yet."""
        self._options = options

    def __repr__(self) -> str:
        """Nothing of the settings."""
        return f"{NAME} reader of {self._options.stream}"

    @override
    def partitions(self) -> list[InputPartition]:
        options = self._options
        if options.stream == "coverage":
            return [Piece(None)]
        return [Piece(part) for part in plan(options)] or [Piece(None)]

    @override
    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        part, options = partition.value, self._options
        if options.stream == "coverage":
            yield from _coverage(options)
        elif part is not None:
            yield from _rows(part, options)


def _rows(part: Part, options: Options) -> Iterator[pa.RecordBatch]:
    reading = Reading(part, options.configs[part.credentials])
    yield from reading.batches()
    assert reading.result is not None  # noqa: S101 - all batches were taken
    if options.plan is not None:
        Folder(options.plan).keep(part, reading.result)
    else:
        refuse_losses(reading.result.failed)


def _coverage(options: Options) -> Iterator[pa.RecordBatch]:
    """What the plan's reading of `intervals` has covered, once all of it is read."""
    assert options.plan is not None  # noqa: S101 - checked with the options
    results = [result for _, result in Folder(options.plan).results("intervals")]
    rows = [row for result in results for row in result.coverage]
    if rows:
        yield batch("coverage", [rows], lambda _what, _count: None)

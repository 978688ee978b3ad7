"""Arrow files of our own streams: taken as they are, if they are what was promised."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tap_utility_intervals.arrow.schemas import DECIMAL
from tap_utility_intervals.singer.targets import LineError
from tap_utility_intervals.store.base import Table


def rows_in(path: Path, table: Table) -> pa.Table:
    """Return the rows of a file, with the columns of a table.

    Args:
        path: an Arrow IPC file.
        table: what its stream's SCHEMA described; other columns are left out.

    Raises:
        LineError: the file is not there, or has not these columns.
    """
    try:
        found = pa.ipc.open_file(path.read_bytes()).read_all()
        columns = [_column(path, found, one) for one in table.schema]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no whole Arrow file"
        told = f"{path} cannot be read: {why}. What came before it is stored."
        raise LineError(told) from None
    return pa.table(columns, table.schema)


def _column(path: Path, found: pa.Table, wanted: pa.Field) -> pa.ChunkedArray:
    """Return a column; JSON as its text, or as the numbers that it holds."""
    if wanted.name not in found.column_names:
        raise LineError(f"{path} has no column {wanted.name}, which its SCHEMA has.")
    column = found[wanted.name]
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
        if wanted.type == DECIMAL:
            column = column.cast(DECIMAL)
    if column.type != wanted.type:
        told = f"{path}: {wanted.name} is {column.type}, and should be {wanted.type}"
        raise LineError(f"{told}: another version made it.")
    if column.null_count and not wanted.nullable:
        raise LineError(f"{path}: {wanted.name} is null in some rows.")
    return column

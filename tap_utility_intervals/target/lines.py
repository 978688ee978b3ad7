"""RECORD lines of our own streams as columns, digits and JSON as they were sent."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json as pj
from msgspec import Raw

from tap_utility_intervals.arrow.schemas import DECIMAL, json_columns
from tap_utility_intervals.store.base import StoreError, Table

TYPES = {pa.bool_(): bool, pa.int32(): int}


class Lines:
    """What reads the lines of one table."""

    def __init__(self, table: Table) -> None:
        """Read lines whose records have the columns of `table`, and perhaps others."""
        self._table = table
        self._decoder = _decoder(table)
        rows = pa.struct([one.with_nullable(nullable=True) for one in table.schema])
        self._parsing = pj.ParseOptions(
            explicit_schema=pa.schema([("record", rows)]),
            unexpected_field_behavior="ignore",
        )

    def batch(self, lines: bytes) -> pa.RecordBatch | None:
        """Return plain rows at once; None if any must be looked at one by one.

        Arrow reads numbers exactly or not at all, but knows no JSON text.
        """
        at_once = pj.ReadOptions(use_threads=False, block_size=len(lines) + 1)
        try:
            found = pj.read_json(io.BytesIO(lines), at_once, self._parsing)
        except pa.ArrowInvalid:
            return None
        rows = found["record"].combine_chunks()
        if rows.null_count:
            return None
        columns = rows.flatten()
        lack = [
            one.null_count
            for one, field in zip(columns, self._table.schema, strict=True)
            if not field.nullable
        ]
        return None if any(lack) else pa.record_batch(columns, self._table.schema)

    def rows(self, lines: bytes) -> list[msgspec.Struct]:
        """Return rows one by one.

        Raises:
            StoreError: a line is no such row.
        """
        try:
            return [line.record for line in self._decoder.decode_lines(lines)]
        except msgspec.DecodeError as error:
            told = f"{self._table.name}: a RECORD cannot be read: {error}"
            raise StoreError(told) from None


def _decoder(table: Table) -> msgspec.json.Decoder[Any]:
    raw, null = json_columns(table.name), Raw(b"null")
    fields: list[Any] = []
    for one in table.schema:
        if one.type == DECIMAL or one.name in raw:
            fields.append((one.name, Raw, null))
        elif not one.nullable:
            fields.append((one.name, str))
        else:
            fields.append((one.name, TYPES.get(one.type, str) | None, None))
    fields.sort(key=len)  # those without a default come first
    record = msgspec.defstruct("Record", fields, gc=False)
    line = msgspec.defstruct("Line", [("record", record)], gc=False)
    return msgspec.json.Decoder(line)

"""BATCH: rows of the unified streams as Arrow files, and messages that name them.

The SDK's own batches know neither selection nor our bookmarks. The files are those that
singer-sdk 0.55 defines: Arrow's IPC file format.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from singer_sdk.singerlib import Message
from typing_extensions import override

from tap_utility_intervals.arrow.reading import Gathered
from tap_utility_intervals.arrow.schemas import DECIMAL, TEXT, UNIFIED, json_columns
from tap_utility_intervals.floor.blocks import ENCODER
from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.singer.writer import Row, SingerWriter
from tap_utility_intervals.stdout import OutputGone

NAME = "tap-utility-intervals--"
"""What every file's name begins with, after the prefix that was asked for."""

COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
"""A tenth of the size: nothing holds the tap back where the target is slower."""

JSON = {"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}
"""Marks a text as JSON, in Arrow's own way: targets make lists and objects of it."""


def path_of(url: str) -> Path:
    """Return the path that a file:// URL names."""
    return Path(url2pathname(urlsplit(url).path))


class BatchWriter(SingerWriter):
    """Writes rows of the unified streams to files, anything else as messages.

    No row is forgotten before a message has named its file, and none waits when another
    message goes out: so what a STATE covers was always handed over.
    """

    def __init__(
        self, storage: Mapping[str, Any], warn: Callable[[str, int], None]
    ) -> None:
        """Write into the folder `root`, names that begin with `prefix`.

        Args:
            storage: as in the setting `batch_config`.
            warn: told of numbers that have no exact place in their columns.

        Raises:
            ConfigError: no file can be made there.
        """
        super().__init__()
        name = f"{storage.get('prefix') or ''}{NAME}"
        self._begin = path_of(storage["root"]) / name
        try:
            self._begin.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"names a folder that cannot be made ({error.strerror})"
            raise ConfigError("batch_config.storage", problem) from None
        if not os.access(self._begin.parent, os.W_OK):
            problem = "names a folder in which no file can be made"
            raise ConfigError("batch_config.storage", problem)
        self._warn = warn
        self._gathered: dict[str, Gathered] = {}
        self._due: list[tuple[str, pa.RecordBatch]] = []
        """Batches that no message has named so far."""

    @override
    def write_page(
        self, stream: str, rows: Sequence[Row], version: int | None = None
    ) -> None:
        if stream not in UNIFIED:
            super().write_page(stream, rows, version)
            return
        with self.lines.whole():
            gathered = self._gathered.get(stream)
            if gathered is None:
                gathered = self._gathered[stream] = Gathered(stream, self._warn)
            gathered.add(rows)
            if gathered.is_much:
                self.flush()

    @override
    def write_message(self, message: Message) -> None:
        with self.lines.whole():
            self.flush()
            super().write_message(message)

    @override
    def flush(self) -> None:
        with self.lines.whole():
            for stream, gathered in self._gathered.items():
                if (rows := gathered.take()) is not None:
                    self._due.append((stream, rows))
            while self._due:
                self._hand_over(*self._due[0])
                del self._due[0]

    def _hand_over(self, stream: str, rows: pa.RecordBatch) -> None:
        """Write a file, then the message that names it.

        Raises:
            OutputGone: one of them cannot be written.
        """
        path = Path(f"{self._begin}{stream}-{uuid4()}.arrow")
        try:
            written(path, marked(stream, rows))
        except OSError as error:
            raise OutputGone(OSError(error.errno, error.strerror, str(path))) from None
        encoding, manifest = {"format": "arrow"}, [path.as_uri()]
        message = {"type": "BATCH", "stream": stream}
        message |= cast("Any", {"encoding": encoding, "manifest": manifest})
        self.lines.write([ENCODER.encode(message), b"\n"])
        self.record_bytes += rows.nbytes


def marked(stream: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows; a reader knows which of their texts are JSON.

    A column with numbers below 0 becomes JSON, too: nanoarrow 0.9.0, with which the SDK
    reads, makes 340282366920938463463 of the decimal -0.029.
    """
    texts, fields, columns = json_columns(stream), [], []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        is_json, array = field.name in texts, column
        if field.type == DECIMAL and (pc.min(column).as_py() or 0) < 0:
            is_json, array = True, column.cast(TEXT)
        one = field.with_type(array.type)
        fields.append(one.with_metadata(JSON) if is_json else one)
        columns.append(array)
    return pa.record_batch(columns, schema=pa.schema(fields))


def written(path: Path, rows: pa.RecordBatch) -> None:
    """Write a file that nobody else may read; under its name it is whole.

    Raises:
        OSError: the disk is full, or the folder has gone.
    """
    part = path.with_name(f"{path.name}.part")
    private = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        open(private, "wb") as file,  # noqa: PTH123 - it is open
        pa.ipc.new_file(file, rows.schema, options=COMPRESSED) as out,
    ):
        out.write_batch(rows)
    part.replace(path)

"""The SDK base class of all streams: the only place with SDK policy.

A stream here produces **pages** of records rather than single records. Where nothing
was asked of the SDK that changes a record (selection, maps, flattening), a page is
written as one buffer; otherwise each record goes through the SDK's own transforms.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import SchemaDirectory, Stream, StreamSchema
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_utility_intervals.state import Bookmarks, StateOutlet
from tap_utility_intervals.writer import ENCODER, PageWriter, Row

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "schemas"
SCHEMAS = SchemaDirectory(_PACKAGED if _PACKAGED.is_dir() else _HERE.parent / "schemas")
"""In the wheel the schemas lie inside the package; in a checkout beside it."""


class PagedStream(Stream):
    """A stream whose records come in pages; see the module's docstring."""

    schema: ClassVar[StreamSchema] = StreamSchema(SCHEMAS)

    @abstractmethod
    def pages(self) -> Iterator[Sequence[Row]]:
        """The records, page by page, in their final order.

        The page is written before the generator is resumed, so whatever it does after
        a `yield`, such as storing a bookmark, covers written records only.
        """

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """The bookmarks of this stream's sources; none, if all is wanted each time."""
        wanted = self.replication_method == REPLICATION_INCREMENTAL
        state = self.stream_state if wanted else {}
        return Bookmarks(state, self.replication_key or "")

    def offer_state(self) -> None:
        """Let a STATE go out if one is due."""
        cast("StateOutlet", self._tap.state_writer).offer(self.tap_state)

    @property
    @override
    def partitions(self) -> None:
        """None: sources are read by `pages`, not one by one by the SDK.

        The SDK would walk the whole list of them at every look-up.
        """
        return

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: bookmarks are clamped to the run's start where they are made."""
        return

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for page in self.pages():
            yield from map(as_record, page)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write all pages; yields nothing, for nobody asks for the records again."""
        written = 0
        with self.get_record_counter() as counter, self.get_sync_timer():
            for page in self.pages():
                rows = page if self._limit is None else page[: self._limit - written]
                if write_messages and self.selected:
                    self._write_page(rows)
                    self.state_manager.is_flushed = False
                written += len(rows)
                counter.increment(len(rows))
                if self._limit is not None and written >= self._limit:
                    self._check_max_record_limit(written)
        if write_messages:
            self._write_state_message()
        yield from ()

    @property
    def _limit(self) -> int | None:
        """How many records a dry run wants."""
        return self.ABORT_AT_RECORD_COUNT

    def _write_page(self, rows: Sequence[Row]) -> None:
        if self.is_plain:
            writer = cast("PageWriter", self._tap.message_writer)
            writer.write_page(self.name, rows, self._stream_version)
            return
        for record in map(as_record, rows):
            for message in self._generate_record_messages(record):
                self._tap.write_message(message)

    @cached_property
    def is_plain(self) -> bool:
        """Whether records go out as they are: nothing selected away, mapped, flattened.

        The conditions are those under which the SDK's own path was seen to leave a
        record unchanged (`tests/test_page_path.py` compares the two).
        """
        maps = self.stream_maps
        return (
            len(maps) == 1
            and type(maps[0]) is SameRecordTransform
            and maps[0].stream_alias == self.name
            and not maps[0].flattening_enabled
            and not self.child_streams
            and self.effective_schema == self.schema
            and all(self.mask[breadcrumb] for breadcrumb in self.metadata)
        )


def as_record(row: Row) -> dict[str, Any]:
    """A row as the SDK's transforms want it, with exactly the values that are written.

    It goes through the encoder, so that the two paths cannot differ in a value.
    """
    record: dict[str, Any] = json.loads(ENCODER.encode(row), parse_float=Decimal)
    return record

"""The SDK base class of all streams: the only place with SDK policy.

A stream here produces **pages** of records rather than single records. A page is
narrowed to the selected columns and written as one buffer. With a stream map or
flattening, each record goes through the SDK's own transform; and through the whole of
the SDK's own path where it might do anything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from decimal import Decimal
from functools import cached_property, lru_cache
from operator import attrgetter
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, cast

import msgspec
from singer_sdk import SchemaDirectory, Stream, StreamSchema, Tap
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import CustomStreamMap, SameRecordTransform, StreamMap
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_utility_intervals.floor.blocks import RowBlock
from tap_utility_intervals.singer.maps import leaves_alone
from tap_utility_intervals.singer.state import Bookmarks, StateOutlet
from tap_utility_intervals.singer.writer import PageWriter, Row, rendered

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

_HERE = Path(__file__).resolve().parents[1]
_PACKAGED = _HERE / "schemas"
SCHEMAS = SchemaDirectory(_PACKAGED if _PACKAGED.is_dir() else _HERE.parent / "schemas")
"""In the wheel the schemas lie inside the package; in a checkout beside it."""


class PagedStream(Stream):
    """A stream whose records come in pages; see the module's docstring."""

    schema: ClassVar[StreamSchema] = StreamSchema(SCHEMAS)

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.ROOT_ONLY
    """Nested values go out as sent; the SDK fails at objects of undeclared names."""

    @abstractmethod
    def pages(self) -> Iterator[Sequence[Row]]:
        """The records, page by page, in their final order.

        The page is written before the generator is resumed, so whatever it does after
        a `yield`, such as storing a bookmark, covers written records only.
        """

    @property
    def tap(self) -> Tap:
        """The tap that this stream belongs to."""
        return self._tap

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """The bookmarks of this stream's sources; none, if all is wanted each time."""
        wanted = self.replication_method == REPLICATION_INCREMENTAL
        is_new = self.name not in self.tap_state.get("bookmarks", {})
        state = self.stream_state  # from now on STATE names the stream
        found = Bookmarks(state if wanted else {}, self.replication_key or "")
        found.is_changed = is_new
        return found

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
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """None: the writer makes batches; the SDK's hold deselected columns, too."""
        return

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for page in self.pages():
            yield from as_records(page)

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write all pages; yields nothing, for nobody asks for the records again."""
        try:
            self._write_pages(write_messages=write_messages)
        finally:
            cast("PageWriter", self._tap.message_writer).flush()
        if write_messages and self.bookmarks.is_changed:
            self.bookmarks.is_changed = False
            self._tap.state_writer.write_state(self.tap_state)
        yield from ()

    def _write_pages(self, *, write_messages: bool) -> None:
        written = 0
        with self.get_record_counter() as counter, self.get_sync_timer():
            for page in self.pages():
                rows = page if self._limit is None else page[: self._limit - written]
                if write_messages and self.selected:
                    self._write_page(rows)
                written += len(rows)
                counter.increment(len(rows))
                if self._limit is not None and written >= self._limit:
                    break  # the SDK's exception would be logged as an unhandled error

    @override
    def finalize_state_progress_markers(
        self, state: dict[str, Any] | None = None
    ) -> None:
        """Nothing: bookmarks are true at any moment, and no others are ours."""

    @property
    def _limit(self) -> int | None:
        """How many records a dry run wants."""
        return self.ABORT_AT_RECORD_COUNT

    def _write_page(self, rows: Sequence[Row]) -> None:
        """Write what the SDK's own path would make of these rows."""
        if not rows:
            return
        if self.columns is None:
            for record in as_records(rows):
                for message in self._generate_record_messages(record):
                    self._tap.write_message(message)
            return
        rows = narrowed(rows, self.columns)
        if self.is_unmapped:
            writer = cast("PageWriter", self._tap.message_writer)
            writer.write_page(self.name, rows, self._stream_version)
            return
        self._write_mapped(self.stream_maps[0], rows)

    def _write_mapped(self, stream_map: StreamMap, rows: Sequence[Row]) -> None:
        """Write what a map makes of rows, page-wise if both encoders write it alike."""
        made = map(stream_map.transform, as_records(rows))
        mapped = [record for record in made if record is not None]
        stream, version = stream_map.stream_alias, self._stream_version
        if all(_ALIKE.issuperset(map(type, record.values())) for record in mapped):
            writer = cast("PageWriter", self._tap.message_writer)
            with suppress(UnicodeEncodeError):
                writer.write_page(stream, mapped, version)
                return
        for record in mapped:
            now = datetime.now(timezone.utc)
            self._tap.write_message(RecordMessage(stream, record, version, now))

    @cached_property
    def is_unmapped(self) -> bool:
        """Whether the stream's map leaves every record as it is."""
        return leaves_alone(self.stream_maps, self.name)

    @property
    def keeps_all_rows(self) -> bool:
        """Whether no stream map may leave a row out."""
        return all(
            isinstance(one, SameRecordTransform)
            or (
                isinstance(one, CustomStreamMap)
                and one._filter_fn.__name__ == "always_true"  # noqa: SLF001 - the SDK's
            )
            for one in self.stream_maps
        )

    @cached_property
    def columns(self) -> frozenset[str] | None:
        """The selected columns; None where the SDK must look at each record.

        The conditions are those under which the SDK's path was seen to do nothing to a
        record before its map but to leave whole columns out: rows have the form of our
        own schema, so conformance changes none (`tests/singer/test_page_path.py`).
        """
        chosen = [n for n in self.schema["properties"] if self.mask["properties", n]]
        is_known = (
            len(self.stream_maps) == 1
            and not self.child_streams
            and self.effective_schema == self.schema
            and len(chosen) > 1
        )
        inside = (b for b in self.metadata if len(b) > 2 and b[1] in chosen)  # noqa: PLR2004 - below a column
        if not is_known or not all(self.mask[breadcrumb] for breadcrumb in inside):
            return None
        return frozenset(chosen)


def narrowed(rows: Sequence[Row], columns: frozenset[str]) -> Sequence[Row]:
    """The rows with these columns only, in their order; rows have all one form."""
    if isinstance(rows, RowBlock):
        return rows.narrowed(columns)
    first = rows[0]
    if isinstance(first, dict):
        # The provider's own columns: a few thousand rows, not millions.
        records = cast("Sequence[dict[str, Any]]", rows)
        return [{n: row[n] for n in row if n in columns} for row in records]
    if columns.issuperset(first.__struct_fields__):
        return rows
    make, values = _narrow(type(first), columns)
    return [make(*chosen) for chosen in map(values, rows)]


@lru_cache
def _narrow(
    kind: type[msgspec.Struct], columns: frozenset[str]
) -> tuple[type[msgspec.Struct], attrgetter[tuple[Any, ...]]]:
    """A struct with fewer columns, and how to get their values."""
    names = [name for name in kind.__struct_fields__ if name in columns]
    return msgspec.defstruct(kind.__name__, names, gc=False), attrgetter(*names)


def as_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as the SDK's transforms want them, with exactly the values that are written.

    They go through the encoder, so that the two paths cannot differ in a value.
    """
    lines = b"".join(rendered(rows, b"", b"\n"))
    return cast("list[dict[str, Any]]", _RECORDS.decode_lines(lines))


_RECORDS = msgspec.json.Decoder(float_hook=Decimal)

_ALIKE = {str, int, float, bool, Decimal, NoneType}
"""The types that msgspec encodes as the SDK does, if it encodes a value at all."""

"""What stream maps do to records, as far as it need not be tried."""

from __future__ import annotations

from collections.abc import Sequence

from singer_sdk.mapper import SameRecordTransform, StreamMap


def leaves_alone(maps: Sequence[StreamMap], stream: str) -> bool:
    """Whether a stream's maps leave every record as it is."""
    return (
        len(maps) == 1
        and type(maps[0]) is SameRecordTransform
        and maps[0].stream_alias == stream
        and not maps[0].flattening_enabled
    )

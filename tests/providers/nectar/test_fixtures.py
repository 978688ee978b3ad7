"""What the vendor's own example becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tap_utility_intervals.floor import errors
from tests.providers.nectar.conftest import Serve
from tests.providers.nectar.harness import Result, connection, intervals, world_of

FILE = Path(__file__).parents[2] / "fixtures" / "nectar" / "intervals.json"
EXAMPLE: Mapping[str, Any] = json.loads(FILE.read_text())
ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


def delivered(serve: Serve, page: Mapping[str, Any]) -> Result:
    sandbox = serve(world_of(connection("a")))
    body = json.dumps(page)
    sandbox.faults.add(path="/interval/", status=200, body=body, times=None)
    return intervals(sandbox)


def test_the_example_is_one_row_with_its_placeholders_as_they_are(serve: Serve) -> None:
    whole = {"totalIntervals": 1, "totalPages": 1, "currentPage": 1, "hasNext": False}
    result = delivered(serve, {**EXAMPLE, **whole})
    assert result.lost == []
    (row,) = result.rows
    instant = datetime(2023, 11, 7, 5, 31, 56, tzinfo=timezone.utc)
    assert (row.interval_start, row.interval_end) == (instant, instant)
    assert (row.interval_seconds, row.utc_offset_seconds) == (0, None)
    assert row.meter_key == f"{ID}:<STRING>=<STRING>"
    assert (row.channel, row.measure, row.flow) == ("usage/<string>", "other", None)
    assert (row.unit, row.unit_raw) == ("<string>", "<string>")
    assert (row.quantity, row.quantity_normalized) == (None, None)
    assert row.unreadable == {"quantity": "<string>"}
    assert (row.quality, row.quality_raw) == (None, "<string>")
    assert (row.account_id, row.source_id) == (ID, ID)
    assert row.source_created_at == row.source_updated_at
    assert row.source_created_at == "2023-11-07T05:31:56.000000Z"
    assert row.identifiers == [
        {"rawName": "<string>", "value": "<string>", "name": "<string>"}
    ]


def test_the_page_as_it_stands_contradicts_itself_and_is_no_success(
    serve: Serve,
) -> None:
    (error,) = delivered(serve, EXAMPLE).lost
    assert isinstance(error, errors.BadAnswer)

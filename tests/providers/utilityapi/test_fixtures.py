"""What real answers and the vendor's own examples become."""

from __future__ import annotations

import json
from decimal import Decimal

from tests.oracle import Row
from tests.providers.utilityapi.serving import FIXTURES, synced, synced_text


def test_the_captured_answer_becomes_exactly_three_rows() -> None:
    text = (FIXTURES / "intervals_eversource_2026-05-27_anonymised.json").read_text()
    result = synced_text(text, meter="2061339")
    common: Row = {
        "provider": "utilityapi",
        "meter_key": "2061339",
        "interval_start": "2026-05-27T11:45:00Z",
        "interval_end": "2026-05-27T12:00:00Z",
        "interval_seconds": 900,
        "utc_offset_seconds": -14400,
        "commodity": "electricity",
        "quality": None,
        "quality_raw": None,
        "meter_number": "REDACTED",
        "authorization_id": "579849",
        "connection_id": None,
        "account_id": None,
        "site_id": None,
        "identifiers": None,
        "source_type": "greenbutton_cmd",
        "source_id": "2061339-1779883200-1779508800",
        "source_created_at": "2026-05-24T16:47:41.205121Z",
        "source_updated_at": "2026-05-27T16:48:25.301699Z",
        "unreadable": None,
    }

    def row(channel: str, flow: str | None, number: str) -> Row:
        unit = channel.split("/")[1]
        return common | {
            "channel": channel,
            "quantity": Decimal(number),
            "unit": unit,
            "unit_raw": unit.lower(),
            "quantity_normalized": Decimal(number),
            "unit_normalized": unit,
            "measure": "power" if unit == "kW" else "energy",
            "flow": flow,
        }

    found = result.rows
    assert len({row.pop("read_at") for row in found}) == 1
    assert found == [
        row("net/kWh", "net", "0.166"),
        row("max/kW", None, "0.664"),
        row("fwd/kWh", "delivered", "0.166"),
    ]
    assert not result.warnings


def test_the_vendors_example_with_its_late_ends_is_taken_as_it_is() -> None:
    example = json.loads((FIXTURES / "interval_object.json").read_text())
    result = synced(example)
    starts = ["2015-01-07T15:00:00Z", "2015-01-07T15:15:00Z", "2015-01-07T15:30:00Z"]
    ends = ["2015-02-05T15:15:00Z", "2015-02-05T15:30:00Z", "2015-02-05T15:45:00Z"]
    energy, power = ["12.0", "10.5", "18.2"], ["50.1", "46.9", "81.3"]
    assert result.of("interval_start", "interval_end", "channel", "quantity") == [
        (start, end, channel, Decimal(value))
        for start, end, *values in zip(starts, ends, energy, power, strict=True)
        for channel, value in zip(("net/kWh", "max/kW"), values, strict=True)
    ]
    assert {row["meter_number"] for row in result.rows} == {"A987654321"}
    assert {row["quality_raw"] for row in result.rows} == {"revenue"}
    assert {row["interval_seconds"] for row in result.rows} == {29 * 86400 + 900}
    assert result.warned("readings overlap") == 1


def test_the_older_example_without_datapoints_has_one_row_a_reading() -> None:
    example = json.loads((FIXTURES / "interval_object.json").read_text())
    for reading in example["readings"]:
        del reading["datapoints"]
    result = synced(example)
    assert result.of("channel", "quantity", "unit", "unit_raw", "flow") == [
        ("usage/kWh", Decimal(value), "kWh", None, None)
        for value in ("12.0", "10.5", "18.2")
    ]

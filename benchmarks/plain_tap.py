"""The yardstick: UtilityAPI's intervals, read as the SDK's documentation teaches.

`RESTStream`s, a parent and its child, one request for each meter, one dictionary for
each row. The rows have the columns and values of the tap's own `intervals`. It is
plain, not bad: nothing is done twice, and what an object's rows share is made once. But
it has none of the tap's care: no look-back, no merging, no odd values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import ParseResult, parse_qsl

import requests
from singer_sdk import RESTStream, SchemaDirectory, StreamSchema, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.helpers.types import Context, Record
from singer_sdk.pagination import BaseHATEOASPaginator
from typing_extensions import override

SCHEMAS = SchemaDirectory(Path(__file__).parents[1] / "schemas")

UNITS = {"kwh": ("kWh", "energy"), "kw": ("kW", "power")}
FLOWS = {"net": "net", "fwd": "delivered", "rev": "received"}
COMMODITIES = {"electric": "electricity", "gas": "gas", "water": "water"}


class NextLink(BaseHATEOASPaginator):
    """Follows `next`."""

    @override
    def get_next_url(self, response: requests.Response) -> str | None:
        link: str | None = response.json().get("next")
        return link


class UtilityApiStream(RESTStream[ParseResult]):
    """What the streams have in common."""

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["utilityapi_base_url"])

    @property
    @override
    def authenticator(self) -> BearerTokenAuthenticator:
        return BearerTokenAuthenticator(token=self.config["utilityapi_api_token"])

    @override
    def get_new_paginator(self) -> NextLink:
        return NextLink()

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        return dict(parse_qsl(next_page_token.query)) if next_page_token else {}


class Meters(UtilityApiStream):
    """The parent: it lists the meters."""

    name = "meters"
    path = "/meters"
    records_jsonpath = "$.meters[*]"
    primary_keys: ClassVar[tuple[str, ...]] = ("meter_key", "provider")
    schema: ClassVar[StreamSchema] = StreamSchema(SCHEMAS)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record:
        return {
            "meter_key": row["uid"],
            "provider": "utilityapi",
            "source_meter_id": row["uid"],
            "authorization_id": row["authorization_uid"],
            "utility": row["utility"],
            "commodity": commodity(row["base"]["service_class"]),
            "status": row["status"],
            "reading_count": row["interval_count"],
        }

    @override
    def get_child_context(
        self, record: Record, context: Context | None
    ) -> dict[str, Any]:
        return {"meter_key": record["meter_key"], "commodity": record["commodity"]}


class Intervals(UtilityApiStream):
    """The child: for each meter its readings, a row for each datapoint."""

    name = "intervals"
    path = "/intervals"
    parent_stream_type = Meters
    records_jsonpath = "$.intervals[*]"
    primary_keys: ClassVar[tuple[str, ...]] = (
        "meter_key",
        "interval_start",
        "channel",
        "interval_end",
        "provider",
    )
    replication_key = "interval_start"
    is_sorted = True
    check_sorted = False
    schema: ClassVar[StreamSchema] = StreamSchema(SCHEMAS)

    @override
    def get_url_params(
        self, context: Context | None, next_page_token: ParseResult | None
    ) -> dict[str, Any]:
        if next_page_token:
            return super().get_url_params(context, next_page_token)
        assert context is not None  # noqa: S101 - a child always has one
        params = {"meters": context["meter_key"], "order": "earliest_first"}
        start = self.get_starting_timestamp(context)
        if start:
            params["start"] = start.isoformat()
        return params

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        read_at = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        for item in super().parse_response(response):
            yield from rows(item, read_at)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record:
        if context:
            row["commodity"] = context["commodity"]
        return row


class PlainTap(Tap):
    """The plain tap; it takes the settings of the other one that it needs."""

    name = "plain-tap"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("utilityapi_api_token", th.StringType, required=True, secret=True),
        th.Property("utilityapi_base_url", th.StringType, required=True),
    ).to_dict()

    @override
    def discover_streams(self) -> list[UtilityApiStream]:
        return [Meters(self), Intervals(self)]


def rows(item: Mapping[str, Any], read_at: str) -> Iterable[Record]:
    """The rows of an Interval object, oldest first."""
    words = item["base"]["qualities"]
    numbers = item["base"]["meter_numbers"]
    shared = {
        "provider": "utilityapi",
        "meter_key": item["meter_uid"],
        "commodity": None,
        "quality": None,
        "quality_raw": ",".join(words) or None,
        "authorization_id": item["authorization_uid"],
        "connection_id": None,
        "account_id": None,
        "site_id": None,
        "identifiers": None,
        "source_type": ",".join(source["type"] for source in item["sources"]) or None,
        "source_id": item["uid"],
        "source_created_at": micros(item["created"]),
        "source_updated_at": micros(item["updated"]),
        "read_at": read_at,
        "unreadable": None,
    }
    for reading in reversed(item["readings"]):
        start = datetime.fromisoformat(reading["start"])
        end = datetime.fromisoformat(reading["end"])
        offset = start.utcoffset()
        interval_start, interval_end = seconds(start), seconds(end)
        length = int((end - start).total_seconds())
        for point in reading["datapoints"]:
            unit, measure = UNITS[point["unit"]]
            value: Decimal = point["value"]
            yield {
                **shared,
                "channel": f"{point['type']}/{unit}",
                "interval_start": interval_start,
                "interval_end": interval_end,
                "interval_seconds": length,
                "utc_offset_seconds": int(offset.total_seconds()) if offset else None,
                "quantity": value,
                "unit": unit,
                "unit_raw": point["unit"],
                "quantity_normalized": value,
                "unit_normalized": unit,
                "measure": measure,
                "flow": FLOWS.get(point["type"]),
                "meter_number": numbers[0] if len(numbers) == 1 else None,
            }


def commodity(service_class: str) -> str | None:
    """What flows: the last word of the class."""
    return COMMODITIES.get(service_class.rsplit("-", maxsplit=1)[-1])


def seconds(moment: datetime) -> str:
    """`2026-05-27T11:45:00Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(text: str) -> str:
    """`2026-05-27T16:48:25.301699Z`."""
    moment = datetime.fromisoformat(text).astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


if __name__ == "__main__":
    PlainTap.cli()

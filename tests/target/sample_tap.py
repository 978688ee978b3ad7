"""A tap that is not ours, in the manner of the SDK's samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

NEW_YEAR = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
ADDRESS = th.ObjectType(
    th.Property("city", th.StringType),
    th.Property("lines", th.ArrayType(th.StringType)),
)


class People(Stream):
    name = "people"
    primary_keys: ClassVar[Sequence[str]] = ("id",)
    replication_key = "seen"
    schema = th.PropertiesList(
        th.Property("id", th.IntegerType, required=True),
        th.Property("name", th.StringType),
        th.Property("born", th.DateType),
        th.Property("score", th.NumberType),
        th.Property("price", th.CustomType({"type": "number", "multipleOf": 0.01})),
        th.Property("address", ADDRESS),
        th.Property("seen", th.DateTimeType),
    ).to_dict()

    def get_records(self, context: Any) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        for n in range(50):
            yield {
                "id": n,
                "name": f"Person {n}",
                "born": f"1990-01-{n % 28 + 1:02}",
                "score": n / 2,
                "price": n / 100,
                "address": {"city": "Springfield", "lines": [f"{n} Main St"]},
                "seen": (NEW_YEAR + timedelta(days=n)).isoformat(),
            }


class SampleTap(Tap):
    name = "tap-sample"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList().to_dict()

    def discover_streams(self) -> Sequence[Stream]:
        return [People(self)]


if __name__ == "__main__":
    SampleTap.cli()

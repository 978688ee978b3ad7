"""What doctor reckons of a page, whatever is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tap_utility_intervals.providers.utilityapi.doctor import forecast
from tap_utility_intervals.providers.utilityapi.pages import Page, intervals_page
from tests.providers.utilityapi.serving import held, quarter


def test_an_object_that_is_nested_too_deeply_is_left_out() -> None:
    span = {"start": quarter(0), "end": quarter(1)}
    points = [{"type": kind, "unit": "kwh", "value": 1} for kind in ("fwd", "rev")]
    objects = [
        {**held(), "readings": [span | {"datapoints": points}]},
        {**held(), "readings": [span | {"datapoints": "DEEP"}]},
    ]
    deep = "[" * 150 + "]" * 150
    body = json.dumps({"intervals": objects, "next": None}).replace('"DEEP"', deep)

    class Api:
        @staticmethod
        def intervals(*_: object, **__: object) -> Iterator[Page]:
            yield intervals_page(body.encode())

    api: Any = Api
    probe = forecast._first_page(api, "58", allow_mixed=False)
    assert (probe.readings, probe.rows_per_reading) == (1, 2)

"""UtilityAPI, as the contract of all providers tries it: a house is a meter."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from typing_extensions import override

from tap_utility_intervals.sandbox import Sandbox, UtilityMeter, World
from tests.oracle import Row
from tests.providers.contract import NOW, Billed, House, Said, Subject


class UtilityApi(Subject):
    name = "utilityapi"

    @override
    def world(self, *houses: House, now: datetime = NOW) -> World:
        meters = [
            UtilityMeter(
                house.name,
                house.series,
                bills=house.bills,
                zone=house.zone,
                service_identifier=house.service_point,
            )
            for house in houses
        ] + [
            UtilityMeter(self.gas_key(house), house.gas, service_class="res-gas")
            for house in houses
            if house.gas is not None
        ]
        return World(now, meters)

    @override
    def source(self, house: House, stream: str = "intervals") -> str:
        return house.name

    @override
    def power_alone(self, *houses: House) -> Row:
        return {"utilityapi_meters": [house.name for house in houses]}

    @override
    def strike(self, sandbox: Sandbox, house: House, **fault: Any) -> None:
        asked = f"meters=([^&]*,)?{house.name}(,|&|$)"
        sandbox.faults.add(path="/(intervals|bills)$", query=asked, times=None, **fault)

    @override
    def say(self, sandbox: Sandbox, house: House, *said: Said) -> None:
        block = {
            "uid": "block-1",
            "meter_uid": house.name,
            "authorization_uid": "1001",
            "created": "2026-03-20T00:00:00.000000+00:00",
            "updated": "2026-03-20T00:00:00.000000+00:00",
            "base": {"meter_numbers": [], "qualities": []},
            "sources": [],
        }
        rows = ",".join(map(_reading, said))
        shown = f'{json.dumps(block)[:-1]},"readings":[{rows}]}}'
        body = f'{{"intervals":[{shown}],"next":null}}'
        sandbox.faults.add(path="/intervals$", times=None, status=200, body=body)

    @override
    def bill(self, sandbox: Sandbox, house: House, *billed: Billed) -> None:
        bills = [
            {
                "uid": one.name or f"bill-{number}",
                "meter_uid": house.name,
                "updated": "2026-03-20T00:00:00.000000+00:00",
                "base": {
                    "bill_start_date": _midnight(one.first),
                    "bill_end_date": _midnight(one.last),
                    "bill_total_volume": 5,
                    "bill_total_unit": "kwh",
                },
            }
            for number, one in enumerate(billed)
        ]
        body = json.dumps({"bills": bills, "next": None})
        sandbox.faults.add(path="/bills$", times=None, status=200, body=body)


def _reading(said: Said) -> str:
    unit = "" if said.unit is None else f',"unit":{said.unit}'
    point = f'{{"type":"fwd","value":{said.value}{unit}}}'
    return f'{{"start":"{said.start}","end":"{said.end}","datapoints":[{point}]}}'


def _midnight(day: str | None) -> str | None:
    """Local midnight, as the vendor's own example has it."""
    return None if day is None else f"{day}T00:00:00.000000-08:00"


SUBJECT = UtilityApi()

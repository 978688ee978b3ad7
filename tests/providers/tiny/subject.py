"""Tiny, as the contract of all providers tries it: a house is a meter."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from typing_extensions import override

from tap_utility_intervals.sandbox import Sandbox, UtilityMeter, World
from tests.providers.contract import NOW, Billed, House, Said, Subject


class Tiny(Subject):
    name = "tiny"

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
        ]
        return World(now, meters)

    @override
    def source(self, house: House, stream: str = "intervals") -> str:
        return house.name

    @override
    def strike(self, sandbox: Sandbox, house: House, **fault: Any) -> None:
        sandbox.faults.add(path=f"/meters/{house.name}/", times=None, **fault)

    @override
    def say(self, sandbox: Sandbox, house: House, *said: Said) -> None:
        rows = ",".join(map(_reading, said))
        self._answer(sandbox, house, "readings", f'{{"readings":[{rows}]}}')

    @override
    def bill(self, sandbox: Sandbox, house: House, *billed: Billed) -> None:
        bills = [
            {
                "id": f"bill-{number}",
                "first": one.first,
                "last": one.last,
                "amount": 5,
                "updated": "2026-03-20T00:00:00Z",
            }
            for number, one in enumerate(billed)
        ]
        self._answer(sandbox, house, "bills", json.dumps({"bills": bills}))

    @staticmethod
    def _answer(sandbox: Sandbox, house: House, what: str, body: str) -> None:
        path = f"/meters/{house.name}/{what}"
        sandbox.faults.add(path=path, times=None, status=200, body=body)


def _reading(said: Said) -> str:
    unit = "" if said.unit is None else f',"unit":{said.unit}'
    return f'{{"from":"{said.start}","to":"{said.end}","amount":{said.value}{unit}}}'


SUBJECT = Tiny()

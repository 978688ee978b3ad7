"""Nectar, as the contract of all providers tries it.

A house is a company of its own, with one connection and one account: readings are read
by connection, bills by company.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from typing_extensions import override

from tap_utility_intervals.sandbox import (
    Account,
    Company,
    Connection,
    NectarMeter,
    Sandbox,
    Site,
    World,
    identifiers,
    make_uuid,
)
from tests.oracle import Row
from tests.providers.contract import NOW, Billed, House, Said, Subject


class Nectar(Subject):
    name = "nectar"

    @override
    def world(self, *houses: House, now: datetime = NOW) -> World:
        return World(now, (), [_company(house) for house in houses])

    @override
    def source(self, house: House, stream: str = "intervals") -> str:
        return make_uuid("company" if stream == "usage" else "connection", house.name)

    @override
    def power_alone(self, *houses: House) -> Row:
        return {"nectar_datasource_types": ["ELECTRICITY"]}

    @override
    def gas_key(self, house: House) -> str:
        return f"{make_uuid('account', house.name)}:G{house.service_point}"

    @override
    def strike(self, sandbox: Sandbox, house: House, **fault: Any) -> None:
        ids = f"{self.source(house)}|{self.source(house, 'usage')}"
        path = f"/(interval/connection|usage/company)/({ids})"
        sandbox.faults.add(path=path, times=None, **fault)

    @override
    def say(self, sandbox: Sandbox, house: House, *said: Said) -> None:
        self._answer(
            sandbox,
            f"/interval/connection/{self.source(house)}",
            "Intervals",
            [_reading(house, number, one) for number, one in enumerate(said)],
        )

    @override
    def bill(self, sandbox: Sandbox, house: House, *billed: Billed) -> None:
        rows = [
            {
                "id": one.name or f"bill-{number}",
                "created": "2026-03-20T00:00:00Z",
                "updated": "2026-03-20T00:00:00Z",
                "startDate": one.first,
                "endDate": one.last,
                "usage": "5",
                "usageUnits": "kWh",
                "meter": make_uuid("meter", house.name),
            }
            for number, one in enumerate(billed)
        ]
        path = f"/usage/company/{self.source(house, 'usage')}"
        self._answer(sandbox, path, "UsageData", [json.dumps(row) for row in rows])

    @staticmethod
    def _answer(sandbox: Sandbox, path: str, what: str, rows: list[str]) -> None:
        name = what[0].lower() + what[1:]
        body = (
            f'{{"total{what}":{len(rows)},"perPage":100,"totalPages":1,'
            '"currentPage":1,"hasNext":false,"hasPrevious":false,'
            f'"{name}":[{",".join(rows)}]}}'
        )
        sandbox.faults.add(path=path, times=None, status=200, body=body)


def _company(house: House) -> Company:
    site = Site(make_uuid("site", house.name))
    meter = NectarMeter(
        make_uuid("meter", house.name),
        house.series,
        identifiers(house.service_point),
        site.id,
        bills=house.bills,
        zone=house.zone,
    )
    meters = [meter]
    if house.gas is not None:
        names = identifiers(f"G{house.service_point}")
        meters.append(
            NectarMeter(
                make_uuid("gas meter", house.name),
                house.gas,
                names,
                site.id,
                datasource_type="GAS",
            )
        )
    account = Account(make_uuid("account", house.name), f"A-{house.name}", meters)
    connection = Connection(make_uuid("connection", house.name), [account])
    return Company(make_uuid("company", house.name), house.name, [site], [connection])


def _reading(house: House, number: int, said: Said) -> str:
    unit = "" if said.unit is None else f',"usageUnits":{said.unit}'
    return (
        f'{{"id":"i{number}","created":"2026-03-20T00:00:00Z",'
        '"updated":"2026-03-20T00:00:00Z","identifiers":[{"name":"METER",'
        f'"rawName":"No","value":"{house.service_point}"}}],'
        f'"account":"{make_uuid("account", house.name)}","quality":"ACTUAL",'
        f'"start":"{said.start}","end":"{said.end}","usage":{said.value}{unit}}}'
    )


SUBJECT = Nectar()

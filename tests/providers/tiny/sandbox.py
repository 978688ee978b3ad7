"""The sandbox's side of Tiny: UtilityAPI's meters, told in Tiny's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tap_utility_intervals.sandbox.accounts import UtilityMeter, make_uid
from tap_utility_intervals.sandbox.provider import Provider
from tap_utility_intervals.sandbox.readings import local
from tap_utility_intervals.sandbox.rows import BillTruth, MeterTruth, ReadingTruth
from tap_utility_intervals.sandbox.utilityapi import truth
from tap_utility_intervals.sandbox.wire import (
    Answer,
    Refusal,
    Request,
    Verbatim,
    answer,
)
from tap_utility_intervals.sandbox.world import World

PREFIX = "/tiny"
KEY = "sandbox-tiny-key"


class Tiny:
    """Three lists: meters, and a meter's readings and bills."""

    def __init__(self, world: World, key: str) -> None:
        """Serve a world to who has the key."""
        self.world = world
        self.key = key

    def handle(self, request: Request) -> Answer:
        """Answer a request."""
        if request.headers.get("x-tiny-key") != self.key:
            raise Refusal(answer({}, 401))
        match request.path.removeprefix(PREFIX).strip("/").split("/"):
            case ["meters"]:
                return answer({"meters": [self._meter(m) for m in self._meters()]})
            case ["meters", uid, ("readings" | "bills") as what]:
                if uid in {meter.uid for meter in self._meters()}:
                    return answer({what: list(getattr(self, f"_{what}")(uid, request))})
        raise Refusal(answer({}, 404))

    def _meters(self) -> Iterator[UtilityMeter]:
        return filter(self.world.is_there, self.world.utilityapi)

    def _meter(self, meter: UtilityMeter) -> dict[str, str | None]:
        known = meter.series.at(self.world.seconds).readings
        newest = _shown(known[-1].start) if known else None
        return {"id": meter.uid, "point": meter.service_identifier, "newest": newest}

    def _readings(self, uid: str, request: Request) -> Iterator[Any]:
        meter = self.world.meters_by_uid[uid]
        for reading in meter.series.at(self.world.seconds).readings:
            start = _shown(reading.start)
            if start >= (request.get("from") or ""):
                yield {
                    "from": start,
                    "to": _shown(reading.end),
                    "amount": Verbatim(reading.values[0] or "null"),
                    "unit": meter.channels[0].unit,
                }

    def _bills(self, uid: str, _: Request) -> Iterator[Any]:
        meter = self.world.meters_by_uid[uid]
        for known in self.world.collections.bills(meter):
            bill = known.bill
            yield {
                "id": make_uid("bill", uid, bill.number),
                "first": local(bill.start, meter.zone).date().isoformat(),
                "last": local(bill.end, meter.zone).date().isoformat(),
                "amount": Verbatim(bill.volume or "null"),
                "updated": _shown(known.updated),
            }


def _shown(seconds: int) -> str:
    return local(seconds, "UTC").strftime("%Y-%m-%dT%H:%M:%SZ")


def readings(world: World) -> Iterator[ReadingTruth]:
    """Every reading on offer: of each meter the first channel, its point unsaid."""
    for reading in truth.readings(world):
        if reading.type in {None, "net"} and not reading.mixed:
            yield replace(reading, provider="tiny", type=None)


def meters(world: World) -> Iterator[MeterTruth]:
    """Every meter on offer."""
    for meter in truth.meters(world):
        yield replace(meter, provider="tiny")


def bills(world: World) -> Iterator[BillTruth]:
    """Every bill on offer."""
    for bill in truth.bills(world):
        yield replace(bill, provider="tiny")


SANDBOX: Provider = Provider(
    name="tiny",
    title="Tiny",
    prefixes=(PREFIX,),
    credential=KEY,
    api=Tiny,
    headers=lambda key: {"x-tiny-key": key},
    settings=lambda url, key: {"tiny_api_key": key, "tiny_base_url": url},
    readings=readings,
    meters=meters,
    bills=bills,
)

"""Nectar v2, v2.1 and v2.2 over a world: which request gets which answer.

See nectar.md#lists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.nectar import objects
from tap_utility_intervals.sandbox.nectar.bills import BillLists
from tap_utility_intervals.sandbox.nectar.intervals import IntervalLists
from tap_utility_intervals.sandbox.nectar.pages import paged
from tap_utility_intervals.sandbox.nectar.params import (
    authorized,
    below,
    forbidden,
    refuse,
    whole,
)
from tap_utility_intervals.sandbox.nectar.truth import meters_there
from tap_utility_intervals.sandbox.wire import Answer, Request, answer

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import Company, Connection
    from tap_utility_intervals.sandbox.world import World

VERSIONS = ("v2.2", "v2.1", "v2")
MOST_CONNECTIONS = 500


class Nectar:
    """Answers every documented call that a reader may make."""

    def __init__(self, world: World, api_key: str) -> None:
        self.world = world
        self.api_key = api_key
        self.bills = BillLists(world)
        self.intervals = IntervalLists(world)

    def handle(self, request: Request) -> Answer:
        """The answer to a request below `/v2`, `/v2.1` or `/v2.2`."""
        authorized(request, self.api_key)
        if request.method != "GET":
            raise refuse(405, f'Method "{request.method}" not allowed.')
        version, *parts = request.path.strip("/").split("/")
        if parts == ["ping"]:
            return answer({"status": "ok", "version": version})
        resource, *rest = parts
        handlers = {
            "company": self._company,
            "site": self._site,
            "connection": self._connection,
            "meter": self._meter,
            "interval": self._interval,
            "document": self.bills.documents,
            "usage": self.bills.usage,
        }
        if resource not in handlers:
            raise refuse(404, "Not found.")
        if resource in ("document", "usage"):
            return handlers[resource](request, [version, *rest])
        return handlers[resource](request, rest)

    def _company(self, _request: Request, rest: list[str]) -> Answer:
        """A bare array, or one company; nectar.md#lists."""
        if not rest:
            return answer([objects.company(item) for item in self.world.nectar])
        return answer(objects.company(self._owned(rest)))

    def _owned(self, rest: list[str]) -> Company:
        for item in self.world.nectar:
            if rest == [item.id]:
                return item
        raise forbidden()

    def _site(self, _request: Request, rest: list[str]) -> Answer:
        for company in self.world.nectar:
            for site in company.sites:
                if rest == [site.id]:
                    return answer(objects.site(site))
        raise forbidden()

    def _connection(self, request: Request, rest: list[str]) -> Answer:
        options = self.world.nectar_options
        if rest[1:] == ["details"]:
            for owner in self.world.nectar:
                for item in self._connections(owner):
                    if item.id == rest[0]:
                        return answer(objects.connection(item, owner, options))
            raise forbidden()
        owner = self._owned([below(rest, "company")])
        sites = set(request.query.get("sites", ()))
        email = request.get("connectionOwnerEmail")
        shown = [
            objects.connection(item, owner, options)
            for item in self._connections(owner)
            if (not sites or sites & set(item.site_ids))
            and email in (None, objects.EMAIL)
        ]
        if options.connections_as_list:
            return answer(shown)
        size = whole(request, "limit", options.page_size, MOST_CONNECTIONS)
        return paged(request, "connections", shown, options, size=size)

    def _connections(self, owner: Company) -> list[Connection]:
        now = self.world.seconds
        return [item for item in owner.connections if item.life.holds(now)]

    def _meter(self, request: Request, rest: list[str]) -> Answer:
        if rest[:1] == ["company"]:
            if not self.world.nectar_options.meter_list:
                raise refuse(404, "Not found.")
            owner = self._owned([below(rest, "company")])
            mine = {item.id for item in self._connections(owner)}
            shown = [
                objects.meter(meter, account)
                for connection, account, meter in meters_there(self.world)
                if connection.id in mine
            ]
            return paged(request, "meters", shown, self.world.nectar_options)
        for _, account, meter in meters_there(self.world):
            if rest == [meter.id]:
                return answer(objects.meter(meter, account))
        raise forbidden()

    def _interval(self, request: Request, rest: list[str]) -> Answer:
        item = self.world.connections.get(below(rest, "connection"))
        if item is None or not item.life.holds(self.world.seconds):
            raise forbidden()
        return self.intervals.answer(request, item)

"""UtilityAPI v2 over a world: which request gets which answer.

See utilityapi.md#authentication and utilityapi.md#endpoints.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_utility_intervals.sandbox.collecting import Event
from tap_utility_intervals.sandbox.utilityapi import files, objects, papers
from tap_utility_intervals.sandbox.utilityapi.blocks import Blocks
from tap_utility_intervals.sandbox.utilityapi.intervals import IntervalList
from tap_utility_intervals.sandbox.utilityapi.params import (
    authorized,
    filters,
    flag,
    integer,
    missing,
    next_member,
    order,
    refuse,
    span,
)
from tap_utility_intervals.sandbox.utilityapi.posts import post
from tap_utility_intervals.sandbox.wire import Answer, Request, Verbatim, answer, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_utility_intervals.sandbox.accounts import Authorization, UtilityMeter
    from tap_utility_intervals.sandbox.bills import Known
    from tap_utility_intervals.sandbox.world import World

PREFIX = "/api/v2"
KEPT_LISTS = 64
Made = Callable[[], object]


@dataclass
class Listing:
    """A list of uids and how to make each object, with a place for every uid."""

    uids: list[str]
    makers: list[Made]

    def __post_init__(self) -> None:
        """Index the uids, so that `after` costs nothing."""
        self.places = {uid: place for place, uid in enumerate(self.uids)}


class UtilityApi:
    """Answers every documented call of a reader, and the two that collect."""

    def __init__(self, world: World, token: str) -> None:
        self.world = world
        self.token = token
        self.blocks = Blocks(world)
        self.intervals = IntervalList(world, self.blocks)
        self._lists: OrderedDict[object, Listing] = OrderedDict()
        self._built_files: set[str] = set()
        self._version = world.version

    def _forget(self) -> None:
        self._version = self.world.version
        self.blocks.forget()
        self.intervals.forget()
        self._lists.clear()

    def handle(self, request: Request) -> Answer:
        """The answer to a request below `/api/v2`."""
        authorized(request, self.token)
        if self._version != self.world.version:
            self._forget()
        parts = request.path[len(PREFIX) :].strip("/").split("/")
        if request.method == "POST":
            return post(self.world, request, parts)
        if request.method != "GET":
            raise refuse(405, "invalid_param", "Not in the sandbox.")
        if parts == ["intervals"]:
            return self.intervals.answer(request)
        if parts[0] == "files":
            return self._file(request)
        if parts[0] == "accounting" and len(parts) > 1:
            return self._collection(request, parts[1].replace("-", "_"), parts[2:])
        return self._collection(request, parts[0], parts[1:])

    def _collection(self, request: Request, name: str, rest: list[str]) -> Answer:
        lists = {
            "authorizations": self._authorizations,
            "meters": self._meters,
            "bills": self._bills,
            "events": self._events,
            "billing_accounts": self._billing_accounts,
            "billing_summaries": self._billing_summaries,
        }
        if name not in lists or len(rest) > 1:
            raise missing()
        key = (name, *filters(request))
        if key not in self._lists:
            self._lists[key] = lists[name](request)
            while len(self._lists) > KEPT_LISTS:
                self._lists.popitem(last=False)
        listing = self._lists[key]
        if rest:
            return self._single(listing, name, rest[0])
        return self._page(request, listing, name)

    def _single(self, listing: Listing, name: str, uid: str) -> Answer:
        if uid not in listing.places:
            raise missing()
        made = listing.makers[listing.places[uid]]()
        if name == "meters":
            self.world.collections.read([self.world.meters_by_uid[uid]])
        return answer(made)

    def _page(self, request: Request, listing: Listing, name: str) -> Answer:
        options = self.world.utilityapi_options
        size = options.bill_limit if name == "bills" else options.page_size
        cap = options.max_limit if name == "bills" else options.page_size
        limit = min(integer(request, "limit", size), cap)
        first, after = 0, request.get("after")
        if after is not None:
            if after not in listing.places:
                raise refuse(400, "invalid_param", "The after object does not exist.")
            first = listing.places[after] + 1
        last = first + limit
        made = [encode(maker()) for maker in listing.makers[first:last]]
        uids = listing.uids[first:last]
        if name == "meters":
            self.world.collections.read(self.world.meters_by_uid[uid] for uid in uids)
        after = uids[-1] if last < len(listing.uids) else None
        follow = next_member(request, after, options.next_link)
        body = f'{{{follow}"{name}":[{",".join(made)}]}}'
        return Answer(200, [body.encode()], cacheable=True)

    def _authorizations(self, request: Request) -> Listing:
        found = [
            item
            for item in self.world.authorizations
            if item.created <= self.world.seconds and self._chosen(request, item)
        ]
        found.sort(key=lambda item: (-item.created, item.uid))
        return Listing(
            [item.uid for item in found],
            [lambda item=item: self._authorization(request, item) for item in found],  # type: ignore[misc]
        )

    def _chosen(self, request: Request, item: Authorization) -> bool:
        shown = objects.authorization(self.world, item)
        flags = ("archived", "declined", "test", "revoked", "expired")
        return (
            _listed(item.uid, request.names("uids"))
            and _listed(item.utility, request.names("utility"))
            and _listed("5001", request.names("forms"))
            and _listed("77", request.names("users"))
            and request.names("templates") is None
            and _any_listed(item.referrals, request.names("referrals"))
            and all(
                flag(request, f"is_{name}") in (None, shown[f"is_{name}"])
                for name in flags
            )
        )

    def _authorization(self, request: Request, item: Authorization) -> object:
        shown = objects.authorization(self.world, item)
        if request.get("include") == "meters":
            mine = self._there(self.world.meters_by_authorization.get(item.uid, []))
            size = self.world.utilityapi_options.page_size
            made = [self._meter(request, meter) for meter in mine[:size]]
            follow = None
            if len(mine) > size:
                query = urlencode(
                    {"authorizations": item.uid, "after": mine[size - 1].uid}
                )
                follow = f"{request.origin}{PREFIX}/meters?{query}"
            shown["meters"] = {"meters": made, "next": follow}
        return shown

    def _meters(self, request: Request) -> Listing:
        wanted = {
            "activated": flag(request, "is_activated"),
            "archived": flag(request, "is_archived"),
            "monitored": flag(request, "is_monitored"),
        }
        found = [
            item
            for item in self._there(self.world.utilityapi)
            if _listed(item.uid, request.names("uids"))
            and _listed(item.authorization_uid, request.names("authorizations"))
            and _listed(item.utility, request.names("utility"))
            and _listed("77", request.names("users"))
            and self._has(item, wanted)
        ]
        return Listing(
            [item.uid for item in found],
            [lambda item=item: self._meter(request, item) for item in found],  # type: ignore[misc]
        )

    def _has(self, item: UtilityMeter, wanted: dict[str, bool | None]) -> bool:
        state = self.world.collections.state(item)
        facts = {
            "activated": self.world.collections.activated(item),
            "archived": item.archived,
            "monitored": state.monitoring != "off",
        }
        return all(wanted[name] in (None, fact) for name, fact in facts.items())

    def _meter(self, request: Request, item: UtilityMeter) -> object:
        if flag(request, "expand_meter_blocks"):
            item = replace(item, expanded=True)
        shown = objects.meter(self.world, item)
        return Verbatim(json.dumps(shown))  # there may be very many

    def _there(self, meters: Sequence[UtilityMeter]) -> list[UtilityMeter]:
        """Those of the meters that can be seen, newest `created` first."""
        found = [item for item in meters if self.world.is_there(item)]
        return sorted(found, key=lambda item: (-item.created, item.uid))

    def _bills(self, request: Request) -> Listing:
        found: list[tuple[UtilityMeter, Known]] = []
        lag = self.world.utilityapi_options.lead_seconds
        for item in self.intervals.asked(request):
            start, end = span(request, item.zone)
            found += [
                (item, known)
                for known in self.world.collections.bills(item, lag=lag)
                if (start is None or known.bill.start >= start)
                and (end is None or known.bill.end <= end)
            ]
        found.sort(
            key=lambda pair: (pair[1].bill.start, pair[0].uid, pair[1].bill.number),
            reverse=order(request) == "latest_first",
        )
        return Listing(
            [papers.bill_uid(*pair) for pair in found],
            [lambda pair=pair: papers.bill(*pair) for pair in found],  # type: ignore[misc]
        )

    def _events(self, request: Request) -> Listing:
        created = [
            Event(m.created, "meter_created", m.uid)
            for m in self._there(self.world.utilityapi)
        ]
        there = {item.uid for item in self._there(self.world.utilityapi)}
        told = [e for e in self.world.collections.events if e.meter_uid in there]
        found = sorted([*created, *told], reverse=True)
        if flag(request, "is_delivered") is False:
            found = []
        shown = [papers.event(item, self.world) for item in found]
        return _ready(shown)

    def _billing_accounts(self, request: Request) -> Listing:
        return _ready(
            [
                papers.billing_account(self.world, uid, meters)
                for uid, meters in self._accounts(request)
            ],
            request.names("uids"),
        )

    def _billing_summaries(self, request: Request) -> Listing:
        shown = [
            papers.billing_summary(uid, meters, known)
            for uid, meters in self._accounts(request)
            for known in reversed(self.world.collections.bills(meters[0]))
        ]
        accounts = request.names("billing_accounts")
        kept = [s for s in shown if _listed(str(s["billing_account_uid"]), accounts)]
        return _ready(kept, request.names("uids"))

    def _accounts(self, request: Request) -> list[tuple[str, list[UtilityMeter]]]:
        groups: dict[str, list[UtilityMeter]] = {}
        for item in self._there(self.world.utilityapi):
            groups.setdefault(item.authorization_uid, []).append(item)
        wanted = request.names("meters")
        return [
            (uid, meters)
            for uid, meters in groups.items()
            if _listed(uid, request.names("authorizations"))
            and (wanted is None or any(item.uid in wanted for item in meters))
        ]

    def _file(self, request: Request) -> Answer:
        """Built on demand: at first "come back later".

        See utilityapi.md#statuses and utilityapi.md#files.
        """
        name = request.path[len(PREFIX) :].removeprefix("/files/")
        if name not in files.TABLES:
            raise missing()
        if name not in self._built_files:
            self._built_files.add(name)
            return Answer(202, [], {"Retry-After": "1"}, content_type="text/plain")
        text = files.TABLES[name](self.world, self.intervals.asked(request))
        return Answer(200, [text.encode()], content_type="text/csv")


def _listed(value: str, wanted: list[str] | None) -> bool:
    return wanted is None or value in wanted


def _any_listed(values: Sequence[str], wanted: list[str] | None) -> bool:
    return wanted is None or any(value in wanted for value in values)


def _ready(shown: Sequence[objects.Json], uids: list[str] | None = None) -> Listing:
    kept = [item for item in shown if _listed(str(item["uid"]), uids)]
    return Listing(
        [str(item["uid"]) for item in kept],
        [lambda item=item: item for item in kept],  # type: ignore[misc]
    )

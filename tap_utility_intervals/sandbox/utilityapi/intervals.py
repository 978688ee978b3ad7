"""`GET /intervals`: choosing, cutting and paging Interval objects.

See utilityapi.md#time-filters.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.utilityapi.blocks import key_of
from tap_utility_intervals.sandbox.utilityapi.objects import interval_head
from tap_utility_intervals.sandbox.utilityapi.params import (
    filters,
    flag,
    gone,
    integer,
    next_member,
    order,
    refuse,
    span,
)
from tap_utility_intervals.sandbox.wire import Answer, Chunk, encode

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import UtilityMeter
    from tap_utility_intervals.sandbox.utilityapi.blocks import Block, Blocks
    from tap_utility_intervals.sandbox.wire import Request
    from tap_utility_intervals.sandbox.world import World

KEPT_LISTS = 256


@dataclass(frozen=True)
class Found:
    """The objects that a set of filters gives, and their keys in rising order."""

    blocks: list[Block]
    keys: list[tuple[int, str, int]]


class IntervalList:
    """The list of Interval objects that each set of filters gives."""

    def __init__(self, world: World, blocks: Blocks) -> None:
        self.world = world
        self.blocks = blocks
        self._found: OrderedDict[object, Found] = OrderedDict()

    def forget(self) -> None:
        """Drop what was found before the world changed."""
        self._found.clear()

    def answer(self, request: Request) -> Answer:
        """One page of Interval objects."""
        options = self.world.utilityapi_options
        limit = min(
            integer(request, "limit", options.interval_limit), options.max_limit
        )
        found = self._blocks(request)
        first = self._first(request, found)
        page = found.blocks[first : first + limit]
        last = page[-1].uid if first + limit < len(found.blocks) else None
        chunks: list[Chunk] = [b'{"intervals":[']
        for number, block in enumerate(page):
            head = encode(interval_head(block))[:-1]
            chunks += [
                f'{"," if number else ""}{head},"readings":['.encode(),
                block.readings,
                b"]}",
            ]
        incomplete = encode(options.incomplete)
        follow = next_member(request, last, options.next_link)
        chunks.append(f'],{follow}"is_incomplete":{incomplete}}}'.encode())
        return Answer(200, _joined(chunks), cacheable=True)

    def asked(self, request: Request) -> list[UtilityMeter]:
        """The meters that `meters` and `authorizations` name; one must be sent."""
        uids, owners = request.names("meters"), request.names("authorizations")
        if not {"meters", "authorizations"} & set(request.whole_query):
            text = "Send meters or authorizations."
            raise refuse(400, "required_param_missing", text)
        if uids is None and owners is None:  # a fault hides them
            meters = list(self.world.utilityapi)
        elif uids is None:
            known = self.world.meters_by_authorization
            meters = [
                m for owner in dict.fromkeys(owners or ()) for m in known.get(owner, ())
            ]
        else:
            named = self.world.meters_by_uid
            meters = [named[uid] for uid in dict.fromkeys(uids) if uid in named]
        there = [m for m in meters if self.world.is_there(m)]
        status = self.world.utilityapi_options.unknown_meter_status
        if uids is not None and len(there) < len(set(uids)) and status != HTTPStatus.OK:
            raise gone(status, "Some meters do not exist.")
        return [m for m in there if owners is None or m.authorization_uid in owners]

    def _blocks(self, request: Request) -> Found:
        key = filters(request)
        if key not in self._found:
            self._found[key] = self._find(request)
            while len(self._found) > KEPT_LISTS:
                self._found.popitem(last=False)
        return self._found[key]

    def _find(self, request: Request) -> Found:
        mixed = flag(request, "allow_mixed") or False
        newest_first = order(request) == "latest_first"
        found: list[Block] = []
        for meter in self.asked(request):
            start, end = span(request, meter.zone)
            blocks = self.blocks.of(meter, mixed=mixed)
            found += (
                self._filtered(blocks, start, end)
                if start is not None or end is not None
                else blocks
            )
        by = self.world.utilityapi_options.block_order
        found.sort(key=lambda block: (_rank(block, by), block.key))
        keys = [block.key for block in found]
        return Found(found[::-1] if newest_first else found, keys)

    def _filtered(
        self, blocks: list[Block], start: int | None, end: int | None
    ) -> list[Block]:
        """The three readings of `start` and `end` that the documents allow."""
        low = -(10**12) if start is None else start
        high = 10**12 if end is None else end
        how = self.world.utilityapi_options.filter
        if how == "contain":
            return [b for b in blocks if b.part.oldest >= low and b.part.newest <= high]
        touching = [b for b in blocks if b.part.oldest < high and b.part.newest > low]
        if how == "overlap":
            return touching
        cut = [replace(b, places=b.part.between(start, end)) for b in touching]
        return [block for block in cut if block.places]

    def _first(self, request: Request, found: Found) -> int:
        """Where the page begins; the object named by `after` may have moved on."""
        after = request.get("after")
        if after is None:
            return 0
        key = key_of(after)
        options = self.world.utilityapi_options
        if options.block_order != "start":
            uids = [block.uid for block in found.blocks]
            if after not in uids:
                raise gone(options.dead_cursor_status, "after does not exist.")
            return uids.index(after) + 1
        if key is None:
            raise refuse(400, "invalid_param", "after is not the uid of an Interval.")
        if order(request) == "latest_first":
            place = len(found.keys) - bisect_left(found.keys, key)
        else:
            place = bisect_right(found.keys, key)
        lives = place > 0 and found.blocks[place - 1].uid == after
        if not lives and options.cursors_die:
            raise gone(options.dead_cursor_status, "after does not exist.")
        return place


def _rank(block: Block, by: str) -> int:
    """By what Interval objects are ordered; the documents do not say it."""
    part = block.part
    ranks = {"end": part.newest, "created": part.created, "updated": part.updated}
    return ranks.get(by, part.oldest)


def _joined(chunks: list[Chunk]) -> list[Chunk]:
    """Small neighbours as one, so that each is compressed once."""
    joined: list[Chunk] = []
    for chunk in chunks:
        if joined and isinstance(chunk, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += chunk
        else:
            joined.append(chunk)
    return joined

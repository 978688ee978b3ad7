"""Accounts that several connections share: their readings come once, the newest.

Two logins at a utility may show one account; Nectar then lists it, under one id, in two
connections, and each has its intervals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain

from tap_utility_intervals.floor.records import IntervalRecord
from tap_utility_intervals.providers.base import Event, Rows
from tap_utility_intervals.providers.nectar.listing import Connection
from tap_utility_intervals.providers.nectar.mapping.intervals import newer

ROWS_AT_ONCE = 5_000
"""In one event: large enough to cost nothing a row, small enough to wait in memory."""


def groups(connections: Iterable[Connection]) -> list[list[Connection]]:
    """Connections in their order; those that share an account stand together."""
    by_account: dict[str, list[Connection]] = {}
    found: list[list[Connection]] = []
    for connection in connections:
        others = {id(one): one for one in map(by_account.get, connection.account_ids)}
        joined = [one for one in others.values() if one is not None]
        group = [*chain.from_iterable(joined), connection]
        for one in joined:
            one.clear()  # it is part of this one now
        by_account |= dict.fromkeys(_accounts(group), group)
        found.append(group)
    return [group for group in found if group]


def accounts(group: Iterable[Connection]) -> set[str]:
    """The accounts that more than one connection of a group has."""
    return {one for one, count in Counter(_accounts(group)).items() if count > 1}


def merged(events: Iterable[Event], accounts: AbstractSet[str]) -> Iterator[Event]:
    """The events of a group: of readings with one key the newest alone.

    Readings of shared accounts are held until all are read, and with them the
    bookmarks, so what is interrupted meanwhile begins again.
    """
    shared = {None, *accounts}  # not every row names its account
    held: dict[tuple[object, ...], IntervalRecord] = {}
    rest: list[Event] = []
    for event in events:
        if isinstance(event, Rows):
            yield Rows([row for row in event.rows if not _hold(row, shared, held)])
        else:
            rest.append(event)
    rows = sorted(held.values(), key=lambda row: (row.interval_start, row.meter_key))
    yield from in_events(rows)
    yield from rest


def in_events(rows: Sequence[IntervalRecord]) -> Iterator[Rows]:
    """Rows in their order, not too many in one event."""
    for first in range(0, len(rows), ROWS_AT_ONCE):
        yield Rows(rows[first : first + ROWS_AT_ONCE])


def _hold(
    row: object,
    shared: AbstractSet[str | None],
    held: dict[tuple[object, ...], IntervalRecord],
) -> bool:
    """Keep a row that may be of a shared account, if it is the newest of its key."""
    if not isinstance(row, IntervalRecord) or row.account_id not in shared:
        return False
    key = row.meter_key, row.channel, row.interval_start, row.interval_end
    if key not in held or newer(row, held[key]):
        held[key] = row
    return True


def _accounts(group: Iterable[Connection]) -> list[str]:
    return [account for connection in group for account in connection.account_ids]

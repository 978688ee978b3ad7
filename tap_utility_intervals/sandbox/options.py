"""How the vendors behave where their documents are silent, or when they misbehave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tap_utility_intervals.sandbox.readings import TimeForm


@dataclass
class UtilityOptions:
    """How UtilityAPI behaves where its documents are silent.

    See utilityapi.md#known-oddities.

    `status_moves`: whether a meter's `status_ts` moves with every change of its data,
    only when data are added (a restatement is silent), or never; utilityapi.md#meter.
    `lead_seconds`: by how much the meters' list is ahead of `/intervals` and `/bills`.
    `block_order`: by which of their times Interval objects are ordered.
    `next_link`: how `next` is spelled: a complete URL as documented, one with another
    scheme or another name of the host, a path, a query alone, or no such key.
    """

    page_size: int = 1_000
    bill_limit: int = 100
    interval_limit: int = 5
    max_limit: int = 1_000
    filter: Literal["cut", "contain", "overlap"] = "cut"
    cursors_die: bool = False
    dead_cursor_status: int = 404
    unknown_meter_status: int = 200
    incomplete: bool = False
    balance: bool = True
    status_moves: Literal["data", "growth", "never"] = "data"
    collection_reads: int = 3
    collection_seconds: int = 900
    lead_seconds: int = 0
    block_order: Literal["start", "end", "created", "updated"] = "start"
    next_link: Literal["url", "scheme", "host", "path", "query", "missing"] = "url"
    times: TimeForm = "usual"


@dataclass
class NectarOptions:
    """How Nectar behaves where its documents are silent; nectar.md#known-oddities.

    `most_counted` caps the totals of lists, `most_pages` the pages that can be read.
    """

    page_size: int = 100
    order: Literal["start", "created", "shuffled"] = "start"
    local_times: bool = False
    naive_stamps: bool = False
    bare_numbers: bool = False
    connections_as_list: bool = False
    meter_list: bool = True
    repeat_every: int = 0
    count_repeats: bool = True
    deleted_only: bool = False
    most_counted: int | None = None
    most_pages: int | None = None
    times: TimeForm = "usual"

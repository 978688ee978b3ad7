"""How the vendors behave where their documents are silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class UtilityOptions:
    """How UtilityAPI behaves where its documents are silent; facts §9.

    `status_moves`: whether a meter's `status_ts` moves with every change of its data,
    only when data are added (a restatement is silent), or never; facts §5.2.
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


@dataclass
class NectarOptions:
    """How Nectar behaves where its documents are silent; facts §8."""

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

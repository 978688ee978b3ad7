"""Servers that answer in good health and are wrong: what they do, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tap_utility_intervals.sandbox import Sandbox

HOUR = 3_600
ALL = {"interval_count": None, "interval_coverage": None, "bill_count": None}


@dataclass(frozen=True)
class Odd:
    """A fault that lasts, or an option of the world, and what the tap is set to."""

    provider: str
    fault: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @contextmanager
    def here(self, sandbox: Sandbox) -> Iterator[None]:
        """The server is odd for so long."""
        chosen = getattr(sandbox.world, f"{self.provider}_options")
        before = {name: getattr(chosen, name) for name in self.options}
        for name, value in self.options.items():
            setattr(chosen, name, value)
        sandbox.world.changed()
        if self.fault:
            sandbox.faults.add(provider=self.provider, times=None, **self.fault)
        try:
            yield
        finally:
            sandbox.faults.clear()
            for name, value in before.items():
                setattr(chosen, name, value)
            sandbox.world.changed()


def _unread(provider: str, name: str, **settings: Any) -> Odd:
    query = rf"(^|&){name}="
    fault = {"kind": "ignore", "parameters": [name], "query": query}
    return Odd(provider, fault, settings=settings)


def _listed(**members: Any) -> Odd:
    fault = {"kind": "change", "path": "/meters$", "each": "meters"}
    return Odd("utilityapi", {**fault, "members": members})


def _thin(provider: str, path: str, each: str) -> Odd:
    return Odd(provider, {"kind": "thin", "path": path, "each": each})


def _set(provider: str, **options: Any) -> Odd:
    return Odd(provider, options=options)


def _quick(provider: str, kind: str, path: str, **more: Any) -> Odd:
    settings = {"request_timeout": 0.2, "max_retries": 0}
    return Odd(provider, {"kind": kind, "path": path, **more}, settings=settings)


ODDITIES: dict[str, Odd] = {
    "UtilityAPI does not read `start`": _unread("utilityapi", "start"),
    "… `end`": _unread("utilityapi", "end", end_date="2026-03-18"),
    "… `meters`": _unread("utilityapi", "meters"),
    "… `uids`": _unread("utilityapi", "uids", utilityapi_meters=["101"]),
    "… `authorizations`": _unread(
        "utilityapi", "authorizations", utilityapi_authorizations=["1001"]
    ),
    "… `allow_mixed`": _unread(
        "utilityapi", "allow_mixed", utilityapi_allow_mixed=True
    ),
    "… `order`": _unread("utilityapi", "order"),
    "… `limit`": _unread("utilityapi", "limit"),
    "… `after`": _unread("utilityapi", "after"),
    "counts and coverage are null": _listed(**ALL),
    "counts are words": _listed(interval_count="many", bill_count="many"),
    "counts are one too many": _listed(interval_count="+1", bill_count="+1"),
    "half of the readings is withheld": _thin(
        "utilityapi", "/intervals$", "intervals.readings"
    ),
    "half of the bills is withheld": _thin("utilityapi", "/bills$", "bills"),
    "the meters' list is 10 hours ahead": _set("utilityapi", lead_seconds=10 * HOUR),
    "the meters' list is 3 days ahead": _set("utilityapi", lead_seconds=72 * HOUR),
    "blocks by `end`": _set("utilityapi", block_order="end"),
    "blocks by `created`": _set("utilityapi", block_order="created"),
    "blocks by `updated`": _set("utilityapi", block_order="updated"),
    "times without a zone": _set("utilityapi", times="naive"),
    "times as `10:00:00+00`": _set("utilityapi", times="hours"),
    "times in the basic form": _set("utilityapi", times="basic"),
    "times with a comma": _set("utilityapi", times="comma"),
    "the hour 24": _set("utilityapi", times="midnight24"),
    "`next` with another scheme": _set("utilityapi", next_link="scheme"),
    "`next` with another name of the host": _set("utilityapi", next_link="host"),
    "`next` as a path": _set("utilityapi", next_link="path"),
    "`next` as a query": _set("utilityapi", next_link="query"),
    "no `next` at the end": _set("utilityapi", next_link="missing"),
    "UtilityAPI is mute at one meter": _quick(
        "utilityapi", "mute", "/intervals$", query="meters=[^&]*101"
    ),
    "Nectar does not read `startDate`": _unread("nectar", "startDate"),
    "… `endDate`": _unread("nectar", "endDate", window_days=3),
    "… `datasourceType`": _unread(
        "nectar", "datasourceType", nectar_datasource_types=["GAS"]
    ),
    "… `dateType`": _unread("nectar", "dateType"),
    "… `page`": _unread("nectar", "page"),
    "dates are read 8 hours off": Odd(
        "nectar",
        {"kind": "shift", "parameters": ["startDate", "endDate"], "seconds": 8 * HOUR},
        settings={"window_days": 3},
    ),
    "totals end at 150": _set("nectar", most_counted=150),
    "pages end at 10": _set("nectar", most_pages=10),
    "totals and pages end at 150 and 10": _set(
        "nectar", most_counted=150, most_pages=10
    ),
    "half of the intervals is withheld": _thin("nectar", "/interval/", "intervals"),
    "half of the usage is withheld": _thin("nectar", "/usage/", "usageData"),
    "Nectar's times without a zone": _set("nectar", times="naive"),
    "… as `10:00:00+00`": _set("nectar", times="hours"),
    "… in the basic form": _set("nectar", times="basic"),
    "… with a comma": _set("nectar", times="comma"),
    "… with the hour 24": _set("nectar", times="midnight24"),
    "Nectar is mute at one connection": _quick("nectar", "mute", "/interval/"),
}

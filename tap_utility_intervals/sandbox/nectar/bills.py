"""`GET /document/...` and `GET /usage/...`; nectar.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import make_uuid
from tap_utility_intervals.sandbox.bills import known_bills
from tap_utility_intervals.sandbox.nectar.pages import ordered, paged
from tap_utility_intervals.sandbox.nectar.papers import (
    Paper,
    document,
    document_summary,
    usage_rows,
)
from tap_utility_intervals.sandbox.nectar.params import (
    MeterFilter,
    below,
    boolean,
    date_type,
    day,
    forbidden,
)
from tap_utility_intervals.sandbox.nectar.truth import meters_there
from tap_utility_intervals.sandbox.readings import stamp
from tap_utility_intervals.sandbox.wire import answer, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_utility_intervals.sandbox.accounts import Site
    from tap_utility_intervals.sandbox.nectar.objects import Json
    from tap_utility_intervals.sandbox.wire import Answer, Request
    from tap_utility_intervals.sandbox.world import World


class BillLists:
    """Documents and their usage rows under every parent that the API knows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._reads = 0

    def documents(self, request: Request, rest: list[str]) -> Answer:
        """Documents of a company, site or connection, or a single one."""
        version, *rest = rest
        self._reads += 1
        if len(rest) == 1:
            for paper in self._papers(deleted=True):
                if paper.id == rest[0]:
                    return answer(self._document(paper, version))
            raise forbidden()
        papers = self._chosen(request, rest, deleted=boolean(request, "isDeleted"))
        return paged(
            request,
            "documents",
            papers,
            self.world.nectar_options,
            lambda paper: encode(self._document(paper, version)),
        )

    def usage(self, request: Request, rest: list[str]) -> Answer:
        """Usage rows of a company, site, connection or document, or a single one."""
        version, *rest = rest
        self._reads += 1
        if len(rest) == 1:
            for paper in self._papers():
                for row in self._usage(paper, version):
                    if row["id"] == rest[0]:
                        return answer(row)
            raise forbidden()
        rows = [
            row
            for paper in self._chosen(request, rest, deleted=False)
            for row in self._usage(paper, version)
        ]
        return paged(request, "usageData", rows, self.world.nectar_options)

    def _papers(self, *, deleted: bool = False) -> list[Paper]:
        owners = {
            connection.id: company.id
            for company in reversed(self.world.nectar)
            for connection in company.connections
        }
        found = []
        for connection, _, meter in meters_there(self.world):
            known = known_bills(meter.bills, self.world.seconds)
            newer = {
                k.bill.revises: make_uuid("document", meter.id, k.bill.number)
                for k in known
                if not k.withdrawn
            }
            found += [
                Paper(
                    meter,
                    item,
                    connection,
                    owners[connection.id],
                    self._site(meter.site_id),
                    newer.get(item.bill.number),
                )
                for item in known
                if deleted or not item.withdrawn
            ]
        return found

    def _chosen(
        self, request: Request, rest: list[str], *, deleted: bool
    ) -> list[Paper]:
        belongs, passes = self._below(rest), MeterFilter(request)
        in_range = inside(request)
        options = self.world.nectar_options
        found = [
            paper
            for paper in self._papers(deleted=deleted)
            if belongs(paper) and passes(paper.meter) and in_range(paper)
        ]
        if deleted and options.deleted_only:
            found = [paper for paper in found if paper.known.withdrawn]
        return ordered(
            found,
            request,
            options,
            lambda paper: (paper.known.bill.start, paper.known.created, paper.id),
        )

    def _below(self, rest: list[str]) -> Callable[[Paper], bool]:
        """Whether a document belongs to the parent that the path names."""
        name = below(rest, "company", "site", "connection", "document")
        company = next((c for c in self.world.nectar if c.id == name), None)
        mine = {c.id for c in company.connections} if company else set()
        there = {
            "company": company is not None,
            "site": self._site(name) is not None,
            "connection": name in self.world.connections,
            "document": any(paper.id == name for paper in self._papers()),
        }
        if not there[rest[0]]:
            raise forbidden()
        belongs: dict[str, Callable[[Paper], bool]] = {
            "company": lambda paper: paper.connection.id in mine,
            "site": lambda paper: paper.meter.site_id == name,
            "connection": lambda paper: paper.connection.id == name,
            "document": lambda paper: paper.id == name,
        }
        return belongs[rest[0]]

    def _document(self, paper: Paper, version: str) -> Json:
        return document(paper, version, self.world.nectar_options, self._reads)

    def _usage(self, paper: Paper, version: str) -> list[Json]:
        options = self.world.nectar_options
        whole = document_summary(paper, options, self._reads)
        return [
            {**row, "document": whole} for row in usage_rows(paper, version, options)
        ]

    def _site(self, name: str) -> Site | None:
        for company in self.world.nectar:
            for site in company.sites:
                if site.id == name:
                    return site
        return None


def inside(request: Request) -> Callable[[Paper], bool]:
    """Whether a document is in range with its excluded end day.

    See nectar.md#filters-of-bills,.
    """
    start, end, kind = (
        day(request, "startDate"),
        day(request, "endDate"),
        date_type(request),
    )

    def passes(paper: Paper) -> bool:
        """Compare texts of one form: dates, or times of the database's clock."""
        if kind == "USAGE_PERIOD":
            return _within(start, paper.end_date) and _within(paper.start_date, end)
        if kind == "BILL_DATE":
            return _within(start, paper.end_date) and _within(paper.end_date, end)
        known = paper.known
        seconds = known.created if kind == "CREATED_DATE" else known.updated
        moment = stamp(seconds).isoformat()
        midnight = None if end is None else f"{end}T00:00:00+00:00"
        return _within(start, moment) and _within(moment, midnight)

    return passes


def _within(low: str | None, high: str | None) -> bool:
    return low is None or high is None or low <= high

"""`GET /document/...` and `GET /usage/...`; facts §2.3, §3.7 to §3.9 and §4."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from . import nectar_objects as objects
from .bills import known_bills
from .nectar_pages import ordered, paged
from .nectar_params import (
    MeterFilter,
    boolean,
    date_type,
    day,
    forbidden,
    refuse,
)
from .readings import stamp
from .truth import nectar_meters
from .wire import answer, encode
from .world import make_uuid


if TYPE_CHECKING:
    from collections.abc import Callable

    from .bills import Known
    from .wire import Answer, Request
    from .world import Connection, NectarMeter, Site, World


@dataclass(frozen=True)
class Paper:
    """A bill as a document."""

    id: str
    connection: Connection
    meter: NectarMeter
    known: Known
    replaced_by: str | None


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
        size = self.world.nectar_options.page_size
        return paged(
            request,
            "documents",
            papers,
            size,
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
        return paged(request, "usageData", rows, self.world.nectar_options.page_size)

    def _papers(self, *, deleted: bool = False) -> list[Paper]:
        found = []
        for connection, _, meter in nectar_meters(self.world):
            known = known_bills(meter.bills, self.world.seconds)
            replaced = {
                k.bill.revises: make_uuid("document", meter.id, k.bill.number)
                for k in known
                if not k.withdrawn
            }
            found += [
                Paper(
                    make_uuid("document", meter.id, item.bill.number),
                    connection,
                    meter,
                    item,
                    replaced.get(item.bill.number),
                )
                for item in known
                if deleted or not item.withdrawn
            ]
        return found

    def _chosen(
        self, request: Request, rest: list[str], *, deleted: bool
    ) -> list[Paper]:
        below, passes = self._below(rest), MeterFilter(request)
        inside = self._inside(request)
        options = self.world.nectar_options
        found = [
            paper
            for paper in self._papers(deleted=deleted)
            if below(paper) and passes(paper.meter) and inside(paper)
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
        if len(rest) != 2:
            raise refuse(404, "Not found.")
        parent, name = rest
        if parent == "company":
            for company in self.world.nectar:
                if company.id == name:
                    mine = {connection.id for connection in company.connections}
                    return lambda paper: paper.connection.id in mine
            raise forbidden()
        if parent == "site" and self._site(name) is not None:
            return lambda paper: paper.meter.site_id == name
        if parent == "connection" and name in self.world.connections:
            return lambda paper: paper.connection.id == name
        if parent == "document" and any(p.id == name for p in self._papers()):
            return lambda paper: paper.id == name
        if parent in ("site", "connection", "document"):
            raise forbidden()
        raise refuse(404, "Not found.")

    def _inside(self, request: Request) -> Callable[[Paper], bool]:
        """Whether a document is in range; facts §2.3, with its excluded end day."""
        start, end = day(request, "startDate"), day(request, "endDate")
        kind = date_type(request)

        def inside(paper: Paper) -> bool:
            bill = paper.known.bill
            if kind == "USAGE_PERIOD":
                first = date.fromisoformat(objects.day(paper.meter, bill.start))
                last = date.fromisoformat(objects.day(paper.meter, bill.end))
                return (start is None or last >= start) and (
                    end is None or first <= end
                )
            if kind == "BILL_DATE":
                at = date.fromisoformat(objects.day(paper.meter, bill.end))
                return (start is None or at >= start) and (end is None or at <= end)
            seconds = paper.known.updated
            if kind == "CREATED_DATE":
                seconds = paper.known.created
            moment = stamp(seconds).replace(tzinfo=None)
            midnight = [None if d is None else _midnight(d) for d in (start, end)]
            return (midnight[0] is None or moment >= midnight[0]) and (
                midnight[1] is None or moment <= midnight[1]
            )

        return inside

    def _document(self, paper: Paper, version: str) -> objects.Json:
        place = self._site(paper.meter.site_id)
        shown = objects.document(
            paper.meter,
            paper.known,
            place,
            version,
            self.world.nectar_options,
            self._reads,
        )
        owners = (
            company.id
            for company in self.world.nectar
            if any(item.id == paper.connection.id for item in company.connections)
        )
        return {
            **shown,
            "company": next(owners, None),
            "revisedDocumentId": paper.replaced_by,
        }

    def _usage(self, paper: Paper, version: str) -> list[objects.Json]:
        options = self.world.nectar_options
        place = self._site(paper.meter.site_id)
        document = objects.document_summary(
            paper.meter, paper.known, options, self._reads
        )
        document["revisedDocumentId"] = paper.replaced_by
        return [
            {**row, "document": document}
            for row in objects.usage_rows(
                paper.meter, paper.known, place, version, options
            )
        ]

    def _site(self, name: str) -> Site | None:
        for company in self.world.nectar:
            for site in company.sites:
                if site.id == name:
                    return site
        return None


def _midnight(moment: date) -> datetime:
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - UTC both

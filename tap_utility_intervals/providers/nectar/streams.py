"""Nectar's objects in their own shape (https://docs.nectarclimate.com/api-reference)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, ClassVar, cast

from singer_sdk import Stream
from typing_extensions import override

from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.base import Job, Record, Rows, Session
from tap_utility_intervals.providers.nectar.bills import CompanyJob
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER
from tap_utility_intervals.providers.nectar.mapping.meters import site_id
from tap_utility_intervals.providers.nectar.objects import Entity, entity_page, text
from tap_utility_intervals.providers.nectar.session import ROWS_AT_ONCE, NectarSession
from tap_utility_intervals.providers.own_shape import Shape
from tap_utility_intervals.providers.streams import (
    EntityStream,
    OwnSourceStream,
    outcome_of,
)

Item = Mapping[str, Any]


class Listed(EntityStream):
    """Objects that the directory of the session lists."""

    provider = PROVIDER
    primary_keys: ClassVar[Sequence[str]] = ("id",)

    @override
    def read(self, session: Session) -> Iterator[Sequence[Record]]:
        # Without its companies Nectar as a whole cannot be read.
        return self.whole(session)

    @override
    def entities(self, session: Session) -> Iterator[Iterable[Item]]:
        items = self.listed(cast("NectarSession", session).directory)
        while page := list(islice(items, ROWS_AT_ONCE)):
            yield page

    def listed(self, directory: Directory) -> Iterator[Item]:
        """The objects as sent, with the tap's own columns."""
        raise NotImplementedError


class Companies(Listed):
    """Companies of the organisation."""

    name = "nectar_companies"

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for row in _there(directory.companies):
            yield _without(row, "sites")


class Sites(Listed):
    """Sites of the companies."""

    name = "nectar_sites"

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for company in _there(directory.companies):
            for site in _objects(company.get("sites")):
                yield {**site, "company_id": company["id"]}


class Connections(Listed):
    """Connections to the portals of utilities."""

    name = "nectar_connections"

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for connection in directory.connections:
            yield {
                **_without(connection.row, "accounts"),
                "company_ids": connection.companies,
            }


class Accounts(Listed):
    """Accounts found behind connections."""

    name = "nectar_accounts"

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for connection in directory.connections:
            for account in connection.accounts:
                yield {**account, "connection_id": connection.id}


class Meters(Listed):
    """Meters of the companies."""

    name = "nectar_meters"

    @override
    def entities(self, session: Session) -> Iterator[Iterable[Item]]:
        yield from super().entities(session)
        missing = cast("NectarSession", session).directory.meter_errors
        for company_id, error in missing.items():
            self.run.report.add(session.name, company_id, outcome_of(error), error)

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for meter in directory.meters:
            yield meter.row


class OwnJob(CompanyJob):
    """Brings a stream in Nectar's own shape up to date for one company."""

    last_day = "billDate"
    """The attribute that ends the period of a row; `startDate` begins it."""

    def __init__(self, name: str, shape: Shape, *rest: Any) -> None:  # noqa: ANN401 - as the base class
        """Prepare to read for the stream of that name."""
        super().__init__(*rest)
        self.client = self.client.reading_as(name)
        self.shape = shape

    @override
    def wanted(self, rows: Iterable[Entity]) -> Iterator[Rows]:
        records: list[dict[str, Any]] = []
        for row in rows:
            read = Values()
            self.saw([read.instant("updated", row.get("updated"))])
            first = read.date("first", row.get("startDate"))
            if self.wish.holds(first, read.date("last", row.get(self.last_day))):
                shaped = map(self.shape, self.items(row))
                records += [record for record in shaped if record]
        if records:
            yield Rows(records)

    def items(self, row: Entity) -> Iterable[Item]:
        """What becomes a record each."""
        raise NotImplementedError


class DocumentJob(OwnJob):
    """Reads documents; their usage rows and line items are streams of their own."""

    resource = "document"
    decode = staticmethod(entity_page("documents", "totalDocuments"))

    @override
    def items(self, row: Entity) -> Iterable[Item]:
        usage, lines = row.get("usageData"), row.get("lineItems")
        item = _without(
            row,
            "usageData" if _is_rows(usage) else "",
            "lineItems" if _is_rows(lines) else "",
        )
        if _is_rows(usage):
            item["usage_data_ids"] = [one.get("id") for one in _objects(usage)]
        yield item


class LineItemJob(DocumentJob):
    """Reads the line items out of documents."""

    @override
    def items(self, row: Entity) -> Iterable[Item]:
        taken: set[str] = set()
        for position, item in enumerate(_objects(row.get("lineItems"))):
            # An id that is the position of another item, or comes twice, is no key.
            key = text(item.get("id")) or str(position)
            key = f"{key}#{position}" if key in taken else key
            taken.add(key)
            yield {
                **item,
                "document_id": row["id"],
                "line_item_key": key,
                "position": position,
                "document_updated": row.get("updated"),
            }


class UsageDataJob(OwnJob):
    """Reads usage rows."""

    last_day = "endDate"

    @override
    def items(self, row: Entity) -> Iterable[Item]:
        site, document = row.get("site"), row.get("document")
        item = {**row, "site_id": site_id(site)}
        if isinstance(site, str):
            item["site"] = None
        if isinstance(document, dict):
            # Its link is another one at every read.
            item["document"] = _without(document, "url")
            item["document_id"] = text(document.get("id"))
        elif isinstance(document, str):
            item |= {"document": None, "document_id": document}
        yield item


class Updated(OwnSourceStream):
    """What Nectar can be asked for by the day of its last update, for each company."""

    provider = PROVIDER
    job: ClassVar[type[OwnJob]]

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        make = partial(self.job, self.name, self.shape)
        return cast("NectarSession", session).company_jobs(self.bookmarks, make)


class Documents(Updated):
    """Bills."""

    name = "nectar_documents"
    primary_keys: ClassVar[Sequence[str]] = ("id",)
    replication_key = "updated"
    job = DocumentJob


class LineItems(Updated):
    """Items of bills."""

    name = "nectar_line_items"
    primary_keys: ClassVar[Sequence[str]] = ("document_id", "line_item_key")
    replication_key = "document_updated"
    job = LineItemJob


class UsageData(Updated):
    """Usage rows of bills."""

    name = "nectar_usage_data"
    primary_keys: ClassVar[Sequence[str]] = ("id",)
    replication_key = "updated"
    job = UsageDataJob


STREAMS: Sequence[type[Stream]] = (
    Companies,
    Sites,
    Connections,
    Accounts,
    Meters,
    Documents,
    LineItems,
    UsageData,
)


def _there(companies: Iterable[Entity]) -> Iterator[Entity]:
    """The companies that were listed; one that was only named in a setting is not."""
    return (row for row in companies if row.keys() != {"id"})


def _without(row: Entity, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _objects(value: object) -> list[Entity]:
    rows = value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, dict)]


def _is_rows(value: object) -> bool:
    """Whether it is a list of objects; anything else is left where it stands."""
    return isinstance(value, list) and len(_objects(value)) == len(value)

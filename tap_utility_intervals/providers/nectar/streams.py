"""Nectar's objects in their own shape (https://docs.nectarclimate.com/api-reference)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, cast

from singer_sdk import Stream
from typing_extensions import override

from tap_utility_intervals.floor.values import Values
from tap_utility_intervals.providers.base import Job, Record, Rows, Run, Session
from tap_utility_intervals.providers.nectar.bills import CompanyJob, CompanyTask
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.entities import Directory
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER
from tap_utility_intervals.providers.nectar.mapping.meters import site_id
from tap_utility_intervals.providers.nectar.objects import (
    Entity,
    entity_page,
    objects,
    text,
)
from tap_utility_intervals.providers.nectar.session import ROWS_AT_ONCE, NectarSession
from tap_utility_intervals.providers.streams import EntityStream, OwnSourceStream

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

    @abstractmethod
    def listed(self, directory: Directory) -> Iterator[Item]:
        """The objects as sent, with the tap's own columns."""


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
            for site in objects(company.get("sites")):
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
        cast("NectarSession", session).directory.tell_of_missing_meters()

    @override
    def listed(self, directory: Directory) -> Iterator[Item]:
        for meter in directory.meters:
            yield meter.row


class OwnJob(CompanyJob):
    """Brings a stream in Nectar's own shape up to date for one company."""

    def __init__(
        self, stream: Updated, task: CompanyTask, client: Client, run: Run
    ) -> None:
        """Prepare to read for that stream."""
        self.resource, self.decode = stream.resource, stream.decode
        super().__init__(task, client.reading_as(stream.name), run)
        self.stream = stream

    @override
    def wanted(self, rows: Iterable[Entity]) -> Iterator[Rows]:
        records: list[dict[str, Any]] = []
        for row in rows:
            read = Values()
            self.saw([read.instant("updated", row.get("updated"))])
            first = read.date("first", row.get("startDate"))
            if self.holds(first, read.date("last", row.get(self.stream.last_day))):
                shaped = map(self.stream.shape, self.stream.items(row))
                records += [record for record in shaped if record]
        if records:
            yield Rows(records)


class Updated(OwnSourceStream):
    """What Nectar can be asked for by the day of its last update, for each company."""

    provider = PROVIDER
    primary_keys: ClassVar[Sequence[str]] = ("id",)
    replication_key = "updated"
    resource = CompanyJob.resource
    decode = staticmethod(CompanyJob.decode)
    last_day: ClassVar[str]
    """The attribute that ends the period of a row; `startDate` begins it."""

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        ours = cast("NectarSession", session)
        for task in ours.company_tasks(self.bookmarks):
            yield OwnJob(self, task, ours.client, ours.run)

    @abstractmethod
    def items(self, row: Entity) -> Iterable[Item]:
        """What becomes a record each."""


class Documents(Updated):
    """Bills; their usage rows and line items are streams of their own."""

    name = "nectar_documents"
    resource = "document"
    decode = staticmethod(entity_page("documents", "totalDocuments"))
    last_day = "billDate"

    @override
    def items(self, row: Entity) -> Iterable[Item]:
        usage, lines = row.get("usageData"), row.get("lineItems")
        item = _without(
            row,
            "usageData" if _is_rows(usage) else "",
            "lineItems" if _is_rows(lines) else "",
        )
        if _is_rows(usage):
            item["usage_data_ids"] = [one.get("id") for one in objects(usage)]
        yield item


class LineItems(Documents):
    """Items of bills, which come inside of documents."""

    name = "nectar_line_items"
    primary_keys: ClassVar[Sequence[str]] = ("document_id", "line_item_key")
    replication_key = "document_updated"

    @override
    def items(self, row: Entity) -> Iterable[Item]:
        taken: set[str] = set()
        for position, item in enumerate(objects(row.get("lineItems"))):
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


class UsageData(Updated):
    """Usage rows of bills."""

    name = "nectar_usage_data"
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


def _is_rows(value: object) -> bool:
    """Whether it is a list of objects; anything else is left where it stands."""
    return isinstance(value, list) and len(objects(value)) == len(value)

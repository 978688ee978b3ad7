"""What there is at Nectar: companies, connections with their accounts, meters.

Each list is read once per session, whoever asks, and kept as sent (without secrets):
the provider streams of the same run are served from here, too.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.mapping import identity, values
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER, Siblings
from tap_utility_intervals.providers.nectar.mapping.intervals import Known
from tap_utility_intervals.providers.nectar.mapping.meters import (
    Around,
    key_of_meter,
    meter_record,
    site_id,
)
from tap_utility_intervals.providers.nectar.objects import Entity, objects, text

T = TypeVar("T")

NOTHING: Entity = {}


@dataclass(frozen=True)
class Connection:
    """A connection as sent, and the companies that list it."""

    id: str
    row: Entity
    companies: list[str]

    @property
    def accounts(self) -> list[Entity]:
        """The accounts inside it."""
        return objects(self.row.get("accounts"))

    @property
    def account_ids(self) -> list[str]:
        """The ids of its accounts."""
        return [name for one in self.accounts if (name := text(one.get("id")))]

    @property
    def meter_ids(self) -> list[str]:
        """The meters that its accounts name."""
        return [meter for account in self.accounts for meter in meters_of(account)]


@dataclass(frozen=True)
class Meter:
    """A meter as sent, with what lies around it."""

    row: Entity
    around: Around

    @cached_property
    def key(self) -> str:
        """Its key in all unified streams."""
        return key_of_meter(self.row, self.around)

    @property
    def account(self) -> str | None:
        """The account that it belongs to."""
        of_account = text(self.around.account.get("id"))
        return text(self.row.get("account")) or of_account


@dataclass
class _Part:
    """What one company's list gave, or why it gave nothing."""

    company_id: str
    rows: list[Entity] = field(default_factory=list)
    error: errors.ProviderError | None = None


class _Once(Generic[T]):
    """A property that is read once, however many threads ask."""

    def __init__(self, read: Callable[[Directory], T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__

    def __get__(self, directory: Directory, _: object) -> T:
        with directory.lock:
            if self not in directory.kept:
                directory.kept[self] = self._read(directory)
            found: T = directory.kept[self]
            return found


class Directory:
    """The entity lists of one session; safe to use from any thread."""

    def __init__(
        self,
        client: Client,
        report: Report,
        companies: Sequence[str] | None,
        types: Sequence[str],
    ) -> None:
        """Restrict to some companies (None: all) and datasource types (none: all)."""
        self.client = client
        self.lock = threading.RLock()
        self.kept: dict[object, Any] = {}
        self._report = report
        self._only = companies
        self._types = set(types)
        self.filters = [("datasourceType", word) for word in types]
        """What requests for only these types hold."""

    @_Once
    def companies(self) -> list[Entity]:
        """Companies as sent, with their sites."""
        listed = self.client.entities("/company", "companies")
        if self._only is None:
            return listed
        by_id = {str(row["id"]): row for row in listed}
        return [by_id.get(name, {"id": name}) for name in self._only]

    @property
    def company_ids(self) -> list[str]:
        """The ids of the companies to read."""
        return [str(row["id"]) for row in self.companies]

    @_Once
    def connections(self) -> list[Connection]:
        """Connections; one that several companies share is one."""
        found: dict[str, Connection] = {}
        for part in self._connection_parts:
            for row in part.rows:
                name = str(row["id"])
                known = found.setdefault(name, Connection(name, row, []))
                known.companies.append(part.company_id)
        return list(found.values())

    @property
    def is_complete(self) -> bool:
        """Whether every company there is was listed with all its connections."""
        is_sure = all(self.client.is_sure.values())
        has_all = not any(part.error for part in self._connection_parts)
        return is_sure and self._only is None and has_all

    @_Once
    def meters(self) -> list[Meter]:
        """Meters, each id once."""
        found: dict[str, Meter] = {}
        for part in self._meter_parts:
            for row in part.rows:
                name, kind = str(row["id"]), text(row.get("datasourceType"))
                is_other = self._types and kind and kind not in self._types
                if name not in found and not is_other:
                    found[name] = Meter(row, self._around(part.company_id, row))
        return list(found.values())

    @property
    def meter_errors(self) -> dict[str, errors.ProviderError]:
        """Why the meters of some companies are missing, by company."""
        return {p.company_id: p.error for p in self._meter_parts if p.error}

    def tell_of_missing_meters(self) -> None:
        """Report what a company does not show."""
        self._tell_of_lost(self._meter_parts)

    @property
    def half_known(self) -> set[str]:
        """The companies whose connections or meters were not given."""
        lost = {part.company_id for part in self._connection_parts if part.error}
        return lost | self.meter_errors.keys()

    def records(self, listed_at: str) -> Iterator[MeterRecord]:
        """One record for each meter key.

        Nectar may list one physical meter several times, such as for import and export.
        """
        taken: set[str] = set()
        for meter in self.meters:
            if meter.key in taken:
                self._report.warn(
                    "nectar: meters with the same identifiers count as one"
                )
                continue
            taken.add(meter.key)
            yield meter_record(meter.row, meter.around, listed_at)

    @_Once
    def known(self) -> dict[str, Known]:
        """What the meters tell of intervals, by meter key."""
        known: dict[str, Known] = {}
        for meter in self.meters:
            site = site_id(meter.row.get("site"))
            kind = values.commodity(meter.row.get("datasourceType"))
            other = known.get(meter.key, Known(site, kind))
            known[meter.key] = Known(
                site if site == other.site_id else None,
                kind if kind == other.commodity else None,
            )
        return known

    def meters_of(self, connection_id: str) -> list[Meter]:
        """The listed meters of a connection."""
        return self._by_connection.get(connection_id, [])

    def siblings(self, connection_id: str) -> Siblings:
        """The listed meters of a connection, found by what an interval carries."""
        return Siblings(
            (meter.key, meter.account, meter.row.get("identifiers"))
            for meter in self.meters_of(connection_id)
        )

    def key_of_usage(self, row: Entity) -> str | None:
        """The key of a usage entry's meter; None when it cannot be told."""
        meter_id = text(row.get("meter"))
        if meter_id is not None and meter_id in self._keys_by_id:
            return self._keys_by_id[meter_id]
        identifiers = row.get("identifiers")
        signature = identity.signature(identifiers)
        account = text(row.get("account")) or self._account_of.get(meter_id or "")
        if account is not None and signature:
            return identity.meter_key(account, identifiers)
        matching = self._keys_by_signature.get(signature, set())
        return next(iter(matching)) if len(matching) == 1 else None

    @_Once
    def _connection_parts(self) -> list[_Part]:
        ask = partial(self._part, "/connection/company/{}", "connections")
        parts = list(self.client.at_once(ask, self.company_ids))
        self._tell_of_lost(parts)
        return parts

    def _tell_of_lost(self, parts: Iterable[_Part]) -> None:
        for part in parts:
            if part.error is not None:
                self._report.lose(PROVIDER, part.company_id, part.error)

    def _part(self, path: str, name: str, company_id: str) -> _Part:
        try:
            rows = self.client.entities(path.format(quote(company_id, safe="")), name)
        except errors.SourceError as error:
            return _Part(company_id, error=error)
        return _Part(company_id, rows)

    @_Once
    def _meter_parts(self) -> list[_Part]:
        there = [p.company_id for p in self._connection_parts if p.error is None]
        ask = partial(self._meters_of_company, self.connections)
        return list(self.client.at_once(ask, there))

    def _meters_of_company(
        self, connections: Sequence[Connection], company_id: str
    ) -> _Part:
        """The company's list, or where there is no such list, one meter at a time."""
        part = self._part("/meter/company/{}", "meters", company_id)
        if not isinstance(part.error, (errors.Gone, errors.BadRequest)):
            return part
        mine = [c for c in connections if c.companies[0] == company_id]
        ids = list(dict.fromkeys(meter for c in mine for meter in c.meter_ids))
        try:
            rows = [row for row in self.client.each(self._single_meter, ids) if row]
        except errors.SourceError as error:
            return _Part(company_id, error=error)
        return _Part(company_id, rows)

    def _single_meter(self, meter_id: str) -> Entity | None:
        path = f"/meter/{quote(meter_id, safe='')}"
        try:
            row = self.client.get(path, f"meter {meter_id}")
        except errors.Gone:
            self._report.warn("nectar: a meter that an account names is not there")
            return None
        return row if text(row.get("id")) else None

    def _around(self, company_id: str, row: Entity) -> Around:
        account_id = text(row.get("account")) or self._account_of.get(str(row["id"]))
        connection, account = self._accounts.get(account_id or "", (NOTHING, NOTHING))
        site = self._sites.get(site_id(row.get("site")) or "", NOTHING)
        return Around(company_id, connection, account, site)

    @_Once
    def _accounts(self) -> dict[str, tuple[Entity, Entity]]:
        """Connection and account by account id."""
        return {
            name: (connection.row, account)
            for connection in self.connections
            for account in connection.accounts
            if (name := text(account.get("id")))
        }

    @_Once
    def _account_of(self) -> dict[str, str]:
        """Account id by meter id."""
        return {
            meter: name
            for name, (_, account) in self._accounts.items()
            for meter in meters_of(account)
        }

    @_Once
    def _sites(self) -> dict[str, Entity]:
        return {
            name: site
            for company in self.companies
            for site in objects(company.get("sites"))
            if (name := text(site.get("id")))
        }

    @_Once
    def _by_connection(self) -> dict[str, list[Meter]]:
        by_account: dict[str | None, list[Meter]] = defaultdict(list)
        for meter in self.meters:
            by_account[meter.account].append(meter)
        return {
            connection.id: [
                m for one in connection.account_ids for m in by_account[one]
            ]
            for connection in self.connections
        }

    @_Once
    def _keys_by_id(self) -> dict[str, str]:
        return {str(meter.row["id"]): meter.key for meter in self.meters}

    @_Once
    def _keys_by_signature(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for meter in self.meters:
            found[identity.signature(meter.row.get("identifiers"))].add(meter.key)
        return found


def meters_of(account: Entity) -> list[str]:
    """The ids of an account's meters."""
    rows = account.get("meters")
    return (
        [name for row in rows if (name := text(row))] if isinstance(rows, list) else []
    )

"""What there is at Nectar: companies, connections with their accounts, meters.

Each list is read once per session, whoever asks, and kept as sent (without secrets):
the provider streams of the same run are served from here, too.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import MeterRecord
from tap_utility_intervals.providers.nectar import listing
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.listing import Connection, Part, meters_of
from tap_utility_intervals.providers.nectar.mapping import identity, values
from tap_utility_intervals.providers.nectar.mapping.identity import (
    PROVIDER,
    MeterKeys,
    Siblings,
)
from tap_utility_intervals.providers.nectar.mapping.intervals import Known
from tap_utility_intervals.providers.nectar.mapping.meters import (
    Meter,
    meter_record,
    site_id,
)
from tap_utility_intervals.providers.nectar.objects import Entity, objects, text

T = TypeVar("T")

NOTHING: Entity = {}


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
        has_all = not any(part.error for part in self._connection_parts)
        return self._is_sure and self._only is None and has_all

    @property
    def has_all_meters(self) -> bool:
        """Whether no company that was asked for kept a meter back."""
        return self._is_sure and not self.half_known

    @property
    def _is_sure(self) -> bool:
        return all(self.client.is_sure.values())

    @_Once
    def _every_meter(self) -> list[Meter]:
        """Meters of all kinds, each id once."""
        found: dict[str, Meter] = {}
        for part in self._meter_parts:
            for row in part.rows:
                name = str(row["id"])
                if name not in found:
                    found[name] = self._meter(part.company_id, row)
        return list(found.values())

    @_Once
    def meters(self) -> list[Meter]:
        """Those of the kinds to read."""
        return [meter for meter in self._every_meter if self._is_wanted(meter)]

    @_Once
    def other_keys(self) -> set[str]:
        """The keys of meters of other kinds alone."""
        every = {meter.key for meter in self._every_meter}
        return every - {meter.key for meter in self.meters}

    def _is_wanted(self, meter: Meter) -> bool:
        kind = text(meter.row.get("datasourceType"))
        return not self._types or kind is None or kind in self._types

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
        parts = *self._connection_parts, *self._meter_parts
        return {part.company_id for part in parts if part.error}

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
            yield meter_record(meter, listed_at)

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
        mine = self._by_connection.get(connection_id, [])
        return [meter for meter in mine if self._is_wanted(meter)]

    def siblings(self, connection_id: str) -> Siblings:
        """The listed meters of a connection, found by what an interval carries.

        Those of other kinds are found after those to read.
        """
        found = Siblings(())
        mine = self._by_connection.get(connection_id, [])
        for is_wanted in (False, True):
            said = (
                (meter.key, meter.account_id, meter.row.get("identifiers"))
                for meter in mine
                if self._is_wanted(meter) is is_wanted
            )
            found = Siblings(said, found)
        return found

    @_Once
    def meter_keys(self) -> MeterKeys:
        """What usage entries are given to their meters by."""
        by_id: dict[str, str] = {}
        by_signature: dict[str, set[str]] = defaultdict(set)
        for meter in self.meters:
            by_id[str(meter.row["id"])] = meter.key
            said = identity.signature(meter.row.get("identifiers"))
            by_signature[said].add(meter.key)
        return MeterKeys(by_id, by_signature, self._account_of)

    @_Once
    def _connection_parts(self) -> list[Part]:
        parts = listing.connections(self.client, self.company_ids)
        self._tell_of_lost(parts)
        if (error := self._untried(parts)) is not None:
            raise error
        return parts

    @_Once
    def _meter_parts(self) -> list[Part]:
        there = [part.company_id for part in self._connection_parts if not part.error]
        named: dict[str, list[str]] = defaultdict(list)
        for connection in self.connections:
            named[connection.companies[0]] += connection.meter_ids
        parts = listing.meters(self.client, there, named.__getitem__)
        self._untried(parts)
        return parts

    def _tell_of_lost(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.error is not None and part.is_tried:
                self._report.lose(PROVIDER, part.company_id, part.error)

    def _untried(self, parts: Iterable[Part]) -> errors.SourceError | None:
        """Why some lists were not tried any more; they are counted."""
        left = [part.error for part in parts if not part.is_tried]
        if left:
            self._report.leave_out(PROVIDER, len(left))
        return left[0] if left else None

    def _meter(self, company_id: str, row: Entity) -> Meter:
        account_id = text(row.get("account")) or self._account_of.get(str(row["id"]))
        connection, account = self._accounts.get(account_id or "", (NOTHING, NOTHING))
        site = self._sites.get(site_id(row.get("site")) or "", NOTHING)
        return Meter(row, company_id, connection, account, site)

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
        for meter in self._every_meter:
            by_account[meter.account_id].append(meter)
        return {
            connection.id: [
                m for one in connection.account_ids for m in by_account[one]
            ]
            for connection in self.connections
        }

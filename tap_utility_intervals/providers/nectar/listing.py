"""The lists of companies: their connections and meters, company by company."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.breaker import Upcoming, reason_of
from tap_utility_intervals.floor.fetch_ahead import fetch_ahead
from tap_utility_intervals.providers.nectar.client import Client
from tap_utility_intervals.providers.nectar.mapping.identity import PROVIDER
from tap_utility_intervals.providers.nectar.objects import Entity, objects, text

ENOUGH = 3
"""So many lists in a row, lost for one reason, call for a probe: each is of many."""


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


@dataclass
class Part:
    """What one company's list gave, or why it gave nothing."""

    company_id: str
    rows: Sequence[Entity] = ()
    error: errors.SourceError | None = None
    is_tried: bool = True
    """Whether it was asked for; else others were lost, and `error` is theirs."""


def connections(client: Client, companies: Iterable[str]) -> list[Part]:
    """The connections of each company."""
    ask = partial(_part, client, "/connection/company/{}", "connections")
    return _parts(client, ask, companies)


def meters(
    client: Client, companies: Iterable[str], named: Callable[[str], Iterable[str]]
) -> list[Part]:
    """The meters of each company.

    Where there is no such list, one meter after the other, of those that are `named` by
    the accounts of a company.
    """

    def ask(company_id: str) -> Part:
        part = _part(client, "/meter/company/{}", "meters", company_id)
        if not isinstance(part.error, (errors.Gone, errors.BadRequest)):
            return part
        ids = [*dict.fromkeys(named(company_id))]
        try:
            rows = [row for row in client.each(partial(_meter, client), ids) if row]
        except errors.SourceError as error:
            return Part(company_id, error=error)
        return Part(company_id, rows)

    return _parts(client, ask, companies)


def _parts(
    client: Client, ask: Callable[[str], Part], companies: Iterable[str]
) -> list[Part]:
    """What each company gave, in their order.

    After a few in a row that were lost for one reason, the last company decides whether
    the others are asked.
    """
    names = [*companies]
    left, found = Upcoming(iter(names)), dict[str, Part]()
    breaker = client.report.breakers[PROVIDER]
    error: errors.SourceError | None = None
    answers = fetch_ahead(lambda name: (ask(name),), left, client.workers)
    with closing(answers):
        for name, part in answers:
            found[name] = part
            if not breaker.note(part.error, ENOUGH) or (probe := left.last()) is None:
                continue
            found[probe] = last = ask(probe)
            breaker.note(last.error)
            if reason_of(last.error) == reason_of(part.error):
                error = part.error
                break
            breaker.confirm()
    untried = {name: Part(name, error=error, is_tried=False) for name in names}
    found = untried | found
    return [found[name] for name in names]


def _part(client: Client, path: str, name: str, company_id: str) -> Part:
    try:
        rows = client.entities(path.format(quote(company_id, safe="")), name)
    except errors.SourceError as error:
        return Part(company_id, error=error)
    return Part(company_id, rows)


def _meter(client: Client, meter_id: str) -> Entity | None:
    path = f"/meter/{quote(meter_id, safe='')}"
    try:
        row = client.get(path, f"meter {meter_id}")
    except errors.Gone:
        client.report.warn("nectar: a meter that an account names is not there")
        return None
    if text(row.get("id")):
        return row
    client.lose_nameless(path, "meters", 1)
    return None


def meters_of(account: Entity) -> list[str]:
    """The ids of an account's meters."""
    found = account.get("meters")
    rows = found if isinstance(found, list) else ()
    return [name for row in rows if (name := text(row))]

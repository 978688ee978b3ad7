"""What the two vendors keep: meters, and the people, places and logins around them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_utility_intervals.sandbox.bills import Bill
    from tap_utility_intervals.sandbox.readings import Series

NEVER = 4_102_444_800  # the year 2100


def make_uid(*parts: object) -> str:
    """A stable uid in the manner of UtilityAPI: text that looks like a number."""
    digest = hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()
    return str(10**11 + int(digest[:12], 16) % (9 * 10**11))


def make_uuid(*parts: object) -> str:
    """A stable uuid in the manner of Nectar."""
    digest = hashlib.md5(repr(parts).encode(), usedforsecurity=False).hexdigest()
    return str(uuid.UUID(digest, version=4))


@dataclass(frozen=True)
class Channel:
    """One datapoint of every reading of a UtilityAPI meter."""

    type: str = "net"
    unit: str = "kwh"
    meter_number: str | None = None


@dataclass(frozen=True)
class Lifetime:
    """From when until when something is there, in epoch seconds."""

    appears: int = 0
    vanishes: int = NEVER

    def holds(self, now: int) -> bool:
        """Whether it is there at `now`."""
        return self.appears <= now < self.vanishes


@dataclass(frozen=True)
class Authorization:
    """A customer's permission: expired, collecting ends; revoked, all vanishes."""

    uid: str
    utility: str = "PG&E"
    created: int = 1_420_070_400
    expires: int | None = None
    revoked: int | None = None
    declined: bool = False
    archived: bool = False
    referrals: Sequence[str] = ()
    customer_email: str = "PLANTED-EMAIL-customer@example.com"


@dataclass(frozen=True)
class UtilityMeter:
    """A meter as UtilityAPI has it."""

    uid: str
    series: Series
    authorization_uid: str = "1001"
    zone: str = "America/New_York"
    channels: Sequence[Channel] = (Channel(),)
    kwh_channel: int | None = 0
    with_datapoints: bool = True
    mixed: Series | None = None
    bills: Sequence[Bill] = ()
    bill_unit: str = "kwh"
    utility: str = "PG&E"
    service_class: str = "res-electric"
    service_tariff: str = "R1"
    service_identifier: str = ""
    meter_numbers: Sequence[str] = ()
    qualities: Sequence[str] = ("revenue",)
    source: str = "greenbutton_cmd"
    created: int = 1_420_070_400
    life: Lifetime = Lifetime()
    archived: bool = False
    collected: bool = True
    monitoring: str = "daily"
    errored: bool = False
    expanded: bool = True
    block_days: int | str = 20
    overlap: int = 0


@dataclass(frozen=True)
class Identifier:
    """A name that a utility prints for a meter or an account."""

    value: str
    name: str = "METER"
    raw_name: str = "Meter number"


@dataclass(frozen=True)
class NectarMeter:
    """A meter as Nectar has it; Nectar serves one `channel` of its series."""

    id: str
    series: Series
    identifiers: Sequence[Identifier]
    site_id: str = ""
    datasource_type: str = "ELECTRICITY"
    unit: str = "kWh"
    channel: int = 0
    zone: str = "America/New_York"
    bills: Sequence[Bill] = ()
    bill_unit: str = "kWh"
    life: Lifetime = Lifetime()
    details: tuple[tuple[str, str], ...] = ()
    twin_every: int = 0
    without_account: bool = False


@dataclass(frozen=True)
class Account:
    """A customer's account at a utility."""

    id: str
    number: str
    meters: Sequence[NectarMeter] = ()


@dataclass(frozen=True)
class Connection:
    """A login at a utility's website."""

    id: str
    accounts: Sequence[Account] = ()
    status: str = "CONNECTED"
    datasource: tuple[str, str] = ("Demo Utility", "https://demo-utility.example.com")
    country: str = "US"
    site_ids: Sequence[str] = ()
    created: int = 1_420_070_400
    life: Lifetime = Lifetime()
    secret: str = "PLANTED-SECRET-magic-link"  # noqa: S105 - a mark for privacy tests

    @property
    def meters(self) -> Iterator[tuple[Account, NectarMeter]]:
        """Its meters, each with its account."""
        return (
            (account, meter) for account in self.accounts for meter in account.meters
        )


@dataclass(frozen=True)
class Site:
    """A place."""

    id: str
    name: str = "Site"
    address: str = "PLANTED-ADDRESS 1 Main Street, Springfield, IL 62701"


@dataclass(frozen=True)
class Company:
    """A customer of Nectar's customer."""

    id: str
    name: str = "Company"
    sites: Sequence[Site] = ()
    connections: Sequence[Connection] = ()


def identifiers(*values: str) -> tuple[Identifier, ...]:
    """Identifiers of type METER."""
    return tuple(Identifier(value) for value in values)

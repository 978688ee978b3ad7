"""The truth that both vendors serve: accounts, meters and a clock.

A world is data. The same world at the same `now` always offers the same; the only things
that change it are its clock and the two documented collection requests of UtilityAPI.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from .collecting import Collections
from .readings import Series, epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .bills import Bill
    from .truth import BillTruth, MeterTruth, ReadingTruth

Provider = Literal["utilityapi", "nectar"]
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
    """A customer's permission; when it expires collecting ends, revoked all vanishes."""

    uid: str
    utility: str = "PG&E"
    created: int = 1_420_070_400
    expires: int | None = None
    revoked: int | None = None
    declined: bool = False
    archived: bool = False
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
    """A meter as Nectar has it; `channel` is the one of its series that Nectar serves."""

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


@dataclass
class UtilityOptions:
    """How UtilityAPI behaves where its documents are silent; facts §9."""

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


@dataclass(eq=False)
class World:
    """Everything that both APIs could ever offer, and what time it is."""

    now: datetime
    utilityapi: Sequence[UtilityMeter] = ()
    nectar: Sequence[Company] = ()
    authorizations: Sequence[Authorization] = ()
    seed: int = 0
    utilityapi_options: UtilityOptions = field(default_factory=UtilityOptions)
    nectar_options: NectarOptions = field(default_factory=NectarOptions)
    version: int = 0

    def __post_init__(self) -> None:
        self.now = self.now.astimezone(timezone.utc)
        self.lock = threading.RLock()
        self.collections = Collections(self)
        named = {authorization.uid for authorization in self.authorizations}
        missing = dict.fromkeys(
            meter.authorization_uid
            for meter in self.utilityapi
            if meter.authorization_uid not in named
        )
        self.authorizations = [
            *self.authorizations,
            *(Authorization(uid) for uid in missing),
        ]

    @property
    def seconds(self) -> int:
        """The clock in epoch seconds."""
        return epoch(self.now)

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move the clock; new data appear, restatements arrive."""
        return self.move(self.now + timedelta(days=days, seconds=seconds))

    def move(self, now: datetime) -> datetime:
        """Set the clock, also backwards."""
        with self.lock:
            self.now = now.astimezone(timezone.utc)
            self.changed()
        return self.now

    def changed(self) -> None:
        """Tell that answers of before may no longer hold."""
        self.version += 1

    @cached_property
    def meters_by_uid(self) -> dict[str, UtilityMeter]:
        """UtilityAPI meters by uid, whether they are there now or not."""
        return {meter.uid: meter for meter in self.utilityapi}

    @cached_property
    def authorizations_by_uid(self) -> dict[str, Authorization]:
        """Authorizations by uid."""
        return {item.uid: item for item in self.authorizations}

    @cached_property
    def connections(self) -> dict[str, Connection]:
        """Nectar connections by id; one that several companies share is here once."""
        return {c.id: c for company in self.nectar for c in company.connections}

    def is_there(self, meter: UtilityMeter) -> bool:
        """Whether a UtilityAPI meter can be seen now; revoking deletes it, facts §5.2."""
        revoked = self.authorizations_by_uid[meter.authorization_uid].revoked
        return meter.life.holds(self.seconds) and not (
            revoked is not None and revoked <= self.seconds
        )

    def truth(self, provider: Provider) -> Iterator[ReadingTruth]:
        """Every reading and channel that this provider offers now."""
        from . import truth  # noqa: PLC0415 - truth reads the world

        return truth.readings(self, provider)

    def truth_meters(self, provider: Provider) -> Iterator[MeterTruth]:
        """Every meter that this provider offers now."""
        from . import truth  # noqa: PLC0415

        return truth.meters(self, provider)

    def truth_bills(self, provider: Provider) -> Iterator[BillTruth]:
        """Every bill that this provider offers now."""
        from . import truth  # noqa: PLC0415

        return truth.bills(self, provider)


def identifiers(*values: str) -> tuple[Identifier, ...]:
    """Identifiers of type METER."""
    return tuple(Identifier(value) for value in values)


def all_meters(companies: Iterable[Company]) -> Iterator[NectarMeter]:
    """Every Nectar meter, once."""
    seen = {c.id: c for company in companies for c in company.connections}
    return (meter for c in seen.values() for _, meter in c.meters)

"""The truth that both vendors serve: accounts, meters and a clock.

A world is data. The same world at the same `now` always offers the same; the only
things that change it are its clock and UtilityAPI's requests that collect or test.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.accounts import (
    Authorization,
    Company,
    Connection,
    UtilityMeter,
)
from tap_utility_intervals.sandbox.collecting import Collections
from tap_utility_intervals.sandbox.options import NectarOptions, UtilityOptions
from tap_utility_intervals.sandbox.readings import epoch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(eq=False)
class World:
    """Everything that the APIs could ever offer, and what time it is.

    `more` is for providers of the table that have no field of their own here.
    """

    now: datetime
    utilityapi: Sequence[UtilityMeter] = ()
    nectar: Sequence[Company] = ()
    authorizations: Sequence[Authorization] = ()
    seed: int = 0
    utilityapi_options: UtilityOptions = field(default_factory=UtilityOptions)
    nectar_options: NectarOptions = field(default_factory=NectarOptions)
    version: int = 0
    more: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now = self.now.astimezone(timezone.utc)
        self.seconds = epoch(self.now)
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

    def advance(self, *, days: float = 0, seconds: float = 0) -> datetime:
        """Move the clock; new data appear, restatements arrive."""
        return self.move(self.now + timedelta(days=days, seconds=seconds))

    def move(self, now: datetime) -> datetime:
        """Set the clock, also backwards."""
        with self.lock:
            self.now = now.astimezone(timezone.utc)
            self.seconds = epoch(self.now)
            self.changed()
        return self.now

    def add(self, authorization: Authorization, meters: Sequence[UtilityMeter]) -> None:
        """A customer has authorized: there is more of UtilityAPI from now on."""
        self.authorizations = [*self.authorizations, authorization]
        self.utilityapi = [*self.utilityapi, *meters]
        for name in (
            "meters_by_uid",
            "meters_by_authorization",
            "authorizations_by_uid",
        ):
            self.__dict__.pop(name, None)
        self.changed()

    def changed(self) -> None:
        """Tell that answers of before may no longer hold."""
        self.version += 1

    @cached_property
    def meters_by_uid(self) -> dict[str, UtilityMeter]:
        """UtilityAPI meters by uid, whether they are there now or not."""
        return {meter.uid: meter for meter in self.utilityapi}

    @cached_property
    def meters_by_authorization(self) -> dict[str, list[UtilityMeter]]:
        """UtilityAPI meters by the uid of their authorization."""
        found: dict[str, list[UtilityMeter]] = {}
        for meter in self.utilityapi:
            found.setdefault(meter.authorization_uid, []).append(meter)
        return found

    @cached_property
    def authorizations_by_uid(self) -> dict[str, Authorization]:
        """Authorizations by uid."""
        return {item.uid: item for item in self.authorizations}

    @cached_property
    def connections(self) -> dict[str, Connection]:
        """Nectar connections by id; one that several companies share is here once."""
        return {c.id: c for company in self.nectar for c in company.connections}

    def is_there(self, meter: UtilityMeter) -> bool:
        """Whether a UtilityAPI meter is there; revoking deletes it.

        See utilityapi.md#objects.
        """
        revoked = self.authorizations_by_uid[meter.authorization_uid].revoked
        return meter.life.holds(self.seconds) and not (
            revoked is not None and revoked <= self.seconds
        )

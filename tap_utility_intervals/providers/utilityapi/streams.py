"""UtilityAPI's objects in their own shape (https://utilityapi.com/docs/api)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, cast

from singer_sdk import Stream
from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import UsageRecord
from tap_utility_intervals.providers.base import Job, Record, Session
from tap_utility_intervals.providers.own_shape import Shape
from tap_utility_intervals.providers.streams import EntityStream, OwnSourceStream
from tap_utility_intervals.providers.utilityapi.bills import BillJob, BillTask
from tap_utility_intervals.providers.utilityapi.bookmarks import EventBookmark
from tap_utility_intervals.providers.utilityapi.client import UtilityApi
from tap_utility_intervals.providers.utilityapi.events import CONTEXT, EventJob
from tap_utility_intervals.providers.utilityapi.mapping.meters import PROVIDER
from tap_utility_intervals.providers.utilityapi.rules import Rules
from tap_utility_intervals.providers.utilityapi.session import UtilityApiSession

Filters = Mapping[str, tuple[str, str]]
"""Query parameter to the setting that fills it, and the attribute that it chooses."""


class List(EntityStream):
    """One of UtilityAPI's lists, read whole in each run."""

    provider = PROVIDER
    primary_keys: ClassVar[Sequence[str]] = ("uid",)
    path: ClassVar[str]
    filters: ClassVar[Filters]

    @override
    def entities(self, session: Session) -> Iterator[Iterable[Mapping[str, Any]]]:
        settings = cast("UtilityApiSession", session).settings
        chosen = {
            name: getattr(settings, setting)
            for name, (setting, _) in self.filters.items()
        }
        listing = asking_for(self.name, session).listing(self.path, [*chosen.items()])
        for page in listing:
            items = cast("list[dict[str, Any]]", page.items)
            yield [item for item in items if self._is_asked_for(item, chosen)]

    def _is_asked_for(
        self, item: Mapping[str, Any], chosen: Mapping[str, Sequence[str]]
    ) -> bool:
        """Whether an object obeys the filters: a server may ignore them."""
        for name, (_, attribute) in self.filters.items():
            found = item.get(attribute)
            uids = map(str, found if isinstance(found, list) else [found])
            wanted = chosen[name]
            if wanted and not set(wanted).intersection(uids):
                self.run.report.warn(
                    f"{PROVIDER}: an object of {self.path} that was not asked for was "
                    "left out"
                )
                return False
        return True


class Authorizations(List):
    """What customers granted."""

    name = "utilityapi_authorizations"
    path = "/authorizations"
    filters: ClassVar[Filters] = {"uids": ("authorizations", "uid")}


class Meters(List):
    """Meters, with their blocks."""

    name = "utilityapi_meters"
    path = "/meters"
    filters: ClassVar[Filters] = {
        "uids": ("meters", "uid"),
        "authorizations": ("authorizations", "authorization_uid"),
    }


class Accounting(List):
    """A list that only some accounts have, from about thirty utilities."""

    filters: ClassVar[Filters] = {
        "authorizations": ("authorizations", "authorization_uid"),
        "meters": ("meters", "meter_uids"),
    }

    @override
    def lose(self, session: Session, error: errors.ProviderError) -> None:
        """Note that the list could not be read; that there is none is no failure."""
        if isinstance(error, errors.Gone):
            self.run.report.warn(f"{PROVIDER}: {self.path} is not offered; it is empty")
        else:
            super().lose(session, error)


class BillingAccounts(Accounting):
    """Accounts with a utility."""

    name = "utilityapi_billing_accounts"
    path = "/accounting/billing-accounts"


class BillingSummaries(Accounting):
    """Statements of those accounts."""

    name = "utilityapi_billing_summaries"
    path = "/accounting/billing-summaries"


class Bills(OwnSourceStream):
    """Bills, read anew for each meter whose listing changed."""

    name = "utilityapi_bills"
    provider = PROVIDER
    primary_keys: ClassVar[Sequence[str]] = ("uid",)
    replication_key = "updated"

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        ours, api = cast("UtilityApiSession", session), asking_for(self.name, session)
        for task in ours.usage_tasks(self.bookmarks):
            yield _ShapedBills(self.shape, api, task, ours.run.report).events


class Events(OwnSourceStream):
    """What happened, as far as a webhook was to be told."""

    name = "utilityapi_events"
    provider = PROVIDER
    primary_keys: ClassVar[Sequence[str]] = ("uid",)
    replication_key = "ts"

    @override
    def jobs(self, session: Session) -> Iterator[Job]:
        ours = cast("UtilityApiSession", session)
        old = ours.remembered(EventBookmark, self.bookmarks.get(CONTEXT))
        api = asking_for(self.name, session)
        only = {
            "meter_uid": ours.settings.meters,
            "authorization_uid": ours.settings.authorizations,
        }

        def rules() -> Rules:
            return ours.rules

        yield EventJob(api, self.shape, old, rules, ours.warn, only).events


class _ShapedBills(BillJob):
    """The bills of a few meters as they were sent."""

    def __init__(
        self, shape: Shape, api: UtilityApi, task: BillTask, report: Report
    ) -> None:
        super().__init__(api, task, report)
        self._shape = shape
        self._sent: dict[str, dict[str, Any]] = {}

    @override
    def note(self, record: UsageRecord, bill: dict[str, Any]) -> None:
        self._sent[record.usage_id] = bill

    @override
    def rows(self, records: list[UsageRecord]) -> Sequence[Record]:
        sent = [self._sent.pop(record.usage_id) for record in records]
        return [row for row in map(self._shape, sent) if row is not None]


def asking_for(reader: str, session: Session) -> UtilityApi:
    """The API as a stream asks it."""
    ours = cast("UtilityApiSession", session)
    return UtilityApi(ours.transport, reader, ours.warn)


STREAMS: Sequence[type[Stream]] = (
    Authorizations,
    Meters,
    Bills,
    BillingAccounts,
    BillingSummaries,
    Events,
)

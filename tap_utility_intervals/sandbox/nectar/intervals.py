"""`GET /interval/connection/{id}`.

See nectar.md#filters-of-intervals and nectar.md#interval.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from tap_utility_intervals.sandbox.nectar.objects import identifier, moment
from tap_utility_intervals.sandbox.nectar.pages import ordered, paged
from tap_utility_intervals.sandbox.nectar.params import MeterFilter, instant
from tap_utility_intervals.sandbox.nectar.truth import interval_ids
from tap_utility_intervals.sandbox.readings import local, spelled

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.accounts import Account, Connection, NectarMeter
    from tap_utility_intervals.sandbox.readings import Reading
    from tap_utility_intervals.sandbox.wire import Answer, Request
    from tap_utility_intervals.sandbox.world import World

KEPT_LISTS = 256


class Row(NamedTuple):
    """One interval on its way out."""

    id: str
    reading: Reading
    created: int
    meter: NectarMeter
    account: Account


class IntervalLists:
    """The intervals that each set of filters gives, found once per world version."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._found: OrderedDict[object, tuple[list[Row], int]] = OrderedDict()
        self._heads: dict[tuple[str, str], str] = {}
        self._version = world.version

    def answer(self, request: Request, connection: Connection) -> Answer:
        """One page of intervals."""
        rows, total = self._rows(request, connection)
        options = self.world.nectar_options
        return paged(
            request, "intervals", rows, options, self._text, total=total, cacheable=True
        )

    def _rows(self, request: Request, connection: Connection) -> tuple[list[Row], int]:
        if self._version != self.world.version:
            self._version = self.world.version
            self._found.clear()
        query = sorted((n, tuple(v)) for n, v in request.query.items() if n != "page")
        key = (connection.id, *query)
        if key not in self._found:
            self._found[key] = self._find(request, connection)
            while len(self._found) > KEPT_LISTS:
                self._found.popitem(last=False)
        return self._found[key]

    def _find(self, request: Request, connection: Connection) -> tuple[list[Row], int]:
        start, end = instant(request, "startDate"), instant(request, "endDate")
        wanted, options = MeterFilter(request), self.world.nectar_options
        rows = []
        for account, meter in connection.meters:
            if not meter.life.holds(self.world.seconds) or not wanted(meter):
                continue
            view = meter.series.at(self.world.seconds).between(start, end)
            for reading, created in view.dated():
                rows += [
                    Row(name, reading, created, meter, account)
                    for name in interval_ids(meter, reading)
                ]
        rows = ordered(
            rows, request, options, lambda row: (row.reading.start, row.created, row.id)
        )
        total = len(rows)
        if options.repeat_every:
            rows = _repeated(rows, options.repeat_every, options.page_size)
            total = len(rows) if options.count_repeats else total
        return rows, total

    def _text(self, row: Row) -> str:
        """One interval as JSON; the usage is text, unless the world says otherwise."""
        options, reading = self.world.nectar_options, row.reading
        value = reading.values[row.meter.channel]
        bare = value is None or value == "null" or options.bare_numbers
        usage = (value or "null") if bare else json.dumps(value)
        return (
            f'{{"id":"{row.id}","created":"{moment(row.created, options)}",'
            f'{self._head(row)}"start":"{self._time(reading.start, row)}",'
            f'"end":"{self._time(reading.end, row, is_end=True)}","usage":{usage},'
            f'"usageUnits":{json.dumps(row.meter.unit)},'
            f'"quality":{json.dumps(reading.quality)},'
            f'"updated":"{moment(reading.available, options)}"}}'
        )

    def _head(self, row: Row) -> str:
        key = (row.account.id, row.meter.id)
        if key not in self._heads:
            names = json.dumps([identifier(one) for one in row.meter.identifiers])
            account = None if row.meter.without_account else row.account.id
            self._heads[key] = f'"identifiers":{names},"account":{json.dumps(account)},'
        return self._heads[key]

    def _time(self, seconds: int, row: Row, *, is_end: bool = False) -> str:
        options = self.world.nectar_options
        zone = row.meter.zone if options.local_times else "UTC"
        moment = local(seconds, zone)
        if options.times != "usual":
            return spelled(moment, options.times, is_end=is_end)
        if options.local_times:
            return moment.isoformat()
        return datetime.fromtimestamp(seconds, timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        )


def _repeated(rows: list[Row], every: int, size: int) -> list[Row]:
    """Every n-th row once more, on the page after its own."""
    shown: list[Row] = []
    late: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        shown.append(row)
        if number % every == 0:
            late.append((len(shown) + size, row))
        if late and late[0][0] <= len(shown):
            shown.append(late.pop(0)[1])
    return shown + [row for _, row in late]

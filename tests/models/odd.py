"""Meters with all that checks look for, as rows of a loader's tables.

What a provider would have to send for them is tested elsewhere; here it is what models
make of it. Every meter is UtilityAPI's and in Chicago, unless it says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.models.expected import Billed, Promise, Reading, local
from tests.models.world import ODD
from tests.oracle import Row, naive

DAY = naive(datetime(2026, 3, 10, 5, tzinfo=timezone.utc))  # midnight in Chicago
HOUR, QUARTER = 3600, 900
READ = "2026-03-21T12:00:01.000000Z"
NIGHTS = ("autumn", "autumn-twin", "nil", "wavering")
"""Wrong or no hours were sent; the other tests leave these meters out."""

BROKEN = ((24, 28), (28, 30), (25, 26), (30, 32))
"""Hours that were promised after the last reading, and never read whole later."""
KEPT = (
    ((20, 24), "2026-03-21T12:00:02.000000Z"),
    ((24, 28), "2026-03-21T12:00:00.000000Z"),
    ((30, 31), "2026-03-21T12:00:02.000000Z"),
    ((31, 32), "2026-03-21T12:00:02.000000Z"),
)
"""Hours that were read whole: later than promised, earlier, and a part of it later."""
SERVICES = {"old-device": "SP-X", "new-device": "SP-X", "swap-a": "SP-Y",
            "swap-b": "SP-Y", "left-a": "SP-Z", "left-b": "SP-Z"}  # fmt: skip
MADE = {"swap-a": "2026-03-09T00:00:00Z", "swap-b": "2026-01-01T00:00:00Z",
        "left-b": "2026-03-09T00:00:00Z"}  # fmt: skip
NEVER = {"silent": "2026-03-01T06:00:00Z", "fresh": "2026-03-28T06:00:00Z",
         "hushed": None}  # fmt: skip
"""Listed meters without any reading, and when they were made."""
LISTED = "2099-01-01T00:00:00Z"
"""When the one was whose age is not known: after all others, so it is listed still."""


def series(
    meter: str,
    values: Iterable[float | None],
    *,
    hours: float = 0,
    seconds: int = HOUR,
    channel: str = "fwd/kWh",
    **more: Any,
) -> Iterator[Reading]:
    """Readings one after the other, from so many hours after `DAY` on."""
    start = DAY + timedelta(hours=hours)
    for number, value in enumerate(values):
        first = start + timedelta(seconds=number * seconds)
        last = first + timedelta(seconds=more.get("lasts", seconds))
        known = {name: one for name, one in more.items() if name != "lasts"}
        unit = channel.partition("#")[0].partition("/")[2]
        kwh = value and value / (1000 if unit == "Wh" else 1)
        row = Reading("utilityapi", meter, channel, first, last, kwh, value)
        yield row._replace(**known)


def readings() -> list[Reading]:
    """Every reading of every odd meter but those of the two nights."""
    furlongs: dict[str, Any] = {"channel": "fwd/furlong", "measure": "other"}
    water: dict[str, Any] = {"channel": "usage/m3", "measure": "volume"}
    guess: dict[str, Any] = {"quality": "estimated"}
    return [
        # An hour that ends a minute early passes; half and double ones do not.
        *series("sizes", [1] * 24),
        *series("sizes", [1], hours=24, lasts=HOUR - 60),
        *series("sizes", [1], hours=25, lasts=HOUR - 61),
        *series("sizes", [2], hours=26, seconds=2 * HOUR),
        *series("sizes", [1] * 20, hours=28),
        *series("sizes", [0.5, 0.5], hours=48, seconds=1800),
        *series("twins", [1, 2, None, 4] * 6),
        *series("twins", [1.5, 2.5], hours=3, channel="fwd/kWh#2"),
        *series("twins", [9], hours=3, channel="fwd/kWh#3"),
        *series("overlaps", [4, 5, 6, 7] * 12),
        *series("overlaps", [1, 1, 1, 1.5], hours=2, seconds=QUARTER),
        *series("overlaps", [3], hours=30.5),
        *series("negative", [1, -1, 2] * 8),
        *series("negative", [-1, -2, 3] * 8, channel="net/kWh"),
        *series("negative", [0, -0.25] * 12, channel="rev/kWh"),
        *series("guessed", [1], hours=-1),
        *series("guessed", [2] * 168, **guess),
        *series("guessed", [1], hours=168),
        *series("guessed", [2] * 167, hours=169, **guess),
        *series("units", [1] * 30),
        *series("units", [7] * 3, hours=20, **furlongs),
        *series("units", [None], hours=23, **furlongs),
        *series("units", [1] * 26, **water),
        # The third highest is 10: 28 is 180 % more and passes, 28.1 does not.
        *series("spikes", [1, 10, 11, 28, *[1] * 20]),
        *series("spikes", [1, 10, 11, 28.1, *[1] * 20], hours=24),
        *series("spikes", [0, 0, 0, 5, *[0] * 20], hours=48),
        *series("spikes", [1, 28.1, 28.1, 10, *[1] * 20], hours=72),
        *series("broken", [3] * 12),
        *series("broken", [-16777.215, 4294967.295, 3], hours=12),
        *series("broken", [4294967.295], hours=40, channel="rev/kWh"),
        *series("broken", [-16777.215], hours=72),
        # A day of zeros; zeros of 30 hours with a hole; zeros of gas, which may be.
        *series("zeros", [1, *[0] * 24, 1, *[0] * 12], commodity=None),
        *series("zeros", [*[0] * 18, 1], hours=46),
        *series("far", [0] * 30, channel="usage/kWh", commodity="gas"),
        *series("promised", [1] * 5),
        *series("promised", [1] * 5, hours=9),
        *series("promised", [1] * 4, hours=9, channel="rev/kWh"),
        # The meter at one address is exchanged at half past one.
        *series("old-device", [2] * 25),
        *series("old-device", [1], hours=25, lasts=1800),
        *series("new-device", [1], hours=25.5, seconds=1800),
        *series("new-device", [3] * 30, hours=26),
        *series("billed", [1] * 24),
        *series("billed", [2] * 24, hours=24, quality="estimated"),
        *series("billed", [1] * 24, hours=48),
        *series("billed", [0.5] * 72, channel="net/kWh"),
        *series("billed", [0.25] * 72, channel="rev/kWh"),
        *series("alike", [1] * 24),
        *series("alike", [1] * 24, channel="rev/kWh"),
        *series("alike", [0] * 24, channel="net/kWh"),
        *series("watts", [500] * 24, channel="fwd/Wh"),
        *series("watts", [7] * 24, channel="max/kW", measure="power"),
        *series("watts", [0.4] * 12, channel="fwd/kWh"),
        # As many as there is room for, and still one within another; over midnight.
        *series("packed", [1], seconds=QUARTER),
        *series("packed", [2], hours=0.25, seconds=2 * QUARTER),
        *series("packed", [1], hours=0.5, seconds=QUARTER),
        *series("shifted", [1], seconds=QUARTER),
        *series("shifted", [1], hours=1 / 6, seconds=QUARTER),
        *series("shifted", [1], hours=0.5, seconds=QUARTER),
        *series("midnight", [1] * 18),
        *series("midnight", [5], hours=18.5),
        *series("midnight", [1] * 3, hours=19),
        # Days from six to six, after a part of one; quarters beside the quarter.
        *series("six", [1], hours=2, seconds=4 * HOUR),
        *series("six", [1, 2, 3], hours=6, seconds=24 * HOUR),
        *series("fives", [1] * 9, hours=1 / 12, seconds=QUARTER),
        # Two days in one reading, and day by day.
        *series("long", [1, 1, 1], seconds=24 * HOUR),
        *series("long", [2.5], seconds=48 * HOUR),
        # 60 seconds less pass, 61 do not; nor does a day among hours.
        *series("minutes", [1] * 23),
        *series("minutes", [1], hours=23, lasts=HOUR - 60),
        *series("minutes", [1] * 23, hours=24),
        *series("minutes", [1], hours=47, lasts=HOUR - 61),
        *series("minutes", [24], hours=48, seconds=24 * HOUR),
        # Days of 23 and 25 hours pass, one of 23 hours and 20 minutes does not.
        *series("dailies", [1, 1, 1], seconds=24 * HOUR),
        *series("dailies", [1], hours=72, seconds=23 * HOUR),
        *series("dailies", [1], hours=95, seconds=25 * HOUR),
        *series("dailies", [1], hours=120, seconds=84_000),
        # Silent for just seven days; and for longer, since an evening of Chicago's.
        *series("seven", [1], hours=282),
        *series("stale", [1], hours=20),
        *series("touch", [1] * 5),
        *series("touch", [1] * 5, hours=9),
        *series("both", [1] * 24, channel="usage/kWh"),
        *series("both", [2] * 24),
        *series("nowhere", [1, -1] * 15),
        # Meters of one service point that overlap: the one made last, or listed last.
        *series("swap-b", [1] * 48),
        *series("swap-b", [1] * 48, channel="rev/kWh"),
        *series("swap-a", [2] * 48, hours=24),
        *series("left-b", [1] * 4),
        *series("left-a", [2] * 4),
    ]


def promises() -> list[Promise]:
    """Stretches that were to come: before, between, after and without readings."""
    return [
        Promise("promised", *_span(-3, 1)),
        Promise("promised", *_span(6, 7)),
        Promise("promised", *_span(7, 8)),
        Promise("promised", *_span(13, 20)),
        *(Promise("promised", *_span(*span)) for span in BROKEN),
        Promise("touch", *_span(3, 5)),
        Promise("touch", *_span(9, 10)),
        Promise("silent", *_span(0, 24)),
    ]


def bills() -> list[Billed]:
    """For every cause one; of `billed` a day is 12 kWh of `net`, 6 of `rev`."""

    def bill(
        name: str, quantity: float | None, first: float, last: float, **more: Any
    ) -> Billed:
        plain = Billed(f"odd-{name}", "billed", *_span(first, last), quantity)
        return plain._replace(**more)

    return [
        bill("agrees", 12.24, 0, 24),
        bill("too much", 12.25, 48, 72),
        bill("delivered", 24, 0, 24, flow="delivered"),
        bill("received", 6, 0, 24, flow="received"),
        bill("other", 24, 48, 72),
        bill("guessed", 47, 24, 48, flow="delivered"),
        bill("guess", 30, 48, 72, is_estimated=True),
        bill("half", 30, 60, 84),
        bill("none", 30, 100, 124),
        bill("nothing", 0, 0, 24),
        bill("unknown", None, 0, 24),
        bill("old", 99, 0, 24, is_superseded=True),
        bill("wrong", 99, 0, 24),
        bill("usage first", 24, 0, 24, meter="both"),
        bill("at the limit", 25, 0, 49),
        bill("no time", 1, 3, 3),
        bill("no end", 12, 0, 24, end=None),
        bill("of two", 24, 0, 24, meter="alike"),
        bill("thousandths", 12, 0, 24, meter="watts"),
        bill("thousands", 12_000, 0, 24, meter="watts", unit="Wh"),
        bill("other unit", 12, 0, 24, meter="watts", unit="therm"),
        bill("no unit", 12, 0, 24, meter="watts", unit=None),
        bill("two days", 3.5, 0, 72, meter="long"),
        bill("cut", 2, 24, 72, meter="long"),
        bill("nulls", 10, 0, 4, meter="twins"),
        bill("overlapped", 22, 0, 4, meter="overlaps"),
        bill("credit", -3, 0, 2, meter="negative"),
        bill("other credit", -0.25, 0, 2, meter="negative"),
    ]


def tables(listed_at: str) -> dict[str, Sequence[Row]]:
    """The rows of all that, as loaders have them after a run at that instant."""
    meters = [{"provider": "utilityapi", "meter_key": meter, "listed_at": listed_at,
               "service_point_key": SERVICES.get(meter),
               "created_at": {**MADE, **NEVER}.get(meter)}
              for meter in (*ODD, *NEVER, *NIGHTS)]  # fmt: skip
    (left,) = (row for row in meters if row["meter_key"] == "left-b")
    left["listed_at"] = "2026-03-20T00:00:00Z"
    (hushed,) = (row for row in meters if row["meter_key"] == "hushed")
    hushed["listed_at"] = LISTED
    kept = [Promise("promised", *_span(*span)) for span, _ in KEPT]
    promised = [{"provider": "utilityapi", "source": one.meter, "readings": 0,
                 "range_start": _text(one.start), "range_end": _text(one.end),
                 "read_at": READ, "is_complete": False}
                for one in (*promises(), *kept[:1])]  # fmt: skip
    promised += [{**promised[-1], "range_start": _text(one.start), "read_at": read_at,
                  "range_end": _text(one.end), "is_complete": True}
                 for one, (_, read_at) in zip(kept, KEPT, strict=True)]  # fmt: skip
    billed = [{"provider": "utilityapi", "usage_id": one.usage_id,
               "meter_key": one.meter, "period_start_at": _text(one.start),
               "period_end_at": _text(one.end), "quantity": one.quantity,
               "unit": one.unit, "flow": one.flow, "measure": "energy",
               "is_estimated": one.is_estimated, "is_superseded": one.is_superseded,
               "listed_at": listed_at}
              for one in bills()]  # fmt: skip
    # One that the newest list lacks was withdrawn; of one without a list nobody knows.
    billed[0]["listed_at"] = None
    withdrawn = {**billed[1], "usage_id": "gone", "listed_at": "2026-03-20T00:00:00Z"}
    billed.append(withdrawn)
    return {
        "intervals": [*map(_row, readings()), *_nights()],
        "meters": meters,
        "coverage": promised,
        "usage": billed,
    }


def _row(one: Reading) -> Row:
    moment = local(one.start, one.meter)
    unit = one.channel.partition("/")[2].partition("#")[0]
    return {
        "provider": one.provider,
        "meter_key": one.meter,
        "channel": one.channel,
        "interval_start": _text(one.start),
        "interval_end": _text(one.end),
        "interval_seconds": one.seconds,
        "utc_offset_seconds": moment and round((moment - one.start).total_seconds()),
        "quantity": one.quantity,
        "unit": unit,
        "quantity_normalized": one.kwh if unit != "furlong" else None,
        "unit_normalized": {"furlong": None, "Wh": "kWh"}.get(unit, unit),
        "measure": one.measure,
        "commodity": one.commodity,
        "quality": one.quality,
        "read_at": READ,
    }


def _nights() -> Iterator[Row]:
    """The night when clocks go back; `autumn-twin` has its second hour as well."""
    midnight = naive(datetime(2025, 11, 2, 5, tzinfo=timezone.utc))
    for meter, offsets in (("autumn", (5, 5, 6)), ("autumn-twin", (5, 5, 6, 6)),
                           ("wavering", (6, 5, 6, *[6] * 24))):  # fmt: skip
        for number, offset in enumerate(offsets):
            hour = number + (meter == "autumn" and number == 2)
            start = midnight + timedelta(hours=hour)
            row = _row(Reading("utilityapi", "far", "fwd/kWh", start,
                               start + timedelta(hours=1), 1, 1))  # fmt: skip
            yield {**row, "meter_key": meter, "utc_offset_seconds": -3600 * offset}
        if meter == "wavering":
            continue
        first = midnight + timedelta(hours=1)
        row = _row(Reading("utilityapi", "far", "fwd/kWh#2", first,
                           first + timedelta(hours=1), 2, 2))  # fmt: skip
        yield {**row, "meter_key": meter}
    half = midnight + timedelta(minutes=30)
    yield {**_row(Reading("utilityapi", "far", "fwd/kWh", half, half, 1, 1)),
           "meter_key": "nil"}  # fmt: skip


def _span(first: float, last: float) -> tuple[datetime, datetime]:
    return DAY + timedelta(hours=first), DAY + timedelta(hours=last)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() + "Z" if moment else None

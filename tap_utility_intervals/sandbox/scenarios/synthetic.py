"""Series made up from a seed: a value depends on seed, name and instant alone."""

from __future__ import annotations

import math
import zlib
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tap_utility_intervals.sandbox.readings import HOUR, Reading, Series, epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

LAG = 6 * HOUR


def synthetic(  # noqa: PLR0913 - the parts of a series
    seed: object,
    name: str,
    start: datetime | str,
    end: datetime | str,
    *,
    minutes: int = 60,
    channels: int = 1,
    lag: int = LAG,
    quality: str | None = "ACTUAL",
) -> Series:
    """Readings from `start` to `end`, each known `lag` seconds after its end."""
    step = minutes * 60
    return Series(
        [
            Reading(
                at,
                at + step,
                tuple(thousandths(dice(seed, name, at, n)) for n in range(channels)),
                at + step + lag,
                quality,
            )
            for at in range(epoch(start), epoch(end), step)
        ]
    )


def solar(  # noqa: PLR0913 - the parts of a series
    seed: object,
    name: str,
    start: datetime | str,
    end: datetime | str,
    *,
    zone: str,
    minutes: int = 15,
    lag: int = LAG,
) -> Series:
    """A net-metered home: channels net, max, fwd, rev; net = fwd - rev exactly."""
    return Series(
        list(_solar(seed, name, (epoch(start), epoch(end)), zone, minutes, lag))
    )


def _solar(  # noqa: PLR0913, PLR0917 - the parts of a series
    seed: object, name: str, span: tuple[int, int], zone: str, minutes: int, lag: int
) -> Iterator[Reading]:
    tz, step = ZoneInfo(zone), minutes * 60
    for at in range(*span, step):
        local = datetime.fromtimestamp(at, tz)
        daylight = math.sin(math.pi * (local.hour + local.minute / 60 - 6) / 12)
        shine = dice(seed, f"{name}/sun", at, 0) // 4
        made = int(max(0.0, daylight) * shine * minutes / 60)
        used = dice(seed, name, at, 0) * minutes // 240
        net = used - made
        values = (net, abs(net) * 60 // minutes, max(net, 0), max(-net, 0))
        yield Reading(at, at + step, tuple(map(thousandths, values)), at + step + lag)


def dice(seed: object, name: str, at: int, channel: int) -> int:
    """A number from 0 to 4,999 that never changes."""
    return zlib.crc32(f"{seed}/{name}/{at}/{channel}".encode()) % 5_000


def thousandths(number: int) -> str:
    """A number of thousandths as text that keeps its last zeros: 100 is `0.100`."""
    sign = "-" if number < 0 else ""
    return f"{sign}{abs(number) // 1000}.{abs(number) % 1000:03d}"

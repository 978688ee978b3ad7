"""Instants in one fixed UTC form, and what they were before.

Providers send instants with offsets that change twice a year, with or without a
fraction, and sometimes without a zone. Bookmarks compare as text, so what leaves here
has one form. msgspec reads the usual texts and a regex the rest:
`datetime.fromisoformat` is narrow on Python 3.10 and takes too much from 3.11 on.
"""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache

import msgspec

EARLIEST = datetime.min.replace(tzinfo=timezone.utc)
FAR = datetime.max.replace(tzinfo=timezone.utc)
"""The ends of the calendar."""
DAY = timedelta(days=1)
"""24 hours, also when a clock changes."""
MICROSECOND = timedelta(microseconds=1)
"""Nothing here is shorter."""

_INSTANT = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})-([0-9]{2})|([0-9]{2})([0-9]{2}))[Tt ]"
    r"([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?"
    r" ?(Z|z|[+\u2212-][0-9]{2}(?::?[0-9]{2})?)?"
)
_BY_WEEK_OR_DAY = re.compile(
    r"^([0-9]{4})(-?)(?:W([0-9]{2})\2([1-7])|([0-9]{3}))(?=[Tt ])"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_instant(text: object, *, naive_is_utc: bool = False) -> datetime:
    """Return an aware instant that keeps the offset it was sent with.

    Reads what ISO 8601 allows: `2026-05-27T07:45:00.000000-04:00`, `2026-05-27
    11:45:00Z`, the basic form `20260527T114500Z`, dates by week or day of the year,
    offsets such as `+0530` and `+00`, a comma before the fraction, `24:00` for the end
    of a day; and fractions of up to nine digits, cut (not rounded) to six.

    Raises:
        ValueError: Not such text; no such moment; no zone, unless `naive_is_utc` (as
            Nectar's webhooks send them); or a moment that has no UTC form in the years
            1 to 9999. The message never quotes the value.
    """
    if not isinstance(text, str):
        raise ValueError("not an instant such as 2026-05-27T11:45:00Z")  # noqa: TRY004
    moment = _usual(text) or _unusual(text, naive_is_utc=naive_is_utc)
    if moment.year in {1, 9999}:
        as_utc(moment)
    return moment


def _usual(text: str) -> datetime | None:
    """Read the common forms ten times faster, which tells on millions of readings.

    Only texts too short for more than six fraction digits: msgspec rounds, we cut.
    """
    if (text[-1:] == "Z" and len(text) <= len("2026-05-27T11:45:00.000000Z")) or (
        text[-6:-5] in {"+", "-"}
        and len(text) <= len("2026-05-27T07:45:00.000000-04:00")
    ):
        try:
            return msgspec.convert(text, datetime)
        except msgspec.ValidationError:
            return None
    return None


def _unusual(text: str, *, naive_is_utc: bool) -> datetime:
    found = _INSTANT.fullmatch(_BY_WEEK_OR_DAY.sub(_by_month, text, 1))
    if found is None:
        raise ValueError("not an instant such as 2026-05-27T11:45:00Z")
    year, *month_and_day, hour, minute, second, fraction, offset = found.groups()
    if offset is None and not naive_is_utc:
        raise ValueError("an instant without a time zone")
    month, day = filter(None, month_and_day)
    micros = int((fraction or "").ljust(6, "0")[:6])
    clock = int(hour), int(minute or 0), int(second or 0), micros
    midnight = datetime(int(year), int(month), int(day), tzinfo=_zone(offset))
    if clock == (24, 0, 0, 0):
        return _next_day(midnight)
    return datetime.combine(midnight.date(), time(*clock), midnight.tzinfo)


def _by_month(found: re.Match[str]) -> str:
    """A date by month for `2026-W22-3` or `2026-147`."""
    year, _, week, weekday, number = found.groups()
    if week is not None:
        return date.fromisocalendar(int(year), int(week), int(weekday)).isoformat()
    if not 0 < int(number) <= 365 + isleap(int(year)):
        raise ValueError("a day of the year that does not exist")
    return (date(int(year), 1, 1) + timedelta(days=int(number) - 1)).isoformat()


def _next_day(midnight: datetime) -> datetime:
    """The end of a day is the beginning of the next one."""
    try:
        return midnight + timedelta(days=1)
    except OverflowError:
        raise ValueError("an instant outside the years 1 to 9999") from None


def as_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC.

    Raises:
        ValueError: The moment is naive, or leaves the years 1 to 9999 on the way.
    """
    if moment.tzinfo is timezone.utc:
        return moment
    if moment.utcoffset() is None:
        raise ValueError("an instant without a time zone")
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError("an instant outside the years 1 to 9999") from None


def seconds_form(moment: datetime) -> str:
    """Return `2026-05-27T11:45:00Z`; six fraction digits only if they are not zero.

    Raises:
        ValueError: As `as_utc`.
    """
    return as_utc(moment).replace(tzinfo=None).isoformat() + "Z"


shared_form = lru_cache(maxsize=4_096)(seconds_form)
"""The same of instants that many objects share, such as the edges of coverage."""


def micros_form(moment: datetime) -> str:
    """Return `2026-05-27T16:48:25.301699Z`: always six fraction digits.

    For what bookmarks compare as text: with a fixed width, text order is time order.

    Raises:
        ValueError: As `as_utc`.
    """
    return as_utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_date(text: object) -> str:
    """Return a plain date as `YYYY-MM-DD`, having checked that the day exists.

    Raises:
        ValueError: Anything else, an instant included: its local date is
            `parse_instant(text).date()`, which is for the caller to decide.
    """
    if not isinstance(text, str) or not _DATE.fullmatch(text):
        raise ValueError("not a date such as 2026-05-27")
    return date.fromisoformat(text).isoformat()


def offset_seconds(moment: datetime) -> int | None:
    """Return the offset from UTC in seconds, east positive; `None` if naive."""
    offset = moment.utcoffset()
    return None if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=256)
def _zone(offset: str | None) -> timezone:
    if offset in {None, "Z", "z"}:
        return timezone.utc
    assert offset is not None  # noqa: S101 - for mypy
    hours, minutes = int(offset[1:3]), int(offset[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - a clock's own limits
        raise ValueError("a time zone offset that does not exist")
    east = timedelta(hours=hours, minutes=minutes)
    return timezone(east if offset[0] == "+" else -east)


def earlier(instant: datetime, by: timedelta) -> datetime:
    """Return so much earlier, or the beginning of the calendar."""
    return instant - by if instant - EARLIEST > by else EARLIEST


def later(instant: datetime, by: timedelta) -> datetime:
    """Return so much later, or the end of the calendar."""
    return instant + by if FAR - instant > by else FAR

"""Single values of Nectar's objects: words, instants, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

import msgspec
from msgspec import Raw
from typing_extensions import override

from tap_utility_intervals.floor import units
from tap_utility_intervals.floor.instants import (
    as_utc,
    micros_form,
    offset_seconds,
    parse_instant,
)
from tap_utility_intervals.floor.records import Commodity, Flow, Number, Quality
from tap_utility_intervals.floor.values import Values, loads
from tap_utility_intervals.providers.nectar.objects import text

LONGEST = len("2026-05-27T11:45:00.000000Z")

DATASOURCE_TYPES = (
    *("ELECTRICITY", "GAS", "WATER", "DISTRICT", "WASTE", "FUEL", "MISC"),
    *("REFRIGERANT", "SOLAR", "TELECOM"),
)

PLAIN = re.compile(rb"-?(?:0|[1-9][0-9]{0,40})(?:\.[0-9]{1,40})?")
_COMMODITIES = {
    **{word: Commodity(word.lower()) for word in DATASOURCE_TYPES},
    # The filtering guide's older words.
    **dict.fromkeys(("STEAM", "CHILLED_WATER", "HOT_WATER"), Commodity.DISTRICT),
}
_QUALITIES = {quality.value: quality for quality in Quality} | {
    "estimate": Quality.ESTIMATED,
    "projection": Quality.PROJECTED,
    "calculated": Quality.DERIVED,
}
_FLOWS = {"IMPORT": Flow.DELIVERED, "EXPORT": Flow.RECEIVED}


@lru_cache(maxsize=1 << 16)
def instant(sent: str) -> tuple[datetime, int | None]:
    """An instant in UTC, and its offset if a numeric one was sent.

    Nectar's `Z` is no local time, and neither is an instant without a zone (UTC).

    Raises:
        ValueError: as `instants.parse_instant`.
    """
    moment = parse_instant(sent, naive_is_utc=True)
    local = bool({*sent[-6:-4]} & {"+", "-"}) and sent[-1] not in "Zz"
    return as_utc(moment), offset_seconds(moment) if local else None


def usual_instants(sent: Sequence[str]) -> list[datetime] | None:
    """All of these instants, each in the form that Nectar documents, or none of them.

    That is `2026-05-27T11:45:00Z`, with up to six digits more.
    """
    is_usual = (
        {text[10:11] for text in sent} == {"T"}
        and {text[19:20] for text in sent} <= {"Z", "."}
        and {text[-1:] for text in sent} == {"Z"}
        and max(map(len, sent)) <= LONGEST
    )
    try:
        return msgspec.convert(sent, list[datetime]) if is_usual else None
    except msgspec.ValidationError:
        return None


def usual_stamps(sent: Sequence[str | None]) -> list[str] | None:
    """Such instants as text, all with six digits more; None if they are not such."""
    texts = [text for text in sent if text]
    if len(texts) < len(sent) or usual_instants(texts) is None:
        return None
    return [f"{text[:19]}.{text[20:-1]:0<6}Z" for text in texts]


@lru_cache(maxsize=1 << 12)
def _stamp(sent: str) -> str:
    return micros_form(parse_instant(sent, naive_is_utc=True))


def commodity(datasource_type: object) -> Commodity | None:
    """What flows, where it is one of the words we know."""
    return _COMMODITIES.get((text(datasource_type) or "").upper())


@lru_cache(maxsize=1 << 10)
def quality(sent: str | None) -> Quality | None:
    """How a reading came to be, where Nectar's word can be told."""
    return _QUALITIES.get(sent.strip().lower()) if sent else None


def flow(net_metering_type: object) -> Flow | None:
    """The direction, where Nectar states it."""
    return _FLOWS.get((text(net_metering_type) or "").upper())


class Reader(Values):
    """Reads the values of one row; keeps the text of what cannot be read."""

    __slots__ = ()

    @override
    def instant(self, column: str, value: object) -> str | None:
        """As `Values.instant`; a page's rows were made at the same few moments."""
        if isinstance(value, str) and value:
            try:
                return _stamp(value)
            except ValueError:
                self.refuse(column, value)
                return None
        return super().instant(column, value)

    def quantity(self, column: str, sent: Raw) -> Number | None:
        """A number with its digits as sent, quoted or not."""
        body = bytes(sent)
        inner = body[1:-1] if body[:1] == b'"' else body
        if PLAIN.fullmatch(inner):
            return Raw(inner)
        try:
            return self.number(column, loads(body))
        except ValueError:  # nested too deeply
            self.refuse(column, sent)
            return None


def normalized(quantity: Number | None, unit: units.Unit) -> Number | None:
    """The quantity in kWh, kW or m3; the very same text where the factor is one."""
    if quantity is None or unit.factor is None:
        return None
    if unit.is_normal:
        return quantity
    value = Decimal(bytes(quantity).decode()) if isinstance(quantity, Raw) else quantity
    return units.normalize(value, unit)

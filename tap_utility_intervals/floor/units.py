"""Unit names in one spelling, exact conversions inside a dimension, exact numbers.

Energy converts to kWh, power to kW, volume to m3; nothing crosses a dimension: gas in
CCF never becomes kWh (that needs a heat content). No binary float ever enters.

Decisions that a reader of the data may ask about:

* `therm` (also `thm (US)`, `therms`) is 100 000 Btu_IT = 105 505 585.262 J; the legal
  US therm of 1968 (105 480 400 J) is 0.024 % smaller.
* Other therms keep their country: `therm (EC)` is 105 506 000 J (directive 80/181/EEC),
  `therm (UK)` 105 505 585.257 348 J (Units of Measurement Regulations 1995).
* `gal` is the US gallon; `gal (UK)` the imperial one. `Mgal` is a million gallons.
* `Cal`, `kCal`, `MCal` (Nectar) are the gram calorie of the international table,
  4.1868 J, its thousand and its million: no room for the food calorie.
* Apparent and reactive quantities (kVA, kVAr, kVAh, kVArh, …) are `Measure.OTHER`: they
  are neither kW nor kWh, so a sum over `measure = 'energy'` must not catch them. Hence
  the rule: a unit measures energy, power or volume exactly if it can be normalized.
* Upper and lower case are alike only where no other unit is meant: `mw` is not MW,
  `mL` is not ML, and `MGAL` (a thousand to some, a million to others) is nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

import msgspec

from tap_utility_intervals.floor.records import Measure

# Definitions: NIST SP 811 (2008), appendix B.8, where no other source is named.
_BTU = Decimal("1055.05585262")  # Btu_IT, ISO 31-4
_CUBIC_FOOT = Decimal("0.028316846592")  # 0.3048³ m3
_GALLON = Decimal("0.003785411784")  # 231 cubic inches
_UK_GALLON = Decimal("0.00454609")  # Weights and Measures Act 1985

# Each key holds a unit's spellings, ours first; the value is its size in J, W or m3.
_JOULES = {
    "J": Decimal(1),
    **{f"{prefix}J": Decimal(1000) ** n for n, prefix in enumerate("kMGT", 1)},
    "erg": Decimal("0.0000001"),
    "Wh": Decimal(3600),
    **{f"{prefix}Wh": 3600 * Decimal(1000) ** n for n, prefix in enumerate("kMG", 1)},
    "cal": Decimal("4.1868"),
    "kcal": Decimal("4186.8"),
    "Mcal": Decimal(4186800),
    "Btu": _BTU,
    "kBtu": 1000 * _BTU,
    "MMBtu": 1000000 * _BTU,
    "therm|therms|therm (US)|therms (US)|thm|thm (US)": 100000 * _BTU,
    "therm (EC)|therms (EC)|thm (EC)": Decimal(105506000),
    "therm (UK)|therms (UK)|thm (UK)": Decimal("105505585.257348"),
    "Dth|Dth (US)|dekatherm|dekatherms|decatherm|decatherms": 1000000 * _BTU,
    "Dth (EC)": Decimal(1055060000),
    "Dth (UK)": Decimal("1055055852.57348"),
    # A ton of refrigeration is 12 000 Btu_IT per hour.
    "ton hours|ton hour|ton-hours|ton-hour|ton_hours": 12000 * _BTU,
}
_WATTS = {
    "W": Decimal(1),
    **{f"{prefix}W": Decimal(1000) ** n for n, prefix in enumerate("kMG", 1)},
}
_CUBIC_METRES = {
    "m3|m³|m^3|cubic m|cubic meter|cubic meters|cubic metre|cubic metres": Decimal(1),
    "mL": Decimal("0.000001"),
    "L|liter|liters|litre|litres": Decimal("0.001"),
    "kL": Decimal(1),
    "ML": Decimal(1000),
    "CF|cubic ft|cubic foot|cubic feet|ft3|ft³": _CUBIC_FOOT,
    "CCF": 100 * _CUBIC_FOOT,
    "HCF": 100 * _CUBIC_FOOT,
    "MCF": 1000 * _CUBIC_FOOT,
    "MMCF": 1000000 * _CUBIC_FOOT,
    "yd3|cubic yd|cubic yard|cubic yards|yd³": 27 * _CUBIC_FOOT,
    "gal|gal (US)|gals|gallon|gallons|gallons (US)": _GALLON,
    "100 gal|100 gal (US)": 100 * _GALLON,
    "kgal|kgal (US)": 1000 * _GALLON,
    "Mgal|Mgal (US)": 1000000 * _GALLON,
    "gal (UK)|gallons (UK)": _UK_GALLON,
    "100 gal (UK)": 100 * _UK_GALLON,
    "kgal (UK)": 1000 * _UK_GALLON,
    "Mgal (UK)": 1000000 * _UK_GALLON,
    "bbl": 42 * _GALLON,
    # The oil trade's M is the Roman thousand.
    "mbbl": 42000 * _GALLON,
}
_MASSES = (
    *("kg|kilogram|kilograms", "g", "lb|lbs|pound|pounds", "mlb", "oz t"),
    *("short ton|sh ton|tons (US)", "long ton|long tn", "tonne|tonnes|metric ton"),
)
# Named so that their spelling is one; `teu` and the lengths come from Nectar's list.
_OTHERS = (
    *("VA", "kVA", "MVA", "GVA", "VAh", "kVAh", "MVAh", "GVAh"),
    *("VAr", "kVAr", "MVAr", "GVAr", "VArh", "kVArh", "MVArh", "GVArh"),
    *("days", "months", "percent", "poles", "lamps", "metering_devices", "currency"),
    *("teu", "km", "mi", "m", "cm", "mm", "nm", "yd", "ft", "in"),
)

# Folded, these would be read as a unit a thousand or a billion times another.
_FIRST_LETTER_COUNTS = frozenset(
    ("m", "mm", "mj", "mw", "mwh", "mva", "mvah", "mvar", "mvarh", "ml", "mlb", "mcal"),
)
_EVERY_LETTER_COUNTS = frozenset({"mgal", "mgal (us)", "mgal (uk)"})

# A product is kept whole, however long; only a quotient is ever rounded.
_EXACT = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)
_ROUNDED = Context(prec=28, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)
_ONE = Decimal(1)

# A double goes to 1e308. What is larger or longer is no quantity but an attack: a
# product kept whole would fill the memory.
_MAX_LENGTH = 100
_MAX_EXPONENT = 300
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure: `quantity * factor / divisor` is the quantity normalized.

    Attributes:
        name: The one spelling; the raw text, stripped, of an unknown unit.
        measure: The dimension; `OTHER` when unknown, `None` when no unit was sent.
        normalized: `kWh`, `kW` or `m3`; `None` when the unit converts to none of them.
        factor: Exact; `None` when `normalized` is.
        divisor: Exact; 1 unless the conversion is no finite decimal (therm to kWh).
    """

    name: str | None
    measure: Measure | None = Measure.OTHER
    normalized: str | None = None
    factor: Decimal | None = None
    divisor: Decimal = _ONE

    @property
    def is_normal(self) -> bool:
        """Whether a quantity is the normalized one, digit for digit."""
        return self.factor == 1 == self.divisor


NO_UNIT = Unit(name=None, measure=None)
"""What `unit` makes of no text."""


@lru_cache(maxsize=4096)
def unit(raw: str | None) -> Unit:
    """Return the unit a provider means by `raw`; one it never heard of keeps its text.

    `None` and blank text give a unit without a name.
    """
    text = " ".join((raw or "").split())
    known = _UNITS.get(_key(text))
    return known or (Unit(text) if text else NO_UNIT)


def normalize(value: Decimal, unit: Unit) -> Decimal | None:
    """Convert a finite value to kWh, kW or m3; `None` for a unit without a factor.

    A factor of one returns the value as it is. A product keeps every digit. Where the
    conversion is no finite decimal (its divisor is not 1), the exact quotient is
    rounded once, half-even, to 28 significant digits.
    """
    if unit.factor is None:
        return None
    product = value if unit.factor == _ONE else _EXACT.multiply(value, unit.factor)
    return product if unit.divisor == _ONE else _ROUNDED.divide(product, unit.divisor)


def read_number(value: object) -> Decimal | None:
    """Return a provider's number with exactly its digits; `None` when absent.

    Absent is `None`, and blank text: nothing was said, so nothing is unreadable.

    Reads `int`, `Decimal`, `msgspec.Raw` (JSON: a number, a quoted one, or null) and
    text such as `"412.50"`, `" -0.10 "`, `"+3"`, `"1e3"`.

    Raises:
        ValueError: Not a finite plain decimal number (`"1,234.5"`, `"NaN"`,
            `True`, a list), longer than 100 characters, or of a size (beyond 1e±300)
            that would print as a page of zeros. The message never quotes the value.
        TypeError: A `float`: its digits are lost already, which is our own mistake.
    """
    if isinstance(value, str):
        return _parse(value)
    if value is None:
        return None
    if isinstance(value, float):
        raise TypeError("a float has lost its digits: decode numbers as Decimal")
    if isinstance(value, msgspec.Raw):
        return _parse_json(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError(f"not a number but a {type(value).__name__}")  # noqa: TRY004 - the provider's mistake, not ours
    return _within_reason(Decimal(value))


def _parse(text: str) -> Decimal | None:
    text = text.strip()
    if not text:
        return None
    if len(text) > _MAX_LENGTH or not _NUMBER.fullmatch(text):
        raise ValueError("not a plain decimal number")
    number = Decimal(text)
    return _within_reason(number) if "e" in text.lower() else number


def _parse_json(raw: msgspec.Raw) -> Decimal | None:
    text = bytes(raw).strip()
    if text == b"null":
        return None
    if text.startswith(b'"'):
        return _parse(msgspec.json.decode(text, type=str))
    return _parse(text.decode("utf-8", "replace"))


def _within_reason(number: Decimal) -> Decimal:
    _, digits, exponent = number.as_tuple()
    if (
        isinstance(exponent, str)  # NaN and the infinities
        or len(digits) > _MAX_LENGTH
        or abs(exponent) > _MAX_EXPONENT
        or abs(number.adjusted()) > _MAX_EXPONENT
    ):
        raise ValueError("not a finite number of a reasonable size")
    return number


def _key(text: str) -> str:
    folded = text.casefold()
    if folded in _EVERY_LETTER_COUNTS:
        return text
    return text[0] + folded[1:] if folded in _FIRST_LETTER_COUNTS else folded


def _convertible(
    spellings: str, measure: Measure, normalized: str, ratio: Fraction
) -> Unit:
    """Return the unit of an exact ratio, as a finite decimal wherever there is one."""
    name = spellings.split("|", 1)[0]
    top, bottom = Decimal(ratio.numerator), Decimal(ratio.denominator)
    factor = _ROUNDED.divide(top, bottom)
    if _EXACT.multiply(factor, bottom) == top:
        return Unit(name, measure, normalized, Decimal(format(factor, "f")))
    return Unit(name, measure, normalized, top, bottom)


def _catalogue() -> dict[str, Unit]:
    dimensions = (
        (_JOULES, Measure.ENERGY, "kWh", 3600000),
        (_WATTS, Measure.POWER, "kW", 1000),
        (_CUBIC_METRES, Measure.VOLUME, "m3", 1),
    )
    units = {
        spellings: _convertible(spellings, measure, base, Fraction(size) / per_base)
        for sizes, measure, base, per_base in dimensions
        for spellings, size in sizes.items()
    }
    units |= {s: Unit(s.split("|", 1)[0], Measure.MASS) for s in _MASSES}
    units |= {s: Unit(s) for s in _OTHERS}
    return {_key(s): found for names, found in units.items() for s in names.split("|")}


_UNITS = _catalogue()

"""Every unit that a provider documents, and exact conversions."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_utility_intervals.floor import units
from tap_utility_intervals.floor.records import Measure
from tap_utility_intervals.floor.units import Unit, normalize, unit

BTU = Fraction("1055.05585262")
CUBIC_FOOT = Fraction("0.3048") ** 3
GALLON = 231 * Fraction("0.0254") ** 3
UK_GALLON = Fraction("0.00454609")
KWH = Fraction(3600000)

ENERGY = {
    "J": ("J", 1 / KWH),
    "kJ": ("kJ", 1000 / KWH),
    "MJ": ("MJ", 10**6 / KWH),
    "GJ": ("GJ", 10**9 / KWH),
    "TJ": ("TJ", 10**12 / KWH),
    "Btu": ("Btu", BTU / KWH),
    "MMBtu": ("MMBtu", 10**6 * BTU / KWH),
    "thm (EC)": ("therm (EC)", 105506000 / KWH),
    "thm (US)": ("therm", 100000 * BTU / KWH),
    "thm (UK)": ("therm (UK)", Fraction("105505585.257348") / KWH),
    "Dth (EC)": ("Dth (EC)", 1055060000 / KWH),
    "Dth (US)": ("Dth", 1000000 * BTU / KWH),
    "Dth (UK)": ("Dth (UK)", Fraction("1055055852.57348") / KWH),
    "Cal": ("cal", Fraction("4.1868") / KWH),
    "kCal": ("kcal", Fraction("4186.8") / KWH),
    "MCal": ("Mcal", Fraction(4186800) / KWH),
    "erg": ("erg", Fraction(1, 10**7) / KWH),
    "Wh": ("Wh", Fraction(1, 1000)),
    "kWh": ("kWh", Fraction(1)),
    "MWh": ("MWh", Fraction(1000)),
    "GWh": ("GWh", Fraction(10**6)),
    "ton hours": ("ton hours", 12000 * BTU / KWH),
    "kwh": ("kWh", Fraction(1)),
    "therms": ("therm", 100000 * BTU / KWH),
}
POWER = {
    "W": ("W", Fraction(1, 1000)),
    "KW": ("kW", Fraction(1)),
    "kW": ("kW", Fraction(1)),
    "kw": ("kW", Fraction(1)),
    "MW": ("MW", Fraction(1000)),
    "GW": ("GW", Fraction(10**6)),
}
VOLUME = {
    "L": ("L", Fraction(1, 1000)),
    "kL": ("kL", Fraction(1)),
    "ML": ("ML", Fraction(1000)),
    "cubic ft": ("CF", CUBIC_FOOT),
    "cubic yd": ("yd3", 27 * CUBIC_FOOT),
    "cubic m": ("m3", Fraction(1)),
    "MMCF": ("MMCF", 10**6 * CUBIC_FOOT),
    "MCF": ("MCF", 1000 * CUBIC_FOOT),
    "HCF": ("HCF", 100 * CUBIC_FOOT),
    "CF": ("CF", CUBIC_FOOT),
    "CCF": ("CCF", 100 * CUBIC_FOOT),
    "gal (UK)": ("gal (UK)", UK_GALLON),
    "gal (US)": ("gal", GALLON),
    "100 gal (US)": ("100 gal", 100 * GALLON),
    "100 gal (UK)": ("100 gal (UK)", 100 * UK_GALLON),
    "kgal (US)": ("kgal", 1000 * GALLON),
    "kgal (UK)": ("kgal (UK)", 1000 * UK_GALLON),
    "Mgal (US)": ("Mgal", 10**6 * GALLON),
    "Mgal (UK)": ("Mgal (UK)", 10**6 * UK_GALLON),
    "bbl": ("bbl", 42 * GALLON),
    "mbbl": ("mbbl", 42000 * GALLON),
    "ccf": ("CCF", 100 * CUBIC_FOOT),
    "mcf": ("MCF", 1000 * CUBIC_FOOT),
    "hcf": ("HCF", 100 * CUBIC_FOOT),
    "gallons": ("gal", GALLON),
    "m3": ("m3", Fraction(1)),
}
MASS = {
    "kg": "kg",
    "oz t": "oz t",
    "g": "g",
    "lb": "lb",
    "mlb": "mlb",
    "tons (US)": "short ton",
    "sh ton": "short ton",
    "metric ton": "tonne",
    "tonne": "tonne",
    "long tn": "long ton",
}
OTHER = {
    **dict.fromkeys(("kva", "kVA"), "kVA"),
    **dict.fromkeys(("kvah", "kVAh"), "kVAh"),
    **dict.fromkeys(("kvar", "kVAR", "kVAr"), "kVAr"),
    **dict.fromkeys(("kvarh", "kVARh", "kVArh"), "kVArh"),
    **dict.fromkeys(("MVAr", "MVAR"), "MVAr"),
    **{
        name: name
        for name in (
            *("MVA", "MVAh", "MVArh", "GVA", "GVAh", "VA", "VAh", "VAr", "VArh"),
            *("days", "months", "percent", "poles", "lamps", "metering_devices"),
            *("currency", "teu", "km", "mi", "m", "cm", "mm", "nm", "yd", "ft", "in"),
        )
    },
}
CONVERTIBLE = {
    **{raw: (*row, Measure.ENERGY, "kWh") for raw, row in ENERGY.items()},
    **{raw: (*row, Measure.POWER, "kW") for raw, row in POWER.items()},
    **{raw: (*row, Measure.VOLUME, "m3") for raw, row in VOLUME.items()},
}
ALL = sorted(set(units._UNITS.values()), key=str)

decimals = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15
)


def ratio(of: Unit) -> Fraction:
    assert of.factor is not None
    return Fraction(of.factor) / Fraction(of.divisor)


@pytest.mark.parametrize("raw", CONVERTIBLE)
def test_documented_unit_converts_exactly(raw: str) -> None:
    name, expected, measure, normalized = CONVERTIBLE[raw]
    found = unit(raw)
    assert (found.name, found.measure, found.normalized) == (name, measure, normalized)
    assert ratio(found) == expected


@pytest.mark.parametrize("raw", MASS)
def test_documented_mass_is_named_and_not_converted(raw: str) -> None:
    assert unit(raw) == Unit(MASS[raw], Measure.MASS)


@pytest.mark.parametrize("raw", OTHER)
def test_any_other_documented_unit_is_named_and_not_converted(raw: str) -> None:
    assert unit(raw) == Unit(OTHER[raw], Measure.OTHER)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("KWH", "kWh"),
        ("Kwh", "kWh"),
        (" kWh ", "kWh"),
        ("MWH", "MWh"),
        ("THERMS", "therm"),
        ("Therm", "therm"),
        ("thm", "therm"),
        ("dth", "Dth"),
        ("Dekatherms", "Dth"),
        ("mmbtu", "MMBtu"),
        ("kBTU", "kBtu"),
        ("m³", "m3"),
        ("M3", "m3"),
        ("Cubic  Metres", "m3"),
        ("Gal", "gal"),
        ("Gallons (US)", "gal"),
        ("Litres", "L"),
        ("l", "L"),
        ("mL", "mL"),
        ("ml", "mL"),
        ("ML", "ML"),
    ],
)
def test_spelling_is_one(raw: str, name: str) -> None:
    assert unit(raw).name == name
    assert unit(raw).factor is not None


@pytest.mark.parametrize(
    "raw", ["mw", "mW", "mwh", "mWh", "mj", "mcal", "MGAL", "mgal", "MBtu", "M"]
)
def test_case_is_not_guessed_where_it_changes_the_size(raw: str) -> None:
    assert unit(raw) == Unit(raw)


def test_unknown_unit_keeps_its_text_and_has_no_factor() -> None:
    found = unit("  widgets per  fortnight ")
    assert found == Unit("widgets per fortnight", Measure.OTHER, None, None)
    assert normalize(Decimal(1), found) is None


@pytest.mark.parametrize("raw", [None, "", "  "])
def test_no_unit_has_no_name(raw: str | None) -> None:
    assert unit(raw) == Unit(None, measure=None)


def test_unit_is_looked_up_once() -> None:
    assert unit("thm (US)") is unit("thm (US)")


@pytest.mark.parametrize("known", ALL, ids=lambda known: known.name)
def test_a_dimension_is_claimed_exactly_when_it_converts(known: Unit) -> None:
    bases: dict[Measure | None, str] = {
        Measure.ENERGY: "kWh",
        Measure.POWER: "kW",
        Measure.VOLUME: "m3",
    }
    assert known.normalized == bases.get(known.measure)
    assert (known.factor is None) == (known.normalized is None)
    assert unit(known.name) == known


@settings(max_examples=600)
@given(known=st.sampled_from(ALL), value=decimals)
def test_normalizing_agrees_with_rational_arithmetic(
    known: Unit, value: Decimal
) -> None:
    result = normalize(value, known)
    if known.factor is None:
        assert result is None
        return
    assert result is not None
    exact = Fraction(value) * ratio(known)
    if known.divisor == 1:
        assert Fraction(result) == exact
    else:
        assert abs(Fraction(result) - exact) <= abs(exact) / 2 * Fraction(1, 10**27)
    # and back again, to within that one rounding
    back = Fraction(result) / ratio(known)
    assert abs(back - Fraction(value)) <= abs(Fraction(value)) * Fraction(1, 10**27)


@given(value=decimals)
def test_factor_of_one_changes_no_digit(value: Decimal) -> None:
    for name in ("kWh", "kW", "m3", "kL"):
        assert str(normalize(value, unit(name))) == str(value)


@pytest.mark.parametrize(
    ("value", "raw", "expected"),
    [
        ("412.50", "therms", "12089.18164460416666666666667"),
        ("1", "therm", "29.30710701722222222222222222"),
        ("1", "CCF", "2.8316846592"),
        ("5", "MWh", "5000"),
        ("0.166", "MWh", "166.000"),
        ("18", "MJ", "5"),
        ("-0.10", "kWh", "-0.10"),
        ("1000", "gallons", "3.785411784000"),
        ("0", "therm", "0"),
    ],
)
def test_normalized_quantities_read_as_expected(
    value: str, raw: str, expected: str
) -> None:
    assert str(normalize(Decimal(value), unit(raw))) == expected


def test_a_product_keeps_every_digit_however_many() -> None:
    value = Decimal("9" * 80 + ".123456789")
    result = normalize(value, unit("CCF"))
    assert result is not None
    assert Fraction(result) == Fraction(value) * 100 * CUBIC_FOOT


def test_the_callers_decimal_context_does_not_matter() -> None:
    with localcontext() as context:
        context.prec, context.rounding = 3, ROUND_UP
        assert str(normalize(Decimal(1), unit("CF"))) == "0.028316846592"
        assert str(normalize(Decimal(3), unit("MJ"))) == "0." + "8" + "3" * 27

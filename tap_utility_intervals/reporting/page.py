"""One HTML file of what a warehouse says of its meters: it asks no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tap_utility_intervals.reporting.database import Row
from tap_utility_intervals.reporting.facts import Meter

ENOUGH = 90
"""Percent of a meter's time that has to have readings, as OpenDSM asks of a month."""

NOTHING = "\N{EN DASH}"
ASSETS = Path(__file__).parent / "assets"


WRONG = {
    "sum_check": "bills that nothing explains",
    "spike_check": "days with impossible values",
}
"""What an error of a check means."""

UNITS = {
    **dict.fromkeys(("gap", "duplicate", "overlap", "unit_of_measure"), "readings"),
    **dict.fromkeys(("zero_consumption", "prolonged_estimation"), "h"),
    **dict.fromkeys(("sum", "spike"), "%"),
    "interval_size": "s",
    "staleness": "days",
}
"""In what a check observes; the others do in the unit of the readings."""


@dataclass(frozen=True)
class Page:
    """What is the same for all meters of a report."""

    warehouse: str
    made: datetime
    names: bool
    """Whether it may show whose meters they are."""
    home: str = "#overview"
    """Where the table of all meters is."""


def page(head: Page, overview: Sequence[Row], shown: Sequence[Meter]) -> str:
    """Render a page: a table of all meters, if there is one, and some of them."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        one.__name__: one for one in (number, percent, observed, instant, channel)
    }
    script = _asset("uPlot.iife.min.js"), _asset("report.js")
    return environment.get_template("report.html.j2").render(
        head=head,
        meters=[(overviewed(meter, names=head.names), meter) for meter in shown],
        overview=overview,
        totals=totals(overview),
        styles=_asset("uPlot.min.css") + _asset("report.css"),
        script="\n".join(script),
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


# --- a meter in one row ---------------------------------------------------------------


def overviewed(meter: Meter, *, names: bool) -> Row:
    """Return what the table of all meters says of one."""
    listed, chosen, peak = meter.listed, meter.chosen, meter.peak
    label = listed.get("source_meter_id") or f"no. {meter.number}"
    return {
        "id": f"meter-{meter.number}",
        "label": meter.key if names else label,
        "provider": meter.provider,
        "commodity": listed.get("commodity") or chosen.get("commodity"),
        "utility": listed.get("utility"),
        "address": names and listed.get("service_address"),
        "account": names and listed.get("account_number"),
        "newest": meter.newest,
        "href": f"#meter-{meter.number}",
        "expected": meter.total("expected_seconds"),
        "received": meter.total("received_seconds"),
        "completeness": meter.completeness,
        "kwh": meter.total("kwh"),
        "sent": meter.total("received_kwh"),
        "peak": peak,
        "bills": len(meter.bills),
        "disagreeing": len(meter.disagreeing),
        "missing": meter.gaps[0]["missing_in_all"] if meter.gaps else 0,
        "checks": of_all(meter.checks),
        "restated": of_all(meter.restated or []),
        "withdrawn": of_all(meter.withdrawn),
        "person": list(wanting(meter)),
    }


def of_all(rows: Sequence[Row]) -> int:
    """Return how many there are, of which these may be the first."""
    return rows[0]["of_all"] if rows else 0


def wanting(meter: Meter) -> Iterator[str]:
    """Say what needs a person."""
    if meter.has_vanished:
        yield "no longer listed by the provider"
    if not meter.channels:
        never = " and never collected" if meter.listed.get("is_active") is False else ""
        yield f"no readings{never}"
    if str(meter.listed.get("status")).lower() in {"errored", "error", "failed"}:
        yield f"status: {meter.listed['status']}"
    if meter.completeness is not None and meter.completeness < ENOUGH:
        yield f"only {number(meter.completeness, 1)} % of its readings came"
    late = sum(gap["reason"] == "promised, did not come" for gap in meter.gaps)
    if late:
        yield f"{late} promised stretches did not come"
    yield from failed(meter.checks)


def failed(checks: Sequence[Row]) -> Iterator[str]:
    """Say which checks need a person."""
    for check in checks:
        if check["check_name"] == "staleness_check":
            if check["observed"] is not None:  # else it never said anything
                yield f"silent for {number(check['observed'], 0)} days"
        elif check["place"] == 1 and check["severity"] == "error":
            what = WRONG.get(check["check_name"], check["check_name"])
            yield f"{check['of_kind']} {what}"


def totals(overview: Sequence[Row]) -> Row:
    """Return the key figures of all meters."""

    def total(column: str) -> int:
        return sum(row[column] or 0 for row in overview)

    expected = total("expected")
    return {
        **{
            name: total(name)
            for name in ("bills", "disagreeing", "missing", "checks", "restated")
        },
        "meters": len(overview),
        "withdrawn": total("withdrawn"),
        "completeness": 100 * total("received") / expected if expected else None,
        "newest": max((r["newest"] for r in overview if r["newest"]), default=None),
        "person": sum(bool(row["person"]) for row in overview),
    }


# --- words ----------------------------------------------------------------------------


def number(value: Decimal | float | None, places: int = 2) -> str:
    """Return a number as people read it."""
    if value is None:
        return NOTHING
    shown = f"{value:,.{places}f}"
    return shown if shown.strip("-0.") else shown.removeprefix("-")


def percent(value: float | None, places: int = 1) -> str:
    """Return a number of percent."""
    return NOTHING if value is None else f"{number(value, places)} %"


def observed(check: Row, column: str = "observed") -> str:
    """Return what a check saw, or its limit, with the unit."""
    value = check[column]
    if value is None:
        return NOTHING
    unit = UNITS.get(check["check_name"].removesuffix("_check"), "")
    # A value that stands for an overflow has no limit: it is one of a reading.
    shown = "" if check["limit_value"] is None and unit == "%" else unit
    return f"{number(value, 0 if value == int(value) else 2)} {shown}".rstrip()


def instant(moment: date | None) -> str:
    """Return an instant to the minute."""
    return NOTHING if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def channel(name: str | None) -> str:
    """Return channels without the number of a device."""
    parts = (name or NOTHING).split(", ")
    return ", ".join(part.partition("@")[0] for part in parts)

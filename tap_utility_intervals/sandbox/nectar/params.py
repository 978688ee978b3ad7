"""Reading Nectar's request parameters, and refusing bad ones.

See nectar.md#errors and nectar.md#lists.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.wire import Refusal, Request, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_utility_intervals.sandbox.accounts import NectarMeter

TYPES = frozenset(
    (
        "ELECTRICITY",
        "GAS",
        "WATER",
        "DISTRICT",
        "WASTE",
        "FUEL",
        "MISC",
        "REFRIGERANT",
        "SOLAR",
        "TELECOM",
    )
)
DATE_TYPES = ("BILL_DATE", "USAGE_PERIOD", "CREATED_DATE", "UPDATED_DATE")


def refuse(status: int, detail: str) -> Refusal:
    """A refusal with Nectar's error body."""
    return Refusal(answer({"detail": detail}, status))


def forbidden() -> Refusal:
    """Restricted or not there; these are not told apart."""
    return refuse(403, "You do not have permission to perform this action.")


def invalid(name: str, text: str) -> Refusal:
    """A refusal as a field map."""
    return Refusal(answer({name: [text]}, 400))


def authorized(request: Request, api_key: str) -> None:
    """Accept the key in its header; nectar.md#authentication."""
    if request.headers.get("x-api-key") != api_key:
        raise refuse(401, "Authentication credentials were not provided or are wrong.")


def whole(request: Request, name: str, default: int, most: int = 10**9) -> int:
    """A number from 1."""
    text = request.get(name)
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise invalid(name, "A valid integer is required.")
    return int(text)


def boolean(request: Request, name: str) -> bool:
    """A boolean that is false by default."""
    text = (request.get(name) or "false").lower()
    if text not in ("true", "false"):
        raise invalid(name, "Must be a valid boolean.")
    return text == "true"


def day(request: Request, name: str) -> str | None:
    """A plain date, checked, as text."""
    text = request.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise invalid(name, "Date has wrong format. Use YYYY-MM-DD.")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise invalid(name, "Date has wrong format. Use YYYY-MM-DD.") from error


def instant(request: Request, name: str) -> int | None:
    """A date and time; without a zone it is UTC."""
    text = request.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    except ValueError as error:
        raise invalid(name, "Datetime has wrong format.") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp())


def date_type(request: Request) -> str:
    """Which date `startDate` and `endDate` are about."""
    text = request.get("dateType") or "BILL_DATE"
    if text not in DATE_TYPES:
        raise invalid("dateType", f'"{text}" is not a valid choice.')
    return text


def below(rest: Sequence[str], *parents: str) -> str:
    """The id in a path such as `company/{id}`, under one of these parents."""
    match rest:
        case [parent, name] if parent in parents:
            return name
    raise refuse(404, "Not found.")


class MeterFilter:
    """`datasourceType`, which may be repeated, and `identifier`.

    See nectar.md#filters-of-bills.
    """

    def __init__(self, request: Request) -> None:
        self.types = set(request.query.get("datasourceType", ())) or TYPES
        if not self.types <= TYPES:
            raise invalid("datasourceType", "Not a valid choice.")
        text = request.get("identifier")
        if text == "":
            raise invalid("identifier", "This field may not be blank.")
        self.identifier = None if text is None else canonical(text)

    def __call__(self, meter: NectarMeter) -> bool:
        """Whether a meter passes."""
        return meter.datasource_type in self.types and (
            self.identifier is None
            or any(canonical(i.value) == self.identifier for i in meter.identifiers)
        )


def canonical(value: str) -> str:
    """An identifier as the search compares it; nectar.md#filters-of-bills."""
    return re.sub(r"[-\s_,/]", "", value).lstrip("0").upper()

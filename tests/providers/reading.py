"""Syncing chosen streams, and asking the sandbox itself for what must come of them."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from tap_utility_intervals.floor.instants import parse_instant
from tap_utility_intervals.sandbox import Sandbox
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import Row
from tests.syncing import Run, sync

UTILITYAPI = {
    "utilityapi_authorizations": "authorizations",
    "utilityapi_meters": "meters",
    "utilityapi_bills": "bills",
    "utilityapi_billing_accounts": "accounting/billing-accounts",
    "utilityapi_billing_summaries": "accounting/billing-summaries",
    "utilityapi_events": "events",
}
NECTAR = (
    *("nectar_accounts", "nectar_companies", "nectar_connections", "nectar_documents"),
    *("nectar_line_items", "nectar_meters", "nectar_sites", "nectar_usage_data"),
)
OWN = (*UTILITYAPI, *NECTAR)
ALL = ("meters", "intervals", "usage", "coverage", *OWN)


def selecting(settings: Mapping[str, Any], *names: str) -> Row:
    """A catalog in which these streams are selected, and no other."""
    catalog: Row = json.loads(
        json.dumps(TapUtilityIntervals(config=dict(settings)).catalog_dict)
    )
    known = {stream["stream"] for stream in catalog["streams"]}
    assert set(names) <= known, set(names) - known
    for stream in catalog["streams"]:
        chosen = stream["stream"] in names
        for entry in stream["metadata"]:
            if not entry["breadcrumb"]:
                entry["metadata"]["selected"] = chosen
    return catalog


def sync_of(
    settings: Mapping[str, Any], *names: str, state: Mapping[str, Any] | None = None
) -> Run:
    """Sync these streams, as far as their providers are on."""
    catalog = selecting(settings, *names)
    return sync(settings, state, catalog)


def asked(sandbox: Sandbox) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    """How often each page was asked for."""
    return Counter(
        (logged.path, tuple(sorted(logged.query.items())))
        for logged in sandbox.requests
    )


def get(sandbox: Sandbox, url: str) -> Any:
    """JSON from the sandbox, numbers with all their digits."""
    headers = {"Authorization": f"Bearer {sandbox.token}", "X-API-Key": sandbox.api_key}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        return json.loads(answer.read(), parse_float=Decimal)


def utilityapi_objects(sandbox: Sandbox, path: str) -> list[Row]:
    """Every object of one of UtilityAPI's lists."""
    url: str | None = f"{sandbox.utilityapi_url}/{path}"
    found: list[Row] = []
    while url:
        page = get(sandbox, url)
        found += page[path.rpartition("/")[2].replace("-", "_")]
        url = page["next"]
    return found


def nectar_objects(sandbox: Sandbox, base: str, path: str, name: str) -> list[Row]:
    """Every object of one of Nectar's lists."""
    found: list[Row] = []
    number = 1
    while True:
        page = get(sandbox, f"{base}{path}?page={number}")
        found += page[name]
        if not page["hasNext"]:
            return found
        number += 1


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every attribute of an object and of what lies in it, by dotted path."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, one in enumerate(value):
            yield from leaves(one, f"{path}.{place}")
    else:
        yield path, value


def at(record: Any, path: str) -> Any:
    """What stands at a dotted path of a record; KeyError if nothing does."""
    # A range is sent as a pair and delivered as an object.
    path = re.sub(r"(_coverage\.\d+)\.0", r"\1.start", path)
    path = re.sub(r"(_coverage\.\d+)\.1", r"\1.end", path)
    for name in path.split("."):
        record = record[int(name)] if isinstance(record, list) else record[name]
    return record


def holds(record: Row, sent: Row, but: tuple[str, ...] = ()) -> None:
    """A record holds every attribute that was sent, in its place, with its value."""
    for path, value in leaves(sent):
        if path.startswith(but) and but:
            continue
        assert is_same(at(record, path), value), (path, value, at(record, path))


def is_same(delivered: Any, sent: Any) -> bool:
    """The same value; an instant is the same in another zone, a number as a text."""
    if delivered == sent and type(delivered) is type(sent):
        return True
    try:
        if isinstance(delivered, str) and isinstance(sent, str):
            moment = parse_instant(sent, naive_is_utc=True)
            return delivered.endswith("Z") and parse_instant(delivered) == moment
        return str(Decimal(sent)) == str(Decimal(delivered))
    except (ValueError, ArithmeticError, TypeError):
        return False

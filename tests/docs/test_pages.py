"""`docs/fields.md` and `docs/privacy.md` say what the schemas and the tap do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import Row
from tests.providers.reading import (
    ALL,
    OWN,
    UTILITYAPI,
    get,
    leaves,
    nectar_objects,
    selecting,
    sync_of,
    utilityapi_objects,
)
from tests.syncing import config, sync

ROOT = Path(__file__).parents[2]
FIELDS = (ROOT / "docs" / "fields.md").read_text()
PRIVACY = (ROOT / "docs" / "privacy.md").read_text()
SCHEMAS: dict[str, Row] = {
    path.stem: json.loads(path.read_text())
    for path in (ROOT / "schemas").glob("*.json")
}
COLUMN = re.compile(r"`([a-z_]+)\.([\w.\[\]]+)`")

INTERVALS = {
    "UtilityAPI: Interval object": (
        *("uid", "meter_uid", "authorization_uid", "created", "updated", "notes"),
        *("utility", "blocks", "base.service_identifier", "base.service_tariff"),
        *("base.service_address", "base.meter_numbers", "base.qualities"),
        *("sources[].type", "sources[].raw_url", "readings[].start", "readings[].end"),
        "readings[].kwh",
    ),
    "Nectar: Interval": (
        *("id", "created", "identifiers", "account", "start", "end", "usage"),
        *("usageUnits", "quality", "updated"),
    ),
    "Nectar: Page envelope": (
        *("totalIntervals", "perPage", "totalPages", "currentPage", "hasNext"),
        "hasPrevious",
    ),
    "UtilityAPI: List, collection": ("success", "meters", "collection_duration"),
    "Nectar: Company": ("externalId",),
    "Nectar: Site": ("externalId", "address"),
    "Nectar: Connection": (
        *("datasource", "status", "publicCompanyId", "connectionMagicLinkSecret"),
    ),
    "Nectar: Document": ("usageData", "auditTrailUrl", "url", "lineItems"),
    "Nectar: Usage data": ("site", "identifiers", "usage", "usageUnits"),
}
"""What the four texts that the project began with show of each object."""


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """The cells of every table row: attribute, columns, remark."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and not set(cells[0]) <= {"-"}:
            yield cells[0], cells[1], cells[2]


def sections(text: str) -> dict[str, str]:
    """The text below each heading."""
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def attributes(heading: str) -> set[str]:
    """The attributes that one object has by `docs/fields.md`."""
    (found,) = [
        body for name, body in sections(FIELDS).items() if name.startswith(heading)
    ]
    return {name.strip("`") for name, _, _ in rows(found)}


def declared(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Row]]:
    """Every property of a schema and of what lies in it, lists marked with `[]`."""
    for name, one in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, one
        inner = one
        while "items" in inner:
            inner, here = inner["items"], f"{here}[]"
        yield from declared(inner, here)


PROPERTIES = {
    (stream, path): one
    for stream, schema in SCHEMAS.items()
    for path, one in declared(schema)
}


def test_every_column_that_the_page_names_exists() -> None:
    named = {
        (m[1], m[2]) for _, columns, _ in rows(FIELDS) for m in COLUMN.finditer(columns)
    }
    assert named <= PROPERTIES.keys()


def test_every_column_is_on_the_page() -> None:
    named = {
        (m[1], m[2]) for _, columns, _ in rows(FIELDS) for m in COLUMN.finditer(columns)
    }
    assert PROPERTIES.keys() <= named


def test_every_attribute_has_a_column_or_a_reason() -> None:
    bare = [name for name, columns, why in rows(FIELDS) if columns == "—" and not why]
    assert not bare


@pytest.mark.parametrize("heading", INTERVALS)
def test_every_attribute_of_the_vendors_texts_is_on_the_page(heading: str) -> None:
    assert attributes(heading) >= set(INTERVALS[heading])


def test_every_attribute_that_the_sandbox_serves_is_on_the_page() -> None:
    with Sandbox(tiny_world()) as sandbox:
        for heading, items in served(sandbox):
            known = attributes(heading)
            wide = {name for name in known if is_open(heading, name)}
            for item in items:
                for path, _ in leaves(item):
                    shown = re.sub(r"\.\d+(?=\.|$)", "[]", path)
                    above = {shown[: m.start()] for m in re.finditer(r"[.\[]", shown)}
                    assert {shown, shown.replace("[]", "")} & known or wide & above, (
                        heading,
                        shown,
                    )


def is_open(heading: str, name: str) -> bool:
    """Whether a column takes whatever lies below it."""
    stream = re.search(r"\(`(\w+)`\)", heading)
    if stream is None:
        return False
    one = PROPERTIES.get((stream[1], name), {})
    items = one.get("items", one)
    return "properties" not in items


def served(sandbox: Sandbox) -> Iterator[tuple[str, list[Row]]]:
    """What the sandbox serves, under the headings of the page."""
    headings = {
        m[1]: name
        for name in sections(FIELDS)
        if (m := re.search(r"\(`(\w+)`\)", name))
    }
    for stream, path in UTILITYAPI.items():
        if path == "bills":
            url = f"{sandbox.utilityapi_url}/bills?meters=101,102"
            items = get(sandbox, url)["bills"]
        else:
            items = utilityapi_objects(sandbox, path)
        yield headings[stream], items
    url = f"{sandbox.utilityapi_url}/intervals?meters=101"
    yield "UtilityAPI: Interval object", get(sandbox, url)["intervals"]
    for version in ("v2", "v2.1", "v2.2"):
        base = sandbox.nectar_url_of(version)
        companies = get(sandbox, f"{base}/company")
        own = f"/company/{companies[0]['id']}"
        yield headings["nectar_sites"], [s for c in companies for s in c.pop("sites")]
        yield headings["nectar_companies"], companies
        connections = nectar_objects(sandbox, base, f"/connection{own}", "connections")
        accounts = [a for c in connections for a in c.pop("accounts")]
        yield headings["nectar_accounts"], accounts
        yield headings["nectar_connections"], connections
        meters = nectar_objects(sandbox, base, f"/meter{own}", "meters")
        yield headings["nectar_meters"], meters
        documents = nectar_objects(sandbox, base, f"/document{own}", "documents")
        lines = [one for d in documents for one in d.pop("lineItems")]
        yield headings["nectar_line_items"], lines
        entries = nectar_objects(sandbox, base, f"/usage{own}", "usageData")
        nested = [one for d in documents for one in d.pop("usageData")]
        yield headings["nectar_documents"], documents
        yield headings["nectar_usage_data"], [*entries, *nested]
        path = f"/interval/connection/{connections[0]['id']}"
        yield "Nectar: Interval", nectar_objects(sandbox, base, path, "intervals")[:50]


def test_every_column_with_personal_data_is_listed() -> None:
    listed = {(m[1], m[2]) for m in COLUMN.finditer(PRIVACY)}
    carrying = {
        (stream, path.replace("[]", ""))
        for (stream, path), one in PROPERTIES.items()
        if "Personal data" in one.get("description", "")
    }
    assert carrying
    assert carrying <= listed
    known = {(stream, path.replace("[]", "")) for stream, path in PROPERTIES}
    assert {(s, p) for s, p in listed if s in SCHEMAS} <= known


def test_planted_personal_data_stand_only_in_columns_that_are_listed() -> None:
    listed = {f"{m[1]}.{m[2]}" for m in COLUMN.finditer(PRIVACY)}
    with Sandbox(tiny_world()) as sandbox:
        run = sync_of(config(sandbox), *ALL)
    found = {
        re.sub(r"\.\d+", "", f"{stream}.{path}")
        for stream in ALL
        for row in run.rows(stream)
        for path, value in leaves(row)
        if isinstance(value, str) and "PLANTED" in value
    }
    assert len(found) > 15
    assert found <= listed


def example(name: str) -> str:
    """A block of the page that a test runs as it stands."""
    pattern = rf"<!-- tested: {name} -->\n```\w+\n(.*?)```"
    found = re.search(pattern, PRIVACY, flags=re.DOTALL)
    assert found
    return found[1]


def test_the_stream_maps_of_the_page_hash_and_drop(sandbox: Sandbox) -> None:
    maps = json.loads(example("stream_maps"))
    streams = ("meters", "intervals", "usage", "nectar_connections")
    plain = sync_of(config(sandbox), *streams)
    run = sync_of({**config(sandbox), **maps}, *streams, "coverage")
    hashed = {row["source"] for row in run.rows("coverage")}
    assert (
        {row["meter_key"] for row in run.rows("intervals")}
        >= {source for source in hashed if len(source) == 64}
        > set()
    )
    for stream in streams:
        columns = maps["stream_maps"][stream]
        before, after = plain.rows(stream), run.rows(stream)
        assert len(before) == len(after) > 0
        dropped = {name for name, rule in columns.items() if rule == "__NULL__"}
        for old, new in zip(before, after, strict=True):
            assert new.keys() == old.keys() - dropped
            for name in new:
                if name not in columns and name not in {"listed_at", "read_at"}:
                    assert new[name] == old[name]
                elif name in columns:
                    assert (new[name] is None) is (old[name] is None)
                    assert old[name] is None or re.fullmatch("[0-9a-f]{64}", new[name])
    keys = {row["meter_key"] for row in run.rows("meters")}
    assert {row["meter_key"] for row in run.rows("intervals")} <= keys
    assert {row["meter_key"] for row in run.rows("usage")} <= keys
    assert len(keys) == 4
    assert "PLANTED" not in "".join(run.lines)


def test_maps_of_streams_that_are_not_selected_are_no_obstacle(
    sandbox: Sandbox,
) -> None:
    maps = json.loads(example("stream_maps"))
    settings = {**config(sandbox), **maps}
    assert {
        s["stream"]
        for s in TapUtilityIntervals(config=settings).catalog_dict["streams"]
    } == set(ALL)
    run = sync(settings)
    assert run.rows("meters")
    assert not run.rows("nectar_connections")


def test_the_selection_of_the_page_leaves_columns_out(sandbox: Sandbox) -> None:
    rules = re.findall(r"- \"?(!?)([\w.*]+)\"?", example("select"))
    settings = config(sandbox, "utilityapi")
    catalog = selecting(settings, "meters", "utilityapi_bills")
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            crumbs = entry["breadcrumb"]
            path = ".".join([stream["stream"], *crumbs[1::2]])
            for no, pattern in rules:
                if crumbs and fnmatch(path, pattern):
                    entry["metadata"]["selected"] = not no
    run = sync(settings, catalog=catalog)
    bills = run.rows("utilityapi_bills")
    assert bills
    for row in run.rows("meters"):
        assert not row.keys() & {"service_address", "identifiers"}
        assert row["account_number"]
    for row in bills:
        gone = {"billing_contact", "billing_address", "service_address"}
        assert not row["base"].keys() & gone
        assert row["base"]["bill_total_cost"]
    assert "PLANTED" not in "".join(run.lines)


def test_every_provider_stream_has_a_table() -> None:
    assert all(f"(`{stream}`)" in FIELDS for stream in OWN)

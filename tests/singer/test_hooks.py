"""The SDK's private names that this tap needs: all of them, and in one package.

An upgrade of the SDK that drops one fails here, by name.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import Catalog
from singer_sdk.sinks import BatchSink
from singer_sdk.target_base import Target

PACKAGE = Path(__file__).parents[2] / "tap_utility_intervals"

IMPORTED = {
    "singer_sdk._logging": ["_setup_console_logging"],
    "singer_sdk.helpers._classproperty": ["classproperty"],
    "singer_sdk.helpers._state": ["StateWriter"],
    "singer_sdk.plugin_base": ["_ConfigInput", "_plugin_log_level"],
}

OF_A_CLASS: dict[type, list[str]] = {
    Tap: [
        "_env_var_config",
        "_env_var_prefix",
        "_handle_termination",
        "_validate_config",
    ],
    Stream: [
        "_generate_record_messages",
        "_sync_records",
        "_write_state_message",
    ],
    Target: [
        "_handle_termination",
        "_process_batch_message",
        "_process_record_message",
        "_process_schema_message",
        "_write_state_message",
    ],
    BatchSink: ["_parse_timestamps_in_record"],
}

OF_AN_OBJECT: dict[type, list[str]] = {
    Tap: ["_config", "_state_writer"],
    Stream: ["_stream_version", "_tap"],
    Target: ["_sinks_to_clear"],
    StateWriter: ["_message_writer"],
}
"""Attributes that are set when an object is made."""

NAMES = {
    name
    for table in (OF_A_CLASS, OF_AN_OBJECT)
    for names in table.values()
    for name in names
} | {"_ConfigInput"}


@pytest.mark.parametrize("module", IMPORTED)
def test_what_is_imported_is_there(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in IMPORTED[module] if not hasattr(found, name)] == []


@pytest.mark.parametrize("kind", OF_A_CLASS, ids=lambda kind: kind.__name__)
def test_what_is_overridden_or_called_is_there(kind: type) -> None:
    assert [name for name in OF_A_CLASS[kind] if name not in dir(kind)] == []


@pytest.mark.parametrize("kind", OF_AN_OBJECT, ids=lambda kind: kind.__name__)
def test_what_an_object_holds_is_set_when_it_is_made(kind: type) -> None:
    source = "".join(
        inspect.getsource(base)
        for base in kind.__mro__
        if base.__module__.startswith("singer_sdk")
    )
    missing = [name for name in OF_AN_OBJECT[kind] if f"self.{name}" not in source]
    assert missing == []


def test_what_the_mapper_needs_of_a_catalog_is_there() -> None:
    entry = Catalog.from_dict(
        {
            "streams": [
                {
                    "tap_stream_id": "s",
                    "schema": {"properties": {}},
                    "metadata": [{"breadcrumb": [], "metadata": {}}],
                }
            ]
        }
    )
    assert entry.streams[0].metadata.root.selected is None


def private_names(path: Path) -> Iterator[str]:
    """Private names that a file imports, reads of another object, or overrides."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "singer_"
        ):
            parts = [*(node.module or "").split("."), *(a.name for a in node.names)]
            if any(part.startswith("_") for part in parts):
                yield from (alias.name for alias in node.names)
                yield f"import {node.module}"
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield node.attr
        elif isinstance(node, ast.ClassDef):
            functions = (
                part for part in node.body if isinstance(part, ast.FunctionDef)
            )
            yield from (part.name for part in functions if part.name in NAMES)


OUTSIDE = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if PACKAGE / "singer" not in path.parents
]


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_private_name_of_the_sdk_is_used_outside_of_singer(path: Path) -> None:
    assert [*private_names(path)] == []


def test_every_name_that_is_listed_is_used() -> None:
    used = {
        n for path in (PACKAGE / "singer").glob("*.py") for n in private_names(path)
    }
    assert used >= NAMES
    assert used >= {name for names in IMPORTED.values() for name in names}
    assert {f"import {module}" for module in IMPORTED} == {
        name for name in used if name.startswith("import ")
    }

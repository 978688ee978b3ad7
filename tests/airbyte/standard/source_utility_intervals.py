"""A source in the eyes of airbyte-cdk, which runs the real connector as a process.

The standard tests drive a Python object in their own process; this one starts the
executable that `SOURCE` names, reads every line strictly, and fails as it fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteMessageSerializer,
    ConnectorSpecification,
)
from airbyte_cdk.sources.source import Source


class ConnectorError(Exception):
    """The connector exited with another code than 0."""


class SourceUtilityIntervals(Source):  # type: ignore[misc]
    """The connector behind the interface that the standard tests expect."""

    check_config_against_spec = False  # the connector must do that itself

    def spec(self, logger: object) -> ConnectorSpecification:  # noqa: ARG002
        """Its settings."""
        return _one("spec", _run("spec"))

    def check(
        self,
        logger: object,  # noqa: ARG002
        config: Any,
    ) -> AirbyteConnectionStatus:
        """Whether a connection can be made."""
        return _one("connectionStatus", _run("check", config=config))

    def discover(self, logger: object, config: Any) -> AirbyteCatalog:  # noqa: ARG002
        """Its streams."""
        return _one("catalog", _run("discover", config=config))

    def read(
        self,
        logger: object,  # noqa: ARG002
        config: Any,
        catalog: Any,
        state: Any = None,
    ) -> Iterator[AirbyteMessage]:
        """Everything it writes."""
        yield from _run("read", config=config, catalog=catalog, state=state)

    def read_catalog(self, catalog_path: str) -> Any:
        """The catalog as it is: whether it is any good, the connector must tell."""
        return json.loads(Path(catalog_path).read_text())

    def read_state(self, state_path: str | None) -> Any:
        """The state as it is."""
        return json.loads(Path(state_path).read_text()) if state_path else None


def _one(field: str, messages: Iterator[AirbyteMessage]) -> Any:
    [found] = [part for m in messages if (part := getattr(m, field)) is not None]
    return found


def _run(command: str, **files: Any) -> Iterator[AirbyteMessage]:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [os.environ["SOURCE"], command]
        for name, content in files.items():
            if content is not None:
                path = Path(folder, f"{name}.json")
                path.write_text(json.dumps(content, default=dict))
                arguments += [f"--{name}", str(path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield AirbyteMessageSerializer.load(json.loads(line))
    if process.returncode:
        raise ConnectorError(process.returncode)

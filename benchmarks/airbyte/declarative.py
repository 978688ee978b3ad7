"""Runs `manifest.yaml` as a source; in `.venvs/airbyte-cdk`, not in ours."""

from __future__ import annotations

import sys
from pathlib import Path

from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
from airbyte_cdk.sources.declarative.yaml_declarative_source import (
    YamlDeclarativeSource,
)

MANIFEST = str(Path(__file__).with_name("manifest.yaml"))


def main(args: list[str]) -> None:
    """What `source-declarative-manifest` does in its image."""
    files = AirbyteEntrypoint.parse_args(args)
    source = YamlDeclarativeSource(
        path_to_yaml=MANIFEST,
        catalog=YamlDeclarativeSource.read_catalog(files.catalog),
        config=YamlDeclarativeSource.read_config(files.config),
        state=[],
    )
    launch(source, args)


if __name__ == "__main__":
    main(sys.argv[1:])

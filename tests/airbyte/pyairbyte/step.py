"""One sync with PyAirbyte into DuckDB; runs in `.venvs/pyairbyte`, not in ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import airbyte as ab
from airbyte.exceptions import AirbyteConnectorFailedError


def main(order: Path) -> None:
    """Read as `order` says; what came of it goes into the file beside it."""
    wish = json.loads(order.read_text())
    source = ab.get_source(
        "source-utility-intervals",
        config=wish["config"],
        local_executable=wish["executable"],
        install_if_missing=False,
    )
    source.check()
    source.select_streams(wish["streams"])
    cache = ab.DuckDBCache(db_path=wish["database"], schema_name="raw")
    done: dict[str, object] = {"error": None}
    try:
        result = source.read(cache=cache, force_full_refresh=wish["force"])
        done["records"] = result.processed_records
    except AirbyteConnectorFailedError as error:
        done["error"] = str(error)
    order.with_suffix(".done").write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

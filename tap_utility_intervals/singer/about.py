"""`--about` for people: what each setting means, and what it is when it is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from singer_sdk.about import AboutFormatter, AboutInfo, TextFormatter
from typing_extensions import override

_SDKS = TextFormatter()


class Described(AboutFormatter, format_name="text"):
    """The SDK's text, whose settings lack their defaults and descriptions."""

    @override
    def format_about(self, about_info: AboutInfo) -> str:
        head = _SDKS.format_about(about_info).partition("Settings:\n")[0]
        settings = about_info.settings["properties"].items()
        prefix = about_info.env_var_prefix
        lines = [line for name, one in settings for line in _lines(prefix, name, one)]
        return head + "\n".join(["Settings:", *lines])


def _lines(prefix: str, name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    yield f"  - Name: {name}"
    yield f"    Type: {' or '.join(kind for kind in kinds if kind != 'null')}"
    if schema.get("default") is not None:
        yield f"    Default: {json.dumps(schema['default'], ensure_ascii=False)}"
    yield f"    Environment Variable: {prefix}{name.upper()}"
    if schema.get("description"):
        yield f"    Description: {' '.join(schema['description'].split())}"

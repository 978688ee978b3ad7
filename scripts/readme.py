"""Renews the generated parts of README.md: `python -m scripts.readme [--check]`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tap_utility_intervals.runs import own_settings

README = Path(__file__).resolve().parents[1] / "README.md"


def settings() -> str:
    """The settings as a table, from what `--about` says."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for name, schema in own_settings().items():
        default = schema.get("default")
        shown = "" if default is None else f"`{str(default).lower()}`"
        if isinstance(default, str):
            shown = f"`{default}`"
        secret = " Secret." if schema.get("secret") else ""
        lines.append(f"| `{name}` | {shown} | {schema['description']}{secret} |")
    return "\n".join(lines)


def replaced(text: str, block: str, content: str) -> str:
    """The text with what lies between a block's marks replaced."""
    pattern = rf"(<!-- {block} -->\n).*?(<!-- /{block} -->)"
    return re.sub(
        pattern, lambda m: m[1] + content + "\n" + m[2], text, flags=re.DOTALL
    )


def main() -> int:
    """Write the README, or with --check tell whether it is up to date."""
    text = README.read_text("utf-8")
    fresh = replaced(text, "settings", "\n" + settings() + "\n")
    if "--check" in sys.argv:
        return int(text != fresh)
    README.write_text(fresh, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

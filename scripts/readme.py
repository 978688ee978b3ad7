"""Renews what documents repeat of the code: `python -m scripts.readme [--check]`.

The settings, as a table and for `meltano.yml`; the definitions of the tap for other
Meltano projects and for Meltano's Hub; and who publishes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tap_utility_intervals.runs import own_settings

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PROJECT = "tap-utility-intervals"
TAG = "v0.2.0"
"""The release that documents install; raise it with the version."""

OWNED = re.compile(rf"((?:github|githubusercontent)\.com/)[\w-]+(/{PROJECT})")
PLUGIN_HEAD = """\
# The tap for a Meltano project of your own, without the Hub: docs/meltano.md says how.
# Made of meltano.yml by `python -m scripts.readme`. Meltano copies all but `select`:
# set that by a command of its own, or the providers' own streams come, too.
"""
HUB_HEAD = """\
# What Meltano's Hub is to list, as _data/meltano/extractors/<name>/<variant>.yml there.
# Made of meltano.yml by `python -m scripts.readme`; the variant is who publishes it.
# The pull request there wants a logo, too.
"""


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


def by_hand(extractor: dict[str, Any]) -> str:
    """The tap as one writes it into a `meltano.yml`: every setting, shortly."""
    head = {
        **{name: extractor[name] for name in ("name", "namespace")},
        "pip_url": pip_url(),
        "executable": extractor["executable"],
    }
    doctor = {k: extractor["commands"]["doctor"][k] for k in ("executable", "args")}
    lines = [f"{name}: {value}" for name, value in head.items()]
    lines += [f"capabilities: {listed(extractor['capabilities'])}"]
    lines += ["commands:", f"  doctor: {mapped(doctor)}", "settings:"]
    for one in extractor["settings"]:
        kept = {k: one[k] for k in ("name", "kind", "sensitive") if k in one}
        lines.append(f"- {mapped(kept)}")
    lines += [f"select: {listed(extractor['select'])}"]
    plugin = "\n    ".join(lines)
    return f"```yaml\nplugins:\n  extractors:\n  - {plugin}\n```"


def listed(values: list[str]) -> str:
    """A list of texts in one line of YAML."""
    return f"[{', '.join(values)}]"


def mapped(values: dict[str, Any]) -> str:
    """An object in one line of YAML."""
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=999)[
        :-1
    ]


def definition(extractor: dict[str, Any]) -> dict[str, Any]:
    """The tap for other projects: installed from its tag."""
    return {
        name: pip_url() if name == "pip_url" else value
        for name, value in extractor.items()
    }


def listing(extractor: dict[str, Any]) -> dict[str, Any]:
    """The tap for Meltano's Hub."""
    repo = f"https://github.com/{owner()}/{PROJECT}"
    own = definition(extractor)
    first = {
        "name": own.pop("name"),
        "variant": owner(),
        "label": own.pop("label"),
        "description": "Interval, meter and usage data from UtilityAPI and Nectar",
        "repo": repo,
        "docs": f"{repo}/blob/main/docs/meltano.md",
        "domain_url": "https://utilityapi.com",
        "maintenance_status": "active",
        "keywords": ["energy", "interval data", "meltano_sdk", "smart meter"],
    }
    return first | own


def owner() -> str:
    """Who publishes it, as `pyproject.toml` says."""
    found = OWNED.search((ROOT / "pyproject.toml").read_text("utf-8"))
    if found is None:
        raise LookupError
    return found[0].split("/")[1]


def pip_url() -> str:
    """What pip installs until an index has it."""
    return f"git+https://github.com/{owner()}/{PROJECT}@{TAG}"


def dumped(head: str, plugin: dict[str, Any]) -> str:
    """A definition as a file."""
    return head + yaml.safe_dump(
        plugin, sort_keys=False, allow_unicode=True, width=96, indent=2
    )


def replaced(text: str, block: str, content: str) -> str:
    """The text with what lies between a block's marks replaced."""
    pattern = rf"(<!-- {block} -->\n).*?(<!-- /{block} -->)"
    return re.sub(
        pattern, lambda m: m[1] + "\n" + content + "\n\n" + m[2], text, flags=re.DOTALL
    )


def owned(text: str) -> str:
    """The text with the tag and the owner of today."""
    tagged = rf"(/{PROJECT}[@/]|revision: )v\d+\.\d+\.\d+"
    text = re.sub(tagged, rf"\g<1>{TAG}", text)
    return OWNED.sub(rf"\g<1>{owner()}\g<2>", text)


def fresh() -> Iterator[tuple[Path, str]]:
    """Every file that this renews, and what must be in it."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    (extractor,) = project["plugins"]["extractors"]
    docs = ROOT / "docs"
    yield docs / "meltano-plugin.yml", dumped(PLUGIN_HEAD, definition(extractor))
    yield docs / "hub" / f"{PROJECT}.yml", dumped(HUB_HEAD, listing(extractor))
    named = ROOT / "pyproject.toml", ROOT / "metadata.yaml", README
    for path in (*named, *docs.glob("*.md")):
        text = owned(path.read_text("utf-8"))
        text = replaced(text, "settings", settings())
        yield path, replaced(text, "by hand", by_hand(extractor))


def main() -> int:
    """Write them, or with --check tell whether they are up to date."""
    old = [
        (path, text)
        for path, text in fresh()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    if "--check" not in sys.argv:
        for path, text in old:
            path.write_text(text, "utf-8")
        return 0
    return int(bool(old))


if __name__ == "__main__":
    sys.exit(main())

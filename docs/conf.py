"""Sphinx's settings for `make docs`: README and the pages of this folder as a site.

The pages are written for a reader of the repository. So README becomes the first page,
and a link to a file outside of this folder leads into the repository.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")

project = PROJECT["name"]
version = release = PROJECT["version"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
exclude_patterns = ["hub"]
html_theme = "furo"
html_title = project
html_theme_options = {"source_repository": PROJECT["urls"]["Repository"]}


def relinked(text: str, folder: Path) -> str:
    """Return a page of `folder` with its links as they are on the site."""

    def link(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve()
        if target.is_relative_to(HERE) and target.suffix in {".md", ".png", ".svg"}:
            return f"](/{target.relative_to(HERE)}"
        return f"]({PROJECT['urls']['Repository']}/blob/main/{target.relative_to(ROOT)}"

    return LINK.sub(link, text)


def read(_app: Sphinx, name: str, source: list[str]) -> None:
    """Change what was read of the page `name`, in `source`'s one item."""
    if name == "index":
        source[0] = relinked((ROOT / "README.md").read_text("utf-8"), ROOT) + source[0]
    else:
        source[0] = relinked(source[0], (HERE / name).parent)


def setup(app: Sphinx) -> None:
    """Let Sphinx read every page by `read`."""
    app.connect("source-read", read)


html_show_copyright = False  # LICENSE says it

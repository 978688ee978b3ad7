"""The models of the dbt package as SQL, without dbt.

They know no more of Jinja than `ref`, `source`, `var`, `config`, `target` and the
package's own macros; a test compares every model with what dbt compiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import yaml
from jinja2 import Environment, StrictUndefined

_HERE = Path(__file__).resolve().parents[1]
_PACKAGED = _HERE / "dbt"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else _HERE.parent / "dbt"
"""In the wheel the dbt package lies inside this one; in a checkout beside it."""


@dataclass(frozen=True)
class Models:
    """The models for one database, with variables of your own before the defaults."""

    type: Literal["duckdb", "postgres"]
    database: str
    schema: str
    variables: Mapping[str, object] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        """Names, each after all that it reads."""
        needs = {name: self._render(path)[1] for name, path in self._files.items()}
        yield from TopologicalSorter(needs).static_order()

    def sql(self, name: str) -> str:
        """The query that a model is.

        Raises:
            KeyError: there is no such model.
        """
        return self._render(self._files[name])[0]

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted((FOLDER / "models").rglob("*.sql"))}

    @cached_property
    def _macros(self) -> str:
        paths = sorted((FOLDER / "macros").rglob("*.sql"))
        return "".join(path.read_text(encoding="utf-8").rstrip() for path in paths)

    @cached_property
    def _variables(self) -> Mapping[str, object]:
        text = (FOLDER / "dbt_project.yml").read_text(encoding="utf-8")
        return {**yaml.safe_load(text)["vars"]["utility_intervals"], **self.variables}

    def _render(self, path: Path) -> tuple[str, set[str]]:
        """A model's query, and the models that it reads."""
        read: set[str] = set()

        def ref(name: str) -> str:
            read.add(name)
            return self._relation(self.schema, name)

        def source(_: str, name: str) -> str:
            where = str(self._variables["utility_intervals_schema"] or self.schema)
            return self._relation(where, name)

        known = {
            "ref": ref,
            "source": source,
            "var": self._variables.__getitem__,
            "config": lambda **_: "",
            "target": SimpleNamespace(type=self.type, schema=self.schema),
        }
        # Nothing here is HTML.
        environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701
        text = self._macros + path.read_text(encoding="utf-8")
        return environment.from_string(text).render(known).strip(), read

    def _relation(self, schema: str, name: str) -> str:
        return ".".join(f'"{part}"' for part in (self.database, schema, name))

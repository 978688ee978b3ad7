"""The models of the dbt package as SQL, without dbt.

They know no more of Jinja than `ref`, `source`, `var`, `config`, `target` and the
package's own macros; a test compares every model with what dbt compiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import yaml
from jinja2 import Environment, StrictUndefined

_HERE = Path(__file__).resolve().parents[1]
_PACKAGED = _HERE / "dbt"
FOLDER = _PACKAGED if _PACKAGED.is_dir() else _HERE.parent / "dbt"
"""In the wheel the dbt package lies inside this one; in a checkout beside it."""


def _project(part: str) -> dict[str, Any]:
    text = (FOLDER / "dbt_project.yml").read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text)[part]["utility_intervals"])


def variables(pairs: Iterable[str]) -> Mapping[str, object]:
    """Variables from `name=value`, the name without its `utility_intervals_`.

    Raises:
        ValueError: there is no such variable, or there is no value.
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        found[f"utility_intervals_{name}"] = yaml.safe_load(value)
        if not equals or not found.keys() <= _project("vars").keys():
            msg = f"{pair} sets no variable of dbt/dbt_project.yml"
            raise ValueError(msg)
    return found


@dataclass(frozen=True)
class Models:
    """The models for one database, with variables of your own before the defaults."""

    type: Literal["duckdb", "postgres"]
    database: str  # empty: the one that is connected to
    schema: str
    variables: Mapping[str, object] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        """Names, each after all that it reads."""
        needs = {name: read for name, (_, read) in self._rendered.items()}
        yield from TopologicalSorter(needs).static_order()

    def sql(self, name: str) -> str:
        """The query that a model is.

        Raises:
            KeyError: there is no such model.
        """
        return self._rendered[name][0]

    def kind(self, name: str) -> str:
        """Whether a model is a `table` or a `view`, as `dbt_project.yml` says.

        Raises:
            KeyError: there is no such model.
        """
        level = _project("models")
        kind = str(level["+materialized"])
        path = self._files[name].relative_to(FOLDER / "models")
        for part in path.with_suffix("").parts:
            level = level.get(part, {})
            kind = level.get("+materialized", kind)
        return kind

    def script(self) -> Iterator[str]:
        """Statements that make every model as dbt does, a table or a view each."""
        yield f'create schema if not exists "{self.schema}"'
        for name in self:
            kind, relation = self.kind(name), self._relation(self.schema, name)
            made = f"{kind} {relation} as\n{self.sql(name)}"
            if self.type == "duckdb":
                yield f"create or replace {made}"
                continue
            # Models that read it are dropped with it, and made after it.
            yield f"drop {kind} if exists {relation} cascade"
            yield f"create {made}"
            if kind == "table":
                yield f"analyze {relation}"

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted((FOLDER / "models").rglob("*.sql"))}

    @cached_property
    def _macros(self) -> str:
        paths = sorted((FOLDER / "macros").rglob("*.sql"))
        return "".join(path.read_text(encoding="utf-8").rstrip() for path in paths)

    @cached_property
    def _variables(self) -> Mapping[str, object]:
        return {**_project("vars"), **self.variables}

    @cached_property
    def _rendered(self) -> Mapping[str, tuple[str, set[str]]]:
        """Of each model its query, and the models that it reads."""
        return {name: self._render(path) for name, path in self._files.items()}

    @cached_property
    def _jinja(self) -> Environment:
        # Nothing here is HTML.
        return Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701

    @cached_property
    def _target(self) -> SimpleNamespace:
        return SimpleNamespace(type=self.type, schema=self.schema)

    def _render(self, path: Path) -> tuple[str, set[str]]:
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
            "target": self._target,
        }
        text = self._macros + path.read_text(encoding="utf-8")
        return self._jinja.from_string(text).render(known).strip(), read

    def _relation(self, schema: str, name: str) -> str:
        parts = (self.database, schema, name)
        return ".".join(f'"{part}"' for part in parts if part)

"""A session in a database, whichever it is."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeAlias

from tap_utility_intervals.floor.errors import TapError

Row: TypeAlias = dict[str, Any]


class ReportError(TapError):
    """A warehouse cannot be asked, or a report not be written; it says what to do."""


class Database(Protocol):
    """A session whose own tables vanish with it; the loader's are only read."""

    type: Literal["duckdb", "postgres"]
    database: str
    schema: str
    """Where our tables are made."""

    def run(self, sql: str) -> None:
        """Do something in SQL."""

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Ask in SQL, with `$1`, `$2`, … for the values."""

    def columns(self, view: str) -> list[str]:
        """Return the columns of one of our views."""

    def found(self, table: str) -> str | None:
        """Name a table of the loader as SQL does; none if there is no such table."""


def quoted(*names: str) -> str:
    """Return a name as SQL has it, with those before it that lead to it."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"

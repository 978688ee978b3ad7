"""A DuckDB file. It is open only while something is committed, so people can ask it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tap_utility_intervals.store import sql
from tap_utility_intervals.store.base import (
    BOOKMARKS,
    Pending,
    Place,
    Readings,
    StoreError,
    Table,
    only_load,
)

PATIENCE = 300.0
"""Seconds that another program may keep the file open."""

SETTINGS = {
    "TimeZone": "UTC",
    "memory_limit": "300MB",
    "preserve_insertion_order": "false",  # holds less in memory
    # What is inserted comes from one thread anyway. With two, closing the file takes
    # half as long as inserting did, and the file is half as large again.
    "threads": "1",
}

LOCKED = "lock on file"
"""What DuckDB's error says when another process has the file."""

VARCHAR = "VARCHAR"

Connection: TypeAlias = duckdb.DuckDBPyConnection

_logger = logging.getLogger("tap-utility-intervals")


class DuckDB:
    """Tables in one schema of a DuckDB file."""

    def __init__(self, path: Path, schema: str = "main") -> None:
        """Use the file at `path`; it is made by the first commit."""
        self.name = str(path)
        self._path = path
        self._schema = schema
        self._home = sql.quoted(schema)
        """The schema as SQL has it, below the file: its name may be that of the file,
        and a stream's that of a temporary table."""
        self._sources: dict[str, set[str]] = {}
        """The sources of which a table of readings has rows, once somebody looked."""
        self._is_waiting = False

    def alone(self) -> AbstractContextManager[None]:
        """Hold `<file>.lock`."""
        return only_load(self._path.with_name(f"{self._path.name}.lock"), self.name)

    def bookmarks(self) -> dict[Place, str]:
        """All bookmarks, as they were committed."""
        if not self._path.exists():
            return {}
        with self._open() as db:
            if not self._columns(db, BOOKMARKS):
                return {}
            found = db.execute(f"select * from {self._named(BOOKMARKS)}")  # noqa: S608
            return {(row[0], row[1]): row[2] for row in found.fetchall()}

    def commit(self, pending: Pending) -> None:
        """Store everything at once."""
        with self._open() as db:
            db.begin()
            db.execute(f"create schema if not exists {self._home}")
            for table in pending.tables.values():
                self._upsert(db, table, pending.come(table))
            self._remember(db, pending.bookmarks)
            db.commit()

    # --- rows -------------------------------------------------------------------------

    def _upsert(self, db: Connection, table: Table, rows: pa.Table) -> None:
        self._create(db, table)
        if table.readings:
            self._create(db, table.restatements)
        if not rows.num_rows:
            return
        if table.loose:
            rows = rows.cast(self._fitting(db, table))
        if table.key:
            rows = _once(db, table, rows)
        if table.readings:
            rows = self._make_way(db, table, table.readings, rows)
        elif table.key:
            _register(db, rows)
            db.execute(sql.delete(self._named(table.name), table.key))
        _register(db, rows)
        db.execute(f"insert into {self._named(table.name)} by name from came")
        if table.name == "coverage":
            columns = {name: self._columns(db, name) for name in sql.NEEDED}
            sql.prune(db, {name: self._named(name) for name in columns}, columns)

    def _create(self, db: Connection, table: Table) -> None:
        """Make the table, or the columns that it lacks; loose ones may become text.

        Raises:
            StoreError: a column of that name has another type.
        """
        wanted = _described(db, table.schema)
        found = self._columns(db, table.name)
        names = table.schema.names
        if len(names) > len({name.lower() for name in names}):
            told = "to DuckDB, two of its columns have one name"
            raise StoreError(f"{self.name}: {table.name} cannot be stored: {told}.")
        name = self._named(table.name)
        if not found:
            columns = ", ".join(f"{sql.quoted(n)} {t}" for n, t in wanted.items())
            db.execute(f"create table {name} ({columns})")
            return
        for column, kind in wanted.items():
            held = found.get(column.lower())
            if held is None:
                add = f"{sql.quoted(column)} {kind}"
                db.execute(f"alter table {name} add column {add}")
            elif column in table.loose:
                if held not in {kind, VARCHAR}:
                    alter = f"alter {sql.quoted(column)} type {VARCHAR}"
                    db.execute(f"alter table {name} {alter}")
            elif held != kind:
                where = f"{self.name}: {table.name}.{column}"
                other = "another file or another schema"
                raise StoreError.of_type(where, held, kind, other)

    def _fitting(self, db: Connection, table: Table) -> pa.Schema:
        """The schema of the rows to insert: text where the table's column is text."""
        found = self._columns(db, table.name)
        return pa.schema(
            one.with_type(pa.string()) if found[one.name.lower()] == VARCHAR else one
            for one in table.schema
        )

    def _make_way(
        self, db: Connection, table: Table, readings: Readings, rows: pa.Table
    ) -> pa.Table:
        """Note what is restated and delete what is replaced; the rows to insert.

        Only sources that the table has are looked up, and only from the first instant
        on that came: a first load costs nothing here, a look-back little.
        """
        held, known = self._named(table.name), self._known(db, table, readings)
        came = set(pc.unique(rows[readings.source]).to_pylist())
        again = came & known
        known |= came
        if not again:
            return rows
        found = rows
        if again != came:
            wanted = pa.array(sorted(again), pa.string())
            found = rows.filter(pc.is_in(rows[readings.source], wanted))
        _register(db, found)
        start = sql.quoted(readings.start)
        db.execute(
            f"""
            create or replace temp table met as
            select held.rowid as id, {sql.is_older(readings)} as older,
                {sql.differ(readings.compared)} as changed
            from {held} held join came on {sql.same(table.key)}
            where held.{start} >= ?
            """,  # noqa: S608 - quoted
            [pc.min(found[readings.start]).as_py()],
        )
        return self._replace(db, table, rows)

    def _replace(self, db: Connection, table: Table, rows: pa.Table) -> pa.Table:
        held = self._named(table.name)
        count = "select count(*) filter (changed), count(*) filter (older) from met"
        ((changed, older),) = db.execute(count).fetchall()
        of = "(select * from {} where rowid in (select id from met where {}))"
        if changed:
            told = self._named(table.restatements.name)
            found = sql.restated(table, of.format(held, "changed"))
            db.execute(f"insert into {told} by name {found}")
        if older:
            later, same = of.format(held, "older"), sql.same(table.key)
            rows = db.sql(
                f"select came.* from came anti join {later} held on {same}"  # noqa: S608
            ).to_arrow_table()
        db.execute(
            f"delete from {held} where rowid in (select id from met where not older)"  # noqa: S608
        )
        return rows

    def _known(self, db: Connection, table: Table, readings: Readings) -> set[str]:
        """The sources of which the table has rows: asked once, then kept."""
        if table.name not in self._sources:
            source, name = sql.quoted(readings.source), self._named(table.name)
            found = db.execute(f"select distinct {source} from {name}").fetchall()  # noqa: S608
            self._sources[table.name] = {row[0] for row in found}
        return self._sources[table.name]

    # --- bookmarks --------------------------------------------------------------------

    def _remember(self, db: Connection, bookmarks: Mapping[Place, str | None]) -> None:
        if not bookmarks:
            return
        table = self._named(BOOKMARKS)
        db.execute(
            f"create table if not exists {table}"
            " (stream varchar, source varchar, bookmark varchar)"
        )
        rows = [(*place, text) for place, text in bookmarks.items()]
        names = ("stream", "source", "bookmark")
        columns = [pa.array(one, pa.string()) for one in zip(*rows, strict=True)]
        _register(db, pa.table(columns, names))
        db.execute(sql.delete(table, ("stream", "source")))
        db.execute(f"insert into {table} from came where bookmark is not null")

    # --- the file ---------------------------------------------------------------------

    def _named(self, table: str) -> str:
        return f"{self._home}.{sql.quoted(table)}"

    def _columns(self, db: Connection, table: str) -> dict[str, str]:
        """Column, in small letters, to type; none if there is no such table."""
        # To DuckDB, names that differ in their case alone are one.
        found = db.execute(
            "select lower(column_name), data_type from duckdb_columns()"
            " where database_name = current_database() and lower(schema_name)"
            " = lower(?) and lower(table_name) = lower(?) order by column_index",
            [self._schema, table],
        )
        return dict(found.fetchall())

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        """The file, opened as soon as no other program has it; closed at the end.

        What was begun and not committed is as if it had never been.

        Raises:
            StoreError: it is no such file, or another program keeps it.
        """
        db = self._connect()
        try:
            for name, value in SETTINGS.items():
                db.execute(f"set {name} = '{value}'")
            ((file,),) = db.execute("select current_database()").fetchall()
            self._home = sql.named(file, self._schema)
            yield db
        except duckdb.Error as error:
            what = str(error).partition("\n")[0]
            raise StoreError(f"{self.name}: {what}") from error
        finally:
            db.close()

    def _connect(self) -> Connection:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return duckdb.connect(self._path)
            except duckdb.Error as error:
                if LOCKED not in str(error) or time.monotonic() > deadline:
                    what = str(error).partition("\n")[0]
                    raise StoreError(f"{self.name} cannot be opened: {what}") from None
            if not self._is_waiting:
                self._is_waiting = True
                _logger.warning(
                    "%s is open in another program; waiting until it is closed",
                    self.name,
                )
            time.sleep(0.1)


def _register(db: Connection, rows: pa.Table) -> None:
    """Let SQL see what came."""
    db.register("came", rows)


def _described(db: Connection, schema: pa.Schema) -> dict[str, str]:
    """Column to DuckDB's type."""
    db.register("shape", schema.empty_table())
    return {row[0]: row[1] for row in db.execute("describe shape").fetchall()}


def _once(db: Connection, table: Table, rows: pa.Table) -> pa.Table:
    """Each key once: the row that was read last, or else the one that came last."""
    key = sql.listed(table.key)
    when = [table.readings.read_at] if table.readings else []
    telling = rows.select(list(dict.fromkeys([*table.key, *when])))
    _register(db, telling)
    # Keys whose hashes are equal by chance only make it look closer.
    count = f"select count(distinct hash({key})) from came"  # noqa: S608 - quoted
    if db.execute(count).fetchall() == [(rows.num_rows,)]:
        return rows
    name = "_".join(telling.schema.names) + "_"  # a column that is not there
    place = sql.quoted(name)
    numbers = pa.array(range(rows.num_rows), pa.int64())
    _register(db, telling.append_column(name, numbers))
    kept = db.sql(
        f"""
        select {place} from came
        qualify row_number() over (
            partition by {key} order by {sql.newest_first(table)} {place} desc) = 1
        order by {place}
        """  # noqa: S608 - quoted
    ).to_arrow_table()
    return rows.take(kept[name])

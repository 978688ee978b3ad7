"""A PostgreSQL database: COPY into a temporary table, then an upsert by primary key.

One connection lasts as long as the load: its advisory locks say which sources are being
loaded, so loads of different sources may run side by side.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b

import psycopg
import pyarrow as pa
import pyarrow.csv as pcsv
from psycopg import errors

from tap_utility_intervals.store import sql
from tap_utility_intervals.store.base import (
    BOOKMARKS,
    Pending,
    Place,
    StoreError,
    Table,
)
from tap_utility_intervals.store.sources import Claim

TYPES = {
    pa.bool_(): "boolean",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
    pa.string(): "text",
}

ROOM = (
    "fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1,"
    " autovacuum_analyze_scale_factor = 0.1"
)
"""Each look-back updates rows, for their `read_at` is evidence. Half a page is left for
their new versions, and no index has a column that changes: so they stay in their page,
and the next look-back takes the place of the old ones."""

PATIENCE = 5.0
"""Seconds until the server has surely noticed that a killed load is no more."""

CHUNK = 50_000
"""Rows that are turned into text at a time."""


class PostgreSQL:
    """Tables in one schema of a database."""

    def __init__(
        self, url: str, schema: str = "public", claims: Sequence[Claim] = ()
    ) -> None:
        """Use the database at `url`; whatever else libpq knows, its password, too.

        Args:
            url: `postgresql://user@host/db`, without a password.
            schema: where the tables are.
            claims: the sources that are loaded: which other loads are kept out.
        """
        self.name = url
        self._schema = schema
        self._claims = claims
        self._open: psycopg.Connection | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one that loads these sources."""
        # What is copied is UTF-8, whatever the database or PGCLIENTENCODING prefers.
        with (
            self._told(),
            psycopg.connect(self.name, autocommit=True, client_encoding="utf8") as db,
        ):
            db.execute("set time zone 'UTC'")
            for claim in self._claims:
                self._lock(db, claim)
            self._open = db
            try:
                yield
            finally:
                self._open = None

    def _lock(self, db: psycopg.Connection, claim: Claim) -> None:
        """Take an advisory lock, which the end of the connection releases."""
        kind = "" if claim.is_exclusive else "_shared"
        ask = f"select pg_try_advisory_lock{kind}(%s)"
        deadline = time.monotonic() + PATIENCE
        while not _one(db, ask, [self._number(claim.name)]):
            if time.monotonic() > deadline:
                told = f"Another load of {claim.told} into {self.name} is at work."
                raise StoreError(told)
            time.sleep(0.1)

    def bookmarks(self) -> dict[Place, str]:
        """All bookmarks, as they were committed."""
        with self._told():
            if not self._columns(BOOKMARKS):
                return {}
            found = self._db.execute(f"select * from {self._named(BOOKMARKS)}")  # noqa: S608
            return {(row[0], row[1]): row[2] for row in found.fetchall()}

    def commit(self, pending: Pending) -> None:
        """Store everything at once."""
        with self._told(), self._db.transaction():
            for table in pending.tables.values():
                self._upsert(table, pending.come(table))
            self._remember(pending.bookmarks)

    # --- rows -------------------------------------------------------------------------

    def _upsert(self, table: Table, rows: pa.Table) -> None:
        self._create(table)
        if table.readings:
            self._create(table.restatements)
        if not rows.num_rows:
            return
        self._copy(table, rows)
        try:
            with self._db.transaction():
                self._insert(table, rows)
        except (errors.CardinalityViolation, errors.UniqueViolation):  # a key twice
            self._run(_once(table))
            self._insert(table, rows)
        if table.name == "coverage":
            columns = {name: self._columns(name) for name in sql.NEEDED}
            sql.prune(self._db, {name: self._named(name) for name in columns}, columns)
        self._run("drop table came")

    def _create(self, table: Table) -> None:
        """Make the table, or the columns that it lacks.

        Raises:
            StoreError: a column of that name has another type.
        """
        wanted = {field.name: _type(field.type) for field in table.schema}
        found = self._columns(table.name)
        if wanted.items() <= found.items():
            return
        # Two loads may want to; the second one finds it done.
        self._run("select pg_advisory_xact_lock(%s)", [self._number("tables")])
        name = self._named(table.name)
        columns = [f"{sql.quoted(n)} {t}" for n, t in wanted.items()]
        if table.key:
            columns.append(f"primary key ({sql.listed(table.key)})")
        schema = sql.quoted(self._schema)
        # Who may use a schema may not therefore make one, not even one that is there.
        if not _one(self._db, "select to_regnamespace(%s)", [schema]):
            self._run(f"create schema if not exists {schema}")
        self._run(
            f"create table if not exists {name} ({', '.join(columns)}) with ({ROOM})"
        )
        for column, kind in wanted.items():
            added = f"add column if not exists {sql.quoted(column)} {kind}"
            self._run(f"alter table {name} {added}")
        for column, kind in self._columns(table.name).items():
            if wanted.get(column, kind) != kind:
                where = f"{self.name}: {table.name}.{column}"
                raise StoreError.of_type(where, kind, wanted[column], "another schema")

    def _copy(self, table: Table, rows: pa.Table) -> None:
        """Put rows into a temporary table `came`, in their order."""
        columns = sql.listed(table.schema.names)
        held = self._named(table.name)
        self._run(f"create temp table came as select {columns} from {held} limit 0")  # noqa: S608
        # Without their zone, which is the session's, instants are written much faster.
        naive = pa.schema(
            field.with_type(pa.timestamp("us"))
            if pa.types.is_timestamp(field.type)
            else field
            for field in rows.schema
        )
        options = pcsv.WriteOptions(include_header=False)
        with self._db.cursor().copy("copy came from stdin (format csv)") as copy:
            for batch in rows.cast(naive).to_batches(CHUNK):
                text = pa.BufferOutputStream()
                pcsv.write_csv(batch, text, options)
                copy.write(memoryview(text.getvalue()))

    def _insert(self, table: Table, rows: pa.Table) -> None:
        held, names = self._named(table.name), sql.listed(table.schema.names)
        if table.readings and self._has_any(table, rows):
            told = table.restatements
            self._run("analyze came")
            into = f"{self._named(told.name)} ({sql.listed(told.schema.names)})"
            found = sql.restated(table, held)
            # Restated once more by the same answer: what it was before stays.
            again = _on_conflict(told.key, table.readings.compared)
            self._run(f"insert into {into} {found} {again}")
        insert = f"insert into {held} as held ({names}) select {names} from came"  # noqa: S608
        if table.key:
            changed = [n for n in table.schema.names if n not in table.key]
            insert += f" {_on_conflict(table.key, changed)}"
        if table.key and table.readings:
            insert += f" where not {sql.is_older(table.readings, 'excluded')}"
        self._run(insert)

    def _has_any(self, table: Table, rows: pa.Table) -> bool:
        """Whether the table has rows of any source that came."""
        assert table.readings  # noqa: S101 - for mypy
        source = table.readings.source
        came = rows[source].unique().to_pylist()
        of = f"{self._named(table.name)} where {sql.quoted(source)} = one"
        ask = (
            "select exists (select 1 from unnest(%s::text[]) one"  # noqa: S608 - quoted
            f" where exists (select 1 from {of}))"
        )
        return bool(_one(self._db, ask, [came]))

    # --- bookmarks --------------------------------------------------------------------

    def _remember(self, bookmarks: Mapping[Place, str | None]) -> None:
        if not bookmarks:
            return
        text = pa.string()
        table = Table(
            BOOKMARKS,
            pa.schema([("stream", text), ("source", text), ("bookmark", text)]),
            ("stream", "source"),
        )
        self._create(table)
        gone = [place for place, one in bookmarks.items() if one is None]
        kept = sorted(
            (*place, one) for place, one in bookmarks.items() if one is not None
        )
        name = self._named(BOOKMARKS)
        with self._db.cursor() as db:
            db.executemany(
                f"delete from {name} where stream = %s and source = %s",  # noqa: S608
                gone,
            )
            # Of a stream as a whole, loads side by side keep the newest instant.
            db.executemany(
                f"""
                insert into {name} as held values (%s, %s, %s)
                on conflict (stream, source) do update set bookmark = case
                    when held.source <> '' then excluded.bookmark
                    else greatest(held.bookmark, excluded.bookmark) end
                """,  # noqa: S608
                kept,
            )

    # --- the database -----------------------------------------------------------------

    @property
    def _db(self) -> psycopg.Connection:
        assert self._open is not None, "only within `alone`"  # noqa: S101
        return self._open

    def _run(self, statement: str, values: Sequence[object] | None = None) -> None:
        self._db.execute(statement, values)

    def _named(self, table: str) -> str:
        return sql.named(self._schema, table)

    def _number(self, name: str) -> int:
        """The advisory lock of a name; locks are the database's, schemas are not."""
        digest = blake2b(f"{self._schema}\n{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big", signed=True)

    def _columns(self, table: str) -> dict[str, str]:
        """Column to type; none if there is no such table."""
        found = self._db.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            [self._named(table)],
        )
        return dict(found.fetchall())

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one sentence what the database refuses; never a row's values."""
        try:
            yield
        except psycopg.Error as error:
            what = error.diag.message_primary or str(error).partition("\n")[0]
            raise StoreError(f"{self.name}: {what}") from None


def _type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    return TYPES[kind]


def _one(
    db: psycopg.Connection, ask: str, values: Sequence[object] | None = None
) -> object:
    """The only value of the answer."""
    row = db.execute(ask, values).fetchone()
    return row[0] if row else None


def _on_conflict(key: Sequence[str], changed: Sequence[str]) -> str:
    """Have these columns of what is there become those of what came."""
    to = ", ".join(f"{sql.quoted(n)} = excluded.{sql.quoted(n)}" for n in changed)
    does = f"update set {to}" if changed else "nothing"
    return f"on conflict ({sql.listed(key)}) do {does}"


def _once(table: Table) -> str:
    """Leave each key once: the row that was read last, or else that came last."""
    return f"""
        delete from came using (
            select ctid as place, row_number() over (
                partition by {sql.listed(table.key)}
                order by {sql.newest_first(table)} ctid desc) as n
            from came) again
        where came.ctid = again.place and again.n > 1
    """  # noqa: S608 - quoted
